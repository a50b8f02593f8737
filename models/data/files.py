"""Parts of files read by offset: each file is opened once per process, and nothing but the part is read."""

import os
import tokenize
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import IO

import numpy as np

from manifests.errors import UserError


class DatasetError(UserError):
    """A folder that is no dataset, or a shard that does not hold what the index says."""


@dataclass(slots=True)
class Files:
    """Open files below one folder. Picklable; a copy opens its own."""

    folder: Path
    _open: dict[str, int] = field(default_factory=dict[str, int], repr=False)

    def read(self, name: str, offset: int, size: int) -> bytes:
        """`size` bytes. Raises DatasetError where the file is missing or too short."""
        content = os.pread(self._descriptor(name), size, offset)
        self._check(name, offset, size, len(content))
        return content

    def read_into(self, name: str, offset: int, place: memoryview) -> None:
        """Fill a writable place, without a copy between. Raises DatasetError as `read` does."""
        read = os.preadv(self._descriptor(name), [place], offset)
        self._check(name, offset, place.nbytes, read)

    def close(self) -> None:
        """Close what was opened."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _descriptor(self, name: str) -> int:
        if name not in self._open:
            if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
                raise DatasetError(f"{name} lies outside {self.folder}")
            try:
                self._open[name] = os.open(self.folder / name, os.O_RDONLY)
            except OSError as error:
                raise DatasetError(f"{self.folder / name}: {error.strerror}") from error
        return self._open[name]

    @staticmethod
    def _check(name: str, offset: int, wanted: int, read: int) -> None:
        if read != wanted:
            raise DatasetError(
                f"{name} ends at byte {offset + read}, a member reaches to {offset + wanted}"
            )

    def __getstate__(self) -> Path:
        return self.folder

    def __setstate__(self, folder: Path) -> None:
        self.folder = folder
        self._open = {}


def array_in(stream: IO[bytes]) -> np.ndarray:
    """The array of a `.npy` file, whoever wrote it. Raises ValueError for whatever else it is: a pickle, an archive."""
    try:
        return np.lib.format.read_array(stream, allow_pickle=False)
    except (SyntaxError, TypeError, tokenize.TokenError, RecursionError, MemoryError) as error:
        raise ValueError(f"its header cannot be read: {error}") from error

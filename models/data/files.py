"""Parts of files read by offset, on this machine or behind any fsspec URL: nothing but the part is read.

A local file is opened once per process.
"""

import io
import os
import tokenize
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import IO, Any

import numpy as np

from manifests.errors import UserError


class DatasetError(UserError):
    """A folder that is no dataset, or a shard that does not hold what the index says."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder on this machine, or behind a URL that fsspec opens (`s3://bucket/set`, `gs://…`, `https://…`)."""

    url: str

    @classmethod
    def of(cls, given: "Path | str | Folder") -> "Folder":
        """From whatever names it; `file://` is this machine."""
        return given if isinstance(given, Folder) else cls(str(given).removeprefix("file://"))

    @property
    def local(self) -> Path | None:
        """Its path where it is on this machine, else None."""
        return None if "://" in self.url else Path(self.url)

    def __str__(self) -> str:
        """As it was named."""
        return self.url

    def __truediv__(self, name: str) -> "Folder":
        """What lies below it."""
        return Folder(f"{self.url.rstrip('/')}/{name}" if self.url else name)

    def has(self, name: str) -> bool:
        """Whether there is a file of this name. Raises DatasetError where that cannot be found out."""
        if (here := self.local) is not None:
            return (here / name).is_file()
        system, path = self.remote()
        try:
            with reaching(
                str(self / name)
            ):  # isfile() would take a missing login for a missing file
                return system.info(f"{path}/{name}")["type"] == "file"
        except FileNotFoundError:
            return False

    def read(self, name: str) -> bytes:
        """A whole file. Raises OSError; DatasetError where a URL cannot be reached, which is not a missing file."""
        if (here := self.local) is not None:
            return (here / name).read_bytes()
        system, path = self.remote()
        with reaching(str(self / name)):
            return system.cat_file(f"{path}/{name}")

    def source(self, name: str) -> str | IO[bytes]:
        """A file as pyarrow opens it: a path, or the content. Raises OSError."""
        here = self.local
        return str(here / name) if here is not None else io.BytesIO(self.read(name))

    def remote(self) -> tuple[Any, str]:
        """(the file system, the path in it) behind a URL. Raises DatasetError for a scheme that cannot be opened."""
        from fsspec.core import url_to_fs  # only those who read from elsewhere need it

        with reaching(self.url):
            system, path = url_to_fs(self.url)
        return system, str(path).rstrip("/")


@contextmanager
def reaching(what: str) -> Iterator[None]:
    """Raises DatasetError for whatever a file system raises inside, which has errors of its own for a login or a host
    that is not there; FileNotFoundError stays."""
    try:
        yield
    except FileNotFoundError as error:
        silent = isinstance(error.__cause__, OSError) and not isinstance(
            error.__cause__, FileNotFoundError
        )
        if not silent:
            raise
        raise DatasetError(f"{what} cannot be reached: {error.__cause__}") from error  # over HTTP
    except Exception as error:  # botocore's, aiohttp's and others have no common base
        raise DatasetError(f"{what} cannot be reached: {error}") from error


@dataclass(slots=True)
class Files:
    """Open files below one folder. Picklable; a copy opens its own, and so does a forked process."""

    folder: Folder
    _open: dict[str, int] = field(default_factory=dict[str, int], repr=False)
    _remote: tuple[int, Any, str] | None = field(default=None, repr=False)

    def read(self, name: str, offset: int, size: int) -> bytes:
        """`size` bytes. Raises DatasetError where the file is missing or too short."""
        if self.folder.local is None:
            content = self._fetch(name, offset, size)
        else:
            content = os.pread(self._descriptor(name), size, offset)
        self._check(name, offset, size, len(content))
        return content

    def read_into(self, name: str, offset: int, place: memoryview) -> None:
        """Fill a writable place, without a copy between. Raises DatasetError as `read` does."""
        if self.folder.local is None:
            place[:] = self.read(name, offset, place.nbytes)
            return
        read = os.preadv(self._descriptor(name), [place], offset)
        self._check(name, offset, place.nbytes, read)

    def close(self) -> None:
        """Close what was opened."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _descriptor(self, name: str) -> int:
        if name not in self._open:
            self._inside(name)
            assert self.folder.local is not None
            try:
                self._open[name] = os.open(self.folder.local / name, os.O_RDONLY)
            except OSError as error:
                raise DatasetError(f"{self.folder / name}: {error.strerror}") from error
        return self._open[name]

    def _fetch(self, name: str, offset: int, size: int) -> bytes:
        self._inside(name)
        if self._remote is None or self._remote[0] != os.getpid():
            from fsspec.asyn import reset_lock

            if self._remote is not None:
                reset_lock()  # forked: the threads of the parent's file system are not here
            self._remote = (os.getpid(), *self.folder.remote())
        _, system, path = self._remote
        try:
            with reaching(str(self.folder / name)):
                return system.cat_file(f"{path}/{name}", start=offset, end=offset + size)
        except FileNotFoundError as error:
            raise DatasetError(f"{self.folder / name}: there is no such file") from error

    def _inside(self, name: str) -> None:
        if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
            raise DatasetError(f"{name} lies outside {self.folder}")

    @staticmethod
    def _check(name: str, offset: int, wanted: int, read: int) -> None:
        if read != wanted:
            raise DatasetError(
                f"{name} ends at byte {offset + read}, a member reaches to {offset + wanted}"
            )

    def __getstate__(self) -> Folder:
        return self.folder

    def __setstate__(self, folder: Folder) -> None:
        self.folder, self._open, self._remote = folder, {}, None


def array_in(stream: IO[bytes]) -> np.ndarray:
    """The array of a `.npy` file, whoever wrote it. Raises ValueError for whatever else it is: a pickle, an archive."""
    try:
        return np.lib.format.read_array(stream, allow_pickle=False)
    except (SyntaxError, TypeError, tokenize.TokenError, RecursionError, MemoryError) as error:
        raise ValueError(f"its header cannot be read: {error}") from error

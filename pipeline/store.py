"""The content-addressed store of a run: arrays and files named by the SHA-256 of their bytes."""

import hashlib
import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manifests.files import put_in_place, replacing, sha256_of
from manifests.record import Blob, Media


class StoreError(OSError):
    """The store does not hold what a record says it holds."""


@dataclass(frozen=True, slots=True)
class Store:
    """Blobs under one folder; every write goes to a temporary name first and is then renamed."""

    root: Path

    @property
    def media(self) -> Path:
        """Where fetched files lie."""
        return self.root / "media"

    def path(self, blob: Blob) -> Path:
        return self.root / "blobs" / blob.sha256[:2] / f"{blob.sha256}{blob.suffix}"

    def has(self, blob: Blob) -> bool:
        return self.path(blob).is_file()

    def put_bytes(self, content: bytes, *, suffix: str) -> Blob:
        blob = Blob(sha256=hashlib.sha256(content).hexdigest(), suffix=suffix, bytes=len(content))
        path = self.path(blob)
        if not path.is_file():
            with replacing(path) as temporary:
                temporary.write_bytes(content)
        return blob

    def put_file(self, file: Path) -> Blob:
        """Take over a finished file; it is moved."""
        blob = Blob(sha256=sha256_of(file), suffix=file.suffix, bytes=file.stat().st_size)
        path = self.path(blob)
        path.parent.mkdir(parents=True, exist_ok=True)
        put_in_place(file, path)
        return blob

    def put_array(self, array: NDArray[np.generic]) -> Blob:
        return self.put_bytes(array_bytes(array), suffix=".npy")

    def read_array(self, blob: Blob) -> NDArray[np.generic]:
        """The array of a blob. Raises StoreError where it is missing."""
        try:
            return np.load(self.path(blob), allow_pickle=False)
        except FileNotFoundError as error:
            raise StoreError(f"the store has no {blob.sha256[:12]}{blob.suffix}") from error

    def read_timeline(self, media: Media) -> NDArray[np.int64]:
        """Presentation timestamps of a source's frames, in ticks."""
        return self.read_array(media.timeline).astype(np.int64)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder on the store's own disk that is gone afterwards."""
        self.root.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="scratch-", dir=self.root))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def array_bytes(array: NDArray[np.generic]) -> bytes:
    """An array as the bytes of a .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()

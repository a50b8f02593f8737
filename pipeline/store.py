"""The content-addressed store of a run: arrays and files named by the SHA-256 of their bytes.

Reading verifies: `read_bytes`, `read_array` and `verified_path` return only what has the hash in its name, or raise
CorruptBlob. A bad file is put into quarantine, so that it is made again and can still be inspected.
"""

import errno
import hashlib
import io
import itertools
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from manifests.files import Seal, make_folder, put_in_place, sha256_of
from manifests.record import Blob, Media

NAME = re.compile(r"([0-9a-f]{64})(\.[\w.]+)?", re.ASCII)
HASHES_KEPT = 1 << 16  # files whose hash one process caches


# ---- errors ----------------------------------------------------------------------------------------------------------


class StoreError(OSError):
    """The store does not contain what a record refers to."""


class CorruptBlob(StoreError):
    """A blob is missing or has other bytes than its name says. clip: id of the clip that needs it, where known."""

    def __init__(self, blob: Blob, problem: str, clip: str | None = None) -> None:
        name = f"{blob.sha256[:12]}{blob.suffix}"
        wanted = f" (clip {clip})" if clip else ""
        super().__init__(f"blob {name}{wanted} of the store cannot be used: {problem}")
        self.blob = blob
        self.problem = problem
        self.clip = clip

    def __reduce__(self) -> tuple[type["CorruptBlob"], tuple[Blob, str, str | None]]:
        """As an error between processes."""
        return CorruptBlob, (self.blob, self.problem, self.clip)


class CorruptBlobs(StoreError):
    """Several blobs are missing or have other bytes than their names say."""

    def __init__(self, found: Sequence[CorruptBlob]) -> None:
        shown = "; ".join(str(one) for one in found[:5])
        more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
        super().__init__(shown + more)
        self.found = tuple(found)

    def __reduce__(self) -> tuple[type["CorruptBlobs"], tuple[tuple[CorruptBlob, ...]]]:
        """As an error between processes."""
        return CorruptBlobs, (self.found,)


class HashedFile(NamedTuple):
    """One file of the store."""

    sha256: str
    suffix: str
    path: Path


# ---- the store -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Store:
    """Blobs under one folder; every write goes to a temporary name first, is synced and then renamed."""

    root: Path

    @property
    def media(self) -> Path:
        """Where fetched files lie."""
        return self.root / "media"

    def path(self, blob: Blob) -> Path:
        """Where a blob lies or would lie. What is read must come through `read_bytes` or `verified_path`."""
        return self.root / "blobs" / blob.sha256[:2] / f"{blob.sha256}{blob.suffix}"

    def has(self, blob: Blob) -> bool:
        """Whether a file of the right size is there; its bytes are not read."""
        return size_of(self.path(blob)) == blob.bytes

    # ---- writing

    def put_bytes(self, content: bytes, *, suffix: str) -> Blob:
        """Store bytes; a file of another size under their name is replaced."""
        blob = Blob(sha256=hashlib.sha256(content).hexdigest(), suffix=suffix, bytes=len(content))
        if not self.has(blob):
            with self.scratch() as folder:
                part = folder / "part"
                part.write_bytes(content)
                self.take(part, blob)
        return blob

    def put_file(self, file: Path) -> Blob:
        """Take over a finished file: it is moved, over whatever had its name."""
        blob = Blob(sha256=sha256_of(file), suffix=file.suffix, bytes=file.stat().st_size)
        self.take(file, blob)
        return blob

    def take(self, file: Path, blob: Blob) -> None:
        """Give a finished file of a scratch folder the name of its blob, durably."""
        path = self.path(blob)
        make_folder(path.parent, below=self.root)
        put_in_place(file, path)

    def put_array(self, array: NDArray[np.generic]) -> Blob:
        return self.put_bytes(array_bytes(array), suffix=".npy")

    # ---- reading

    def load(self, blob: Blob) -> bytes | None:
        """The bytes under a blob's name, unless there are none or another number of them; not verified."""
        try:
            return self.path(blob).read_bytes() if self.has(blob) else None
        except FileNotFoundError:
            return None

    def problem(self, blob: Blob) -> str:
        """Why a blob is not whole, for an error."""
        size = size_of(self.path(blob))
        if size is None:
            return "it is missing"
        return (
            f"it has {size} bytes, not {blob.bytes}" if size != blob.bytes else "its bytes differ"
        )

    def read_bytes(self, blob: Blob) -> bytes:
        """The bytes of a blob, hashed as they were read. Raises CorruptBlob where they are missing or wrong."""
        content = self.load(blob)
        if content is None or hashlib.sha256(content).hexdigest() != blob.sha256:
            raise CorruptBlob(blob, self.problem(blob))
        return content

    def read_array(self, blob: Blob) -> NDArray[np.generic]:
        """The array of a blob. Raises CorruptBlob where it is missing or wrong."""
        return np.load(io.BytesIO(self.read_bytes(blob)), allow_pickle=False)

    def read_timeline(self, media: Media) -> NDArray[np.int64]:
        """Presentation timestamps of a source's frames, in ticks."""
        return self.read_array(media.timeline).astype(np.int64)

    def verified_path(self, blob: Blob) -> Path:
        """The file of a blob for those who open it themselves; hashed once per process and state of the file.

        Raises CorruptBlob where it is missing or wrong.
        """
        path = self.path(blob)
        try:
            whole = self.has(blob) and hash_of(path, Seal.of(path)) == blob.sha256
        except FileNotFoundError:  # it went between two looks
            whole = False
        if not whole:
            raise CorruptBlob(blob, self.problem(blob))
        return path

    # ---- listing, moving aside, removing

    def blobs(self) -> Iterator[HashedFile]:
        """Every blob that is here, folder by folder; unfinished and foreign files are passed over."""
        yield from hashed_files(self.root / "blobs")

    def quarantine(self, blob: Blob) -> Path | None:
        """Move a bad blob aside; returns where it lies now, or None where there is none or it is whole."""
        try:
            self.read_bytes(blob)
        except OSError:  # not whole, or its bytes cannot be read from the disk
            return self.set_aside(self.path(blob))
        return None

    def set_aside(self, file: Path) -> Path | None:
        """Move a file to `quarantine/<name>.<n>`; returns where it lies now, or None where there is none."""
        folder = self.root / "quarantine"
        folder.mkdir(parents=True, exist_ok=True)
        names = (folder / f"{file.name}.{n}" for n in itertools.count())
        place = next(name for name in names if not name.exists())
        try:
            file.replace(place)
        except FileNotFoundError:
            return None
        return place

    def remove(self, file: HashedFile) -> int:
        """Delete a file of the store; returns the bytes that this freed, 0 where it was gone."""
        size = size_of(file.path) or 0
        file.path.unlink(missing_ok=True)
        return size

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder on the store's own disk that is gone afterwards."""
        self.root.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="scratch-", dir=self.root))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def clear_scratch(self) -> int:
        """Delete the scratch folders that killed runs left; returns how many. Only while no other run is at work."""
        left = [Path(e.path) for e in entries(self.root) if e.name.startswith("scratch-")]
        for folder in left:
            shutil.rmtree(folder, ignore_errors=True)
        return len(left)


def array_bytes(array: NDArray[np.generic]) -> bytes:
    """An array as the bytes of a .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


@lru_cache(maxsize=HASHES_KEPT)
def hash_of(file: Path, seal: Seal) -> str:
    """SHA-256 of a file in one state, read once per process. seal: that state, taken before."""
    return sha256_of(file)


def hashed_files(folder: Path) -> Iterator[HashedFile]:
    """The files below a folder that lie where their SHA-256 says, unsorted and not all at once."""
    for part in entries(folder):
        for entry in entries(Path(part.path)):
            if (name := NAME.fullmatch(entry.name)) and entry.name[:2] == part.name:
                yield HashedFile(name[1], name[2] or "", Path(entry.path))


def size_of(file: Path) -> int | None:
    """Bytes of a regular file, or None where there is none."""
    try:
        facts = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return facts.st_size if stat.S_ISREG(facts.st_mode) else None


def entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What a folder holds, unsorted and not all at once; nothing where it is no folder."""
    try:
        with os.scandir(folder) as found:
            yield from found
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR):
            raise

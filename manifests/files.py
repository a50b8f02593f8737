"""Files written whole and durably, and hashed: the one way to do either, for both halves of the project.

A file is written under a temporary name, synced, renamed, and its folder synced, so that after a crash or a power cut
there is the old file or the new one and never a part. What was read is verified by SHA-256; a `Seal` tells without
reading that a file is still the one that was hashed.
"""

import ctypes
import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

UMASK = os.umask(0)
os.umask(UMASK)  # the only way to ask for it
BLOCK = 1 << 20  # bytes read at once


# ---- hashing ---------------------------------------------------------------------------------------------------------


def sha256_of(file: Path) -> str:
    """SHA-256 of a file's bytes, read in blocks. Raises OSError, always with the file's name."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        error.filename = error.filename or str(
            file
        )  # a disk that fails while it is read does not name the file
        raise


@dataclass(frozen=True, slots=True)
class Seal:
    """What tells, without reading it, that a file is still the one that was hashed.

    The time of the last change of the inode is no part: linking a file into a new version of a dataset moves it.
    """

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, file: Path) -> "Seal":
        """The seal of a file as it is now. Raises OSError where it is not there."""
        facts = file.stat()
        return cls(facts.st_size, facts.st_mtime_ns, facts.st_ino)


# ---- writing ---------------------------------------------------------------------------------------------------------


@contextmanager
def replacing(file: Path) -> Generator[Path]:
    """A temporary name beside `file`; synced and renamed to it when the block ends well, removed otherwise."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{file.name[:64]}.", dir=file.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        put_in_place(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(file: Path, content: str | bytes) -> None:
    """Write a small file whole and durably, or not at all; text as UTF-8."""
    with replacing(file) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def put_in_place(finished: Path, file: Path) -> None:
    """Sync a finished file and give it its name, both durably. The two lie on one file system."""
    finished.chmod(0o666 & ~UMASK)  # mkstemp makes files for one's own eyes only
    sync(finished)
    finished.replace(file)
    sync(file.parent)


@contextmanager
def replacing_folder(folder: Path) -> Generator[Path]:
    """A temporary folder beside `folder`; synced and put in its place when the block ends well, removed otherwise.

    What stood there stands until then: the two change places in one move where the system can. Raises OSError.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name[:64]}.", dir=folder.parent))
    try:
        temporary.chmod(0o777 & ~UMASK)  # mkdtemp makes folders for one's own eyes only
        yield temporary
        for place in [*temporary.rglob("*"), temporary]:
            sync(place)
        if not folder.exists():
            temporary.replace(folder)
        elif not exchange_at_once(temporary, folder):
            with tempfile.TemporaryDirectory(
                prefix=f".{folder.name[:64]}.", dir=folder.parent
            ) as aside:
                old = folder.replace(Path(aside, "old"))
                try:
                    temporary.replace(folder)
                except OSError:
                    old.replace(folder)
                    raise
        sync(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


RENAME_EXCHANGE, AT_FDCWD = 2, -100  # linux/fs.h, fcntl.h
CANNOT = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})


def exchange_at_once(one: Path, other: Path) -> bool:
    """Swap two folders in one system call; False where system or file system cannot. Raises OSError."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    if call(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in CANNOT:
        return False
    raise OSError(number, os.strerror(number), str(other))


def make_folder(folder: Path, *, below: Path) -> None:
    """Make a folder somewhere below another, each name on the way durably: who else made it may not have synced it.

    Raises ValueError where it does not lie below.
    """
    if not folder.is_relative_to(below):
        raise ValueError(f"{folder} does not lie below {below}")
    folder.mkdir(parents=True, exist_ok=True)
    while folder != below:
        keep_name(folder)
        folder = folder.parent


@cache
def keep_name(folder: Path) -> None:
    """Wait until the name of a folder is on the disk; once in a process."""
    sync(folder.parent)


def append_line(file: Path, line: bytes) -> None:
    """Append a line durably. What a crash left of the line before it ends there, and does not spoil this one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+b") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - 1))
        cut = stream.read(1) not in (b"", b"\n")
        stream.write((b"\n" if cut else b"") + line + b"\n")
        sync_stream(stream)
    if size == 0:
        sync(file.parent)


def sync(place: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_stream(stream: IO[bytes]) -> None:
    """Wait until what was written to an open file is on the disk."""
    stream.flush()
    os.fsync(stream.fileno())

"""Local files, hashed where they lie."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from manifests.files import sha256_of
from pipeline.fetching.breaker import Breaker
from pipeline.fetching.errors import FetchError, NoAnswer, NotMediaPage, Unreachable
from pipeline.fetching.settings import FetchSettings
from pipeline.fetching.store import Folder, Signature
from pipeline.sources.locators import Located
from pipeline.sources.remote import AWAY

NO_FILE = frozenset({errno.ENAMETOOLONG, errno.ELOOP})


@dataclass(frozen=True, slots=True)
class Hashed:
    """A local file and the hash of its bytes."""

    path: Path
    sha256: str
    bytes: int


def hash_local(located: Located, cache: Folder, settings: FetchSettings) -> Hashed:
    """A file of this machine as it lies: not copied, read only if it changed since it was read last.

    Raises FetchError. What cannot be kept in the fetch folder is this machine's fault and raised as it is.
    """
    path = Path(located.open_at)
    if (known := known_local(located, cache)) is not None:
        return known
    with (
        Breaker.of(cache, located.host, settings).asking(located.locator),
        reading(located.locator),
    ):
        before, mode = Signature.of(path), path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise NotMediaPage(located.locator, f"is no file but a {kind_of(mode)}")
        sha256 = sha256_of(path)
    if before.size == 0:
        raise NotMediaPage(located.locator, "is an empty file")
    cache.remember(path, sha256, before)
    return Hashed(openable(path, cache), sha256, before.size)


def known_local(located: Located, cache: Folder) -> Hashed | None:
    """The file if it is as it was when it was hashed last, without reading it; None where it has to be read."""
    path = Path(located.open_at)
    try:
        known = cache.recall(path)
    except OSError:
        return None
    name = path if is_utf8(path) else cache.link(path)
    if known is None or (name is not path and not name.is_symlink()):
        return None
    return Hashed(name, *known)


def openable(path: Path, cache: Folder) -> Path:
    """The path, or a link to it where its name is no UTF-8, which records and decoders cannot hold."""
    if is_utf8(path):
        return path
    link = cache.link(path)
    link.parent.mkdir(parents=True, exist_ok=True)
    temporary = link.with_name(f".{link.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(path)
    return temporary.replace(link)


def is_utf8(path: Path) -> bool:
    """Whether a file name is text."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def kind_of(mode: int) -> str:
    """What lies there instead of a file."""
    kinds = {stat.S_IFDIR: "folder", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
    return kinds.get(stat.S_IFMT(mode), "device")


@contextmanager
def reading(locator: str) -> Iterator[None]:
    """Turns what the system raises into the reason it stands for."""
    try:
        yield
    except OSError as error:
        raise by_errno(error, locator) from error


def by_errno(error: OSError, locator: str) -> FetchError:
    """The reason in an error of a local file.

    A mount that went away looks like a file that is gone or may not be read, so neither is taken for a fact about it.
    """
    words = error.strerror or type(error).__name__
    if error.errno in AWAY:
        return NoAnswer(locator, words, True)
    if error.errno in NO_FILE:
        return NotMediaPage(locator, f"names no file: {words}")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Unreachable(locator, "nothing is there")
    if isinstance(error, PermissionError):
        return Unreachable(locator, f"may not be read: {words}")
    return Unreachable(locator, words, True)

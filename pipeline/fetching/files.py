"""Local files, hashed where they lie, and files behind any fsspec URL, streamed into the folder."""

import stat
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import fsspec
from fsspec.core import url_to_fs

from pipeline.fetching.errors import FetchError, NotMediaPage, Private, Removed, Unreachable
from pipeline.fetching.settings import FetchSettings
from pipeline.fetching.store import Folder, Partial, TooManyBytes, append, safe_suffix
from pipeline.sources.locators import without_secrets

# Roots of what clients of object stores raise beside OSError, by the module that must be loaded for them to occur.
REMOTE_ERRORS = (
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("aiohttp", "ClientError"),
    ("gcsfs.retry", "HttpError"),
    ("azure.core.exceptions", "AzureError"),
)


@dataclass(frozen=True, slots=True)
class Hashed:
    """A local file and the hash of its bytes."""

    path: Path
    sha256: str
    bytes: int


def hash_local(locator: str, path: Path, folder: Folder) -> Hashed:
    """A file of this machine as it lies: not copied, read only if it changed since it was read last."""
    with reading(locator):
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise NotMediaPage(locator, f"is no file but a {kind_of(facts.st_mode)}")
        if facts.st_size == 0:
            raise NotMediaPage(locator, "is an empty file")
        path.open("rb").close()
    return Hashed(path, folder.hash_of(path), facts.st_size)


def kind_of(mode: int) -> str:
    """What lies there instead of a file."""
    kinds = {stat.S_IFDIR: "folder", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
    return kinds.get(stat.S_IFMT(mode), "device")


def stream(locator: str, url: str, partial: Partial, settings: FetchSettings) -> str:
    """Bring a file behind an fsspec URL into `partial.file`, going on where an earlier try stopped; its ending."""
    failures = 0
    while True:
        have = partial.have
        try:
            return attempt(locator, url, partial, settings)
        except FetchError as fault:
            failures = 0 if partial.have > have else failures + 1
            if not fault.transient or failures > settings.retries:
                raise
            time.sleep(min(60.0, settings.backoff * 2.0 ** max(0, failures - 1)))


def attempt(locator: str, url: str, partial: Partial, settings: FetchSettings) -> str:
    """One reading, from where the partial file ends if it is still the same object."""
    with reading(locator):
        system, path = url_to_fs(url)
        system.invalidate_cache()
        facts = system.info(path)
    if facts["type"] != "file":
        raise NotMediaPage(locator, f"is no file but a {facts['type']}")
    if facts["size"] == 0:
        raise NotMediaPage(locator, "is an empty file")
    state = {
        "validator": validator_of(facts),
        "total": str(facts["size"]),
        "suffix": safe_suffix(path),
    }
    if partial.state() != state:
        partial.begin(state)
    copy(locator, system, path, partial, settings)
    if facts["size"] is not None and partial.have != facts["size"]:
        raise Unreachable(locator, f"{partial.have} of {facts['size']} bytes came", True)
    return state["suffix"]


def copy(
    locator: str,
    system: fsspec.AbstractFileSystem,
    path: str,
    partial: Partial,
    settings: FetchSettings,
) -> None:
    """Append what is missing. Only reading is the source's fault: a full disk here is raised as it is."""
    with reading(locator):
        source = system.open(path, "rb")

    def read(most: int) -> bytes:
        with reading(locator):
            return cast(bytes, source.read(most))  # opened for bytes

    with source:
        if partial.have:
            source.seek(partial.have)
        try:
            append(read, partial.file, rate=settings.rate_limit, most=settings.max_bytes)
        except TooManyBytes as error:
            partial.clear()
            raise NotMediaPage(locator, str(error)) from error


@contextmanager
def reading(locator: str) -> Iterator[None]:
    """Turns what a file system raises into the reason it stands for."""
    try:
        yield
    except remote_errors() as error:
        raise by_os_error(error, locator) from error


def validator_of(facts: Mapping[str, object]) -> str:
    """What names this version of an object, as far as its file system says."""
    keys = (
        "ETag",
        "etag",
        "VersionId",
        "generation",
        "md5Hash",
        "LastModified",
        "mtime",
        "created",
    )
    return "; ".join(f"{key}={facts[key]}" for key in keys if facts.get(key) is not None)


def remote_errors() -> tuple[type[Exception], ...]:
    """OSError and what the loaded clients raise beside it."""
    found = (
        getattr(sys.modules[module], name, None)
        for module, name in REMOTE_ERRORS
        if module in sys.modules
    )
    return (OSError, *(kind for kind in found if isinstance(kind, type)))


def by_os_error(error: Exception, locator: str) -> FetchError:
    """The reason in an error of a file system."""
    detail = without_secrets(" ".join(str(error).split()))[:300] or type(error).__name__
    if isinstance(error, FileNotFoundError):
        return Removed(locator, "nothing is there")
    if isinstance(error, PermissionError) or type(error).__name__ == "NoCredentialsError":
        return Private(locator, f"access refused: {detail}")
    return Unreachable(locator, detail, True)

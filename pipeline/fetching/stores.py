"""Files behind any fsspec URL, streamed into the folder."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from pipeline.fetching.errors import (
    FetchError,
    NoAnswer,
    NotMediaPage,
    Private,
    Removed,
    Unreachable,
)
from pipeline.fetching.settings import FetchSettings
from pipeline.fetching.store import Partial, TooManyBytes, append, safe_suffix
from pipeline.sources.locators import Located
from pipeline.sources.remote import Fault, client_errors, diagnose, open_store

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

REASONS: Mapping[Fault, tuple[type[FetchError], bool]] = {
    Fault.MISSING: (Removed, False),
    Fault.CLOSED: (Private, False),
    Fault.SETUP: (Unreachable, False),
    Fault.NO_ANSWER: (NoAnswer, True),
    Fault.OTHER: (Unreachable, True),
}


def stream(
    located: Located, partial: Partial, settings: FetchSettings, answered: Callable[[], None]
) -> str:
    """Bring a file behind an fsspec URL into `partial.file`, going on where an earlier try stopped; its ending.

    answered: called when its host has said anything.
    """
    failures = 0
    while True:
        have = partial.have
        try:
            return attempt(located, partial, settings, answered)
        except FetchError as fault:
            failures = 0 if partial.have > have else failures + 1
            if not fault.transient or failures > settings.retries:
                raise
            time.sleep(min(60.0, settings.backoff * 2.0 ** max(0, failures - 1)))


def attempt(
    located: Located, partial: Partial, settings: FetchSettings, answered: Callable[[], None]
) -> str:
    """One reading, from where the partial file ends if it is still the same object."""
    locator = located.locator
    with reading(locator):
        system, path = open_store(located.open_at, timeout=settings.timeout)
        system.invalidate_cache()
        facts = facts_of(system, path)
    answered()
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
    copy(Object(locator, system, path), partial, settings)
    if facts["size"] is not None and partial.have != facts["size"]:
        raise Unreachable(locator, f"{partial.have} of {facts['size']} bytes came", True)
    return state["suffix"]


def facts_of(system: "AbstractFileSystem", path: str) -> dict[str, object]:
    """What is known of an object. A refusal without a name, as S3 gives it to a HEAD, is asked for again by a GET.

    So a bucket that is not there, or credentials that have expired, are not taken for an object that is gone or closed.
    """
    try:
        return system.info(path)
    except (FileNotFoundError, PermissionError):
        system.cat_file(path, start=0, end=1)
        raise


@dataclass(frozen=True, slots=True)
class Object:
    """One object of a file system."""

    locator: str
    system: "AbstractFileSystem"
    path: str


def copy(source: Object, partial: Partial, settings: FetchSettings) -> None:
    """Append what is missing. Only reading is the source's fault: a full disk here is raised as it is."""
    with reading(source.locator):
        opened = source.system.open(source.path, "rb")

    def read(most: int) -> bytes:
        with reading(source.locator):
            return cast(bytes, opened.read(most))  # opened for bytes

    with opened:
        if partial.have:
            opened.seek(partial.have)
        try:
            append(
                read, partial.file, bytes_per_second=settings.rate_limit, most=settings.max_bytes
            )
        except TooManyBytes as error:
            partial.clear()
            raise NotMediaPage(source.locator, str(error)) from error


@contextmanager
def reading(locator: str) -> Iterator[None]:
    """Turns what a file system raises into the reason it stands for."""
    try:
        yield
    except client_errors() as error:
        raise by_client(error, locator) from error


def by_client(error: Exception, locator: str) -> FetchError:
    """The reason in an error of a file system."""
    said = diagnose(error)
    kind, transient = REASONS[said.fault]
    if said.fault is Fault.MISSING:
        return kind(locator, "nothing is there", transient)
    refused = "access refused: " if said.fault in (Fault.CLOSED, Fault.SETUP) else ""
    return kind(locator, f"{refused}{said.words}", transient)


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

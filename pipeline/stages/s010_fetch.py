"""Fetch: the bytes of a source, hashed and compared with the lock; its page's metadata and licence."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

from manifests.record import Fetched, Source, Why
from pipeline.fetching import (
    FetchError,
    FetchSettings,
    Lock,
    LockMismatch,
    Unreachable,
    fetch,
    known,
    read_lock,
)
from pipeline.sources.locators import Located
from pipeline.store import Store
from pipeline.verdict import Refusal


@dataclass(frozen=True, slots=True)
class FetchSource:
    """Web pages by yt-dlp, files and buckets by fsspec. Refuses what cannot or may not be had, with the reason.

    lock: file of the bytes that each locator stood for; update: fetch anew and accept others.
    """

    name: ClassVar = "fetch"
    version: ClassVar = 1
    reads: ClassVar = frozenset[str]()
    writes: ClassVar = "fetched"

    settings: FetchSettings
    lock: Path
    update: bool = False

    def __call__(self, located: Located, store: Store, /) -> Source:
        """Raises Refusal for what is a fact about the source; Unreachable, which is none, is raised as it is."""
        check_row(located)
        try:
            fetched = fetch(
                located,
                folder=store.media,
                settings=self.settings,
                lock=self.pins(),
                update=self.update,
            )
        except Unreachable:
            raise
        except FetchError as error:
            raise Refusal(error.why, error.detail) from error
        return Source(origin=located.origin, fetched=fetched)

    def recorded(self, located: Located, store: Store) -> Fetched | None:
        """What is here already, without reading media or asking anybody; None where a worker has to look.

        Raises Refusal where the list alone, or what is here, says that the source may not be had.
        """
        check_row(located)
        try:
            return known(
                located,
                folder=store.media,
                settings=self.settings,
                lock=self.pins(),
                update=self.update,
            )
        except FetchError as error:
            raise Refusal(error.why, error.detail) from error
        except (LockMismatch, OSError):
            return None  # the worker says so

    def pins(self) -> Lock:
        """The lock as it was when the run began."""
        try:
            stamp = self.lock.stat().st_mtime_ns
        except FileNotFoundError:
            stamp = 0
        return read_once(self.lock, stamp)


def check_row(located: Located) -> None:
    """Raises Refusal for a row of a list that could not be read."""
    if located.fault:
        raise Refusal(Why.BAD_ROW, located.fault)


@lru_cache(maxsize=2)
def read_once(lock: Path, stamp: int) -> Lock:
    """The lock of a file in one state, read once per worker."""
    return read_lock(lock)

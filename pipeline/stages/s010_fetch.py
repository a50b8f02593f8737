"""Fetch: the bytes of a source, hashed and held against the lock; its page's metadata and licence."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

from manifests.record import Fetched, Source
from pipeline.fetching import FetchError, FetchSettings, Lock, fetch, read_lock, wanted_of
from pipeline.fetching.store import Folder
from pipeline.sources.locators import Located, scheme_of
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
        """Raises Refusal; a passing fault of the network is raised as it is, so that it is tried again."""
        try:
            fetched = fetch(
                located,
                folder=store.media,
                settings=self.settings,
                lock=self.pins(),
                update=self.update,
            )
        except FetchError as error:
            if error.transient:
                raise
            raise Refusal(error.why, error.detail) from error
        return Source(origin=located.origin, fetched=fetched)

    def held(self, located: Located, store: Store) -> Fetched | None:
        """What is here already, without asking anybody; None where it is not here or may not be had."""
        shelf = Folder(store.media.absolute())
        pin = self.pins().get(located.locator)
        receipt = shelf.receipt(located.locator, wanted_of(located.open_at, self.settings))
        here = scheme_of(located.open_at) is None or receipt is not None
        if not here and (pin is None or shelf.find(pin.sha256) is None):
            return None
        try:
            return self(located, store).fetched
        except (Refusal, FetchError):
            return None

    def pins(self) -> Lock:
        """The lock as it was when the run began."""
        stamp = self.lock.stat().st_mtime_ns if self.lock.is_file() else 0
        return read_once(self.lock, stamp)


@lru_cache(maxsize=2)
def read_once(lock: Path, stamp: int) -> Lock:
    """The lock of a file in one state, read once per worker."""
    return read_lock(lock)

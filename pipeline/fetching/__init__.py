"""Fetching: from a source to its bytes on this machine, with a reason where that cannot be.

`fetch` is the one way in, `known` says what is here already. By the kind of `Located.address`:

| source | how | file |
|---|---|---|
| a local path | hashed where it lies | local.py |
| `s3://`, `gs://`, … | streamed through fsspec | stores.py |
| http(s), a media file | resumable download | direct.py |
| http(s), a page; YouTube | yt-dlp | web.py |

A host that does not answer is left alone for a while: breaker.py.
"""

import threading
import time
from pathlib import Path

from manifests.files import sha256_of
from manifests.record import Fetched
from pipeline.fetching.breaker import Breaker, forget_hosts
from pipeline.fetching.errors import (
    FetchError,
    LicenceNotAllowed,
    NoAnswer,
    NotMediaPage,
    OptedOut,
    Private,
    Removed,
    Unreachable,
)
from pipeline.fetching.known import (
    check_after,
    check_before,
    fetched_local,
    fetched_remote,
    known,
    receipt_here,
    wanted_of,
)
from pipeline.fetching.local import hash_local
from pipeline.fetching.lock import (
    Lock,
    LockError,
    LockMismatch,
    Pin,
    read_lock,
    write_lock,
)
from pipeline.fetching.opt_outs import OptOutError, OptOuts, read_opt_outs
from pipeline.fetching.settings import FetchSettings
from pipeline.fetching.store import Folder, Receipt
from pipeline.sources.locators import Kind, Located

__all__ = [
    "FetchError",
    "FetchSettings",
    "LicenceNotAllowed",
    "Lock",
    "LockError",
    "LockMismatch",
    "NoAnswer",
    "NotMediaPage",
    "OptOutError",
    "OptOuts",
    "OptedOut",
    "Pin",
    "Private",
    "Removed",
    "Unreachable",
    "fetch",
    "forget_hosts",
    "known",
    "read_lock",
    "read_opt_outs",
    "web_missing",
    "write_lock",
]


def fetch(
    located: Located,
    *,
    folder: Path,
    settings: FetchSettings,
    lock: Lock | None = None,
    update: bool = False,
) -> Fetched:
    """The bytes of a source, and what its page says of it.

    A local file stays where it is. Everything else comes to lie in `folder` under the hash of its bytes, which
    several workers may share; what was fetched once is not fetched again, and what was begun is gone on with. With
    `update` it is fetched anew and the lock is not asked.

    Raises FetchError, with the host that was asked: Unreachable for what a later try may bring, else a subclass that
    maps to a `Why` of the stage; LockMismatch where the bytes are not those of the lock; OptOutError and CookiesError
    for settings that cannot be.
    """
    lock = Lock() if lock is None or update else lock.only(located.locator)
    cache, opt_outs = Folder(folder.absolute()), read_opt_outs(settings.opt_outs)
    try:
        check_before(located, settings, opt_outs)
        if located.address.kind is Kind.LOCAL:
            fetched = fetched_local(located, hash_local(located, cache, settings))
        else:
            with cache.locked_for(located.locator):
                fetched = fetch_remote(located, cache, settings, opt_outs, lock, update=update)
        check_after(located, fetched, opt_outs, lock)
    except FetchError as error:
        error.host = located.host
        raise
    return fetched


def web_missing() -> str | None:
    """What YouTube needs and this machine lacks, in one sentence with the cure; None where nothing is missing."""
    from pipeline.fetching.session import web_missing as missing  # yt-dlp takes a second to load

    return missing()


def fetch_remote(
    located: Located,
    cache: Folder,
    settings: FetchSettings,
    opt_outs: OptOuts,
    lock: Lock,
    *,
    update: bool,
) -> Fetched:
    """A file from elsewhere: from the folder if it is there already, else over the net."""
    receipt = receipt_here(located, cache, settings, lock, update=update, read=True)
    if receipt is None:
        receipt = download(located, cache, settings, opt_outs)
    return fetched_remote(located, receipt, cache, settings, opt_outs)


def download(
    located: Located, cache: Folder, settings: FetchSettings, opt_outs: OptOuts
) -> Receipt:
    """Fetch the bytes over the net, put them in the cache of fetched files, and return the receipt."""
    partial, breaker = cache.partial(located.locator), Breaker.of(cache, located.host, settings)
    page, uploaders = None, ()
    with breaker.asking(located.locator) as asking:
        PACER.wait(settings.pause)
        if located.address.is_web:
            from pipeline.fetching.web import fetch_web  # yt-dlp takes a second to load

            taken = fetch_web(located, partial, asking, opt_outs, breaker.answered)
            file, suffix, page, uploaders = taken.file, taken.suffix, taken.page, taken.uploaders
        else:
            from pipeline.fetching.stores import stream  # and fsspec a part of one

            suffix = stream(located, partial, asking, breaker.answered)
            file = partial.file
    receipt = Receipt(
        locator=located.locator,
        wanted=wanted_of(located.address, settings),
        sha256=sha256_of(file),
        bytes=file.stat().st_size,
        suffix=suffix,
        page=page,
        uploaders=uploaders,
    )
    cache.commit(receipt, file)
    return receipt


class Pacer:
    """Keeps the pause between two downloads of this process."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._guard = threading.Lock()

    def wait(self, pause: float) -> None:
        """Sleep until `pause` seconds have passed since the last call that had to."""
        with self._guard:
            now = time.monotonic()
            if self._last is not None:
                time.sleep(max(0.0, self._last + pause - now))
            self._last = time.monotonic()


PACER = Pacer()

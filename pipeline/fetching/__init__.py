"""Fetching: from a source to its bytes on this machine, with a reason where that cannot be.

`fetch` is the one way in. By what `Located.open_at` is:

| source | how | file |
|---|---|---|
| a local path | hashed where it lies | files.py |
| `s3://`, `gs://`, … | streamed through fsspec | files.py |
| http(s), a media file | resumable download | direct.py |
| http(s), a page; `youtube:ID` | yt-dlp | web.py |
"""

import threading
import time
from pathlib import Path

from manifests.files import sha256_of
from manifests.record import Fetched, Origin
from pipeline.fetching.errors import (
    FetchError,
    LicenceNotAllowed,
    NotMediaPage,
    OptedOut,
    Private,
    Removed,
    Unreachable,
)
from pipeline.fetching.files import hash_local, stream
from pipeline.fetching.lock import (
    Lock,
    LockError,
    LockMismatch,
    Pin,
    read_lock,
    write_lock,
)
from pipeline.fetching.policy import OptOutError, OptOuts, check_licences, read_opt_outs
from pipeline.fetching.settings import FetchSettings
from pipeline.fetching.store import Folder, Receipt
from pipeline.sources.locators import WEB, Located, local_path, scheme_of

__all__ = [
    "FetchError",
    "FetchSettings",
    "LicenceNotAllowed",
    "Lock",
    "LockError",
    "LockMismatch",
    "NotMediaPage",
    "OptOutError",
    "OptedOut",
    "Pin",
    "Private",
    "Removed",
    "Unreachable",
    "fetch",
    "read_lock",
    "wanted_of",
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

    Raises FetchError, whose subclasses map one to one on the `Why` of the stage; LockMismatch where the bytes are not
    those of the lock; OptOutError and CookiesError for settings that cannot be.
    """
    opt_outs = read_opt_outs(settings.opt_outs)
    opt_outs.check(located.locator, located.open_at)
    if located.origin.licence:
        check_licences(located.locator, (located.origin.licence,), settings.licences)
    lock = Lock() if lock is None or update else lock.only(located.locator)
    shelf = Folder(folder.absolute())
    if scheme_of(located.open_at) is None:
        fetched = fetch_local(located, shelf, settings)
    else:
        with shelf.held(located.locator):
            fetched = fetch_remote(located, shelf, settings, opt_outs, lock, update=update)
    opt_outs.check_bytes(located.locator, fetched.sha256)
    lock.check(located.locator, fetched.sha256)
    return fetched


def web_missing() -> str | None:
    """What YouTube needs and this machine lacks, in one sentence with the cure; None where nothing is missing."""
    from pipeline.fetching.session import web_missing as missing  # yt-dlp takes a second to load

    return missing()


def fetch_local(located: Located, shelf: Folder, settings: FetchSettings) -> Fetched:
    """A file of this machine, in place."""
    check_licences(located.locator, (located.origin.licence,), settings.licences)
    found = hash_local(located.locator, Path(local_path(located.open_at)), shelf)
    licence = located.origin.licence
    return Fetched(sha256=found.sha256, bytes=found.bytes, path=str(found.path), licence=licence)


def fetch_remote(
    located: Located,
    shelf: Folder,
    settings: FetchSettings,
    opt_outs: OptOuts,
    lock: Lock,
    *,
    update: bool,
) -> Fetched:
    """A file from elsewhere: from the folder if it is there already, else over the net."""
    wanted = wanted_of(located.open_at, settings)
    if (pin := lock.get(located.locator)) is not None and shelf.find(pin.sha256) is not None:
        receipt = pinned(pin, shelf, wanted)
    elif update or (receipt := shelf.receipt(located.locator, wanted)) is None:
        PACER.wait(settings.pause)
        receipt = download(located, shelf, settings, opt_outs, wanted)
    page_licence = receipt.page.licence if receipt.page else None
    check_licences(located.locator, (located.origin.licence, page_licence), settings.licences)
    opt_outs.check_uploader(located.locator, receipt.uploaders)
    return fetched_of(located.origin, receipt, shelf)


def pinned(pin: Pin, shelf: Folder, wanted: str) -> Receipt:
    """What the lock says of a file that is here, as its receipt would."""
    path = shelf.find(pin.sha256)
    uploaders = (pin.page.uploader,) if pin.page and pin.page.uploader else ()
    return Receipt(
        locator=pin.locator,
        wanted=wanted,
        sha256=pin.sha256,
        bytes=pin.bytes,
        suffix=path.suffix if path else "",
        page=pin.page,
        uploaders=uploaders,
    )


def download(
    located: Located, shelf: Folder, settings: FetchSettings, opt_outs: OptOuts, wanted: str
) -> Receipt:
    """Fetch the bytes over the net, put them on the shelf, and say what they are."""
    partial = shelf.partial(located.locator)
    page, uploaders = None, ()
    if scheme_of(located.open_at) in WEB | {"youtube"}:
        from pipeline.fetching.web import fetch_web  # yt-dlp takes a second to load

        taken = fetch_web(located, partial, settings, opt_outs)
        file, suffix, page, uploaders = taken.file, taken.suffix, taken.page, taken.uploaders
    else:
        check_licences(located.locator, (located.origin.licence,), settings.licences)
        suffix = stream(located.locator, located.open_at, partial, settings)
        file = partial.file
    receipt = Receipt(
        locator=located.locator,
        wanted=wanted,
        sha256=sha256_of(file),
        bytes=file.stat().st_size,
        suffix=suffix,
        page=page,
        uploaders=uploaders,
    )
    shelf.commit(receipt, file)
    return receipt


def fetched_of(origin: Origin, receipt: Receipt, shelf: Folder) -> Fetched:
    """The section of the record; the licence is the list's where it states one, else the page's."""
    path = shelf.find(receipt.sha256, receipt.suffix)
    return Fetched(
        sha256=receipt.sha256,
        bytes=receipt.bytes,
        path=str(path),
        licence=origin.licence or (receipt.page.licence if receipt.page else None),
        page=receipt.page,
    )


def wanted_of(open_at: str, settings: FetchSettings) -> str:
    """The settings that choose between several versions of one video."""
    web = scheme_of(open_at) in WEB | {"youtube"}
    return f"{settings.height} {settings.container}" if web else ""


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

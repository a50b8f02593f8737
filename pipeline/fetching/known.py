"""What is here already of a source, without reading a file or asking anybody."""

from pathlib import Path

from manifests.record import Fetched, Origin
from pipeline.fetching.local import Hashed, known_local
from pipeline.fetching.lock import Lock, Pin
from pipeline.fetching.opt_outs import OptOuts, read_opt_outs
from pipeline.fetching.policy import check_licences
from pipeline.fetching.settings import FetchSettings
from pipeline.fetching.store import Folder, Receipt
from pipeline.sources.locators import Address, Kind, Located


def known(
    located: Located, *, folder: Path, settings: FetchSettings, lock: Lock, update: bool = False
) -> Fetched | None:
    """What `fetch` would give, where it would read and ask nothing; else None. Costs two small files at most.

    Raises FetchError where the opt-out list or the licence forbids the source, as far as that can be known;
    LockMismatch and OptOutError as `fetch` does.
    """
    cache, opt_outs = Folder(folder.absolute()), read_opt_outs(settings.opt_outs)
    lock = Lock() if update else lock
    check_before(located, settings, opt_outs)
    if located.address.kind is Kind.LOCAL:
        found = known_local(located, cache)
        fetched = fetched_local(located, found) if found else None
    elif (receipt := receipt_here(located, cache, settings, lock, update=update)) is not None:
        fetched = fetched_remote(located, receipt, cache, settings, opt_outs)
    else:
        fetched = None
    if fetched is not None:
        check_after(located, fetched, opt_outs, lock)
    return fetched


def check_before(located: Located, settings: FetchSettings, opt_outs: OptOuts) -> None:
    """What can be said of a source by its list. Raises OptedOut, LicenceNotAllowed."""
    opt_outs.check(located.locator, located.host)
    stated = located.origin.licence
    if stated or not located.address.is_web:  # a page may state one
        check_licences(located.locator, (stated,), settings.licences)


def check_after(located: Located, fetched: Fetched, opt_outs: OptOuts, lock: Lock) -> None:
    """What can be said of a source by its bytes. Raises OptedOut, LockMismatch."""
    opt_outs.check_bytes(located.locator, fetched.sha256)
    lock.check(located.locator, fetched.sha256)


def receipt_here(
    located: Located,
    cache: Folder,
    settings: FetchSettings,
    lock: Lock,
    *,
    update: bool = False,
    read: bool = False,
) -> Receipt | None:
    """The receipt of a source whose bytes are here, by the lock or by an earlier fetch.

    read: whether a file whose hash is not remembered may be read.
    """
    wanted = wanted_of(located.address, settings)
    pin = lock.get(located.locator)
    if pin is not None and (path := cache.find(pin.sha256, read=read)) is not None:
        return pinned(pin, path, wanted)
    return None if update else cache.receipt(located.locator, wanted, read=read)


def pinned(pin: Pin, path: Path, wanted: str) -> Receipt:
    """What the lock says of a file that is here, as its receipt would."""
    uploaders = (pin.page.uploader,) if pin.page and pin.page.uploader else ()
    return Receipt(
        locator=pin.locator,
        wanted=wanted,
        sha256=pin.sha256,
        bytes=pin.bytes,
        suffix=path.suffix,
        page=pin.page,
        uploaders=uploaders,
    )


def fetched_local(located: Located, found: Hashed) -> Fetched:
    """The section of the record for a file in place."""
    licence = located.origin.licence
    return Fetched(sha256=found.sha256, bytes=found.bytes, path=str(found.path), licence=licence)


def fetched_remote(
    located: Located, receipt: Receipt, cache: Folder, settings: FetchSettings, opt_outs: OptOuts
) -> Fetched:
    """The section of the record for a file in the cache. Raises OptedOut, LicenceNotAllowed by what its page said."""
    page_licence = receipt.page.licence if receipt.page else None
    stated = (located.origin.licence, page_licence)
    check_licences(located.locator, stated, settings.licences)
    opt_outs.check_uploader(located.locator, receipt.uploaders)
    return fetched_of(located.origin, receipt, cache)


def fetched_of(origin: Origin, receipt: Receipt, cache: Folder) -> Fetched:
    """The licence is the list's where it states one, else the page's."""
    return Fetched(
        sha256=receipt.sha256,
        bytes=receipt.bytes,
        path=str(cache.path(receipt)),
        licence=origin.licence or (receipt.page.licence if receipt.page else None),
        page=receipt.page,
    )


def wanted_of(address: Address, settings: FetchSettings) -> str:
    """The settings that choose between several versions of one video."""
    return f"{settings.height} {settings.container}" if address.is_web else ""

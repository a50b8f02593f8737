"""Reading sources: a table, a folder, a glob, a file or a URL becomes a stream of sources.

| given | read as |
|---|---|
| `.csv`, `.tsv` | a table with a header line |
| `.jsonl`, `.ndjson` | one object, or one locator, per line |
| `.json`, `.yaml`, `.yml` | a list of objects or locators, at the top or under `sources:` |
| `.parquet` | a table; only the columns below are read |
| `.txt` | one locator per line; `#` begins a comment |
| a folder | every video in it and below, sorted, hidden names, work folders and datasets left out |
| a glob, `talks/*.mp4` | the videos that match, sorted |
| a video file, a web address, `youtube:ID` | that one source |

Lists and folders may lie behind any fsspec URL (`s3://`, `memory://`, `https://` for lists), and text lists may be
packed (`.gz`, `.bz2`, `.xz`). Columns, each under any of its names: see COLUMNS. A relative path in a list is looked up
beside the list. A row that cannot be read is one source with a fault. What is written nowhere else: YAML and JSON are
read whole, everything else is streamed.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path

from manifests.record import Origin
from pipeline.sources.counts import Counts, notes
from pipeline.sources.errors import SourceListError, SourcesUnreachable
from pipeline.sources.folders import (
    MAGIC,
    NOTHING,
    OWN,
    VIDEOS,
    folder,
    glob,
    reading,
    single_file,
)
from pipeline.sources.formats import READERS
from pipeline.sources.list_files import read_list, suffix_of
from pipeline.sources.locators import (
    SCHEME,
    Address,
    Kind,
    Located,
    LocatorError,
    MissingPackage,
    check_opener,
    local,
    parse,
)
from pipeline.sources.own_output import WORK_MARK, blob_folder
from pipeline.sources.printable import one_line, without_login

__all__ = [
    "WORK_MARK",
    "Counts",
    "SourceListError",
    "SourcesUnreachable",
    "is_explicit",
    "notes",
    "read_sources",
]

ALLOWED = " ".join(sorted(VIDEOS | READERS.keys()))


class Listing(StrEnum):
    """What kind of thing was given."""

    LIST = "list"
    SINGLE = "single"
    FOLDER = "folder"
    GLOB = "glob"


def read_sources(what: str | Path, *, counts: Counts | None = None) -> Iterator[Located]:
    """The sources of a list, folder, glob, file or URL, in order, each locator once: the first row wins.

    What is given is looked at now, rows are read as they are drawn. A row that cannot be read is drawn too, with its
    fault. Raises SourceListError, now where nothing is there or its kind is not known, later where the list breaks off
    or has no row that can be read; SourcesUnreachable where what holds it does not answer.
    """
    counts = counts if counts is not None else Counts()
    address = address_of(str(what).strip())
    counts.name = shown(address)
    return distinct(open_sources(address, counts), counts)


def is_explicit(what: str | Path) -> bool:
    """Whether what was given names each source (a list, a file, an address), as a folder or a glob does not.

    What a list does not name any more is meant to go; what a folder does not hold any more may be an outage. Raises
    SourceListError where nothing is there.
    """
    return listing_of(address_of(str(what).strip())) in (Listing.LIST, Listing.SINGLE)


def address_of(what: str) -> Address:
    """What was given as an address; a path may hold any character. Raises SourceListError."""
    if what[:8].lower() != "youtube:" and not SCHEME.match(what):
        return local(str(Path(what).expanduser()) if what.startswith("~/") else what)
    try:
        address = parse(what)
        check_opener(address)
    except (LocatorError, MissingPackage) as error:
        raise SourceListError(f"{one_line(without_login(what))}: {error}") from error
    return address


def shown(address: Address) -> str:
    """What was given, as messages name it."""
    return one_line(address.path) if address.kind is Kind.LOCAL else address.spelling


def listing_of(address: Address) -> Listing:
    """What kind of thing is there; see the table above."""
    if suffix_of(address) in READERS:
        return Listing.LIST
    if address.is_web:
        return Listing.SINGLE
    if address.kind is Kind.LOCAL:
        return local_listing(address)
    if MAGIC.search(address.text):
        return Listing.GLOB
    return Listing.SINGLE if suffix_of(address) in VIDEOS else Listing.FOLDER


def local_listing(address: Address) -> Listing:
    """What kind of thing lies at a path of this machine."""
    with reading(shown(address)):
        if Path(address.path).is_dir():
            return Listing.FOLDER
        if Path(address.path).is_file():
            return Listing.SINGLE
    if MAGIC.search(address.path):
        return Listing.GLOB
    raise SourceListError(f"{shown(address)}: {NOTHING}")


def open_sources(address: Address, counts: Counts) -> Iterator[Located]:
    """Choose how to read what was given."""
    listing, what = listing_of(address), counts.name
    if listing is Listing.LIST:
        return read_list(address, counts)
    if listing is Listing.SINGLE:
        return iter((single(address, counts),))
    if address.kind is Kind.LOCAL:
        read = folder if listing is Listing.FOLDER else glob
        return read(address.path, what, counts)
    from pipeline.sources.store_folders import store_folder, store_glob  # with what fsspec needs

    return (store_folder if listing is Listing.FOLDER else store_glob)(address, what, counts)


def single(address: Address, counts: Counts) -> Located:
    """One source given by itself."""
    if address.kind is Kind.LOCAL:
        if (suffix := suffix_of(address)) not in VIDEOS:
            ending = suffix or "nothing"
            raise SourceListError(f"{counts.name}: ends in {ending}, allowed: {ALLOWED}")
        return single_file(address.path, counts.name, counts)
    if address.kind is Kind.STORE and blob_folder(address.path) is not None:
        raise SourceListError(f"{counts.name}: {OWN}")
    return Located(Origin(locator=address.spelling), address)


def distinct(sources: Iterable[Located], counts: Counts) -> Iterator[Located]:
    """Each locator once, counted. Raises SourceListError where none can be read.

    Bad rows wait for the first good one, so that a list without any is an error before anything is done.
    """
    seen: set[str] = set()
    waiting: list[Located] = []
    good = False
    for source in sources:
        if source.locator in seen:
            counts.duplicates += 1
            continue
        seen.add(source.locator)
        counts.sources += 1
        if source.fault and not good:
            waiting.append(source)
            continue
        if not good:
            good = True
            yield from waiting
        yield source
    if not good:
        raise nothing_in(waiting, counts)


def nothing_in(bad: list[Located], counts: Counts) -> SourceListError:
    """The sentence where there is no source."""
    if bad:
        more = f" (and {len(bad) - 1} more rows that cannot be read)" if len(bad) > 1 else ""
        return SourceListError(f"{bad[0].fault}{more}")
    own = " but the output of runs" if counts.own_output else ""
    return SourceListError(
        f"{counts.name}: no source in it{own}; allowed: at least one row or video ({ALLOWED})"
    )

"""Reading source lists: a table, a folder, a glob, a file or a URL becomes a stream of sources.

| given | read as |
|---|---|
| `.csv`, `.tsv` | a table with a header line |
| `.jsonl`, `.ndjson` | one object, or one locator, per line |
| `.json`, `.yaml`, `.yml` | a list of objects or locators, at the top or under `sources:` |
| `.parquet` | a table; only the columns below are read |
| `.txt` | one locator per line; `#` begins a comment |
| a folder | every video in it and below, sorted, hidden names left out |
| a glob, `talks/*.mp4` | the videos that match, sorted |
| a video file, a web address, `youtube:ID` | that one source |

Lists and folders may lie behind any fsspec URL (`s3://`, `memory://`, `https://` for lists), and text lists may be
packed (`.gz`, `.bz2`, `.xz`). Columns, each under any of its names: see COLUMNS. A relative path in a list is looked up
beside the list. What is written nowhere else: YAML and JSON are read whole, everything else is streamed.
"""

import logging
import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import fsspec
import pyarrow as pa
from fsspec.core import url_to_fs

from manifests.errors import UserError
from manifests.record import Origin
from pipeline.sources.formats import COLUMNS, FACTS, NAMES, READERS, RowError
from pipeline.sources.locators import (
    SCHEME,
    WEB,
    YOUTUBE_ID,
    Located,
    LocatorError,
    check_scheme,
    local_path,
    normalise,
    scheme_of,
)

log = logging.getLogger(__name__)

VIDEOS = frozenset(
    {".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts"}
    | {".mxf", ".ogv", ".ts", ".webm", ".wmv"}
)
PACKED = frozenset({".gz", ".bz2", ".xz"})
MAGIC = re.compile(r"[*?\[]")
NOTHING = "nothing is there; allowed: a list, a folder, a glob, a video or a URL"


class SourceListError(UserError):
    """A source list, or a row of it, that cannot be read; one sentence: file, place, value found, value allowed."""


@dataclass(slots=True)
class Counts:
    """What one reading met; filled while the sources are drawn."""

    sources: int = 0
    duplicates: int = 0
    unknown_columns: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Place:
    """A folder as it was given and as its file system calls it."""

    given: str
    base: str

    def source(self, path: str) -> Located:
        """A video below: a URL where the folder is one, else the path within the folder."""
        inside = posixpath.relpath(path, self.base)
        if scheme_of(self.given) is None:
            return locate(inside, path, self.given)
        url = f"{self.given}/{inside}"
        return locate(url, url, self.given)


def read_sources(what: str | Path, *, counts: Counts | None = None) -> Iterator[Located]:
    """The sources of a list, folder, glob, file or URL, in order, each locator once: the first row wins.

    What is given is looked at now, rows are read as they are drawn. Raises SourceListError, now where nothing
    is there or its kind is not known, later where a row is bad or there was no row at all.
    """
    counts = counts if counts is not None else Counts()
    return distinct(open_sources(str(what).strip(), counts), str(what), counts)


def open_sources(what: str, counts: Counts) -> Iterator[Located]:
    """Choose how to read what was given; see the table above."""
    suffix = suffix_of(what)
    if suffix in READERS:
        return read_list(what, suffix, counts)
    if (scheme := scheme_of(what)) in WEB or scheme == "youtube":
        return iter((single(what),))
    if scheme is not None:
        return open_remote(what, suffix)
    path = local_path(what)
    if Path(path).is_dir():
        return folder(path)
    if Path(path).is_file():
        if suffix not in VIDEOS:
            raise SourceListError(
                f"{what}: ends in {suffix or 'nothing'}, allowed: {endings(VIDEOS | READERS.keys())}"
            )
        return iter((single(what),))
    if MAGIC.search(path):
        return matches(path, what)
    raise SourceListError(f"{what}: {NOTHING}")


def open_remote(what: str, suffix: str) -> Iterator[Located]:
    """A glob, one video or a folder behind an fsspec URL."""
    checked(what)
    if MAGIC.search(what):
        return matches(what, what)
    return iter((single(what),)) if suffix in VIDEOS else folder(what)


def distinct(sources: Iterable[Located], what: str, counts: Counts) -> Iterator[Located]:
    """Each locator once, counted; raises where there was none."""
    seen: set[str] = set()
    for source in sources:
        if source.locator in seen:
            counts.duplicates += 1
            continue
        seen.add(source.locator)
        counts.sources += 1
        yield source
    if counts.unknown_columns:
        log.info("%s: columns not read: %s", what, ", ".join(sorted(counts.unknown_columns)))
    if counts.duplicates:
        log.info("%s: %d rows repeat an earlier locator and were left out", what, counts.duplicates)
    if not seen:
        raise SourceListError(
            f"{what}: no source in it; allowed: at least one row or video ({endings(VIDEOS | READERS.keys())})"
        )


# ---- folders, globs and single sources -------------------------------------------------------------------------------


def single(what: str) -> Located:
    """One source given by itself; a local file is known by its name."""
    path = local_path(what)
    if scheme_of(what) is None:
        return locate(Path(path).name, str(Path(path).absolute()), what)
    return locate(what, what, what)


def folder(root: str) -> Iterator[Located]:
    """The videos below a folder, depth first, sorted by name in each; linked folders are not entered."""
    system, base = url_to_fs(root if scheme_of(root) else local_path(root))
    if not system.isdir(base):
        raise SourceListError(f"{root}: {NOTHING}")
    return walk(system, base.rstrip("/"), Place(root.rstrip("/"), base.rstrip("/")))


def walk(system: fsspec.AbstractFileSystem, path: str, place: Place) -> Iterator[Located]:
    """The videos below one folder."""
    for entry in sorted(system.ls(path, detail=True), key=lambda entry: str(entry["name"])):
        name = str(entry["name"]).rstrip("/")
        if posixpath.basename(name).startswith(".") or name == path:
            continue
        if entry["type"] == "directory":
            if not entry.get("islink"):
                yield from walk(system, name, place)
        elif is_video(name) and system.isfile(name):
            yield place.source(name)


def matches(pattern: str, what: str) -> Iterator[Located]:
    """The videos that a glob matches, known by their path from its last plain folder on."""
    given = pattern if scheme_of(pattern) else str(Path(pattern).absolute())
    system, plain = url_to_fs(given)
    place = Place(plain_folder(given), plain_folder(plain))
    met = system.glob(plain, detail=True)
    files = sorted(str(path) for path, facts in met.items() if facts["type"] != "directory")
    videos = [path for path in files if is_video(path) and not is_hidden(path, place.base)]
    if not videos:
        raise SourceListError(f"{what}: matches no video; allowed: {endings(VIDEOS)}")
    return (place.source(path) for path in videos)


def plain_folder(pattern: str) -> str:
    """The part of a glob before the first folder or name with a wildcard."""
    return MAGIC.split(pattern, maxsplit=1)[0].rpartition("/")[0]


def is_video(path: str) -> bool:
    """Whether a name ends like a video."""
    return Path(path).suffix.lower() in VIDEOS


def is_hidden(path: str, base: str) -> bool:
    """Whether a file, or a folder it lies in below the base, has a name that begins with a dot."""
    parts = posixpath.relpath(path, base).split("/")
    return any(part.startswith(".") for part in parts)


# ---- lists -----------------------------------------------------------------------------------------------------------


def read_list(what: str, suffix: str, counts: Counts) -> Iterator[Located]:
    """The rows of a list as sources."""
    checked(what)
    system, path = url_to_fs(what if scheme_of(what) else local_path(what))
    if not system.isfile(path):
        raise SourceListError(f"{what}: there is no such file")
    return list_rows(system, path, what, suffix, counts)


def list_rows(
    system: fsspec.AbstractFileSystem, path: str, what: str, suffix: str, counts: Counts
) -> Iterator[Located]:
    """The rows of an opened list; every fault of the file or of a row becomes a SourceListError."""
    packed = "infer" if Path(path.split("?")[0]).suffix.lower() in PACKED else None
    with system.open(path, "rb", compression=packed) as stream:
        try:
            for place, cells in READERS[suffix](stream):
                yield from_row(cells, what=what, place=place, counts=counts)
        except RowError as error:
            raise SourceListError(f"{what}, {error}") from error
        except (EOFError, OSError, pa.ArrowException) as error:
            raise SourceListError(f"{what}: cannot be read as {suffix}: {error}") from error


def from_row(cells: Mapping[str, object], *, what: str, place: str, counts: Counts) -> Located:
    """One row as a source, its locator resolved against the folder of the list."""
    values: dict[str, str] = {}
    for column, cell in cells.items():
        name = NAMES.get(column.strip().lower())
        if name is None:
            counts.unknown_columns.add(column.strip() or "(without a name)")
        elif (value := text_of(cell, column, place)) is not None:
            values.setdefault(name, value)
    locator = values.get("locator") or bare_id(values.get("id"), place)
    if locator is None:
        allowed = ", ".join((*COLUMNS["locator"], *COLUMNS["id"]))
        raise RowError(
            f"{place}: no locator among {sorted(map(str, cells))}; allowed columns: {allowed}"
        )
    facts = {name: values[name] for name in FACTS if name in values}
    return resolve(locator, what, place, facts)


def text_of(cell: object, column: str, place: str) -> str | None:
    """A cell as text; empty and missing ones are None."""
    if cell is None:
        return None
    if not isinstance(cell, str):
        raise RowError(f"{place}: {column} is text, got {cell!r}")
    if re.search(r"[\ud800-\udfff]", cell):
        raise RowError(f"{place}: a list is UTF-8, got {cell!r} in column {column}")
    return cell.strip() or None


def bare_id(value: str | None, place: str) -> str | None:
    """The cell of an id column: a YouTube id, or any locator written there."""
    if value is None or not YOUTUBE_ID.fullmatch(value):
        return value
    return f"youtube:{value}"


def resolve(locator: str, what: str, place: str, facts: Mapping[str, str]) -> Located:
    """A locator as a row gives it, looked up beside the list. A remote list may not name files of this machine."""
    place = f"{what}, {place}"
    if scheme_of(locator) is not None:
        return locate(locator, locator, place, facts)
    path = local_path(locator)
    home = list_folder(what)
    if scheme_of(what) is not None:
        if SCHEME.match(locator) or path.startswith("/"):
            raise SourceListError(
                f"{place}: a list behind a URL names URLs or paths beside it, got {locator!r}"
            )
        scheme, _, rest = home.partition("://")
        url = f"{scheme}://{posixpath.normpath(f'{rest}/{path}')}"
        return locate(url, url, place, facts)
    if path.startswith("/"):
        inside = Path(path).is_relative_to(home)
        return locate(str(Path(path).relative_to(home)) if inside else path, path, place, facts)
    return locate(path, posixpath.normpath(f"{home}/{path}"), place, facts)


def list_folder(what: str) -> str:
    """The folder a list lies in: a URL, or an absolute path."""
    if scheme_of(what) is not None:
        return posixpath.dirname(what.split("?", 1)[0])
    return str(Path(local_path(what)).absolute().parent)


def locate(text: str, open_at: str, place: str, facts: Mapping[str, str] | None = None) -> Located:
    """A source under its normal locator; a bad one is said with its place."""
    try:
        check_scheme(open_at)
        return Located(Origin(locator=normalise(text), **(facts or {})), open_at)
    except LocatorError as error:
        raise SourceListError(f"{place}: {error}") from error


def suffix_of(what: str) -> str:
    """The ending that says the format, below the ending of a packing."""
    name = Path(what.split("?", 1)[0] if scheme_of(what) else what)
    return Path(name.stem).suffix.lower() if name.suffix.lower() in PACKED else name.suffix.lower()


def endings(allowed: Collection[str]) -> str:
    """File name endings for a message."""
    return " ".join(sorted(allowed))


def checked(what: str) -> None:
    """Raises SourceListError where no file system opens the URL."""
    try:
        check_scheme(what)
    except LocatorError as error:
        raise SourceListError(f"{what}: {error}") from error

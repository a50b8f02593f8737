"""The rows of a source list as sources: each locator parsed and looked up beside the list, each bad row kept as one."""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from manifests.record import Origin, Synthetic
from pipeline.sources.counts import Counts
from pipeline.sources.errors import SourceListError
from pipeline.sources.formats import COLUMNS, FACTS, NAMES, Row
from pipeline.sources.locators import (
    NOWHERE,
    Address,
    Kind,
    Located,
    LocatorError,
    MissingPackage,
    check_opener,
    local,
    parse,
)
from pipeline.sources.own_output import blob_folder, is_own_folder
from pipeline.sources.printable import no_scheme, one_line, printable, shortened, without_login
from pipeline.sources.shares import Shares
from pipeline.sources.urls import YOUTUBE_ID

SHOWN = 120  # characters of a bad row
FAULT = 300  # characters of what is said of it
SURROGATE = re.compile(r"[\ud800-\udfff]")


class RowError(ValueError):
    """A row that cannot be a source."""


class OwnOutput(Exception):
    """A row that names what a run of ours has made."""


@dataclass(frozen=True, slots=True)
class ListPlace:
    """Where a list lies, and what its rows are looked up against."""

    name: str  # of the file, printable
    address: Address  # of the list, absolute
    counts: Counts
    shares: Shares
    works: dict[str, bool]  # folders of blobs, and whether they are work folders

    @classmethod
    def of(cls, address: Address, counts: Counts) -> "ListPlace":
        """The place of a list. address: absolute."""
        shares = Shares(posixpath.dirname(address.path))
        return cls(printable(address.name), address, counts, shares, {})

    def source(self, row: Row) -> Located | None:
        """A row as a source; as one with a fault where it cannot be read; None where a run has made what it names.

        Raises SourceListError where a package is missing, since that says nothing about the row.
        """
        try:
            if row.fault:
                raise RowError(row.fault)
            return self.read(row)
        except OwnOutput as own:
            self.counts.own_output.add(str(own))
            return None
        except MissingPackage as error:
            raise SourceListError(f"{self.name}, {row.place}: {error}") from error
        except (RowError, LocatorError) as error:
            self.counts.bad_rows += 1
            return self.bad(row, str(error))

    def bad(self, row: Row, fault: str) -> Located:
        """The row of a source that cannot be one, named by where it stands and what could be read of it."""
        known = {NAMES.get(column.strip().lower()): cell for column, cell in row.cells.items()}
        cell = known.get("locator") or known.get("id") or next(iter(row.cells.values()), "")
        text = shortened(one_line(without_login(str(cell or "").strip())), SHOWN)
        locator = f"{self.name} {row.place}: {text}" if text else f"{self.name} {row.place}"
        said = shortened(one_line(f"{self.name}, {row.place}: {fault}"), FAULT)
        return Located(Origin(locator=locator), NOWHERE, fault=said)

    def read(self, row: Row) -> Located:
        """A row as a source. Raises RowError, LocatorError."""
        values: dict[str, str] = {}
        for column, cell in row.cells.items():
            name = NAMES.get(column.strip().lower())
            if name is None:
                self.counts.unknown_columns.add(one_line(column.strip()) or "(without a name)")
            elif (value := text_of(cell, column)) is not None:
                values.setdefault(name, value)
        locator = values.get("locator") or bare_id(values.get("id"))
        if locator is None:
            allowed = ", ".join((*COLUMNS["locator"], *COLUMNS["id"]))
            raise RowError(f"no locator among {sorted(row.cells)}; allowed columns: {allowed}")
        facts = {name: values[name] for name in FACTS if name in values}
        if (mark := facts.pop("synthetic", "none").lower()) != "none":
            facts["synthetic"] = checked_mark(mark)
        return self.resolve(parse(locator), locator, facts)

    def resolve(self, address: Address, text: str, facts: Mapping[str, str]) -> Located:
        """An address looked up beside the list. A list behind a URL may not name files of this machine."""
        if address.kind is not Kind.LOCAL:
            check_opener(address)
            return Located(origin_of(address.spelling, facts), address)
        if self.address.kind is not Kind.LOCAL:
            if address.is_absolute:
                raise RowError(f"a list behind a URL names URLs or paths beside it, got {text!r}")
            found = beside(self.address, address.path)
            return Located(origin_of(found.spelling, facts), found)
        return self.local_source(address, facts)

    def local_source(self, address: Address, facts: Mapping[str, str]) -> Located:
        """A file of this machine, named by its path from the list's folder where it lies below it."""
        home, locator = posixpath.dirname(self.address.path).rstrip("/"), address.spelling
        if address.is_absolute and locator.startswith(f"{home}/"):
            locator = no_scheme(locator.removeprefix(f"{home}/"))
        path = address.path if address.is_absolute else posixpath.normpath(f"{home}/{address.path}")
        self.refuse_blob(path)
        found = local(path, share=self.shares.of(path))
        return Located(origin_of(locator, facts), found)

    def refuse_blob(self, path: str) -> None:
        """Raises OwnOutput for a file that lies in a work folder under the name of its bytes."""
        folder = blob_folder(path)
        if folder is None:
            return
        if folder not in self.works:
            self.works[folder] = is_own_folder(Path(folder))
        if self.works[folder]:
            raise OwnOutput(one_line(folder))


def origin_of(locator: str, facts: Mapping[str, str]) -> Origin:
    """A source as its list has it."""
    return Origin.model_validate({"locator": locator, **facts})


def checked_mark(mark: str) -> str:
    """What a list says of how a video was made. Raises RowError."""
    allowed = get_args(Synthetic)
    if mark not in allowed:
        raise RowError(f"synthetic is none, {' or '.join(allowed)}, got {shortened(mark, SHOWN)!r}")
    return mark


def beside(address: Address, path: str) -> Address:
    """The address of a path in the folder of a list behind a URL; `..` ends at its host."""
    scheme, _, rest = address.text.split("?", 1)[0].partition("://")
    host, slash, inner = rest.partition("/")
    found = posixpath.normpath(posixpath.join("/", posixpath.dirname(inner), path))
    return parse(f"{scheme}://{host}{found}" if slash else f"{scheme}:/{found}")


def text_of(cell: object, column: str) -> str | None:
    """A cell as text; empty and missing ones are None."""
    if cell is None:
        return None
    if not isinstance(cell, str):
        raise RowError(f"{column} is text, got {cell!r}")
    if SURROGATE.search(cell):
        raise RowError(f"a list is UTF-8, got {cell!r} in column {column}")
    return cell.strip() or None


def bare_id(value: str | None) -> str | None:
    """The cell of an id column: a YouTube id, or any locator written there."""
    if value is None or not YOUTUBE_ID.fullmatch(value):
        return value
    return f"youtube:{value}"

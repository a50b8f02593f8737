"""A ledger file that SQLite cannot read any more: set aside, and a new one made of every row that is still whole."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from manifests.files import sync
from pipeline.run.entry import KEY_BYTES, Row
from pipeline.run.ledger_table import open_table
from pipeline.run.sqlite_pages import Pages

SIDES = ("-journal", "-shm", "-wal")
"""Endings of the files that SQLite keeps beside its own."""


def mend(place: Path) -> tuple[int, Path]:
    """Make a damaged file anew. Returns how many rows it kept, and where the damaged one lies now.

    Killed at any point it leaves what `settle` finishes, or the damaged file as it was.
    """
    fresh = fresh_of(place)
    discard(fresh)
    with closing(open_table(fresh, shared=True)) as table:  # without a log: one file to be renamed
        for rows in batches(whole_rows(place)):
            table.restore(rows)
        kept = table.count()
    numbers = [int(path.name.rpartition("-")[2]) for path in set_aside(place)]
    aside = place.with_name(f"{place.name}.damaged-{max(numbers, default=0) + 1}")
    place.replace(aside)
    settle(place)
    return kept, aside


def settle(place: Path) -> None:
    """Finish a `mend` that was interrupted, if there was one; the new file is whole once the damaged one is gone."""
    fresh = fresh_of(place)
    if not fresh.exists():
        return
    if place.exists():
        discard(fresh)
        return
    aside = set_aside(place)[-1]
    for side in SIDES:  # a log beside a file that is not its own would ruin that one too
        if (left := beside(place, side)).exists():
            left.replace(beside(aside, side))
        beside(fresh, side).unlink(missing_ok=True)
    fresh.replace(place)
    sync(place.parent)


def whole_rows(place: Path) -> Iterator[tuple[int, Row]]:
    """(id, row) of every row that is what was written; those of the log last, as they were written last."""
    with Pages.open(place, log=beside(place, "-wal")) as pages:
        for number, record in pages.records():
            row = row_of(record)
            if row is not None and row.whole and len(row.key) == KEY_BYTES:
                yield number, row


def row_of(record: list[object]) -> Row | None:
    """The row that a record of the table holds: nothing where the id would be, and three columns."""
    match record:
        case [None, bytes() as key, int() as crc, bytes() as body]:
            return Row(key, crc, body)
        case _:
            return None


# ---- names -----------------------------------------------------------------------------------------------------------


def fresh_of(place: Path) -> Path:
    """Where the new file is made."""
    return place.with_name(f"{place.name}.salvaged")


def beside(place: Path, side: str) -> Path:
    """One of the files beside a database file."""
    return place.with_name(place.name + side)


def set_aside(place: Path) -> list[Path]:
    """The damaged files so far, the last one last."""
    found = [
        path
        for path in place.parent.glob(f"{place.name}.damaged-*")
        if path.name.rpartition("-")[2].isdecimal()  # and no file beside one
    ]
    return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]))


def discard(place: Path) -> None:
    """Remove a database file and those beside it."""
    for path in (place, *(beside(place, side) for side in SIDES)):
        path.unlink(missing_ok=True)


def batches(
    rows: Iterator[tuple[int, Row]], *, size: int = 1000
) -> Iterator[list[tuple[int, Row]]]:
    """Lists of at most `size`."""
    batch: list[tuple[int, Row]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    yield batch

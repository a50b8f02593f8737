"""How the rows of two tables differ, counted by column: `version 4 → 5 of shots: 12 rows`."""

# pyright: basic
# pyarrow has no types of its own.

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.audit.reading import Table
from pipeline.audit.row_pairs import Pairs, Places, changed, pair, take

DECISION_KEY = ("subject", "source", "start", "stop", "person", "stage", "measurement")
SOURCE_KEY = ("locator",)
OF_STAGE = frozenset({"version", "backend", "backend_version", "weights"})
MANY = 12
"""So many different changes of one column are counted as one: a version has few, a measured value has thousands."""


@dataclass(frozen=True, slots=True)
class RowChange:
    """Rows that differ alike. of: stage or measurement; before, after: None where the values are many.

    side: A or B for rows that only one of the two has, which have no column; empty for rows that both have.
    """

    table: str
    side: str
    column: str
    of: str
    before: str | None
    after: str | None
    rows: int


def decision_changes(left: Table, right: Table) -> Iterator[RowChange]:
    """Differences of decisions.parquet. Raises BrokenFile."""
    pairs = pair(left, right, DECISION_KEY)
    for column in common(left, right, DECISION_KEY):
        places = differing(left, right, pairs, column)
        of = take(left, "stage" if column in OF_STAGE else "measurement", places.left)
        yield from counted(left, right, places, column, of)
    yield from one_sided(left, right, pairs, "measurement")


def source_changes(left: Table, right: Table) -> Iterator[RowChange]:
    """Differences of sources.parquet. Raises BrokenFile."""
    pairs = pair(left, right, SOURCE_KEY)
    for column in common(left, right, SOURCE_KEY):
        places = differing(left, right, pairs, column)
        of = pa.array([""] * len(places.left), pa.string())
        yield from counted(left, right, places, column, of)
    yield from one_sided(left, right, pairs, None)


def common(left: Table, right: Table, key: Sequence[str]) -> list[str]:
    """Columns besides the key that both tables have."""
    return [name for name in left.columns if name in right.columns and name not in key]


def differing(left: Table, right: Table, pairs: Pairs, column: str) -> Pairs:
    """The pairs of rows that differ in a column."""
    where = changed(left, right, pairs, column)
    none = np.zeros(0, np.int64)
    return Pairs(pairs.left[where], pairs.right[where], none, none)


def counted(
    left: Table, right: Table, pairs: Pairs, column: str, of: pa.Array
) -> Iterator[RowChange]:
    """The pairs by what they changed from and to."""
    if not len(pairs.left):
        return
    before = take(left, column, pairs.left).cast(pa.string())
    after = take(right, column, pairs.right).cast(pa.string())
    groups = grouped({"of": of, "before": before, "after": after})
    for subject in sorted({group["of"] for group in groups}):
        alike = [group for group in groups if group["of"] == subject]
        if len(alike) > MANY:
            total = sum(group["count_all"] for group in alike)
            yield RowChange(left.name, "", column, subject, None, None, total)
            continue
        for group in sorted(alike, key=lambda group: -group["count_all"]):
            yield RowChange(
                left.name,
                "",
                column,
                subject,
                group["before"] or "nothing",
                group["after"] or "nothing",
                group["count_all"],
            )


def one_sided(left: Table, right: Table, pairs: Pairs, by: str | None) -> Iterator[RowChange]:
    """Rows that only one of the two has."""
    for side, table, places in (("A", left, pairs.only_left), ("B", right, pairs.only_right)):
        for of, rows in tally(table, places, by):
            yield RowChange(table.name, side, "", of, None, None, rows)


def tally(table: Table, places: Places, by: str | None) -> list[tuple[str, int]]:
    """How many rows there are of each value of a column, or of all."""
    if not len(places):
        return []
    if by is None:
        return [("", len(places))]
    groups = grouped({"of": take(table, by, places)})
    return sorted((group["of"] or "", group["count_all"]) for group in groups)


def grouped(columns: dict[str, pa.Array]) -> list[dict]:
    """Each combination of values with how often it occurs."""
    table = pa.table(columns)
    return table.group_by(list(columns)).aggregate([([], "count_all")]).to_pylist()

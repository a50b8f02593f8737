"""Rows are paired and compared by columns as they would be one by one."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.audit.reading import Table, open_table
from pipeline.audit.row_pairs import changed, column_hashes, mixed, numbered, pair

SCHEMA = pa.schema(
    [("key", pa.string()), ("n", pa.int64()), ("value", pa.float64()), ("yes", pa.bool_())]
)
ROW = st.fixed_dictionaries(
    {
        "key": st.sampled_from(["a", "b", "", None]),
        "n": st.sampled_from([0, 1, -1, 2**40, None]),
        "value": st.sampled_from([0.0, -0.0, 0.5, None]),
        "yes": st.sampled_from([True, False, None]),
    }
)
Row = dict[str, object]


def table(folder: Path, rows: list[Row]) -> Table:
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), folder / "clips.parquet")
    return open_table(folder, "clips", SCHEMA)


@settings(max_examples=30)
@given(st.lists(ROW, max_size=12), st.lists(ROW, max_size=12))
def test_pairs_are_those_of_a_search_by_hand(
    tmp_path_factory: pytest.TempPathFactory, one: list[Row], other: list[Row]
) -> None:
    left, right = (table(tmp_path_factory.mktemp("t"), rows) for rows in (one, other))
    pairs = pair(left, right, ("key", "n"))
    keys = [[(row["key"], row["n"]) for row in rows] for rows in (one, other)]
    for place, partner in zip(pairs.left, pairs.right, strict=True):
        assert keys[0][place] == keys[1][partner]
    common = Counter(keys[0]) & Counter(keys[1])
    assert Counter(keys[0][place] for place in pairs.left) == common
    assert sorted([*pairs.left, *pairs.only_left]) == list(range(len(one)))
    assert sorted([*pairs.right, *pairs.only_right]) == list(range(len(other)))
    for column in ("value", "yes"):
        differ = [
            repr(one[i][column]) != repr(other[j][column])
            for i, j in zip(pairs.left, pairs.right, strict=True)
        ]
        assert changed(left, right, pairs, column).tolist() == differ


def test_nothing_is_no_value(tmp_path: Path) -> None:
    rows: list[Row] = [{"key": k, "n": n} for k, n in (("", 0), (None, None))]
    held = table(tmp_path, rows)
    for column in ("key", "n"):
        assert len(set(column_hashes(held.column(column)).tolist())) == 2


@given(st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=50))
def test_different_numbers_stay_different(values: list[int]) -> None:
    assert len(set(mixed(np.array(values, np.uint64)).tolist())) == len(values)


@given(st.lists(st.integers(0, 3), max_size=30))
def test_repeated_hashes_become_different_and_first_ones_stay(values: list[int]) -> None:
    hashes = mixed(np.array(values, np.uint64))
    found = numbered(hashes)
    assert len(set(found.tolist())) == len(values)
    firsts = [n for n, value in enumerate(values) if value not in values[:n]]
    assert (found[firsts] == hashes[firsts]).all()

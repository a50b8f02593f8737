"""What is read off the pages of an SQLite file is what SQLite says is in it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.run.sqlite_pages import PAGE, Pages, varint

integers = st.integers(-(1 << 63), (1 << 63) - 1)
values = st.none() | integers | st.binary(max_size=40) | st.sampled_from([0, 1, -1])
lengths = st.integers(0, 3 * PAGE) | st.integers(PAGE - 80, PAGE - 20)
rows = st.dictionaries(
    st.integers(1, (1 << 63) - 1), st.tuples(values, values, lengths), max_size=8
)


@settings(max_examples=25)
@given(rows=rows, log=st.booleans())
def test_every_record_is_found_in_the_file_or_in_its_log(
    rows: dict[int, tuple[int | bytes | None, int | bytes | None, int]],
    log: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    file = tmp_path_factory.mktemp("pages") / "some.sqlite"
    put = {number: [a, b, bytes(length)] for number, (a, b, length) in rows.items()}
    with closing(sqlite3.connect(file)) as base:
        base.execute(f"PRAGMA journal_mode = {'WAL' if log else 'DELETE'}")
        base.execute("PRAGMA synchronous = OFF")
        base.execute("CREATE TABLE some (a, b, c)")
        base.executemany(
            "INSERT INTO some (rowid, a, b, c) VALUES (?, ?, ?, ?)",
            ((number, *columns) for number, columns in put.items()),
        )
        base.commit()
        assert found(file) == put


def found(file: Path) -> dict[int, list[object]]:
    """The records of the table, without those of SQLite's own, which have five columns."""
    with Pages.open(file, log=file.with_name(file.name + "-wal")) as pages:
        return {number: columns for number, columns in pages.records() if len(columns) == 3}


def test_a_number_takes_up_to_nine_bytes() -> None:
    assert varint(b"\x07", 0) == (7, 1)
    assert varint(b"\x81\x00", 0) == (128, 2)
    assert varint(b"\x00\xff\x7f", 1) == (16383, 3)
    assert varint(b"\xff" * 9, 0) == ((1 << 64) - 1, 9)
    assert varint(b"\xff\xff", 0)[1] == 2, "cut at the end"
    assert varint(b"", 0) == (0, 0)

"""What the ledger could have been: the same entries in tables of other shapes, and as a file each.

    python -m benchmarks.ledger_shapes [--entries 1000000] [--files 20000] [--place FOLDER]

Commits of 1000 entries, synced, as the ledger's; look-ups as in `benchmarks/ledger.py`.
"""

import argparse
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path

from benchmarks.ledger import drawn, forget, keys, sample, timed
from benchmarks.ledger_sections import pool_of
from manifests.files import write_whole
from pipeline.run.entry import Entry, Row, key_bytes

ROWS = "CREATE TABLE entry (id INTEGER PRIMARY KEY, key BLOB, crc INTEGER, body BLOB)"
SHAPES = {
    "rows in the order of putting, index of 8 bytes (the ledger's)": (
        ROWS, "CREATE INDEX by_key ON entry (substr(key, 1, 8))",
        "SELECT body FROM entry WHERE substr(key, 1, 8) = substr(?1, 1, 8) AND key = ?1",
    ),
    "the same, index of 16 bytes": (
        ROWS, "CREATE INDEX by_key ON entry (substr(key, 1, 16))",
        "SELECT body FROM entry WHERE substr(key, 1, 16) = substr(?1, 1, 16) AND key = ?1",
    ),
    "the same, index of the whole key": (
        ROWS, "CREATE UNIQUE INDEX by_key ON entry (key)", "SELECT body FROM entry WHERE key = ?1",
    ),
    "WITHOUT ROWID, rows in the order of keys": (
        "CREATE TABLE entry (key BLOB PRIMARY KEY, crc INTEGER, body BLOB) WITHOUT ROWID", "",
        "SELECT body FROM entry WHERE key = ?1",
    ),
}  # fmt: skip
"""Table, index, look-up."""


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--place", type=Path)
    given = parser.parse_args()
    pool = pool_of(None)
    print("| shape | entries | µs an entry | bytes each | look-up, cold: median, p99, ms |")
    print("|---|---:|---:|---:|---:|")
    for name in SHAPES:
        with tempfile.TemporaryDirectory(dir=given.place) as folder:
            print(
                row(name, given.entries, in_table(pool, given.entries, Path(folder), name)),
                flush=True,
            )
    with tempfile.TemporaryDirectory(dir=given.place) as folder:
        print(row("a file each", given.files, in_files(pool, given.files, Path(folder))))


def row(name: str, entries: int, cells: tuple[float, float, list[float]]) -> str:
    """One row of the table, of seconds, bytes and seconds of each look-up."""
    seconds, size, looks = cells
    looks = sorted(looks)
    return (
        f"| {name} | {entries:,} | {1e6 * seconds / entries:.0f} | {size / entries:.0f} "
        f"| {1e3 * statistics.median(looks):.2f}, {1e3 * looks[int(0.99 * len(looks))]:.2f} |"
    )


def in_table(
    pool: list[Entry], entries: int, folder: Path, name: str
) -> tuple[float, float, list[float]]:
    """Seconds to fill, bytes, seconds of each look-up."""
    table, index, look_up = SHAPES[name]
    file = folder / "table.sqlite"
    rows = (
        Row.of(key_bytes(key), entry)
        for key, entry in zip(keys(entries), drawn(pool), strict=False)
    )
    began = time.perf_counter()
    with closing(sqlite3.connect(file, isolation_level=None)) as base:
        for setting in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -65536"):
            base.execute(f"PRAGMA {setting}")
        base.execute(table)
        base.execute(index)
        while batch := list(islice(rows, 1000)):
            base.execute("BEGIN")
            base.executemany("INSERT INTO entry (key, crc, body) VALUES (?, ?, ?)", batch)
            base.execute("COMMIT")
    filled = time.perf_counter() - began
    forget(file)
    with closing(sqlite3.connect(file)) as base:
        looks = looked_up(entries, lambda key: base.execute(look_up, (key_bytes(key),)).fetchone())
    return filled, file.stat().st_size, looks


def in_files(pool: list[Entry], entries: int, folder: Path) -> tuple[float, float, list[float]]:
    """The same of a file each, written whole and durably; the size without the file system's own tables."""
    began = time.perf_counter()
    for key, entry in zip(keys(entries), drawn(pool), strict=False):
        write_whole(folder / key[:2] / f"{key}.json", Row.of(key_bytes(key), entry).body)
    filled = time.perf_counter() - began
    files = list(folder.glob("*/*.json"))
    for file in files:
        forget(file)
    looks = looked_up(entries, lambda key: (folder / key[:2] / f"{key}.json").read_bytes())
    return filled, sum(file.stat().st_blocks * 512 for file in files), looks


def looked_up(entries: int, look: Callable[[str], object]) -> list[float]:
    """Seconds of each look-up."""
    return [timed(lambda key=key: look(key)) for key in sample(entries)]


if __name__ == "__main__":
    main()

"""What the ledger could have been: the same entries in tables of other shapes, and as a file each.

    python -m benchmarks.ledger_shapes [--entries 1000000] [--files 20000] [--place FOLDER]

Commits of 1000 entries, synced, as the ledger's. Look-ups as in `benchmarks/ledger.py`, but of the compressed bytes
alone. Linux only.
"""

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
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


COLUMNS = (
    "shape",
    "entries",
    "CPU, µs each",
    "written, bytes each",
    "held, bytes each",
    "look-up, ms: median, p95",
)


@dataclass(slots=True)
class Spent:
    """What a shape costs: CPU seconds and bytes to fill it, bytes that it holds, seconds of each look-up."""

    seconds: float = 0.0
    written: int = 0
    held: int = 0
    looks: list[float] = field(default_factory=list[float])

    @contextmanager
    def filling(self) -> Generator[None]:
        """Book what the block costs."""
        began, before = time.process_time(), written()
        yield
        self.seconds, self.written = time.process_time() - began, written() - before

    def row(self, name: str, entries: int) -> str:
        """One row of the table."""
        looks = sorted(self.looks)
        times = ", ".join(f"{1e3 * looks[int(share * len(looks))]:.2f}" for share in (0.5, 0.95))
        each = (1e6 * self.seconds / entries, self.written / entries, self.held / entries)
        return f"| {name} | {entries:,} | {' | '.join(f'{part:.0f}' for part in each)} | {times} |"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--place", type=Path)
    given = parser.parse_args()
    pool = pool_of(None)
    print(f"| {' | '.join(COLUMNS)} |\n|---|{'---:|' * (len(COLUMNS) - 1)}")
    for name, shape in SHAPES.items():
        with tempfile.TemporaryDirectory(dir=given.place) as folder:
            spent = in_table(rows(pool, given.entries), shape, Path(folder) / "table.sqlite")
        print(spent.row(name, given.entries), flush=True)
    with tempfile.TemporaryDirectory(dir=given.place) as folder:
        spent = in_files(rows(pool, given.files), Path(folder))
    print(spent.row("a file each", given.files))


def rows(pool: list[Entry], entries: int) -> list[Row]:
    """Compressed rows of as many entries, made before anything is measured."""
    return [
        Row.of(key_bytes(key), entry)
        for key, entry in zip(keys(entries), drawn(pool), strict=False)
    ]


def in_table(rows: list[Row], shape: tuple[str, str, str], file: Path) -> Spent:
    """What a table costs."""
    (table, index, look_up), spent = shape, Spent()
    with spent.filling(), closing(sqlite3.connect(file, isolation_level=None)) as base:
        for setting in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -65536"):
            base.execute(f"PRAGMA {setting}")
        base.execute(table)
        base.execute(index)
        for start in range(0, len(rows), 1000):
            base.execute("BEGIN")
            base.executemany(
                "INSERT INTO entry (key, crc, body) VALUES (?, ?, ?)", rows[start : start + 1000]
            )
            base.execute("COMMIT")
    spent.held = file.stat().st_size
    forget(file)
    with closing(sqlite3.connect(file)) as base:
        spent.looks = looked_up(
            len(rows), lambda key: base.execute(look_up, (key_bytes(key),)).fetchone()
        )
    return spent


def in_files(rows: list[Row], folder: Path) -> Spent:
    """What a file each costs, written whole and durably; without the file system's own tables."""
    spent = Spent()
    with spent.filling():
        for row in rows:
            write_whole(place_of(folder, row.key.hex()), row.body)
    files = list(folder.glob("*/*.json"))
    spent.held = sum(file.stat().st_blocks * 512 for file in files)
    for file in files:
        forget(file)
    spent.looks = looked_up(len(rows), lambda key: place_of(folder, key).read_bytes())
    return spent


def place_of(folder: Path, key: str) -> Path:
    """The file of a key."""
    return folder / key[:2] / f"{key}.json"


def looked_up(entries: int, look: Callable[[str], object]) -> list[float]:
    """Seconds of each look-up."""
    return [timed(lambda key=key: look(key)) for key in sample(entries)]


def written() -> int:
    """Bytes that this process has given to the system to write."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["wchar"])


if __name__ == "__main__":
    main()

"""The SQLite file behind the ledger: its table, how it is opened, and what SQLite's errors mean for a run."""

import errno
import os
import sqlite3
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.run.entry import Row
from pipeline.run.sqlite_pages import PAGE

# Rows are only ever added at the end, so that filling the table writes each of its pages once; only the index, of eight
# bytes a key, is written all over. Two keys that begin with the same eight bytes are distinguished by the row.
TABLE = """CREATE TABLE entry (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL
)"""
INDEX = "CREATE INDEX IF NOT EXISTS entry_by_key ON entry (substr(key, 1, 8))"
READ = (
    "SELECT key, crc, body FROM entry INDEXED BY entry_by_key "
    "WHERE substr(key, 1, 8) = substr(?1, 1, 8) AND key = ?1 ORDER BY id DESC LIMIT 1"
)
DELETE = (
    "DELETE FROM entry INDEXED BY entry_by_key "
    "WHERE substr(key, 1, 8) = substr(?1, 1, 8) AND key = ?1"
)

SETTINGS = (
    f"PRAGMA page_size = {PAGE}",  # what the salvage of a damaged file counts on
    "PRAGMA synchronous = FULL",  # what was committed is there after a power cut
    "PRAGMA cell_size_check = ON",
    "PRAGMA secure_delete = ON",  # what was removed is not found again, by a salvage neither
    "PRAGMA cache_size = -65536",  # KiB
)
WRITE_AHEAD = ("PRAGMA journal_mode = WAL",)
# A write-ahead log needs memory shared by all processes that read, which a network gives to those of one machine only.
# Locked at first, since a file that was made on a local disk may have such a log still, to be worked off without it.
ROLL_BACK = (
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA journal_mode = TRUNCATE",
    "PRAGMA locking_mode = NORMAL",
)
WAIT = 60.0  # seconds for a reader or writer that holds the file


class Damaged(Exception):
    """SQLite cannot read the file, or not as the table that was written."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows by key. Every method raises Damaged, or OSError with its errno where the disk or the share failed."""

    connection: sqlite3.Connection
    place: Path

    def read(self, key: bytes) -> Row | None:
        with reported(self.place):
            found = self.connection.execute(READ, (key,)).fetchone()
        return Row(*found) if found is not None else None

    def page(self, *, after: int, rows: int) -> list[tuple[int, Row]]:
        """The next rows with their ids, in order. Short reads, so that neither a writer nor a checkpoint waits."""
        with reported(self.place):
            found = self.connection.execute(
                "SELECT id, key, crc, body FROM entry WHERE id > ? ORDER BY id LIMIT ?",
                (after, rows),
            ).fetchall()
        ids = [row[0] for row in found]
        if any(late <= early for early, late in zip([after, *ids], ids, strict=False)):
            raise Damaged("rows are out of order")
        return [(row[0], Row(*row[1:])) for row in found]

    def count(self) -> int:
        with reported(self.place):
            return self.connection.execute("SELECT count(*) FROM entry").fetchone()[0]

    def write(self, rows: Sequence[Row]) -> None:
        """Commit rows, each in place of what its key had."""
        with self.committed():
            self._delete(row.key for row in rows)
            self.connection.executemany("INSERT INTO entry (key, crc, body) VALUES (?, ?, ?)", rows)

    def restore(self, rows: Sequence[tuple[int, Row]]) -> None:
        """Commit rows under the ids that they had."""
        with self.committed():
            self.connection.executemany(
                "INSERT OR REPLACE INTO entry (id, key, crc, body) VALUES (?, ?, ?, ?)",
                ((number, *row) for number, row in rows),
            )

    def remove(self, keys: Iterable[bytes]) -> int:
        """Commit the removal of keys; returns how many rows there were."""
        with self.committed():
            return self._delete(keys)

    def close(self) -> None:
        with reported(self.place):
            self.connection.close()

    def _delete(self, keys: Iterable[bytes]) -> int:
        return self.connection.executemany(DELETE, ((key,) for key in keys)).rowcount

    @contextmanager
    def committed(self) -> Generator[None]:
        with reported(self.place):
            try:
                self.connection.execute("BEGIN IMMEDIATE")
                yield
                self.connection.execute("COMMIT")
            finally:
                if self.connection.in_transaction:
                    with suppress(sqlite3.Error):
                        self.connection.execute("ROLLBACK")


# ---- opening ---------------------------------------------------------------------------------------------------------


def open_table(place: Path, *, shared: bool) -> Table:
    """The table in a file that is made where there is none. shared: other machines may write to the file system."""
    table = connected(place, f"{place.resolve().as_uri()}?mode=rwc")
    try:
        with reported(place):
            for setting in (*SETTINGS, *(ROLL_BACK if shared else WRITE_AHEAD)):
                table.connection.execute(setting).fetchall()
            begun = is_begun(table)
            with table.committed():
                if not begun:
                    table.connection.execute(TABLE)
                table.connection.execute(INDEX)
    except BaseException:
        table.connection.close()
        raise
    return table


def read_table(place: Path) -> Table:
    """The table in a file as it is, for reading beside its writer; an empty one where there is none yet."""
    if not place.exists():
        return empty_table()
    address = f"{place.resolve().as_uri()}?mode=ro"
    try:
        return looked_into(place, address)
    except OSError as error:
        if error.errno not in (errno.EIO, errno.EROFS):
            raise
        # no log can be put beside it, in a folder that cannot be written to: no process writes to the file either
        return looked_into(place, f"{address}&immutable=1")


def looked_into(place: Path, address: str) -> Table:
    """A table opened for reading, once its first page was read."""
    table = connected(place, address)
    try:
        with reported(place):
            if is_begun(table):
                return table
    except BaseException:
        table.connection.close()
        raise
    table.connection.close()
    return empty_table()


def empty_table() -> Table:
    """A table without rows, in memory."""
    table = connected(Path(":memory:"), "file::memory:")
    table.connection.execute(TABLE)
    table.connection.execute(INDEX)
    return table


def connected(place: Path, address: str) -> Table:
    """A table whose file was not read yet."""
    with reported(place):
        connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=WAIT)
    connection.text_factory = (
        bytes  # there is no text in the table: what is taken for one is damaged
    )
    return Table(connection, place)


def is_begun(table: Table) -> bool:
    """Whether the file holds the table already; False where it is new. Raises Damaged where it holds anything else."""
    names = table.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    if (b"entry",) in names.fetchall():
        return True
    (pages,) = table.connection.execute("PRAGMA page_count").fetchone()
    if pages > 1:
        raise Damaged("the table is not there")
    return False


# ---- what SQLite's errors mean ---------------------------------------------------------------------------------------

OUTAGES = {
    sqlite3.SQLITE_BUSY: errno.EBUSY,
    sqlite3.SQLITE_CANTOPEN: errno.EIO,
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_LOCKED: errno.EBUSY,
    sqlite3.SQLITE_NOLFS: errno.EFBIG,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_PROTOCOL: errno.EIO,
    sqlite3.SQLITE_READONLY: errno.EROFS,
}
# Our statements are always the same, so one that SQLite finds wrong was right when the file was whole.
DAMAGES = frozenset(
    {
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_FORMAT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_TOOBIG,
    }
)


@contextmanager
def reported(place: Path) -> Generator[None]:
    """SQLite's errors as Damaged, or as the OSError of an outage."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        if not isinstance(code, int):
            raise
        kind = code & 0xFF
        if kind in DAMAGES or (code == sqlite3.SQLITE_READONLY and os.access(place, os.W_OK)):
            raise Damaged(
                str(error)
            ) from error  # the latter: its header says that it is of a later format
        if kind in OUTAGES:
            raise OSError(OUTAGES[kind], str(error), str(place)) from error
        raise
    except UnicodeDecodeError as error:  # SQLite quotes what it cannot make sense of
        raise Damaged("its schema is not text") from error

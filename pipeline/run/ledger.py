"""The ledger: what was measured, under a key that holds everything the result depends on.

A key is a hash of the input's content, the stage with its parameters and version, and the backend with its weights and
libraries. It never holds a path, a time or a threshold, so a moved file or a new threshold measures nothing again.

The driver of a run owns the ledger; its workers write journals. Why: docs/decisions/0012-ledger.md.
"""

import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from manifests.files import sync
from pipeline.run.entry import Entry, Row, key_bytes
from pipeline.run.file_system import is_local
from pipeline.run.journal import journal_files, read_journal, remove_journal
from pipeline.run.ledger_file import LedgerFile
from pipeline.run.ledger_folder import LedgerFolder

__all__ = ["Entry", "Ledger"]

log = logging.getLogger(__name__)

FILE = "ledger.sqlite"
ROWS_AT_ONCE = 1000


@dataclass(slots=True)
class Ledger:
    """Entries by key. One process writes, from one thread; others may read at the same time what it has committed.

    Methods raise OSError where the disk or the share fails; what could not be committed waits for the next commit.
    """

    work: Path
    file: LedgerFile
    folder: LedgerFolder | None = None  # entries of the earlier layout that are not taken over
    commit_entries: int = 1000
    commit_seconds: float = 5.0
    waiting: dict[bytes, Row] = field(default_factory=dict[bytes, Row])
    waiting_since: float = 0.0
    broken: set[bytes] = field(default_factory=set[bytes])

    @classmethod
    def open(
        cls,
        work: Path,
        *,
        read_only: bool = False,
        shared: bool | None = None,
        commit_entries: int = 1000,
        commit_seconds: float = 5.0,
    ) -> "Ledger":
        """The ledger of a work folder; a damaged one is mended, entries of the earlier layout are taken over.

        shared: whether other machines may write to the file system; None: looked up.
        """
        shared = not is_local(work) if shared is None else shared
        file = LedgerFile(work / FILE, read_only, shared)
        ledger = cls(work, file, LedgerFolder.of(work), commit_entries, commit_seconds)
        if not read_only:
            work.mkdir(parents=True, exist_ok=True)
            file.use(lambda table: None)
            sync(work)
            ledger.take_over()
        return ledger

    @property
    def notes(self) -> list[str]:
        """Sentences for the user: what was damaged or taken over, and what becomes of it."""
        return self.file.notes

    @property
    def damaged(self) -> int:
        """Entries that were read so far and are not what was written."""
        return len(self.broken)

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # ---- reading

    def get(self, key: str) -> Entry | None:
        """The entry of a key, or None where there is none or it is broken, so that it is made again."""
        found = self.find(key_bytes(key))
        return self.folder.get(key) if found is None and self.folder is not None else found

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """Every whole entry with its key, some at a time; entries may be put and removed meanwhile."""
        self.flush()
        last = 0
        while rows := self.rows_after(last):
            for _, row in rows:
                if (entry := self.checked(row)) is not None:
                    yield row.key.hex(), entry
            last = rows[-1][0]
        for key, entry in self.folder.entries() if self.folder is not None else ():
            if entry is not None and self.find(key_bytes(key)) is None:
                yield key, entry

    def __len__(self) -> int:
        """How many entries the file holds."""
        self.flush()
        return self.file.use(lambda table: table.count())

    def find(self, key: bytes) -> Entry | None:
        """The entry that waits or is committed under a key."""
        row = self.waiting.get(key) or self.file.use(lambda table: table.read(key))
        return self.checked(row) if row is not None else None

    def rows_after(self, last: int) -> list[tuple[int, Row]]:
        """The next committed rows with their ids, from an id on."""
        return self.file.use(lambda table: table.page(after=last, rows=ROWS_AT_ONCE))

    def checked(self, row: Row) -> Entry | None:
        """The entry of a row, or None where it is broken; the first one is logged."""
        entry = row.entry()
        if entry is None:
            if not self.broken:
                log.warning(
                    "%s holds an entry that is broken; it is measured again", self.file.place
                )
            self.broken.add(row.key)
        return entry

    # ---- writing

    def put(self, key: str, entry: Entry) -> None:
        """Add an entry, in place of what its key had; committed with others, soon."""
        if self.file.read_only:
            raise ValueError(f"{self.file.place} was opened for reading")
        now = time.monotonic()
        if not self.waiting:
            self.waiting_since = now
        name = key_bytes(key)
        self.waiting[name] = Row.of(name, entry)
        full = len(self.waiting) >= self.commit_entries
        if full or now - self.waiting_since >= self.commit_seconds:
            self.flush()

    def flush(self) -> None:
        """Commit what waits: it is there after a power cut."""
        if self.waiting:
            rows = list(self.waiting.values())
            self.file.use(lambda table: table.write(rows))
            self.waiting.clear()

    def remove(self, keys: Iterable[str]) -> int:
        """Remove entries, committed at once; returns how many there were."""
        self.flush()
        names = [key_bytes(key) for key in keys]
        return self.file.use(lambda table: table.remove(names))

    def close(self) -> None:
        """Commit what waits, and close the file."""
        try:
            self.flush()
        finally:
            self.file.close()

    def ingest(self, work: Path, run_id: str | None = None, *, remove: bool = False) -> int:
        """Take over the journals of a run, or of all, and commit; returns how many entries were not here yet.

        remove: remove the journals afterwards; only when the processes that write them are gone.
        """
        files, taken = journal_files(work, run_id), 0
        for file in files:
            for key, entry in read_journal(file):
                if self.find(key_bytes(key)) != entry:
                    self.put(key, entry)
                    taken += 1
        self.flush()
        for file in files if remove else ():
            remove_journal(file)
        return taken

    def take_over(self) -> None:
        """Take over the entries of the earlier layout, and remove its folder once they are committed.

        An interrupted one goes on: what is here already stays as it is.
        """
        folder, taken, left = self.folder, 0, 0
        if folder is None:
            return
        for key, entry in folder.entries():
            if entry is None:
                left += 1
            elif self.find(key_bytes(key)) is None:
                self.put(key, entry)
                taken += 1
        self.flush()
        folder.remove()
        self.folder = None
        again = f"; {left} broken ones are measured again" if left else ""
        self.notes.append(f"took {taken} entries of {folder.folder} over into {FILE}{again}")

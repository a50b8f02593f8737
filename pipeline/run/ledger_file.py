"""The ledger's file, which mends itself: a damaged one is set aside with a note and never stops a run."""

import errno
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pipeline.run.ledger_salvage import mend, settle
from pipeline.run.ledger_table import Damaged, Table, empty_table, open_table, read_table

log = logging.getLogger(__name__)
Found = TypeVar("Found")


@dataclass(slots=True)
class LedgerFile:
    """A table in a file. shared: other machines may write to its file system."""

    place: Path
    read_only: bool
    shared: bool
    notes: list[str] = field(default_factory=list[str])
    """Sentences for the user: what was damaged, and what became of it."""
    table: Table | None = None

    def use(self, act: Callable[[Table], Found]) -> Found:
        """What `act` gives for the table; for a mended one where this one is damaged. Raises OSError."""
        try:
            return act(self.opened())
        except Damaged as damage:
            with suppress(Damaged):
                self.close()
            self.replace(damage)
        try:
            return act(self.opened())
        except Damaged as damage:  # the file was made a moment ago
            text = f"the disk does not give back what was written to it: {damage}"
            raise OSError(errno.EIO, text, str(self.place)) from damage

    def opened(self) -> Table:
        """The table, opened where it is not. Raises Damaged, OSError."""
        if self.table is None and self.read_only:
            self.table = read_table(self.place)
        elif self.table is None:
            settle(self.place)
            self.table = open_table(self.place, shared=self.shared)
        return self.table

    def replace(self, damage: Damaged) -> None:
        """Make the file anew of what can be read of it; a reader goes on with an empty table."""
        if self.read_only:
            self.table = empty_table()
            self.note(f"{self.place} is damaged ({damage}); the next build mends it")
            return
        kept, aside = mend(self.place)
        self.note(
            f"{self.place} was damaged ({damage}) and lies now in {aside.name}; {kept} entries of it could be read, "
            "what is missing is measured again"
        )

    def note(self, sentence: str) -> None:
        """Keep a sentence for the user, and log it."""
        self.notes.append(sentence)
        log.warning(sentence)

    def close(self) -> None:
        """Close the file; it is opened again when it is used."""
        table, self.table = self.table, None
        if table is not None:
            table.close()

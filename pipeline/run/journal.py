"""The journals of a run's workers: each entry on the disk before its worker goes on, until the ledger has it too.

Each process appends to a file of its own, so journals are safe on a folder that several machines share. A line is a
checksum and the entry as JSON; what a crash left of a line is not read.
"""

import json
import os
import socket
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from manifests.files import append_line, sync
from pipeline.run.entry import Entry, entry_of, read_json

PROCESS = uuid.uuid4().hex[:8]
"""Tells processes of one name and number apart: those of two containers, or of one machine started again."""


@dataclass(frozen=True, slots=True)
class Journal:
    """Where a worker process writes what it measured in one run. Holds nothing open."""

    work: Path
    run_id: str

    @property
    def file(self) -> Path:
        """The file of this process."""
        name = f"{socket.gethostname()}-{os.getpid()}-{PROCESS}.jsonl"
        return folder_of(self.work) / self.run_id / name

    def append(self, key: str, entry: Entry) -> None:
        """Write an entry durably. Raises OSError where the disk or the share does not take it."""
        file = self.file
        new = not file.exists()
        append_line(file, line_of(key, entry))
        if new:  # its folder was synced with it; those above may be new too
            sync(folder_of(self.work))
            sync(self.work)


def read_journals(work: Path, run_id: str | None = None) -> Iterator[tuple[str, Entry]]:
    """Every whole entry of the journals of a run, or of all runs, with its key; a cut or damaged line is left out."""
    for file in journal_files(work, run_id):
        yield from read_journal(file)


def journal_files(work: Path, run_id: str | None = None) -> list[Path]:
    """The journals of a run, or of all runs."""
    return sorted(folder_of(work).glob(f"{run_id or '*'}/*.jsonl"))


def read_journal(file: Path) -> Iterator[tuple[str, Entry]]:
    """The whole entries of one journal."""
    with file.open("rb") as lines:
        for line in lines:
            found = read_line(line)
            if found is not None:
                yield found


def remove_journal(file: Path) -> None:
    """Remove a journal, and the folder of its run with the last one."""
    file.unlink(missing_ok=True)
    if not any(file.parent.iterdir()):
        file.parent.rmdir()


def folder_of(work: Path) -> Path:
    """Where the journals of all runs lie."""
    return work / "journal"


# ---- lines -----------------------------------------------------------------------------------------------------------


def line_of(key: str, entry: Entry) -> bytes:
    """One entry as a line without its end: eight hexadecimal digits of checksum, a blank, JSON."""
    text = json.dumps({"key": key, **entry.plain()}, sort_keys=True).encode("ascii")
    return b"%08x %s" % (zlib.crc32(text), text)


def read_line(line: bytes) -> tuple[str, Entry] | None:
    """The key and the entry of a line with its end, or None where it is not what was written."""
    checksum, _, text = line.removesuffix(b"\n").partition(b" ")
    if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(text):
        return None
    content = read_json(text)
    entry = entry_of(content)
    key = content.get("key") if isinstance(content, dict) else None
    return (key, entry) if isinstance(key, str) and entry is not None else None

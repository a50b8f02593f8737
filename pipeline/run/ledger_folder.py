"""The ledger as it was before: one small JSON file per entry, `ledger/ab/<key>.json` in the work folder."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from manifests.files import sync
from pipeline.run.entry import Entry, entry_of, is_key, read_json


@dataclass(frozen=True, slots=True)
class LedgerFolder:
    """The folder of the entries' files."""

    folder: Path

    @classmethod
    def of(cls, work: Path) -> "LedgerFolder | None":
        """That of a work folder, if there still is one."""
        folder = work / "ledger"
        return cls(folder) if folder.is_dir() else None

    def get(self, key: str) -> Entry | None:
        """The entry of a key; None where there is none or its file is broken."""
        file = self.folder / key[:2] / f"{key}.json"
        return read_entry(file) if file.is_file() else None

    def entries(self) -> Iterator[tuple[str, Entry | None]]:
        """Every key with its entry; None where the file is broken: empty, cut, of something else."""
        for shard in sorted(self.folder.glob("??")):
            for file in sorted(shard.glob("*.json")):
                if is_key(file.stem):
                    yield file.stem, read_entry(file)

    def remove(self) -> None:
        """Remove the folder, durably."""
        shutil.rmtree(self.folder)
        sync(self.folder.parent)


def read_entry(file: Path) -> Entry | None:
    """The entry that a file holds."""
    return entry_of(read_json(file.read_bytes()))

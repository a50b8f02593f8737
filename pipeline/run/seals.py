"""What a run remembers of the dataset that it committed: seals of its files, and of what nothing has changed since.

A seal tells without reading that a file is still the one that was hashed. The record lies in the work folder, by the
place of the dataset; a dataset that was copied, restored or edited has other seals and is hashed again.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path

from manifests.files import Seal, write_whole

Rows = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Committed:
    """One commit: its root, seals by path in the dataset, the key of all that went into it, and what the run said.

    key: None where the same command may give something else next time, because something failed.
    """

    root: str
    seals: Mapping[str, Seal] = field(default_factory=dict[str, Seal])
    key: str | None = None
    said: tuple[str, ...] = ()
    code: int = 0


def remember(work: Path, out: Path, committed: Committed) -> None:
    """Write down what was committed."""
    content = {**asdict(committed), "seals": {k: astuple(v) for k, v in committed.seals.items()}}
    write_whole(file_of(work, out), json.dumps(content, indent=0) + "\n")


def remembered(work: Path, out: Path) -> Committed | None:
    """What was committed last; None where nothing was, or the record is damaged."""
    try:
        content = json.loads(file_of(work, out).read_text(encoding="utf-8"))
        seals = {str(path): Seal(*seal) for path, seal in content["seals"].items()}
        return Committed(
            content["root"], seals, content["key"], tuple(content["said"]), content["code"]
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def seals_of(dataset: Path) -> dict[str, Seal]:
    """The seal of every file of a dataset but run.json, which is outside the checksums."""
    return {
        str(file.relative_to(dataset)): Seal.of(file)
        for file in sorted(dataset.rglob("*"))
        if file.is_file() and file.relative_to(dataset) != Path("run.json")
    }


def intact(dataset: Path, committed: Committed) -> bool:
    """Whether every file of the commit is there under the seal that it had. Families added later are not looked at."""
    try:
        return all(Seal.of(dataset / path) == seal for path, seal in committed.seals.items())
    except OSError:
        return False


def file_of(work: Path, out: Path) -> Path:
    """Where the record of one dataset lies."""
    name = hashlib.sha256(str(out).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return work / "committed" / f"{name}.json"

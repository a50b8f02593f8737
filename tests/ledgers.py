"""Keys and entries for tests of the ledger."""

import hashlib
import json
import random
from pathlib import Path

from manifests.record import Why
from pipeline.run.ledger import Entry, Ledger

ROOT = Path(__file__).resolve().parents[1]
"""Of the project: where other processes are started."""


def key(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def entry(number: int, *, values: int = 8) -> Entry:
    """An entry of its number's own; about eight bytes a value once compressed."""
    drawn = random.Random(number)
    section = {"number": number, "values": [drawn.random() for _ in range(values)]}
    return Entry(section, None, "pose", f"clip-{number}")


def refusal(number: int) -> Entry:
    return Entry(None, (Why.UNDECODABLE, f"frame {number}"), "probe", f"source-{number}")


def fill(work: Path, count: int, *, shared: bool = False) -> dict[str, Entry]:
    """A closed ledger of `count` entries: most small, every tenth longer than a page, every seventh a refusal."""
    made = {
        key(n): refusal(n) if n % 7 == 0 else entry(n, values=1000 * (n % 10 == 0))
        for n in range(count)
    }
    with Ledger.open(work, shared=shared) as ledger:
        for name, value in made.items():
            ledger.put(name, value)
    return made


def write_file(work: Path, name: str, text: str | None = None, *, number: int = 1) -> Path:
    """An entry in the layout of before, or a file of that name with any text."""
    file = work / "ledger" / name[:2] / f"{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    held = {"section": {"number": number}, "refusal": None}
    file.write_text(json.dumps(held, sort_keys=True) + "\n" if text is None else text)
    return file

"""What one version of a dataset says of some clips and of the sources that they come from."""

# pyright: basic, reportAttributeAccessIssue=false
# pyarrow has no types of its own, and makes the functions of pyarrow.compute when it is imported.

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from manifests import tables
from pipeline.audit.reading import DatasetFacts, Table, open_table, read_facts
from pipeline.audit.row_changes import DECISION_KEY

DROPS = ("dropped", "failed")
JUDGED = ("value", "comparator", "threshold", "verdict", "reason", "detail")


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a source's frames [start, stop), and what became of it: a kept clip's id, or why it was dropped.

    subject: the candidate's id, or the source's locator for frames that are in no candidate.
    """

    subject: str
    became: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a dataset, opened. label: A or B."""

    label: str
    folder: Path
    facts: DatasetFacts
    clips: Table
    decisions: Table
    sources: Table

    @classmethod
    def open(cls, label: str, folder: Path) -> "Version":
        """Raises BrokenFile where a file of it is missing or cannot be read."""
        needed = {"clips": tables.CLIPS, "decisions": tables.DECISIONS, "sources": tables.SOURCES}
        columns = {
            "clips": ("id", "revision", "locator", "sha256", "start", "frames"),
            "decisions": (*DECISION_KEY, *JUDGED),
            "sources": ("locator", "sha256"),
        }
        opened = {
            name: open_table(folder, name, needed[name].schema(wanted))
            for name, wanted in columns.items()
        }
        return cls(label, folder, read_facts(folder), **opened)


@dataclass(slots=True)
class Evidence:
    """What one version says of some clips and their sources.

    sources: SHA-256 by locator, of all; drops_of: rows that drop, by subject; lost: the row that dropped a whole
    source; dropped_in, kept_in: by locator; subjects: every candidate, clip and source that any row is about.
    """

    sources: dict[str, str | None]
    drops_of: dict[str, list[tables.Row]] = field(default_factory=lambda: defaultdict(list))
    lost: dict[str, tables.Row] = field(default_factory=dict)
    dropped_in: dict[str, list[Part]] = field(default_factory=lambda: defaultdict(list))
    kept_in: dict[str, list[Part]] = field(default_factory=lambda: defaultdict(list))
    subjects: set[str] = field(default_factory=set)


def gather(version: Version, ids: Collection[str], locators: Collection[str]) -> Evidence:
    """What a version says of these clips and their sources."""
    known = {
        str(row["locator"]): row["sha256"] for row in version.sources.each(("locator", "sha256"))
    }
    found = Evidence({name: text_or_none(sha256) for name, sha256 in known.items()})
    wanted_ids, wanted = (pa.array(sorted(names), pa.string()) for names in (ids, locators))
    for batch in version.decisions.batches():
        near = pc.or_(pc.is_in(batch["subject"], wanted_ids), pc.is_in(batch["source"], wanted))
        ours = batch.filter(near)
        found.subjects.update(pc.unique(ours["subject"]).to_pylist())
        for row in ours.filter(pc.is_in(ours["verdict"], pa.array(DROPS))).to_pylist():
            note_drop(found, row)
    for batch in version.clips.batches(("id", "locator", "start", "frames")):
        for row in batch.filter(pc.is_in(batch["locator"], wanted)).to_pylist():
            name, start = str(row["id"]), whole(row["start"])
            part = Part(name, name, start, start + whole(row["frames"]))
            found.kept_in[row["locator"]].append(part)
            found.subjects.add(name)
    return found


def note_drop(found: Evidence, row: tables.Row) -> None:
    """One row that drops a candidate, a stretch without one, or a whole source."""
    subject, source = str(row["subject"]), str(row["source"])
    if subject == source and row["stage"] != "spans":
        found.lost.setdefault(source, row)
        return
    found.drops_of[subject].append(row)
    part = Part(subject, str(row["reason"]), whole(row["start"]), whole(row["stop"]))
    found.dropped_in[source].append(part)


def whole(value: object) -> int:
    """A frame number."""
    return value if isinstance(value, int) else 0


def text_or_none(value: object) -> str | None:
    """A value of a text column."""
    return value if isinstance(value, str) else None


def measurements(
    here: Version, ids: Collection[str], found: Evidence
) -> dict[tuple[str, str], tables.Row]:
    """What `here` said of its clips, where the other version drops them for a measurement."""
    dropped = {name: found.drops_of[name] for name in ids if name in found.drops_of}
    subjects = pa.array(sorted(dropped), pa.string())
    names = {str(row["measurement"]) for rows in dropped.values() for row in rows}
    values = pa.array(sorted(names), pa.string())
    said: dict[tuple[str, str], tables.Row] = {}
    for batch in here.decisions.batches() if dropped else ():
        ours = batch.filter(
            pc.and_(pc.is_in(batch["subject"], subjects), pc.is_in(batch["measurement"], values))
        )
        said |= {(row["subject"], row["measurement"]): row for row in ours.to_pylist()}
    return said

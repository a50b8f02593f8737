"""Diff: which clips came, went or changed between two versions of a dataset, and because of what."""

from dataclasses import dataclass
from pathlib import Path

from manifests.tables import Row
from pipeline.audit.absent import Absent, explain
from pipeline.audit.changed_clips import ChangedClip, changed_clips
from pipeline.audit.evidence import Version
from pipeline.audit.fact_changes import FactChange, fact_changes
from pipeline.audit.reading import need_dataset
from pipeline.audit.row_changes import RowChange, decision_changes, source_changes
from pipeline.audit.row_pairs import Places, pair, take

SAME, DIFFERENT = 0, 1
CLIP_COLUMNS = ("id", "locator", "sha256", "start", "frames")


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between versions A and B. moved: clips that are the same and lie elsewhere in the shards."""

    roots: tuple[str, str]
    clips: tuple[int, int]
    went: tuple[Absent, ...]
    came: tuple[Absent, ...]
    changed: tuple[ChangedClip, ...]
    moved: int
    facts: tuple[FactChange, ...]
    rows: tuple[RowChange, ...]

    @property
    def nothing(self) -> bool:
        """Whether no clip, row or fact differs."""
        return not (self.went or self.came or self.changed or self.moved or self.facts or self.rows)

    @property
    def exit_code(self) -> int:
        """As that of diff: 0 where the two are the same."""
        return SAME if self.nothing and self.roots[0] == self.roots[1] else DIFFERENT


def diff(a: Path, b: Path) -> Difference:
    """Compare two versions by their manifests; the shards are not read, which is what verify is for.

    Raises LookError where one is no dataset, or a file of it cannot be read.
    """
    for folder in (a, b):
        need_dataset(folder)
    left, right = Version.open("A", a), Version.open("B", b)
    pairs = pair(left.clips, right.clips, ("id",))
    changed, moved = changed_clips(left, right, pairs)
    rows = (
        *decision_changes(left.decisions, right.decisions),
        *source_changes(left.sources, right.sources),
    )
    return Difference(
        roots=(left.facts.root, right.facts.root),
        clips=(left.clips.rows, right.clips.rows),
        went=tuple(explain(clip_rows(left, pairs.only_left), left, right)),
        came=tuple(explain(clip_rows(right, pairs.only_right), right, left)),
        changed=tuple(changed),
        moved=moved,
        facts=fact_changes(left.facts, right.facts),
        rows=rows,
    )


def clip_rows(version: Version, places: Places) -> list[Row]:
    """Some rows of clips.parquet, as far as they are asked for."""
    values = (take(version.clips, name, places).to_pylist() for name in CLIP_COLUMNS)
    return [dict(zip(CLIP_COLUMNS, row, strict=True)) for row in zip(*values, strict=True)]

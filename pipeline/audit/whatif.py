"""What a dataset would be under other thresholds, from its decisions alone: nothing is decoded, nothing is written.

Exact for what is on record. A candidate that a rule stopped early was never measured further: one that would now pass
is "to be measured", and so are the frames that only it could keep. What else leaves something out, a stage's refusal,
a duplicate, an identity on two sides, stays as it was recorded.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Group
from rich.table import Table

from manifests.geometry import FPS
from manifests.record import Why
from pipeline.audit.columns import Bools, Ints
from pipeline.audit.errors import DatasetError
from pipeline.audit.recorded import Recorded, Subjects, read
from pipeline.audit.standing import (
    ABSENT,
    KEPT,
    REASONS,
    UNMEASURED,
    Funnel,
    funnel_of,
    of_sources,
    standing,
)
from pipeline.config import ConfigError, load
from pipeline.rules import Rule, with_thresholds

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What moving thresholds would do to a dataset.

    moved: each rule as it was and as it would be. lost: clips of the dataset that would be dropped, by the reason.
    gained: candidates that would pass every rule, of which only the crop is to be made. unmeasured: candidates that
    would pass every rule on record, but met no later ones. sources_lost, sources_unmeasured: the same of sources.
    """

    moved: tuple[tuple[Rule, Rule], ...]
    before: Funnel
    after: Funnel
    clips: int
    lost: Mapping[Why, Names]
    gained: Names
    unmeasured: Names
    sources_lost: Mapping[Why, Names]
    sources_unmeasured: Names

    def __rich__(self) -> Group:
        return Group(
            *map(sentence, self.moved), "", table(self.before, self.after), "", *lines(self)
        )


def thresholds_in(overrides: Sequence[str]) -> Mapping[str, float]:
    """The thresholds of `rules.static=0.06` and the like. Raises ConfigError, RuleError: nothing else can be moved."""
    for override in overrides:
        if not override.startswith("rules."):
            raise ConfigError(
                f"what-if: {override!r} is no threshold; rules.<reason>=<number> is allowed"
            )
    return load(None, tuple(overrides)).rules


def what_if(dataset: Path, thresholds: Mapping[str, float]) -> WhatIf:
    """Decide a dataset anew with some thresholds moved, by the names of their reasons.

    Raises DatasetError for a folder that is no dataset, whose tables contradict each other, or that was made without
    such a rule; RuleError for a name that is no rule's.
    """
    recorded = read(dataset)
    rules = with_thresholds(recorded.rules, thresholds)
    if missing := set(thresholds) - {str(rule.why) for rule in rules}:
        raise DatasetError(
            f"{dataset} was made without the rule {min(missing)}: it has no such rows"
        )
    was, now = standing(recorded, recorded.rules), standing(recorded, rules)
    try:
        before, after = funnel_of(recorded, was), funnel_of(recorded, now)
        check(recorded, was, before)
    except ValueError as error:
        raise DatasetError(f"{dataset} contradicts itself: {error}") from error
    pairs = zip(recorded.rules, rules, strict=True)
    return changes(recorded, was, now, (before, after), tuple((a, b) for a, b in pairs if a != b))


def check(recorded: Recorded, found: Ints, funnel: Funnel) -> None:
    """Compare what the decisions say with what the dataset says of itself. Raises ValueError."""
    kept = int((~recorded.subjects.is_source & (found == KEPT)).sum())
    if kept != recorded.clips:
        raise ValueError(f"its decisions keep {kept} clips, clips.parquet has {recorded.clips}")
    said = {
        "frames": funnel.frames,
        "frames_kept": funnel.kept,
        "frames_dropped": {str(why): count for why, count in funnel.dropped.items()},
        "person_frames": funnel.person_frames,
        "person_frames_kept": funnel.person_kept,
        "person_frames_dropped": {str(why): n for why, n in funnel.person_dropped.items()},
    }
    for name, count in said.items():
        if recorded.counts.get(name) != count:
            raise ValueError(
                f"its decisions give {name} {count}, dataset.json has {recorded.counts.get(name)}"
            )


def changes(
    recorded: Recorded,
    was: Ints,
    now: Ints,
    funnels: tuple[Funnel, Funnel],
    moved: tuple[tuple[Rule, Rule], ...],
) -> WhatIf:
    """Who is elsewhere than before."""
    subjects, sources = recorded.subjects, of_sources(recorded, now)
    now = np.where(now == ABSENT, sources[subjects.source], now)
    clip, source = ~subjects.is_source, subjects.is_source
    return WhatIf(
        moved=moved,
        before=funnels[0],
        after=funnels[1],
        clips=recorded.clips,
        lost=lost(subjects, clip & (was == KEPT), now),
        gained=named(subjects, clip & (was != KEPT) & (now == KEPT)),
        unmeasured=named(subjects, clip & (now == UNMEASURED)),
        sources_lost=lost(subjects, source & (was == KEPT), now),
        sources_unmeasured=named(subjects, source & (now == UNMEASURED)),
    )


def lost(subjects: Subjects, kept: Bools, now: Ints) -> dict[Why, Names]:
    """Which of those that were kept would not be, by reason, in the order of the flow."""
    gone = kept & (now != KEPT)
    return {REASONS[r]: named(subjects, gone & (now == r)) for r in sorted(set(now[gone].tolist()))}


def named(subjects: Subjects, which: Bools) -> Names:
    """The names of some subjects."""
    return tuple(subjects.names[int(name)] for name in subjects.name[which])


# ---- in words --------------------------------------------------------------------------------------------------------


def sentence(moved: tuple[Rule, Rule]) -> str:
    """How a rule would be, and how it is."""
    old, new = moved
    asked = (
        f"{new.measurement} {new.comparator} {new.threshold:g}, not {old.threshold:g} {old.unit}"
    )
    kept = "; what fails is kept, for training only" if new.training_only else ""
    return f"if {new.why} asked for {asked}{kept}"


def table(before: Funnel, after: Funnel) -> Table:
    """Frames by heading before and after; both columns add up exactly."""
    made = Table(box=None, pad_edge=False)
    for name in ("", "frames now", "then", "change", "seconds"):
        made.add_column(name, justify="right" if name else "left")
    for name, now, then in headings(before, after):
        change = then - now
        made.add_row(
            name,
            str(now),
            str(then),
            f"{change:+d}" if change else "",
            f"{change / FPS:+.2f}" if change else "",
        )
    return made


def headings(before: Funnel, after: Funnel) -> Iterator[tuple[str, int, int]]:
    """(heading, frames before, frames after), in the order of the flow."""
    yield "in", before.frames, after.frames
    for why in Why:
        if why in before.dropped or why in after.dropped:
            yield f"dropped: {why}", before.dropped.get(why, 0), after.dropped.get(why, 0)
    if after.unmeasured:
        yield "to be measured", 0, after.unmeasured
    yield "kept", before.kept, after.kept


def lines(found: WhatIf) -> Iterator[str]:
    """What becomes of clips and sources."""
    gone = sum(map(len, found.lost.values()))
    yield f"clips: {found.clips} now, {found.clips - gone + len(found.gained)} then"
    if gone:
        yield "  dropped: " + counted(found.lost)
    if found.gained:
        yield f"  new, after their crop is made: {len(found.gained)}"
    if found.unmeasured:
        yield f"candidates to be measured before it can be said: {len(found.unmeasured)}"
    if found.sources_lost:
        yield "sources dropped: " + counted(found.sources_lost)
    if found.sources_unmeasured:
        yield f"sources to be measured before it can be said: {len(found.sources_unmeasured)}"


def counted(names: Mapping[Why, Names]) -> str:
    """How many by reason."""
    return ", ".join(f"{why} {len(subjects)}" for why, subjects in names.items())

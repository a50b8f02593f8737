"""What becomes of each source and candidate of a finished dataset under given rules, and of each frame by that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manifests.record import Why
from pipeline.audit.intervals import count_by_rank
from pipeline.audit.recorded import NEVER, Recorded
from pipeline.rules import Rule

Ints = NDArray[np.integer]

REASONS = tuple(Why)
UNMEASURED, KEPT = len(REASONS), len(REASONS) + 1
"""Above the places of all reasons: a frame is kept if any candidate keeps it, else undecided if any may."""
ABSENT = -1
"""A candidate of a source that is left out as a whole: there would be no such candidate."""


@dataclass(frozen=True, slots=True)
class Funnel:
    """Where the frames of a set are; all counts are grid frames at 25 FPS.

    frames = kept + unmeasured + sum(dropped) and person_frames = person_kept + person_unmeasured + sum(person_dropped),
    always. unmeasured: only a measurement that is not on record can say.
    """

    frames: int
    kept: int
    unmeasured: int
    dropped: Mapping[Why, int]
    person_frames: int
    person_kept: int
    person_unmeasured: int
    person_dropped: Mapping[Why, int]


def standing(recorded: Recorded, rules: Sequence[Rule]) -> Ints:
    """What becomes of each subject: the place of a reason in `Why`, UNMEASURED, KEPT or ABSENT.

    rules: the dataset's own, in their order, with any thresholds. What was kept met every rule; what was dropped may
    have been stopped before it did.
    """
    subjects = recorded.subjects
    was = recorded.first_drops(recorded.rows.drops)
    now = recorded.first_drops(recorded.judged(rules))
    passing = np.where((was == NEVER) | recorded.measured, KEPT, UNMEASURED)
    found = np.where(now == NEVER, passing, now % len(REASONS))
    there = subjects.is_source | (of_sources(recorded, found)[subjects.source] == KEPT)
    return np.where(there, found, ABSENT)


def of_sources(recorded: Recorded, found: Ints) -> Ints:
    """What becomes of each row of sources.parquet; one without decisions is kept, of which there can be nothing."""
    subjects = recorded.subjects
    ranks = np.full(len(recorded.frames), KEPT)
    ranks[subjects.source[subjects.is_source]] = found[subjects.is_source]
    return ranks


def funnel_of(recorded: Recorded, found: Ints) -> Funnel:
    """Every frame of the set under one heading, as `account` does it for one source. found: as `standing` has it.

    Raises ValueError where a frame is under none, or a row is about frames that its source does not have.
    """
    left, subjects, sources = recorded.leftovers, recorded.subjects, of_sources(recorded, found)
    whole, rest = np.flatnonzero(sources != KEPT), sources[left.source] == KEPT
    there = ~subjects.is_source & (found != ABSENT)
    source = np.concatenate([whole, left.source[rest], subjects.source[there]])
    start = np.concatenate([np.zeros_like(whole), left.start[rest], subjects.start[there]])
    stop = np.concatenate([recorded.frames[whole], left.stop[rest], subjects.stop[there]])
    rank = np.concatenate([sources[whole], left.why[rest], found[there]])
    if (start < 0).any() or (stop > recorded.frames[source]).any():
        raise ValueError("a decision is about frames that its source does not have")
    begin = (np.cumsum(recorded.frames) - recorded.frames)[source]
    frames = count_by_rank(begin + start, begin + stop, rank, ranks=KEPT + 1)
    if (lost := int(recorded.frames.sum() - frames.sum())) != 0:
        raise ValueError(f"{lost} frames are neither kept nor dropped")
    people = np.bincount(found[there], (subjects.stop - subjects.start)[there], KEPT + 1)
    return Funnel(
        frames=int(frames.sum()),
        kept=int(frames[KEPT]),
        unmeasured=int(frames[UNMEASURED]),
        dropped=by_reason(frames),
        person_frames=int(people.sum()),
        person_kept=int(people[KEPT]),
        person_unmeasured=int(people[UNMEASURED]),
        person_dropped=by_reason(people),
    )


def by_reason(counts: NDArray[np.number]) -> dict[Why, int]:
    """The counts of the reasons that have any, in the order of the flow."""
    return {why: int(count) for why, count in zip(REASONS, counts, strict=False) if count}

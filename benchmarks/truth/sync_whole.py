"""Whole clips, as a dataset measures them: how often a backend is sure by chance, and what new people say."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.truth.sync_clips import Person, half_of
from benchmarks.truth.sync_judges import Judge
from pipeline.perception.sync.interface import REACH

CHANCE = 0.02  # of the sure answers at most, that may be sure by chance
SHORTEST = 100  # frames of a whole clip
SHORTEST_HALF = 50  # frames of one of its halves
AS_LONG = 0.9  # of the clip at least, that a foreign voice lasts: confidence grows with the frames
WITNESSES = ("signs, nothing fitted", "embedded", "light-asd")
"""Backends shown side by side: joints by phonetics, joints by fitted axes, and Light-ASD's pictures beside joints."""
FEWEST = 3  # people whom a threshold keeps

SURE_BY_CHANCE = (
    "Nobody knows a clip's true offset, but a foreign voice has none: whatever is found there is chance. Each "
    "clip is measured whole with its own voice, and with every other person's that lasts as long. As often as a "
    "foreign voice makes a backend sure, chance does so with an own one: of the sure answers no more are chance "
    "than the second share is of the first. What is not chance is as right as the two halves of these clips, "
    "measured alone, agree (to the frame: less than one apart, see above). Thresholds: the lowest from which at "
    f"most {CHANCE:.0%} are chance, set on the other half of the people."
)
AS_THEY_CAME = (
    "Published clips are not in sync: for two of them joints judged by phonetics alone, joints on fitted axes and"
    " Light-ASD's pictures name the same 7 frames. Offset in frames (confidence), whole clips."
)
NEW = (
    "Nobody had looked at these when axes and rules were made. Their lips were made by a generator for the voice:"
    " at one offset all through a clip, and at the same one in the two TANGO clips, which have one voice. Offset "
    "in frames (confidence), whole, then of each half alone."
)


@dataclass(frozen=True, slots=True)
class Whole:
    """A clip measured whole with its own voice. apart: frames between its two halves, None where they are too short."""

    person: str
    sure: float
    apart: float | None


@dataclass(frozen=True, slots=True)
class Foreign:
    """A clip measured whole with the voice of somebody else."""

    person: str
    sure: float


def own_voices(cast: Sequence[Person], judge: Judge) -> list[Whole]:
    """Each clip that is long enough."""
    found: list[Whole] = []
    for person in cast:
        first, middle, last = REACH, len(person) // 2, len(person) - REACH
        if len(person) < SHORTEST:
            continue
        sure = judge(person, first, last, person.heard(first, last)).confidence
        apart = None
        if middle - first >= SHORTEST_HALF:
            ends = ((first, middle), (middle, last))
            one, other = (judge(person, *end, person.heard(*end)).shift for end in ends)
            apart = abs(one - other)
        found.append(Whole(person.who, sure, apart))
    return found


def foreign_voices(cast: Sequence[Person], judge: Judge) -> list[Foreign]:
    """Each clip that is long enough with every voice that lasts as long."""
    found: list[Foreign] = []
    for person in cast:
        for other in cast:
            frames = min(len(person), len(other))
            if other.who == person.who or frames < max(SHORTEST, AS_LONG * len(person)):
                continue
            score = judge(person, REACH, frames - REACH, other.heard(REACH, frames - REACH))
            found.append(Foreign(person.who, score.confidence))
    return found


def limit(own: Sequence[Whole], foreign: Sequence[Foreign]) -> float | None:
    """The lowest confidence from which on at most `CHANCE` of the sure answers are chance; None where there is none."""
    found = None
    for sure in sorted({one.sure for one in own}, reverse=True):
        kept = [one for one in own if one.sure >= sure]
        if by_chance(own, foreign, sure) > CHANCE:
            break
        if len({one.person for one in kept}) >= FEWEST:
            found = sure
    return found


def by_chance(own: Sequence[Whole], foreign: Sequence[Foreign], sure: float) -> float:
    """Of the own voices that are as sure, at most this share is by chance; NaN where none is."""
    of_own, of_foreign = (
        np.mean([one.sure >= sure for one in some]) if some else np.nan for some in (own, foreign)
    )
    return float(of_foreign / of_own) if of_own > 0.0 else float("nan")


def chance_table(
    cast: Sequence[Person], found: dict[str, Judge], fixed: dict[str, float | None]
) -> str:
    """Every backend at thresholds from other people; one with a number of its own, in `fixed`, at that too."""
    lines = [
        "| backend | thresholds | own voices sure | foreign voices sure | by chance, at most "
        "| sure clips whose halves agree to the frame |",
        "|---|---|---|---|---|---|",
    ]
    for name, judge in found.items():
        own, foreign = own_voices(cast, judge), foreign_voices(cast, judge)
        sides = (0, 1)
        limits = [
            limit(
                [one for one in own if half_of(one.person) != side],
                [one for one in foreign if half_of(one.person) != side],
            )
            for side in sides
        ]
        told = " / ".join("none" if one is None else f"{one:.2f}" for one in limits)
        lines.append(_row(name, told, own, foreign, limits))
        number = fixed.get(name)
        if number is not None:
            lines.append(_row(f"{name}, as set", f"{number:g}", own, foreign, [number] * 2))
    return "\n".join(lines)


def _row(
    name: str,
    told: str,
    own: Sequence[Whole],
    foreign: Sequence[Foreign],
    limits: Sequence[float | None],
) -> str:
    def passed(one: Whole | Foreign) -> bool:
        least = limits[half_of(one.person)]
        return least is not None and one.sure >= least

    sure, fooled = [one for one in own if passed(one)], [one for one in foreign if passed(one)]
    apart = [one.apart for one in sure if one.apart is not None]
    share = len(fooled) / len(foreign) / (len(sure) / len(own)) if sure else float("nan")
    cells = (
        name,
        told,
        f"{len(sure)} of {len(own)}",
        f"{len(fooled)} of {len(foreign)}",
        "–" if np.isnan(share) else f"{share:.3f}",
        f"{sum(one < 1.0 for one in apart)} of {len(apart)}" if apart else "–",
    )
    return f"| {' | '.join(cells)} |"


def offsets_as_they_came(cast: Iterable[Person], found: dict[str, Judge], *, halves: bool) -> str:
    """The offset of every stretch as each backend measures it, with its confidence; halves: of each half alone too."""
    lines = [f"| stretch | {' | '.join(found)} |", "|---" * (len(found) + 1) + "|"]
    for person in cast:
        first, middle, last = REACH, len(person) // 2, len(person) - REACH
        parts = ((first, last), (first, middle), (middle, last))[: 3 if halves else 1]
        cells: list[str] = []
        for judge in found.values():
            scores = [judge(person, *part, person.heard(*part)) for part in parts]
            cells.append(", ".join(f"{one.shift:+.1f} ({one.confidence:.1f})" for one in scores))
        lines.append(f"| {person.name.rpartition('.')[0]} | {' | '.join(cells)} |")
    return "\n".join(lines)

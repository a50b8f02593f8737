"""Whole clips, as a dataset measures them: how often a backend is sure by chance, and what new people say."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.perception.sync.interface import REACH
from research.truth.sync_clips import Person, half_of
from research.truth.sync_judges import Judge

CHANCE = 0.02  # of the sure answers at most, that may be sure by chance
SHORTEST = 100  # frames of a whole clip
SHORTEST_HALF = 50  # frames of one of its halves
AS_LONG = 0.9  # of the clip at least, that a foreign voice lasts: confidence grows with the frames
WITNESSES = ("signs, nothing fitted", "embedded", "light-asd")
"""Backends shown side by side: joints by phonetics, joints by fitted axes, and Light-ASD's pictures beside joints."""
FEWEST = 3  # people whom a threshold keeps

SURE_BY_CHANCE = (
    "Nobody knows a clip's true offset, but a foreign voice has none: whatever is found there is chance. Each "
    "clip is measured whole with its own voice, and with every voice of its half of the people that lasts as "
    "long. As often as foreign voices make a backend sure, chance does so with own ones; of the sure answers as "
    "many are chance as the second share is of the first. Beside it the upper end of a 95 % interval (Clopper & "
    "Pearson 1934) as if the pairs, which share faces and voices, were independent. What is not chance is as "
    "right as the two halves of these clips, measured alone, agree (to the frame: less than one apart, see "
    f"above). Thresholds: the lowest from which at most {CHANCE:.0%} are chance on the other half of the people; "
    "*as set*: the backend's own `sure_from`, above both of these, so set on the same people. Axes knew "
    "neither a clip's face nor its own voice, but most foreign voices."
)
AS_THEY_CAME = (
    "Offset in frames (confidence) of whole clips, positive where the sound is late. The signs see joints, by "
    "phonetics; `embedded` joins them with fitted axes of joints, `light-asd` axes of its pictures and joints, "
    "which the signs must confirm."
)
NEW = (
    "Nothing was fitted to these people. Their lips were made by a generator for the voice: at one offset all "
    "through a clip, and at the same one in the two TANGO clips, which have one voice. Whole, then each half "
    "alone."
)


@dataclass(frozen=True, slots=True)
class Whole:
    """A clip measured whole with its own voice. apart: frames between its two halves, None where they are too short."""

    person: str
    sure: float
    apart: float | None


@dataclass(frozen=True, slots=True)
class Foreign:
    """A clip measured whole with the voice of somebody else of the same half of the people."""

    person: str
    sure: float


def own_voices(cast: Sequence[Person], judge: Judge) -> list[Whole]:
    """Each clip that is long enough."""
    found: list[Whole] = []
    for person in cast:
        first, middle, last = REACH, len(person) // 2, len(person) - REACH
        if len(person) < SHORTEST:
            continue
        sure = judge(person, first, last, person.audio(first, last)).confidence
        apart = None
        if middle - first >= SHORTEST_HALF:
            ends = ((first, middle), (middle, last))
            one, other = (judge(person, *end, person.audio(*end)).shift for end in ends)
            apart = abs(one - other)
        found.append(Whole(person.who, sure, apart))
    return found


def foreign_voices(cast: Sequence[Person], judge: Judge) -> list[Foreign]:
    """Each clip that is long enough with every voice of its half of the people that lasts as long."""
    found: list[Foreign] = []
    for person in cast:
        for other in cast:
            frames = min(len(person), len(other))
            apart = other.who == person.who or half_of(other.who) != half_of(person.who)
            if apart or frames < max(SHORTEST, AS_LONG * len(person)):
                continue
            score = judge(person, REACH, frames - REACH, other.audio(REACH, frames - REACH))
            found.append(Foreign(person.who, score.confidence))
    return found


def limit(own: Sequence[Whole], foreign: Sequence[Foreign]) -> float | None:
    """The lowest confidence from which on at most `CHANCE` of the sure answers are chance; None where there is none."""
    found = None
    for sure in sorted({one.sure for one in own}, reverse=True):
        kept = [one for one in own if one.sure >= sure]
        if not by_chance(own, foreign, sure) <= CHANCE:  # NaN where nothing is known
            break
        if len({one.person for one in kept}) >= FEWEST:
            found = sure
    return found


def by_chance(own: Sequence[Whole], foreign: Sequence[Foreign], sure: float) -> float:
    """Of the own voices that are as sure, this share is by chance; NaN where none is, or no foreign voice was heard.

    Each face counts alike, however many foreign voices last as long as its clip.
    """
    fooled: dict[str, list[bool]] = {}
    for one in foreign:
        fooled.setdefault(one.person, []).append(one.sure >= sure)
    of_own = np.mean([one.sure >= sure for one in own]) if own else 0.0
    if of_own == 0.0 or not fooled:
        return float("nan")
    return float(np.mean([np.mean(some) for some in fooled.values()]) / of_own)


def chance_table(
    cast: Sequence[Person], found: dict[str, Judge], fixed: dict[str, float | None]
) -> str:
    """Every backend at thresholds from other people; one with a number of its own, in `fixed`, at that too."""
    lines = [
        "| backend | thresholds | own voices sure | foreign voices sure | by chance | 95 % bound "
        "| sure clips whose halves agree to the frame |",
        "|---|---|---|---|---|---|---|",
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
        text = " / ".join("none" if one is None else f"{one:.2f}" for one in limits)
        lines.append(_row(name, text, own, foreign, limits))
        number = fixed.get(name)
        if number is not None:
            lines.append(_row(f"{name}, as set", f"{number:g}", own, foreign, [number] * 2))
    return "\n".join(lines)


def _row(
    name: str,
    text: str,
    own: Sequence[Whole],
    foreign: Sequence[Foreign],
    limits: Sequence[float | None],
) -> str:
    def passed(one: Whole | Foreign) -> bool:
        least = limits[half_of(one.person)]
        return least is not None and one.sure >= least

    sure, fooled = [one for one in own if passed(one)], [one for one in foreign if passed(one)]
    apart = [one.apart for one in sure if one.apart is not None]
    share, bound = by_chance_told(own, foreign, len(sure), fooled)
    cells = (
        name,
        text,
        f"{len(sure)} of {len(own)}",
        f"{len(fooled)} of {len(foreign)}",
        share,
        bound,
        f"{sum(one < 1.0 for one in apart)} of {len(apart)}" if apart else "–",
    )
    return f"| {' | '.join(cells)} |"


def by_chance_told(
    own: Sequence[Whole], foreign: Sequence[Foreign], sure: int, fooled: Sequence[Foreign]
) -> tuple[str, str]:
    """Share of the sure answers that is chance, and its bound; dashes where nothing was sure or heard."""
    if not sure or not foreign:
        return "–", "–"
    from scipy.stats import beta

    per_face = {
        face: np.mean([one in fooled for one in foreign if one.person == face])
        for face in {one.person for one in foreign}
    }
    share = len(own) / sure
    high = float(beta.ppf(0.975, len(fooled) + 1, len(foreign) - len(fooled)))
    return f"{np.mean(list(per_face.values())) * share:.3f}", f"{min(1.0, high * share):.3f}"


def offsets_as_they_came(cast: Iterable[Person], found: dict[str, Judge], *, halves: bool) -> str:
    """The offset of every stretch as each backend measures it, with its confidence; halves: of each half alone too."""
    lines = [f"| stretch | {' | '.join(found)} |", "|---" * (len(found) + 1) + "|"]
    for person in cast:
        first, middle, last = REACH, len(person) // 2, len(person) - REACH
        parts = ((first, last), (first, middle), (middle, last))[: 3 if halves else 1]
        cells: list[str] = []
        for judge in found.values():
            scores = [judge(person, *part, person.audio(*part)) for part in parts]
            cells.append(", ".join(f"{one.shift:+.1f} ({one.confidence:.1f})" for one in scores))
        lines.append(f"| {person.name.rpartition('.')[0]} | {' | '.join(cells)} |")
    return "\n".join(lines)

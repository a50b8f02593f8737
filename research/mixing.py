"""Faults edited into real sound: a second voice, or music, under speech; seeded, and labelled by what was put in."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from pipeline.perception.speech.interface import SAMPLE_RATE, Stretch

Wave = Float32[np.ndarray, " samples"]
"""16 kHz, between -1 and 1."""
Detect = Callable[[Wave], tuple[Stretch, ...]]

SPAN = (5.0, 10.0)
"""Seconds of a case, as of a clip."""
LEAST_OVERLAP = 0.2
"""Share of the span in which both speak, from which a mixture counts as overlapped: twice the rule's number, so that
no case hangs on a label's edge."""


@dataclass(frozen=True, slots=True)
class Case:
    """One span of sound with its label.

    people: whose recordings it is made from; kind: which group of the table; faulty: whether the fault was put in;
    level: decibels by which what was put in lies under the speech, 0 without; share: of the span that has the fault.
    """

    people: tuple[str, ...]
    kind: str
    faulty: bool
    level: float
    share: float
    sound: Wave


def halves(
    people: Sequence[str], apart: Sequence[frozenset[str]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """People to fit on and people to report on, alternating in a seeded order; who may be one person stays together."""
    order = [people[int(i)] for i in np.random.default_rng(20).permutation(len(people))]
    sides: tuple[list[str], list[str]] = ([], [])
    for person in order:
        partner = next((group for group in apart if person in group), frozenset[str]())
        taken_side = next((side for side in sides if partner & set(side)), None)
        (taken_side if taken_side is not None else min(sides, key=len)).append(person)
    return tuple(sorted(sides[0])), tuple(sorted(sides[1]))


def span_of(sound: Wave, draw: np.random.Generator) -> Wave:
    """5 to 10 s from a random place; a recording shorter than that, whole."""
    length = min(len(sound), round(draw.uniform(*SPAN) * SAMPLE_RATE))
    start = int(draw.integers(0, len(sound) - length + 1))
    return sound[start : start + length]


def active(sound: Wave, detect: Detect) -> Bool[np.ndarray, " samples"]:
    """Where somebody speaks."""
    mask = np.zeros(len(sound), bool)
    for start, stop in detect(sound):
        mask[round(start * SAMPLE_RATE) : round(stop * SAMPLE_RATE)] = True
    return mask


def loudness(sound: Wave, where: Bool[np.ndarray, " samples"]) -> float:
    """Root mean square where somebody speaks."""
    return (
        float(np.sqrt(np.mean(np.square(sound[where], dtype=np.float64)))) if where.any() else 0.0
    )


def under(speech: Wave, other: Wave, scale: float) -> Wave:
    """The sum, turned down where it would clip."""
    mixed = speech + other * np.float32(scale)
    return (mixed / max(1.0, float(np.abs(mixed).max()) / 0.99)).astype(np.float32)


def alone(sounds: Mapping[str, Wave], count: int, seed: int) -> Iterator[Case]:
    """Spans of recordings as they are, recordings in turn."""
    draw = np.random.default_rng(seed)
    for number in range(count):
        person = sorted(sounds)[number % len(sounds)]
        yield Case((person,), "as it is", False, 0.0, 0.0, span_of(sounds[person], draw))


def overlapped(
    sounds: Mapping[str, Wave], detect: Detect, count: int, *, levels: Sequence[float], seed: int
) -> Iterator[Case]:
    """Spans in which a second person speaks over the first, for a fifth of it to all of it, at seeded levels."""
    draw, names, made = np.random.default_rng(seed), sorted(sounds), 0
    while made < count:
        first, second = names[made % len(names)], names[int(draw.integers(len(names)))]
        level, wanted = float(draw.choice(levels)), float(draw.uniform(LEAST_OVERLAP, 1.0))
        if first == second:
            continue
        speech = span_of(sounds[first], draw)
        case = spoken_over(
            first, second, speech, span_of(sounds[second], draw), detect, level, wanted, draw
        )
        if case is not None:
            made += 1
            yield case


def spoken_over(
    first: str, second: str, speech: Wave, other: Wave, detect: Detect, level: float, wanted: float,
    draw: np.random.Generator,
) -> Case | None:  # fmt: skip
    """One person with another over them for about a share `wanted`; None where they do not meet for long enough."""
    length = min(len(other), round(wanted * len(speech)))
    start = int(draw.integers(0, len(speech) - length + 1))
    placed = np.zeros_like(speech)
    placed[start : start + length] = other[:length]
    mine, theirs = active(speech, detect), active(placed, detect)
    share = float(np.mean(mine & theirs))
    if share < LEAST_OVERLAP:
        return None
    scale = loudness(speech, mine) / loudness(placed, theirs) * 10.0 ** (-level / 20.0)
    return Case((first, second), "two voices", True, level, share, under(speech, placed, scale))


def in_turn(sounds: Mapping[str, Wave], count: int, seed: int) -> Iterator[Case]:
    """Two people one after the other, equally loud, 0.2 s between them: two voices, none over the other."""
    draw, names = np.random.default_rng(seed), sorted(sounds)
    for number in range(count):
        first, second = (
            names[number % len(names)],
            names[(number + 1 + int(draw.integers(len(names) - 1))) % len(names)],
        )
        halves_ = [
            span_of(sounds[name], draw)[: round(4.0 * SAMPLE_RATE)] for name in (first, second)
        ]
        level = float(np.std(halves_[0])) / max(float(np.std(halves_[1])), 1e-6)
        pause = np.zeros(SAMPLE_RATE // 5, np.float32)
        sound = np.concatenate([halves_[0], pause, halves_[1] * np.float32(level)])
        yield Case(
            (first, second), "in turn", False, 0.0, 0.0, under(sound, np.zeros_like(sound), 1.0)
        )


def scored(
    sounds: Mapping[str, Wave], tunes: Mapping[str, Wave], detect: Detect, count: int,
    *, levels: Sequence[float], kind: str, seed: int,
) -> Iterator[Case]:  # fmt: skip
    """Spans of single speakers with music under all of them, at seeded levels; a tune too short begins again."""
    draw, names = np.random.default_rng(seed), sorted(sounds)
    for number in range(count):
        person, tune = names[number % len(names)], sorted(tunes)[int(draw.integers(len(tunes)))]
        speech, level = span_of(sounds[person], draw), float(draw.choice(levels))
        begin = int(draw.integers(0, len(tunes[tune])))
        music = np.resize(np.roll(tunes[tune], -begin), len(speech))
        scale = loudness(speech, active(speech, detect)) / max(float(np.std(music)), 1e-6)
        yield Case(
            (person, tune),
            kind,
            True,
            level,
            1.0,
            under(speech, music, scale * 10.0 ** (-level / 20.0)),
        )


def silenced(sounds: Mapping[str, Wave], detect: Detect, count: int, seed: int) -> Iterator[Case]:
    """Recordings with the voice cut out: their pauses, one after the other and over again, for 5 to 10 s.

    Every other time the pauses are as loud as the voice was, so that loudness does not tell.
    """
    draw, pauses = np.random.default_rng(seed), dict[str, Wave]()
    for name, sound in sounds.items():
        quiet = ~wider(active(sound, detect))
        if quiet.sum() >= SAMPLE_RATE // 4:
            pauses[name] = sound[quiet]
            raised = loudness(sound, ~quiet) / max(float(np.std(sound[quiet])), 1e-5)
            pauses[f"{name} raised"] = np.clip(sound[quiet] * np.float32(raised), -1.0, 1.0)
    for number in range(count):
        person = sorted(pauses)[number % len(pauses)]
        length = round(draw.uniform(*SPAN) * SAMPLE_RATE)
        sound = np.resize(np.roll(pauses[person], int(draw.integers(len(pauses[person])))), length)
        yield Case(
            (person.removesuffix(" raised"),),
            "voice cut out",
            True,
            0.0,
            1.0,
            sound.astype(np.float32),
        )


def wider(mask: Bool[np.ndarray, " samples"]) -> Bool[np.ndarray, " samples"]:
    """True within 0.2 s of True: the ends of words that the detector no longer counts."""
    from scipy.ndimage import maximum_filter1d

    return maximum_filter1d(mask.astype(np.uint8), 2 * SAMPLE_RATE // 5 + 1).astype(bool)

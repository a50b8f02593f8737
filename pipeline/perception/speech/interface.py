"""The result of a speech backend, and the interface that every one of them implements."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Int16

SAMPLE_RATE = 16_000
"""Samples per second that every backend takes."""

Stretch = tuple[float, float]
"""Seconds from the first sample, [start, stop)."""


Measures = frozenset[Literal["turns", "overlaps", "music"]]
"""What a backend measures: an empty list of anything else means "not measured", not "none"."""


class SpeechError(RuntimeError):
    """A speech backend that cannot run: a library, a folder or a weight file is not what it has to
    be."""


@dataclass(frozen=True, slots=True)
class SpeechResult:
    """Who speaks when. All times are seconds from the first sample; every list is sorted by its
    start.

    voiced: where anybody speaks, pauses out. turns: one voice each, pauses shorter than the
    backend's merge gap included, speakers numbered by first appearance. overlaps: where two voices
    sound at once. music: where music sounds. voices: one embedding of unit length per speaker, zeros
    where one is too short for it; none at all from a backend that tells turns without them.
    """

    voiced: tuple[Stretch, ...]
    turns: tuple[tuple[float, float, int], ...]
    overlaps: tuple[Stretch, ...]
    music: tuple[Stretch, ...]
    voices: Float32[np.ndarray, "speakers D"]


SpeechFunction = Callable[[Int16[np.ndarray, " samples"]], SpeechResult]
"""A loaded backend: 16 kHz mono samples to voices, overlaps and music."""


@runtime_checkable
class SpeechBackend(Protocol):
    """A speech backend. Small, frozen and picklable; its fields are measurement parameters; loads
    nothing until `load`."""

    name: ClassVar[str]
    """The key in `BACKENDS`."""
    same_voice: ClassVar[float]
    """Cosine from which two of its `voices`, heard in different recordings, count as one speaker."""
    measures: ClassVar[Measures]
    """What it measures."""

    @property
    def version(self) -> str:
        """Versions of this backend and of the libraries that compute it."""
        ...

    @property
    def weights(self) -> str | None:
        """SHA-256 of the weights that are used, or None where they are absent."""
        ...

    def missing(self) -> str | None:
        """None where this backend works, else what it lacks and how to get it."""
        ...

    def load(self) -> SpeechFunction:
        """The networks in memory, on one thread. Raises SpeechError where `missing` says
        something."""
        ...


def stretches(mask: Bool[np.ndarray, " step"], step: float) -> tuple[Stretch, ...]:
    """The runs of True in a mask whose steps last `step` seconds, as seconds."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return tuple((float(a * step), float(b * step)) for a, b in edges.reshape(-1, 2))


def joined(parts: tuple[Stretch, ...], gap: float) -> tuple[Stretch, ...]:
    """Sorted stretches, with those less than `gap` seconds apart made one."""
    result: list[Stretch] = []
    for start, stop in parts:
        if result and start - result[-1][1] < gap:
            result[-1] = (result[-1][0], max(stop, result[-1][1]))
        else:
            result.append((start, stop))
    return tuple(result)


def turns_of(
    parts: tuple[tuple[float, float, int], ...], gap: float
) -> tuple[tuple[float, float, int], ...]:
    """Stretches of one voice each, joined over pauses shorter than `gap` in which nobody else
    begins.

    parts: (start, stop, any whole number for the voice), sorted. The result numbers the voices from
    0 by first appearance.
    """
    numbers: dict[int, int] = {}
    result: list[tuple[float, float, int]] = []
    for start, stop, voice in parts:
        speaker = numbers.setdefault(voice, len(numbers))
        if result and result[-1][2] == speaker and start - result[-1][1] < gap:
            result[-1] = (result[-1][0], max(stop, result[-1][1]), speaker)
        else:
            result.append((start, stop, speaker))
    return tuple(result)

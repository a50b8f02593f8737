"""From voiced stretches to turns: the windows of the encoder, and the voice of each moment. Pure
arithmetic."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Float32, Int64

from pipeline.perception.speech.interface import Stretch
from pipeline.perception.speech.voices import BATCH, FRAMES, unit

Part = tuple[float, float, int]
"""(start, stop, number of the voice), seconds."""

STEP = 0.1
"""Seconds of one slot of the labelling: finer than the encoder can tell."""
FRAME = 0.01
"""Seconds of one mel frame."""
HALF = FRAMES * FRAME / 2.0
"""Seconds from the middle of a window to its ends."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows for the encoder. start, stop: (n,) mel frames, at most 160 apart; chunk: (n,) the
    number of the uninterrupted stretch that each lies in."""

    start: Int64[np.ndarray, " n"]
    stop: Int64[np.ndarray, " n"]
    chunk: Int64[np.ndarray, " n"]

    def batches(self) -> Iterator["Windows"]:
        """As many at a time as the encoder takes: all of an hour, cut, are 230 MB."""
        for first in range(0, len(self.start), BATCH):
            some = slice(first, first + BATCH)
            yield Windows(self.start[some], self.stop[some], self.chunk[some])

    @property
    def middles(self) -> Float32[np.ndarray, " n"]:
        """Seconds."""
        return ((self.start + self.stop) * (FRAME / 2.0)).astype(np.float32)


def windows_in(chunks: tuple[Stretch, ...], hop: float) -> Windows:
    """Windows of 1.6 s every `hop` seconds inside each stretch, the last one flush with its end.

    A stretch shorter than 1.6 s is one window of its own length.
    """
    rows: list[tuple[int, int, int]] = []
    for number, (begin, end) in enumerate(chunks):
        first = round(begin / FRAME)
        last = max(round(end / FRAME), first + 1)
        starts = list(range(first, last - FRAMES + 1, round(hop / FRAME))) or [first]
        if starts[-1] + FRAMES < last:
            starts.append(last - FRAMES)
        rows.extend((start, min(start + FRAMES, last), number) for start in starts)
    table = np.array(rows, np.int64).reshape(-1, 3)
    return Windows(table[:, 0], table[:, 1], table[:, 2])


def cut(
    mels: Float32[np.ndarray, "frames 40"], windows: Windows
) -> Float32[np.ndarray, "n 160 40"]:
    """The mel frames of each window; a shorter one is repeated until it fills 1.6 s."""
    within = np.arange(FRAMES)[None] % (windows.stop - windows.start)[:, None]
    return mels[np.minimum(windows.start[:, None] + within, len(mels) - 1)]


def label(
    vectors: Float32[np.ndarray, "n D"],
    windows: Windows,
    voices: Float32[np.ndarray, "voices D"],
    chunks: tuple[Stretch, ...],
    switch: float,
) -> tuple[Part, ...]:
    """Stretches of one voice each that fill the chunks.

    Each slot of 0.1 s scores every voice by the similarity of the windows over it; the path with the
    highest sum, less `switch` for each change of voice, is taken. Time and memory grow in proportion to the
    length of the chunks.
    """
    near = (vectors @ voices.T).astype(np.float64)
    scores, slots = [], []
    for number, chunk in enumerate(chunks):
        mine = windows.chunk == number
        times = _slots(chunk)
        places, weight = over(times, windows.middles[mine])
        scores.append(np.einsum("sw,swv->sv", weight, near[mine][places]))
        slots.append(len(times))
    path = best_path(np.concatenate(scores), switch)
    ends = np.cumsum(slots)
    return tuple(
        part
        for chunk, end, count in zip(chunks, ends, slots, strict=True)
        for part in _parts(chunk, path[end - count : end])
    )


def over(
    times: Float[np.ndarray, " slot"], middles: Float[np.ndarray, " n"]
) -> tuple[Int64[np.ndarray, "slot most"], Float[np.ndarray, "slot most"]]:
    """The windows over each time, by their places, and what each counts: more the nearer its middle, 1
    together.

    times: seconds; middles: seconds, sorted, at least one. Only windows that contain a time count: a
    floor for all others would grow with the stretch until it outweighed these few. A time that no
    window contains, where they are more than 1.6 s apart, takes the next one, or the last.
    """
    first = np.minimum(np.searchsorted(middles, times - HALF), len(middles) - 1)
    stop = np.maximum(np.searchsorted(middles, times + HALF, side="right"), first + 1)
    places = first[:, None] + np.arange((stop - first).max())
    asked = places < stop[:, None]
    places = np.where(asked, places, first[:, None])
    distance = np.abs(times[:, None] - middles[places])
    weight = np.where(asked, np.maximum(HALF - distance, 1e-3), 0.0)
    return places, weight / weight.sum(axis=1, keepdims=True)


def _slots(chunk: Stretch) -> np.ndarray:
    count = max(1, round((chunk[1] - chunk[0]) / STEP))
    return chunk[0] + (np.arange(count) + 0.5) * (chunk[1] - chunk[0]) / count


def _parts(chunk: Stretch, path: Int64[np.ndarray, " slot"]) -> list[Part]:
    edges = [0, *(np.flatnonzero(np.diff(path)) + 1).tolist(), len(path)]
    times = np.linspace(chunk[0], chunk[1], len(path) + 1)
    return [(float(times[a]), float(times[b]), int(path[a])) for a, b in pairwise(edges)]


def best_path(scores: np.ndarray, switch: float) -> Int64[np.ndarray, " slot"]:
    """The voice of each slot that maximises the summed score less `switch` per change (Viterbi
    1967).

    scores: (slot, voice).
    """
    total = scores[0].astype(np.float64)
    back = np.zeros(scores.shape, np.int64)
    stay = np.arange(scores.shape[1])
    for slot in range(1, len(scores)):
        best = int(total.argmax())
        change = total[best] - switch > total
        back[slot] = np.where(change, best, stay)
        total = np.where(change, total[best] - switch, total) + scores[slot]
    path = np.empty(len(scores), np.int64)
    path[-1] = int(total.argmax())
    for slot in range(len(scores) - 1, 0, -1):
        path[slot - 1] = back[slot, path[slot]]
    return path


def pure(windows: Windows, parts: tuple[Part, ...]) -> Int64[np.ndarray, " n"]:
    """The voice of each window that lies in one part whole, -1 for the others."""
    starts = np.array([start for start, _, _ in parts])
    stops = np.array([stop for _, stop, _ in parts])
    numbers = np.array([number for *_, number in parts], np.int64)
    place = np.searchsorted(starts, windows.middles, side="right").clip(1) - 1
    slack = FRAME
    inside = (windows.start * FRAME >= starts[place] - slack) & (
        windows.stop * FRAME <= stops[place] + slack
    )
    return np.where(inside, numbers[place], -1)


def means(
    vectors: Float32[np.ndarray, "n D"],
    labels: Int64[np.ndarray, " n"],
    otherwise: Float32[np.ndarray, "voices D"],
) -> Float32[np.ndarray, "voices D"]:
    """The mean direction of each voice's windows; a voice without any keeps what it was."""
    return np.stack(
        [
            unit(vectors[labels == number].mean(axis=0)) if (labels == number).any() else voice
            for number, voice in enumerate(otherwise)
        ]
    ).astype(np.float32)

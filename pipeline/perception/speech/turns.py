"""Who speaks when, from voiced stretches and an encoder: windows, grouping of windows into voices, turns. Pure
arithmetic on arrays."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from pipeline.perception.speech.heard import Stretch, joined
from pipeline.perception.speech.voices import FRAMES, unit

STEP = 0.1
"""Seconds of one slot of the labelling: finer than the encoder can tell, coarse enough to be cheap."""
FRAME = 0.01
"""Seconds of one mel frame."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """How windows become voices; the numbers are argued in `docs/truth.md` and measured by `benchmarks/speech_turns.py`.

    hop: seconds between two windows. bridge: pauses shorter than this, in seconds, do not end a
    window. same: mean cosine from which two groups of windows are one voice. least: seconds of
    speech under which a group is no voice of its own. switch: what a change of speaker costs, in
    units of cosine summed over slots of 0.1 s. most: windows that are grouped pairwise; of a longer
    recording every n-th is.
    """

    hop: float = 0.4
    bridge: float = 0.3
    same: float = 0.60
    least: float = 2.0
    switch: float = 0.5
    most: int = 2_000


@dataclass(frozen=True, slots=True)
class Windows:
    """Pieces of a recording that the encoder sees. start, stop: (n,) mel frames, at most 160 apart; chunk: (n,) which
    uninterrupted stretch each lies in."""

    start: Int64[np.ndarray, "n"]
    stop: Int64[np.ndarray, "n"]
    chunk: Int64[np.ndarray, "n"]

    @property
    def middle(self) -> Float32[np.ndarray, "n"]:
        """Seconds."""
        return ((self.start + self.stop) * (FRAME / 2.0)).astype(np.float32)


def windows_in(chunks: tuple[Stretch, ...], hop: float) -> Windows:
    """Windows of 1.6 s every `hop` seconds inside each stretch, the last one flush with its end.

    A stretch shorter than 1.6 s is one window of its own length.
    """
    rows: list[tuple[int, int, int]] = []
    for number, (begin, end) in enumerate(chunks):
        first, last = round(begin / FRAME), max(round(end / FRAME), round(begin / FRAME) + 1)
        starts = list(range(first, last - FRAMES + 1, round(hop / FRAME))) or [first]
        if starts[-1] + FRAMES < last:
            starts.append(last - FRAMES)
        rows.extend((start, min(start + FRAMES, last), number) for start in starts)
    table = np.array(rows, np.int64).reshape(-1, 3)
    return Windows(table[:, 0], table[:, 1], table[:, 2])


def cut(
    mels: Float32[np.ndarray, "frames 40"], windows: Windows
) -> Float32[np.ndarray, "n 160 40"]:
    """The mel frames of each window; a shorter one is repeated until it fills the window."""
    steps = np.arange(FRAMES)[None]
    index = windows.start[:, None] + steps % (windows.stop - windows.start)[:, None]
    return mels[np.minimum(index, len(mels) - 1)]


def group(
    vectors: Float32[np.ndarray, "n D"], seconds: Float32[np.ndarray, "n"], grouping: Grouping
) -> Float32[np.ndarray, "voices D"]:
    """The voices among window embeddings, as unit vectors: average linkage on the cosine (Sokal & Michener 1958).

    seconds: speech that each window stands for. A group with less than `least` seconds is no voice,
    unless there is no other.
    """
    if len(vectors) < 2:
        return vectors
    every = -(-len(vectors) // grouping.most)
    some, weight = vectors[::every], seconds[::every] * every
    distance = np.clip(1.0 - some @ some.T, 0.0, 2.0).astype(np.float64)
    distance = (distance + distance.T) / 2.0
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), "average")
    labels = fcluster(tree, 1.0 - grouping.same, "distance") - 1
    amount = np.bincount(labels, weights=weight)
    kept = np.flatnonzero(amount >= min(grouping.least, amount.max()))
    return unit(np.stack([some[labels == label].mean(axis=0) for label in kept]))


def slots_of(chunks: tuple[Stretch, ...]) -> tuple[Float32[np.ndarray, "slot"], Int64[np.ndarray, "slot"]]:
    """Middles, in seconds, of the 0.1 s slots that fill each stretch, and the number of that stretch."""
    times, numbers = [np.zeros(0)], [np.zeros(0, np.int64)]
    for number, (start, stop) in enumerate(chunks):
        count = max(1, round((stop - start) / STEP))
        times.append(start + (np.arange(count) + 0.5) * (stop - start) / count)
        numbers.append(np.full(count, number, np.int64))
    return np.concatenate(times).astype(np.float32), np.concatenate(numbers)


def best_path(scores: Float32[np.ndarray, "slot voice"], switch: float) -> Int64[np.ndarray, "slot"]:
    """The voice of each slot that maximises the summed score less `switch` per change (Viterbi 1967)."""
    total, back = scores[0].astype(np.float64), np.zeros(scores.shape, np.int64)
    stay = np.arange(scores.shape[1])
    for slot in range(1, len(scores)):
        best = int(total.argmax())
        back[slot] = np.where(total >= total[best] - switch, stay, best)
        total = np.maximum(total, total[best] - switch) + scores[slot]
    path = np.empty(len(scores), np.int64)
    path[-1] = int(total.argmax())
    for slot in range(len(scores) - 1, 0, -1):
        path[slot - 1] = back[slot, path[slot]]
    return path


def label(
    vectors: Float32[np.ndarray, "n D"],
    windows: Windows,
    voices: Float32[np.ndarray, "voices D"],
    chunks: tuple[Stretch, ...],
    switch: float,
) -> tuple[tuple[float, float, int], ...]:
    """Stretches of one voice each inside the chunks: every slot asks the windows over it which voice they are nearest."""
    times, numbers = slots_of(chunks)
    near = windows.chunk[None] == numbers[:, None]
    half = FRAMES * FRAME / 2.0
    weight = np.maximum(half - np.abs(times[:, None] - windows.middle[None]), 1e-3) * near
    weight /= weight.sum(axis=1, keepdims=True)
    path = best_path((weight @ (vectors @ voices.T)).astype(np.float32), switch)
    parts: list[tuple[float, float, int]] = []
    for number, (start, stop) in enumerate(chunks):
        mine = path[numbers == number]
        edges = [0, *(np.flatnonzero(np.diff(mine)) + 1).tolist(), len(mine)]
        step = (stop - start) / len(mine)
        parts += [
            (start + a * step, start + b * step, int(mine[a]))
            for a, b in zip(edges, edges[1:], strict=False)
        ]
    return tuple(parts)


def chunks_of(voiced: tuple[Stretch, ...], grouping: Grouping) -> tuple[Stretch, ...]:
    """Voiced stretches with the shortest pauses bridged."""
    return joined(voiced, grouping.bridge)

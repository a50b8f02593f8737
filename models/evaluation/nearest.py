"""The nearest-neighbour baseline: an index of the training voices' windows, searched by matrix products.

Only the index is kept; the motion that belongs to a window is read from disk when it is found.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Float32, Int64

from models.data.decoding import decoded
from models.data.features import Features
from models.data.index import Entry
from models.data.skeleton import Skeleton
from models.data.statistics import Statistics

WINDOW = 50
"""Frames compared at once; a new one begins every half window."""
GROUP = 10
"""Frames whose features are averaged before they are compared, 0.4 s."""
STEP = 5
"""Frames between windows of a training clip."""
MOST_WINDOWS = 200_000
MOST_NUMBERS = 2**28
"""Of an index, 1 GiB."""
SECOND_LOOK = 16
"""Windows that the matrix product finds nearest, whose distances are then taken exactly."""


@dataclass(frozen=True)
class VoiceIndex:
    """Windows of voices as a matrix of their features' means over 0.4 s, and where each begins.

    entries: the clips; owners: whose of them each window is; firsts: the frame it begins at. clips, windows: how many
    there were to take from, the latter with a window every `STEP` frames.
    """

    entries: Sequence[Entry]
    matrix: Float32[np.ndarray, "windows size"]
    owners: Int64[np.ndarray, " windows"]
    firsts: Int64[np.ndarray, " windows"]
    window: int
    found: int

    @classmethod
    def of(
        cls, entries: Sequence[Entry], voices: Features, *, window: int = WINDOW,
        at_most: int = MOST_WINDOWS,
    ) -> "VoiceIndex":  # fmt: skip
        """Of the voices of some clips; where they hold too many windows, each clip gives its share, spread evenly.

        window: shortened to the longest clip. at_most: windows, and no more than fit `MOST_NUMBERS`.
        """
        window = min(window, max((entry.frames for entry in entries), default=1))
        size = voices.family.size * len(_groups(window))
        starts = [range(0, entry.frames - window + 1, STEP) for entry in entries]
        found = sum(map(len, starts))
        chosen = _thinned(starts, max(1, min(at_most, MOST_NUMBERS // size)))
        count = sum(map(len, chosen))
        matrix = np.empty((count, size), np.float32)
        owners = np.repeat(np.arange(len(entries)), [len(each) for each in chosen])
        firsts = np.concatenate([np.zeros(0, np.int64), *chosen]).astype(np.int64)
        row = 0
        for entry, each in zip(entries, chosen, strict=True):
            if len(each):
                rows = voices.rows(entry).astype(np.float32)
                for first in each:
                    matrix[row] = embedded(rows[first : first + window])
                    row += 1
        return cls(entries, matrix, owners, firsts, window, found)

    @property
    def facts(self) -> str:
        """What is searched, in words."""
        kept = "all" if len(self.matrix) == self.found else f"{len(self.matrix)} of"
        return (
            f"{kept} {self.found} windows of {self.window} frames of {len(self.entries)} training clips, every {STEP} "
            f"frames, by the squared distance of the features' means over {GROUP} frames"
        )

    def nearest(self, wanted: Sequence[Float[np.ndarray, "time audio"]]) -> list[tuple[Entry, int]]:
        """Of each window, all of one length, at most `window` frames, the nearest (clip, first frame); [] if empty.

        Shorter ones are compared with the beginnings of the index's windows.
        """
        if not len(self.matrix):
            return []
        queries = np.stack([embedded(each.astype(np.float32)) for each in wanted])
        size = queries.shape[1]
        apart = self._squares(size)[:, None] - 2.0 * (self.matrix[:, :size] @ queries.T)
        look = min(SECOND_LOOK, len(apart))
        near = np.sort(np.argpartition(apart, look - 1, axis=0)[:look], axis=0)
        found: list[tuple[Entry, int]] = []
        for query, rows in zip(queries, near.T, strict=True):
            exact = np.square(self.matrix[rows, :size].astype(np.float64) - query).sum(axis=1)
            best = int(rows[exact.argmin()])
            found.append((self.entries[int(self.owners[best])], int(self.firsts[best])))
        return found

    def _squares(self, size: int) -> Float32[np.ndarray, " windows"]:
        """Of each window the sum of squares of its first numbers."""
        return self._whole_squares if size == self.matrix.shape[1] else _squares(self.matrix, size)

    @cached_property
    def _whole_squares(self) -> Float32[np.ndarray, " windows"]:
        return _squares(self.matrix, self.matrix.shape[1])


def _squares(
    matrix: Float32[np.ndarray, "windows size"], size: int
) -> Float32[np.ndarray, " windows"]:
    return np.einsum("ij,ij->i", matrix[:, :size], matrix[:, :size])


def embedded(rows: Float32[np.ndarray, "time audio"]) -> Float32[np.ndarray, " size"]:
    """The means of each `GROUP` frames, one after the other; the last of what is left."""
    edges = _groups(len(rows))
    counts = np.diff([*edges, len(rows)])[:, None]
    return (np.add.reduceat(rows, edges, axis=0) / counts).astype(np.float32).reshape(-1)


def _groups(frames: int) -> list[int]:
    return list(range(0, max(frames, 1), GROUP))


def _thinned(starts: Sequence[range], at_most: int) -> list[Int64[np.ndarray, " _starts"]]:
    """Of each clip's starts its share of so many, spread evenly; all where they are no more."""
    whole = sum(map(len, starts))
    chosen: list[Int64[np.ndarray, " _starts"]] = []
    before = 0
    for each in starts:
        upto = before + len(each)
        if whole <= at_most:
            chosen.append(np.asarray(each, np.int64))
        else:
            first, last = before * at_most // whole, upto * at_most // whole
            places = (np.arange(first, last) * whole + at_most - 1) // at_most - before
            chosen.append(np.asarray(each, np.int64)[np.clip(places, 0, len(each) - 1)])
        before = upto
    return chosen


@dataclass(frozen=True)
class Nearest:
    """The motion of the training voice that sounds most alike, two seconds by two seconds, cross-faded.

    motions: as the skeleton's layout has them, NaN where unknown, read by row.
    """

    deterministic: ClassVar[bool] = True
    skeleton: Skeleton
    statistics: Statistics
    index: VoiceIndex
    motions: Features

    def __call__(self, audio_features, sound, reference, /):
        """Windows whose features have the least distance, faded into each other over half a window."""
        length = min(self.index.window, len(audio_features))
        half = max(1, length // 2)
        made = np.zeros((len(audio_features), self.skeleton.size))
        weight = np.zeros((len(audio_features), 1))
        fade = np.minimum(np.arange(length) + 1, np.arange(length)[::-1] + 1)[:, None] / half
        firsts = list(range(0, len(audio_features) - length + 1, half))
        if firsts[-1] + length < len(audio_features):
            firsts.append(len(audio_features) - length)
        motions = self._motions([audio_features[first : first + length] for first in firsts])
        for first, motion in zip(firsts, motions, strict=True):
            made[first : first + length] += fade * motion
            weight[first : first + length] += fade
        return decoded(
            self.skeleton, self.statistics, (made / weight).astype(np.float32), reference
        )

    def _motions(
        self, wanted: Sequence[Float[np.ndarray, "time audio"]]
    ) -> list[Float[np.ndarray, "time size"]]:
        """Of the nearest windows; the mean where one shows nothing or there is none."""
        found = self.index.nearest(wanted)
        if not found:
            return [np.repeat(self.statistics.mean[None], len(each), axis=0) for each in wanted]
        motions = [
            self.motions.rows(*place, len(each)) for place, each in zip(found, wanted, strict=True)
        ]
        return [np.where(np.isnan(motion), self.statistics.mean, motion) for motion in motions]

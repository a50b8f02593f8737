"""Baselines of the lips alone: the reference, standing still, whose mouth is a linear function of the voice.

Both are fitted clip by clip, by least squares whose sums are all that is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Float32, Float64, Int16

from manifests import keypoints as kp
from models.evaluation.metrics.body import NOSE_ROOT, face_height
from models.evaluation.metrics.lips import agreement, lip_opening, loudness


class LeastSquares:
    """Least squares of one number on several, with an offset, of rows that go by.

    The first row and target are taken off all of them, so that sums of squares lose nothing to a large mean.
    """

    def __init__(self, size: int) -> None:
        self.count = 0
        self._first, self._first_target = np.zeros(size), 0.0
        self._rows, self._target, self._targets = np.zeros(size), np.zeros(size), 0.0
        self._squares = np.zeros((size, size))

    def add(self, rows: Float[np.ndarray, "n size"], target: Float[np.ndarray, " n"]) -> None:
        """Some more rows and what each is to give."""
        if not len(rows):
            return
        if not self.count:
            self._first, self._first_target = rows[0].astype(np.float64), float(target[0])
        apart, target = rows - self._first, target - self._first_target
        self.count += len(rows)
        self._rows += apart.sum(axis=0)
        self._squares += apart.T @ apart
        self._target += apart.T @ target
        self._targets += float(target.sum())

    @property
    def constant(self) -> bool:
        """Whether all rows are alike."""
        return not self._squares.any()

    @property
    def mean(self) -> Float64[np.ndarray, " size"]:
        """Of the rows."""
        return self._first + self._rows / max(self.count, 1)

    def solve(self, *, shrinkage: float = 0.0) -> tuple[Float64[np.ndarray, " size"], float]:
        """(weights, the target's mean): what a row gives is (row - mean) @ weights, and the target's mean on top.

        shrinkage: what is added to the diagonal (Hoerl & Kennard 1970). Raises ValueError without a row.
        """
        if not self.count:
            raise ValueError("least squares need a row")
        squares = self._squares - np.outer(self._rows, self._rows / self.count)
        squares.flat[:: len(squares) + 1] += shrinkage
        target = self._target - self._rows * (self._targets / self.count)
        return np.linalg.solve(squares, target), self._first_target + self._targets / self.count


@dataclass(frozen=True, slots=True)
class LoudnessBaseline:
    """The reference, standing still, whose lower lip and chin follow the loudness of the voice.

    slope, offset: lip opening in face heights per decibel; lag: frames by which the lips follow. All are fitted on
    training clips (`LoudnessFit`), the best a mouth can do with loudness alone.
    """

    deterministic: ClassVar[bool] = True
    slope: float
    offset: float
    lag: int

    def __call__(self, audio_features, sound, reference, /):
        """The mouth opens with the loudness."""
        return opened(reference, np.roll(_levelled(sound), self.lag) * self.slope + self.offset)


@dataclass(frozen=True, slots=True)
class RidgeBaseline:
    """The reference, standing still, whose mouth is a linear function of the voice's features around each frame.

    How much of the lips a ridge regression predicts (Hoerl & Kennard 1970): what a system that listens
    at all should reach. Fitted on training clips (`RidgeFit`).
    """

    deterministic: ClassVar[bool] = True
    weights: Float[np.ndarray, " context"]
    mean: Float[np.ndarray, " context"]
    offset: float

    def __call__(self, audio_features, sound, reference, /):
        """The mouth opens as the regression says."""
        return opened(
            reference, (_context(audio_features) - self.mean) @ self.weights + self.offset
        )


@dataclass(slots=True)
class Mouths:
    """Both fits, fed with one clip after the other, whose lips are read once."""

    loudness: "LoudnessFit"
    ridge: "RidgeFit"

    @classmethod
    def new(cls, size: int) -> "Mouths":
        """size: numbers of a voice's features per frame."""
        return cls(LoudnessFit(), RidgeFit(size))

    def add(
        self,
        pose: Float32[np.ndarray, "_time 133 3"],
        sound: Int16[np.ndarray, " _samples"],
        voice: Float[np.ndarray, "_time _audio"],
    ) -> None:
        """One more training clip."""
        lips = lip_opening(pose)
        self.loudness.add(lips, sound)
        self.ridge.add(lips, voice)


class LoudnessFit:
    """Least squares over all frames at the lag, within 5 frames, of the best mean correlation over the clips."""

    LAGS: ClassVar[Sequence[int]] = range(-5, 6)

    def __init__(self) -> None:
        self._agreements: dict[int, list[float]] = {lag: [] for lag in self.LAGS}
        self._lines = {lag: LeastSquares(1) for lag in self.LAGS}

    def add(
        self, lips: Float64[np.ndarray, " _time"], sound: Int16[np.ndarray, " _samples"]
    ) -> None:
        """One more clip: its `lip_opening` and its voice."""
        loud, known = _levelled(sound), np.isfinite(lips)
        for lag in self.LAGS:
            late = np.roll(loud, lag)
            value = agreement(lips, late, reach=0).now
            if value is not None:
                self._agreements[lag].append(value)
            self._lines[lag].add(late[known, None], lips[known])

    def baseline(self) -> LoudnessBaseline | None:
        """None where lips are seen in fewer than two frames, or under one loudness."""
        means = {
            lag: float(np.mean(value)) if value else -1.0 for lag, value in self._agreements.items()
        }
        lag = max(means, key=lambda each: (means[each], -abs(each)))
        line = self._lines[lag]
        if line.count < 2 or line.constant:
            return None
        (slope,), mean = line.solve()
        return LoudnessBaseline(float(slope), float(mean - slope * line.mean[0]), lag)


class RidgeFit:
    """Least squares over all frames, each clip's opening standardised by itself, scaled back by the clips' means."""

    def __init__(self, size: int) -> None:
        self._line = LeastSquares(size * (2 * REACH + 1))
        self._means: list[float] = []
        self._stds: list[float] = []

    def add(
        self, lips: Float64[np.ndarray, " _time"], voice: Float[np.ndarray, "_time _audio"]
    ) -> None:
        """One more clip: its `lip_opening` and the features of its voice. One whose lips do not move is left out."""
        known = np.isfinite(lips)
        if known.sum() < 2 or np.std(lips[known]) == 0.0:
            return
        self._means.append(float(lips[known].mean()))
        self._stds.append(float(lips[known].std()))
        self._line.add(_context(voice)[known], (lips[known] - self._means[-1]) / self._stds[-1])

    def baseline(self, *, shrinkage: float = 1e3) -> RidgeBaseline | None:
        """None where no clip shows lips that move."""
        if not self._means:
            return None
        weights, _ = self._line.solve(shrinkage=shrinkage)
        weights = weights * float(np.mean(self._stds))
        return RidgeBaseline(weights, self._line.mean, float(np.mean(self._means)))


REACH = 6
"""Frames before and after that the regression sees: a quarter of a second."""


def _context(features: Float[np.ndarray, "time audio"]) -> Float[np.ndarray, "time context"]:
    """Each frame's features with those around it, ends repeated."""
    at = np.arange(len(features))
    parts = [features[np.clip(at + lag, 0, len(at) - 1)] for lag in range(-REACH, REACH + 1)]
    return np.concatenate(parts, axis=1).astype(np.float64)


def opened(
    reference: Float32[np.ndarray, "133 3"], opening: Float[np.ndarray, " time"]
) -> Float32[np.ndarray, "time 133 3"]:
    """The reference with its lips that far apart, in face heights.

    Lower inner and outer lip move by all, the chin by half of it.
    """
    pose = np.repeat(reference[None], len(opening), axis=0).astype(np.float64)
    height = face_height(reference[None])
    if height is None:
        return pose.astype(np.float32)
    more = (opening - np.nan_to_num(lip_opening(reference[None])[0])) * height
    down = reference[kp.CHIN, :2] - reference[NOSE_ROOT, :2]
    step = more[:, None, None] * (down / max(float(np.linalg.norm(down)), 1e-6))
    pose[:, LOWER, :2] += step
    pose[:, kp.CHIN : kp.CHIN + 1, :2] += 0.5 * step
    return pose.astype(np.float32)


LOWER = [kp.FACE.start + i for i in (55, 56, 57, 58, 59, 65, 66, 67)]
"""Lower outer and inner lip, in iBUG order."""


def _levelled(sound: Int16[np.ndarray, " samples"]) -> Float[np.ndarray, " time"]:
    """Loudness in decibels below the recording's own level."""
    loud = loudness(sound)
    return loud - np.percentile(loud, 95)

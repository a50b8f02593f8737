"""What a trained system is compared with: motion made without it, from the training clips and the voice alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, Int16

from manifests import keypoints as kp
from models.data.decoding import decoded
from models.data.skeleton import Skeleton
from models.data.statistics import Statistics
from models.evaluation.metrics.body import NOSE_ROOT, face_height
from models.evaluation.metrics.lips import agreement, lip_opening, loudness


@runtime_checkable
class MotionGenerator(Protocol):
    """Motion for a voice, of the person of one pose."""

    def __call__(
        self,
        features: Float[np.ndarray, "time audio"],
        sound: Int16[np.ndarray, " samples"],
        reference: Float32[np.ndarray, "133 3"],
        seed: int,
        /,
    ) -> Float32[np.ndarray, "time 133 3"]:
        """A pose of the 512 crop at 25 FPS, one frame per row of the features and 640 samples of the sound."""
        ...


@dataclass(frozen=True, slots=True)
class Still:
    """The reference, standing still."""

    def __call__(self, features, sound, reference, seed, /):
        """The reference in every frame."""
        return np.repeat(reference[None], len(features), axis=0)


@dataclass(frozen=True, slots=True)
class MeanPose:
    """The mean of all training frames, in the layout a network sees, standing still."""

    skeleton: Skeleton
    statistics: Statistics

    def __call__(self, features, sound, reference, seed, /):
        """The same mean in every frame, whoever the person is."""
        values = np.repeat(self.statistics.mean[None], len(features), axis=0)
        return decoded(self.skeleton, self.statistics, values, reference)


@dataclass(frozen=True, slots=True)
class Nearest:
    """The motion of the training voice that sounds most alike, second by second, cross-faded.

    voices, motions: of the training clips; motions as the skeleton's layout has them, NaN where unknown. window: frames
    compared at once; a new one begins every half window.
    """

    skeleton: Skeleton
    statistics: Statistics
    voices: Sequence[Float[np.ndarray, "_time audio"]]
    motions: Sequence[Float32[np.ndarray, "_time size"]]
    window: int = 50

    def __call__(self, features, sound, reference, seed, /):
        """Windows whose features have the least squared distance, faded into each other over half a window."""
        length, half = min(self.window, len(features)), max(1, min(self.window, len(features)) // 2)
        made = np.zeros((len(features), self.skeleton.size))
        heft = np.zeros((len(features), 1))
        fade = np.minimum(np.arange(length) + 1, np.arange(length)[::-1] + 1)[:, None] / half
        firsts = list(range(0, len(features) - length + 1, half))
        if firsts[-1] + length < len(features):
            firsts.append(len(features) - length)
        for first in firsts:
            found = self.nearest(np.asarray(features[first : first + length], np.float32))
            motion = np.where(np.isnan(found), self.statistics.mean, found)
            made[first : first + length] += fade * motion
            heft[first : first + length] += fade
        return decoded(self.skeleton, self.statistics, (made / heft).astype(np.float32), reference)

    def nearest(
        self, wanted: Float32[np.ndarray, "time audio"]
    ) -> Float32[np.ndarray, "time size"]:
        """The training motion of the stretch whose voice is nearest."""
        best, found = np.inf, np.full((len(wanted), self.skeleton.size), np.nan, np.float32)
        for voice, motion in zip(self.voices, self.motions, strict=True):
            if len(voice) < len(wanted):
                continue
            held = np.asarray(voice, np.float32)
            apart = _distances(held, wanted)
            first = int(apart.argmin())
            if apart[first] < best:
                best, found = apart[first], motion[first : first + len(wanted)]
        return found


@dataclass(frozen=True, slots=True)
class LoudnessBaseline:
    """The reference, standing still, whose lower lip and chin follow the loudness of the voice.

    slope, offset: lip opening in face heights per decibel; lag: frames by which the lips follow. All are fitted on the
    training clips by `fit`, the best a mouth can do that hears loudness alone.
    """

    slope: float
    offset: float
    lag: int

    @classmethod
    def fit(
        cls,
        poses: Sequence[Float32[np.ndarray, "_time 133 3"]],
        sounds: Sequence[Int16[np.ndarray, " _samples"]],
    ) -> "LoudnessBaseline | None":
        """Least squares over all frames at the lag, within 5 frames, of the best mean correlation.

        None where lips are seen in fewer than two frames, or under one loudness.
        """
        pairs = [(lip_opening(p), _levelled(s)) for p, s in zip(poses, sounds, strict=True)]
        means = {}
        for lag in range(-5, 6):
            told = [agreement(lips, np.roll(loud, lag), reach=0).now for lips, loud in pairs]
            held = [value for value in told if value is not None]
            means[lag] = float(np.mean(held)) if held else -1.0
        lag = max(means, key=lambda each: (means[each], -abs(each)))
        lips = np.concatenate([lips for lips, _ in pairs])
        loud = np.concatenate([np.roll(loud, lag) for _, loud in pairs])
        known = np.isfinite(lips)
        if known.sum() < 2 or np.ptp(loud[known]) == 0.0:
            return None
        slope, offset = np.polyfit(loud[known], lips[known], 1)
        return cls(float(slope), float(offset), lag)

    def __call__(self, features, sound, reference, seed, /):
        """The mouth opens with the loudness."""
        return opened(reference, np.roll(_levelled(sound), self.lag) * self.slope + self.offset)


@dataclass(frozen=True, slots=True)
class RidgeBaseline:
    """The reference, standing still, whose mouth is a linear function of the voice's features around each frame.

    How much of the lips a ridge regression hears (Hoerl & Kennard 1970): what a system that hears at all should reach.
    """

    weights: Float[np.ndarray, " context"]
    mean: Float[np.ndarray, " context"]
    offset: float

    @classmethod
    def fit(
        cls,
        poses: Sequence[Float32[np.ndarray, "_time 133 3"]],
        voices: Sequence[Float[np.ndarray, "_time audio"]],
        *,
        shrinkage: float = 1e3,
    ) -> "RidgeBaseline | None":
        """Least squares over all frames, each clip's opening by its own mean and spread, scaled back by their means.

        None where no clip shows lips that move.
        """
        heard, said, means, spreads = [], [], [], []
        for pose, voice in zip(poses, voices, strict=True):
            lips = lip_opening(pose)
            known = np.isfinite(lips)
            if known.sum() < 2 or np.std(lips[known]) == 0.0:
                continue
            means.append(float(lips[known].mean()))
            spreads.append(float(lips[known].std()))
            heard.append(_context(voice)[known])
            said.append((lips[known] - means[-1]) / spreads[-1])
        if not heard:
            return None
        rows, lips = np.concatenate(heard), np.concatenate(said)
        mean = rows.mean(axis=0)
        rows = rows - mean
        weights = np.linalg.solve(rows.T @ rows + shrinkage * np.eye(rows.shape[1]), rows.T @ lips)
        return cls(weights * float(np.mean(spreads)), mean, float(np.mean(means)))

    def __call__(self, features, sound, reference, seed, /):
        """The mouth opens as the regression says."""
        return opened(reference, (_context(features) - self.mean) @ self.weights + self.offset)


REACH = 6
"""Frames before and after that the regression hears: a quarter of a second."""


def _context(features: Float[np.ndarray, "time audio"]) -> Float[np.ndarray, "time context"]:
    """Each frame's features with those around it, ends held."""
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


def _distances(
    held: Float32[np.ndarray, "time audio"], wanted: Float32[np.ndarray, "short audio"]
) -> Float[np.ndarray, " starts"]:
    """Squared distance of every stretch of `held` to `wanted`."""
    count = len(held) - len(wanted) + 1
    norms = np.concatenate([[0.0], np.cumsum((held.astype(np.float64) ** 2).sum(axis=1))])
    alike = held.astype(np.float64) @ wanted.astype(np.float64).T
    cross = np.array([np.trace(alike[first : first + len(wanted)]) for first in range(count)])
    return norms[len(wanted) :][:count] - norms[:count] - 2.0 * cross

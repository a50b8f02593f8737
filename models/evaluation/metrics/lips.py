"""Whether the mouth opens with the voice: lip opening, loudness and how well the two agree."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from manifests import keypoints as kp
from manifests.motion import Pose
from models.evaluation.metrics.body import (
    NOSE_ROOT,
    SAMPLES,
    Voice,
    distance,
    face_height,
    frames_of,
    known,
)

UPPER_LIP = tuple(kp.FACE.start + i for i in (61, 62, 63))
LOWER_LIP = tuple(kp.FACE.start + i for i in (67, 66, 65))
"""The three pairs of the inner lip that lie above each other, in iBUG order."""
REACH = 5
"""Frames by which the lips may lag or lead, 0.2 s."""
LEAST = 25
"""Frames of overlap below which a correlation says nothing: one second."""
STILL = 1e-6
"""Standard deviation, in face heights or decibels, below which a signal counts as constant."""
QUIET_DB = -90.0
"""Of full scale: a mean power of one step of a 16-bit voice."""

Signal = Float64[np.ndarray, " time"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Correlation of two signals with no lag, the best within reach and the lag there.

    lag: frames by which the first follows the second; below 0 it leads. The best of eleven lags is above 0 by chance.
    None where it could not be measured: a signal is constant, or too few frames are known in both.
    """

    now: float | None
    best: float | None
    lag: int | None


def lip_opening(pose: Pose) -> Signal:
    """How far the inner lips are apart in each frame, in face heights; NaN where a joint of it is missing.

    Mean over three pairs of what lies between them along the line from the nose's root to the chin in that frame, by
    the clip's median length of that line: it follows a tilted head and does not change with its size. A little below 0
    where the detector crossed the lips.
    """
    height = face_height(pose)
    if height is None:
        return np.full(len(pose), np.nan)
    places = pose[..., :2].astype(np.float64)
    needed = known(pose)[:, [*UPPER_LIP, *LOWER_LIP, NOSE_ROOT, kp.CHIN]].all(axis=1)
    down = places[:, kp.CHIN] - places[:, NOSE_ROOT]
    length = np.linalg.norm(down, axis=-1)
    needed &= length > 0.0
    apart = (places[:, list(LOWER_LIP)] - places[:, list(UPPER_LIP)]).mean(axis=1)
    opening = np.full(len(pose), np.nan)
    opening[needed] = (apart * down).sum(axis=-1)[needed] / length[needed] / height
    return opening


def loudness(voice: Voice) -> Signal:
    """Power of each frame's 40 ms in decibels of full scale, -90 where it is silent. Raises ValueError for a broken
    frame.
    """
    frames = voice.reshape(frames_of(voice), SAMPLES).astype(np.float64) / 32_768.0
    return np.maximum(10.0 * np.log10((frames**2).mean(axis=1) + 1e-12), QUIET_DB)


def agreement(first: Signal, second: Signal, *, reach: int = REACH) -> Agreement:
    """Pearson correlation over the frames in which both are known, at lag 0 and at each lag up to `reach`."""
    found = {lag: _correlation(*_shifted(first, second, lag)) for lag in range(-reach, reach + 1)}
    measured = {lag: value for lag, value in found.items() if value is not None}
    if not measured:
        return Agreement(None, None, None)
    lag = max(measured, key=lambda lag: (measured[lag], -abs(lag)))
    return Agreement(found[0], measured[lag], lag)


def lip_agreement(generated: Pose, other: Pose | Voice) -> Agreement:
    """Of the generated lip opening with the true one (a pose, paired) or with the voice's loudness (unpaired).

    Speech is not all loudness - an m is loud and shut. Against the voice the truth itself scored 0.01 in the mean of 16
    real clips (136 s, detected lips, some dubbed) where shuffled voices scored -0.01 to 0.01: on so few it tells
    nothing. Always show the truth and what chance gives beside it. Raises ValueError where the lengths differ.
    """
    reference = loudness(other) if other.ndim == 1 else lip_opening(other)
    if len(reference) != len(generated):
        raise ValueError(f"{len(generated)} frames are compared with {len(reference)}")
    return agreement(lip_opening(generated), reference)


def lip_error(generated: Pose, truth: Pose) -> float | None:
    """SpeechDrivesTemplates' normalised lip-sync error: the mean of |opening - true opening| by the clip's largest true
    opening.

    Its code takes the Euclidean distance of its landmarks 71 and 75, which are iBUG 62 and 66, the middle of the inner
    lip, and adds 1e-4 to the divisor against a mouth that never opens; here such a clip is not measured: None. The
    faces are compared at their own sizes, in face heights, where its poses share one scale.
    """
    ours, theirs = _middle_opening(generated), _middle_opening(truth)
    both = np.isfinite(ours) & np.isfinite(theirs)
    if not both.any() or np.nanmax(theirs) <= STILL:
        return None
    return float(np.abs(ours - theirs)[both].mean() / np.nanmax(theirs))


def _middle_opening(pose: Pose) -> Signal:
    return distance(pose, UPPER_LIP[1], LOWER_LIP[1]) / (face_height(pose) or np.nan)


def _shifted(
    first: Signal, second: Signal, lag: int
) -> tuple[Float64[np.ndarray, " overlap"], Float64[np.ndarray, " overlap"]]:
    """The two, of equal length, such that what `first` does `lag` frames later stands beside `second`."""
    stop = max(0, len(first) - abs(lag))
    return first[max(0, lag) :][:stop], second[max(0, -lag) :][:stop]


def _correlation(
    first: Float64[np.ndarray, " n"], second: Float64[np.ndarray, " n"]
) -> float | None:
    both = np.isfinite(first) & np.isfinite(second)
    if both.sum() < LEAST:
        return None
    first, second = first[both], second[both]
    if min(first.std(), second.std()) < STILL:
        return None
    return float(np.corrcoef(first, second)[0, 1])

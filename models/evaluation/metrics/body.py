"""What the metrics share: which joints of a pose are known, and the body's own measures of length."""

import numpy as np
from jaxtyping import Bool, Float, Float64, Int16

from manifests import keypoints as kp
from manifests.motion import Pose

FPS = 25.0
SAMPLES = 640
"""Of a 16 kHz voice in a frame of 40 ms."""

Voice = Int16[np.ndarray, " _samples"]

UPPER_BODY = tuple(range(kp.NOSE, kp.RIGHT_WRIST + 1))
"""Nose, eyes, ears, shoulders, elbows, wrists; with the neck, the 12 of OpenPose's 18 above the hips."""
GESTURE = (*UPPER_BODY, *range(kp.LEFT_HAND.start, kp.RIGHT_HAND.stop))
"""The 12 + 2 x 21 joints on which Weakly Supervised Motion Learning and IMAC measure gesture, less the neck,
which is no joint here."""
NOSE_ROOT = kp.NOSE_BRIDGE.start


def known(pose: Pose) -> Bool[np.ndarray, "time 133"]:
    """Where a joint has a confidence above 0 and a finite place."""
    return (pose[..., 2] > 0.0) & np.isfinite(pose[..., :2]).all(axis=-1)


def distance(pose: Pose, a: int, b: int) -> Float64[np.ndarray, " time"]:
    """Pixels between two joints in each frame; NaN where one is missing."""
    points, seen = pose[..., :2].astype(np.float64), known(pose)
    apart = np.linalg.norm(points[:, a] - points[:, b], axis=-1)
    return np.where(seen[:, a] & seen[:, b], apart, np.nan)


def shoulder_width(pose: Pose) -> float | None:
    """Median over the clip, in pixels; None where the shoulders are never seen together, or coincide."""
    return _median(distance(pose, kp.LEFT_SHOULDER, kp.RIGHT_SHOULDER))


def face_height(pose: Pose) -> float | None:
    """Median distance of the nose's root (between the eyes) to the chin, in pixels; None where never seen."""
    return _median(distance(pose, NOSE_ROOT, kp.CHIN))


def filled(pose: Pose) -> Float64[np.ndarray, "time 133 2"]:
    """Places in pixels, a joint's gaps run straight between its neighbours in time and held at the ends.

    NaN where a joint is never known.
    """
    places, seen = pose[..., :2].astype(np.float64), known(pose)
    frames = np.arange(len(pose))
    for joint in np.flatnonzero(~seen.all(axis=0)):
        found = seen[:, joint]
        for axis in (0, 1):
            path = places[:, joint, axis]
            places[:, joint, axis] = (
                np.interp(frames, frames[found], path[found]) if found.any() else np.nan
            )
    return places


def together(
    pose: Float[np.ndarray, "frames 133 3"], voice: Voice
) -> tuple[Float[np.ndarray, "shorter 133 3"], Voice]:
    """A pose and a voice from their starts to the end of the shorter, for pairs that do not belong together.

    voice: 640 samples a frame. Raises ValueError where it holds a broken frame.
    """
    frames = min(len(pose), frames_of(voice))
    return pose[:frames], voice[: frames * SAMPLES]


def frames_of(voice: Voice) -> int:
    """How many frames of 40 ms a voice lasts. Raises ValueError unless it is a whole number."""
    frames, rest = divmod(len(voice), SAMPLES)
    if rest:
        raise ValueError(f"a voice has {SAMPLES} samples for each frame, got {len(voice)}")
    return frames


def _median(lengths: Float64[np.ndarray, " time"]) -> float | None:
    found = lengths[np.isfinite(lengths)]
    return float(np.median(found)) if len(found) and np.median(found) > 0.0 else None

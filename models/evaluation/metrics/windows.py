"""What the motion encoder sees of a pose: windows of 54 points, each measured from its root, in shoulder widths."""

import numpy as np
from jaxtyping import Bool, Float32, Float64

from manifests.motion import Pose
from models.data.skeleton import HALF, Skeleton
from models.evaluation.metrics.body import GESTURE, known, shoulder_width

FRAMES = 64
"""Of a window, as SpeechDrivesTemplates has it, though at 15 FPS (4.3 s); at our 25 it is 2.6 s."""
VALUES = 2 * (len(GESTURE) + 1)
"""x and y of 53 joints, then of the neck."""

_SKELETON = Skeleton(joints=GESTURE, smoothing=None, valid_from=0.0)


def gesture_windows(
    pose: Pose, *, like: Pose | None = None, frames: int = FRAMES, step: int | None = None
) -> Float32[np.ndarray, "windows frames values"]:
    """Windows every `step` frames (`frames` where not given), from the first; what is left at the end is not used.

    The 54 points are Weakly Supervised Motion Learning's: 12 of the upper body, 21 of each hand. Which 12 it does not
    say; here the 12 of OpenPose's 18 above the hips. Hands are measured from their wrist, the rest from the neck, as
    SpeechDrivesTemplates' parted poses; the neck itself, which there is always 0, is measured from its mean in the
    window, so that a body that does not sway is seen. A gap runs straight between its neighbours in time and is held at
    the ends; NaN where a joint is never known. The unit is the clip's shoulder width. No windows where the shoulders
    are never seen.

    like: a pose of the same length whose missing joints are left out here too. Give it the truth: a generated hand is
    never missing and a real one often is, which is no difference of gesture.
    """
    width = shoulder_width(pose if like is None else like)
    if width is None:
        return np.zeros((0, frames, VALUES), dtype=np.float32)
    seen = known(pose) if like is None else known(pose) & known(like)
    values, mask = _SKELETON.encode(np.where(seen[..., None], pose, 0.0))
    path = _straight(values.astype(np.float64), mask) * HALF / width
    step = step or frames
    starts = range(0, len(path) - frames + 1, step)
    windows = np.stack([path[start : start + frames] for start in starts] or [path[:0]])
    if not len(starts):
        return np.zeros((0, frames, VALUES), dtype=np.float32)
    windows[..., -2:] -= windows[..., -2:].mean(axis=1, keepdims=True)
    return windows.astype(np.float32)


def _straight(
    values: Float64[np.ndarray, "time values"], mask: Bool[np.ndarray, "time values"]
) -> Float64[np.ndarray, "time values"]:
    """Unknown values run straight between known ones, are held at the ends, and NaN where there are none."""
    frames = np.arange(len(values))
    for column in np.flatnonzero(~mask.all(axis=0)):
        found = mask[:, column]
        values[:, column] = (
            np.interp(frames, frames[found], values[found, column]) if found.any() else np.nan
        )
    return values

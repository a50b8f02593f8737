"""How a motion moves and whether its bones keep their length, against nothing but itself and one skeleton.

A still motion has the best jitter and the best bones there are: read these beside those of the truth.
"""

import numpy as np
from jaxtyping import Float, Float64

from manifests import keypoints as kp
from manifests.motion import Pose
from models.evaluation.metrics.body import FPS, GESTURE, known, shoulder_width


def speed(pose: Pose, *, width: float | None = None) -> float | None:
    """Mean joint speed in shoulder widths per second, over the gesture joints.

    width: pixels of a shoulder width, the pose's own where not given. None where no joint is known twice in a row.
    """
    return _scaled(_difference(pose, order=1), FPS, width or shoulder_width(pose))


def jitter(pose: Pose) -> float | None:
    """Mean size of the third difference of the gesture joints' places, in pixels per frame^3 (jerk).

    A joint counts where it is known in four frames in a row; None where none is.
    """
    return _difference(pose, order=3)


def jerk(pose: Pose, *, width: float | None = None) -> float | None:
    """`jitter` in shoulder widths per second^3, so that sizes and frame rates compare."""
    return _scaled(jitter(pose), FPS**3, width or shoulder_width(pose))


def bone_error(pose: Pose, reference: Float[np.ndarray, "frames 133 3"]) -> float | None:
    """Mean relative difference of the limbs' median lengths to those of a reference skeleton; 0.1 is ten per cent.

    reference: frames of the same person, one is enough. In a picture a limb that points at the camera is short, so the
    truth against its own first frame is not 0 either: read it beside that. A system that outputs 3D bones of fixed
    length would still show an error here. None where no limb is known in both.
    """
    ours, theirs = _median_lengths(pose), _median_lengths(reference)
    both = np.isfinite(ours) & np.isfinite(theirs) & (theirs > 0.0)
    if not both.any():
        return None
    return float((np.abs(ours - theirs)[both] / theirs[both]).mean())


def bone_variation(pose: Pose) -> float | None:
    """Mean over the limbs of the standard deviation of the length over time by its mean; 0 for a rigid picture.

    In a picture gesture itself changes lengths (foreshortening): too much and too little are both wrong. A limb counts
    where it is known in two frames; None where none is.
    """
    variations = [_variation(lengths) for lengths in _lengths(pose)]
    found = [value for value in variations if value is not None]
    return float(np.mean(found)) if found else None


def _difference(pose: Pose, *, order: int) -> float | None:
    """Mean size of the n-th difference in time, where all frames that it takes are known; pixels per frame^n."""
    if len(pose) <= order:
        return None
    joints = list(GESTURE)
    change = np.diff(pose[:, joints, :2].astype(np.float64), n=order, axis=0)
    seen = known(pose)[:, joints]
    counted = np.lib.stride_tricks.sliding_window_view(seen, order + 1, axis=0).all(axis=-1)
    return float(np.linalg.norm(change, axis=-1)[counted].mean()) if counted.any() else None


def _scaled(change: float | None, rate: float, width: float | None) -> float | None:
    return None if change is None or width is None else change * rate / width


def _lengths(pose: Float[np.ndarray, "frames 133 3"]) -> list[Float64[np.ndarray, " found"]]:
    """Of each limb its lengths in the frames in which both ends are known, in pixels."""
    first, last = np.array([(a, b) for a, b, _ in kp.LIMBS]).T
    seen = known(pose)
    both = seen[:, first] & seen[:, last]
    apart = pose[:, first, :2].astype(np.float64) - pose[:, last, :2]
    lengths = np.linalg.norm(apart, axis=-1)
    return [lengths[both[:, limb], limb] for limb in range(len(first))]


def _median_lengths(pose: Float[np.ndarray, "frames 133 3"]) -> Float64[np.ndarray, " limbs"]:
    return np.array([np.median(found) if len(found) else np.nan for found in _lengths(pose)])


def _variation(lengths: Float64[np.ndarray, " found"]) -> float | None:
    if len(lengths) < 2 or lengths.mean() <= 0.0:
        return None
    return float(lengths.std() / lengths.mean())

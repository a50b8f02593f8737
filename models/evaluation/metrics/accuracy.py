"""How near a motion lies to the true one, joint by joint: what only a paired sample can be asked."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64

from manifests import keypoints as kp
from manifests.motion import Pose, to_local
from models.evaluation.metrics.body import GESTURE, known, shoulder_width


@dataclass(frozen=True, slots=True)
class Threshold:
    """How far off a joint may be and still count as right."""

    distance: float
    unit: Literal["shoulder widths", "pixels"]


THRESHOLDS: dict[str, Threshold] = {
    "tenth": Threshold(0.1, "shoulder widths"),
    "fifth": Threshold(0.2, "shoulder widths"),
    "half": Threshold(0.5, "shoulder widths"),
    "5px": Threshold(5.0, "pixels"),
    "10px": Threshold(10.0, "pixels"),
    "20px": Threshold(20.0, "pixels"),
}
"""Widths are the truth's own median; pixels are those of the 512 crop. EMO2 (2501.10687) names
no threshold for its PCK."""


def mean_error(generated: Pose, truth: Pose) -> float | None:
    """Mean distance in pixels over the joints that both know; None where there are none."""
    return _mean(_apart(_places(generated), _places(truth)), known(generated) & known(truth))


def pck(generated: Pose, truth: Pose, threshold: str) -> float | None:
    """Fraction of the joints known in both that lie nearer than a threshold, a name of `THRESHOLDS` (PCK, Yang &
    Ramanan 2013). None where nothing is known, or no shoulders where they are the unit.
    """
    reach = _pixels(THRESHOLDS[threshold], truth)
    if reach is None:
        return None
    near = _apart(_places(generated), _places(truth)) < reach
    return _mean(near.astype(np.float64), known(generated) & known(truth))


def pcm(generated: Pose, truth: Pose, *, threshold: float = 0.5) -> float | None:
    """Fraction of correct motion: gesture joints, each measured from its root, nearer than `threshold` shoulder widths.

    DiffSHEG's code counts joint rotations (axis-angle) less than 0.5 rad apart. A rotation knows nothing of where its
    root is, so here each joint is measured from its root. Contextual Gesture (2502.07239) counts 2D joints so and does
    not state its threshold: 0.5 is DiffSHEG's number in another unit. None where nothing is known.
    """
    width = shoulder_width(truth)
    if width is None:
        return None
    joints = list(GESTURE)
    apart = _apart(to_local(_whole(generated)).joints, to_local(_whole(truth)).joints)
    seen = _with_roots(known(generated)) & _with_roots(known(truth))
    return _mean((apart[:, joints] < threshold * width).astype(np.float64), seen[:, joints])


def _places(pose: Pose) -> Float64[np.ndarray, "time 133 2"]:
    return pose[..., :2].astype(np.float64)


def _apart(
    a: Float64[np.ndarray, "time joints 2"], b: Float64[np.ndarray, "time joints 2"]
) -> Float64[np.ndarray, "time joints"]:
    return np.linalg.norm(a - b, axis=-1)


def _mean(
    values: Float64[np.ndarray, "time joints"], counted: Bool[np.ndarray, "time joints"]
) -> float | None:
    return float(values[counted].mean()) if counted.any() else None


def _pixels(threshold: Threshold, truth: Pose) -> float | None:
    if threshold.unit == "pixels":
        return threshold.distance
    width = shoulder_width(truth)
    return None if width is None else threshold.distance * width


def _whole(pose: Pose) -> Pose:
    """The pose with what is not known set missing, so that no bad number reaches a root."""
    return np.where(known(pose)[..., None], pose, 0.0)


def _with_roots(seen: Bool[np.ndarray, "time 133"]) -> Bool[np.ndarray, "time 133"]:
    """Where a joint and what it is measured from are known."""
    shoulders = seen[:, [kp.LEFT_SHOULDER]] & seen[:, [kp.RIGHT_SHOULDER]]
    return seen & np.where(kp.ROOT_OF == kp.NECK, shoulders, seen[:, kp.ROOT_OF])

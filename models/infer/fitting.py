"""How well a generated motion lies on the person it is for, and a fit of one to the other by joints of the body.

A generator that is given a body of other proportions or at another place than its reference picture's deforms the
person, so its own scripts fit poses to the reference first.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from manifests.errors import UserError
from models.infer.openpose import BODY_NAMES, NECK, to_openpose

FITTED = (0, 1, 2, 5, *range(8, 18))
"""Of OpenPose's 18: nose, neck, shoulders, hips, legs, eyes and ears, which gesture less than arms. The joints that
Tencent/MimicMotion fits by (mimicmotion/dwpose/preprocess.py)."""
LARGEST_RATIO = 1.17
"""Of shoulder widths. 95 % of single frames of real people are within it of their own clip's: research/misfit.py."""
FARTHEST_NECK = 0.26
"""Shoulder widths from the reference's neck; measured in the same way."""
SHOULDERS = (BODY_NAMES.index("right_shoulder"), BODY_NAMES.index("left_shoulder"))


class FitError(UserError):
    """A motion and a reference that share no body to fit by."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """Medians over the motion beside the reference's own, in pixels of the 512 crop.

    neck: how far the motion's neck is from the reference's. None where either lacks the joints.
    """

    reference_shoulders: float | None
    shoulders: float | None
    neck: float | None

    @property
    def large(self) -> bool:
        """Whether a generator would see another body, or one somewhere else."""
        if self.reference_shoulders is None or self.shoulders is None or self.neck is None:
            return False
        ratio = self.shoulders / self.reference_shoulders
        return not (
            1.0 / LARGEST_RATIO <= ratio <= LARGEST_RATIO
            and self.neck <= FARTHEST_NECK * self.reference_shoulders
        )

    def __str__(self) -> str:
        """In one sentence."""
        if self.reference_shoulders is None or self.shoulders is None or self.neck is None:
            return "shoulders are not known in motion or reference"
        return (
            f"shoulders are {self.shoulders:.0f} px wide for the reference's {self.reference_shoulders:.0f}, "
            f"the neck is {self.neck:.0f} px off"
        )


def misfit(pose: Float[np.ndarray, "time 133 3"], reference: Float[np.ndarray, "133 3"]) -> Misfit:
    """How far a motion is from the body of one pose, both in pixels of the 512 crop."""
    theirs, ours = body_of(reference), np.stack([body_of(frame) for frame in pose])
    width = shoulder_widths(ours)
    reference_width = shoulder_widths(theirs[None])
    seen = ours[:, NECK, 2] > 0.0
    neck = None
    if seen.any() and theirs[NECK, 2] > 0.0:
        middle = np.median(ours[seen, NECK, :2], axis=0)
        neck = float(np.linalg.norm(middle - theirs[NECK, :2]))
    return Misfit(median(reference_width), median(width), neck)


def fitted(
    pose: Float32[np.ndarray, "time 133 3"], reference: Float[np.ndarray, "133 3"]
) -> Float32[np.ndarray, "time 133 3"]:
    """The motion scaled and moved so that its body lies on the reference's, both in pixels of the 512 crop.

    One scale for both axes, by least squares over the heights of the joints that both have, in all frames; then moved
    by the mean difference, as MimicMotion does it. Raises FitError where the joints tell no scale.
    """
    theirs = body_of(reference)[list(FITTED)]
    ours = np.stack([body_of(frame) for frame in pose])[:, list(FITTED)]
    both = (ours[..., 2] > 0.0) & (theirs[None, :, 2] > 0.0)
    target = np.broadcast_to(theirs[None], ours.shape)[both]
    source = ours[both]
    if len(source) < 2 or np.ptp(source[:, 1]) == 0.0:
        raise FitError("motion and reference share too few joints of the body to be fitted")
    scale = float(np.polyfit(source[:, 1], target[:, 1], 1)[0])
    if scale <= 0.0:
        raise FitError(f"the joints of motion and reference give no scale (slope {scale:.2f})")
    moved = pose.copy()
    move = (target[:, :2] - scale * source[:, :2]).mean(axis=0)
    moved[..., :2] = np.where(pose[..., 2:] > 0.0, scale * pose[..., :2] + move, 0.0)
    return moved


def body_of(frame: Float[np.ndarray, "133 3"]) -> Float[np.ndarray, "18 3"]:
    """OpenPose's body of one frame."""
    return to_openpose(frame).body


def shoulder_widths(bodies: Float[np.ndarray, "time 18 3"]) -> Float[np.ndarray, " found"]:
    """Pixels between the shoulders in the frames that have both."""
    right, left = bodies[:, SHOULDERS[0]], bodies[:, SHOULDERS[1]]
    both = (right[:, 2] > 0.0) & (left[:, 2] > 0.0)
    return np.linalg.norm(right[both, :2] - left[both, :2], axis=-1)


def median(lengths: Float[np.ndarray, " found"]) -> float | None:
    """None of nothing."""
    return float(np.median(lengths)) if len(lengths) else None

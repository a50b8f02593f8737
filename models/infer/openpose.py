"""The 133 COCO-WholeBody joints as OpenPose's 18 body joints, two toes, two hands and a face, fitted to a picture.

Order of the body: Cao et al. 2019 (arXiv:1812.08008), the COCO model, as DWPose (Yang et al. 2023, arXiv:2307.15880)
hands it to the video generators.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from manifests import keypoints as kp

SIDE = 512
"""Width and height in pixels of the crop that poses are stored in."""

NECK = 1
"""Where the neck stands among the 18."""
BODY_NAMES = (
    *("nose", "neck"),
    *("right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist"),
    *("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
    *("right_eye", "left_eye", "right_ear", "left_ear"),
)
_SOURCE = [kp.NAMES.index("nose" if name == "neck" else name) for name in BODY_NAMES]
_TOES = [
    (kp.NAMES.index(f"{side}_big_toe"), kp.NAMES.index(f"{side}_small_toe"))
    for side in ("left", "right")
]


@dataclass(frozen=True, slots=True)
class OpenPose:
    """One person in one frame: x, y in pixels and confidence; a missing joint is 0, 0, 0. Left comes first."""

    body: Float64[np.ndarray, "18 3"]
    toes: Float64[np.ndarray, "2 3"]
    hands: Float64[np.ndarray, "2 21 3"]
    face: Float64[np.ndarray, "68 3"]


def to_openpose(pose: Float[np.ndarray, "133 3"]) -> OpenPose:
    """The same joints under their other names; neck and toes are midpoints, as confident as the less sure of the two.

    Differs from DWPose, whose neck has confidence 1 wherever both shoulders reach 0.3.
    """
    pose = np.where(pose[:, 2:] > 0.0, pose, 0.0).astype(np.float64)
    body = pose[_SOURCE]
    body[NECK] = _between(pose[kp.LEFT_SHOULDER], pose[kp.RIGHT_SHOULDER])
    return OpenPose(
        body=body,
        toes=np.stack([_between(pose[big], pose[small]) for big, small in _TOES]),
        hands=np.stack([pose[kp.LEFT_HAND], pose[kp.RIGHT_HAND]]),
        face=pose[kp.FACE],
    )


def fit(
    pose: Float[np.ndarray, "*time 133 3"], size: tuple[int, int]
) -> Float64[np.ndarray, "*time 133 3"]:
    """A pose of the 512 crop in pixels of a picture of (width, height) that shows the whole crop, centred, undistorted.

    Pixel centres lie at integers in both. Missing joints become 0, 0, 0.
    """
    scale, left, top = placing(size)
    fitted = pose.astype(np.float64)
    fitted[..., :2] = (fitted[..., :2] + 0.5) * scale - 0.5 + (left, top)
    return np.where(fitted[..., 2:] > 0.0, fitted, 0.0)


def placing(size: tuple[int, int]) -> tuple[float, int, int]:
    """How the crop lies in a picture of (width, height): its scale, and the pixels left of it and above it."""
    side = min(size)
    return side / SIDE, (size[0] - side) // 2, (size[1] - side) // 2


def _between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    confidence = min(a[2], b[2])
    if confidence <= 0.0:
        return np.zeros(3)
    return np.array([(a[0] + b[0]) / 2.0, (a[1] + b[1]) / 2.0, confidence])

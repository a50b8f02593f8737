"""The 133 COCO-WholeBody joints as OpenPose's 18 body joints, two toes, two hands and a face, fitted to a picture.

Order of the body: Cao et al. 2019 (arXiv:1812.08008), the COCO model, as DWPose (Yang et al. 2023, arXiv:2307.15880)
hands it to the video generators.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float64

from manifests import keypoints as kp
from models.data.index import SIDE

NECK = 1
"""Where the neck stands among the 18."""
NECK_FROM = 0.3
"""Confidence that both shoulders exceed where DWPose finds a neck."""
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
    """The same joints under their other names, as DWPose converts them: the neck is between the shoulders and has
    confidence 1 where both are above 0.3, else it is missing (dwpose_utils/wholebody.py in MPI-Lab/Democratizing-CSG).

    A toe is between the big one and the small one, as confident as the less sure of the two.
    """
    pose = np.where(pose[:, 2:] > 0.0, pose, 0.0).astype(np.float64)
    shoulders = pose[kp.LEFT_SHOULDER], pose[kp.RIGHT_SHOULDER]
    both = min(shoulders[0][2], shoulders[1][2]) > NECK_FROM
    body = pose[_SOURCE]
    body[NECK] = _between(*shoulders, confidence=1.0 if both else 0.0)
    toes = [(pose[big], pose[small]) for big, small in _TOES]
    return OpenPose(
        body=body,
        toes=np.stack([_between(a, b, confidence=min(a[2], b[2])) for a, b in toes]),
        hands=np.stack([pose[kp.LEFT_HAND], pose[kp.RIGHT_HAND]]),
        face=pose[kp.FACE],
    )


def to_aapose(pose: Float[np.ndarray, "133 3"]) -> OpenPose:
    """The same as Wan-Animate converts them (Wan-Video/Wan2.2, wan/modules/animate/preprocess/pose2d_utils.py): neck
    and toes are the means of two joints, and so are their confidences. Missing where one of the two is."""
    found = to_openpose(pose)
    pairs = [(kp.LEFT_SHOULDER, kp.RIGHT_SHOULDER), *_TOES]
    neck, *toes = (
        _between(a, b, confidence=(a[2] + b[2]) / 2.0 if min(a[2], b[2]) > 0.0 else 0.0)
        for a, b in ((pose[one], pose[other]) for one, other in pairs)
    )
    body = found.body.copy()
    body[NECK] = neck
    return replace(found, body=body, toes=np.stack(toes))


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


def _between(a: np.ndarray, b: np.ndarray, *, confidence: float) -> np.ndarray:
    if confidence <= 0.0:
        return np.zeros(3)
    return np.array([(a[0] + b[0]) / 2.0, (a[1] + b[1]) / 2.0, confidence])

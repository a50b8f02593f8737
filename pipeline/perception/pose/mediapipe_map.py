"""Which of MediaPipe's landmarks each joint is taken from, as one table, and its page of docs."""

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64, Int64

from manifests import keypoints as kp

Part = Literal["pose", "face", "left_hand", "right_hand"]
PARTS: tuple[Part, ...] = ("pose", "face", "left_hand", "right_hand")


@dataclass(frozen=True, slots=True)
class Taken:
    """The mean of these landmarks of one part."""

    part: Part
    points: tuple[int, ...]


# BlazePose has 33 points; the ones that COCO has no joint for are not used.
_BODY = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
_FEET = (31, None, 29, 32, None, 30)
# The face mesh has 478 points; a pair stands for its middle. The person's right side comes first in
# iBUG order.
_JAW = (
    *((127,), (234,), (93,), (132, 58), (172,), (136, 150), (149,), (176, 148)),
    (152,),
    *((377, 400), (378,), (365, 379), (397,), (361, 288), (323,), (454,), (356,)),
)
_BROWS = (
    *((70, 46), (63, 53), (105, 52), (66, 65), (107, 55)),
    *((336, 285), (296, 295), (334, 282), (293, 283), (300, 276)),
)
_NOSE = ((168,), (197,), (195, 5), (4,), (98,), (97,), (2,), (326,), (327,))
_EYES = (
    *((33,), (160,), (158,), (133,), (153,), (144,)),
    *((362,), (385,), (387,), (263,), (373,), (380,)),
)
_LIPS = (
    *((61,), (40,), (37,), (0,), (267,), (270,), (291,)),
    *((321,), (405, 314), (17,), (84, 181), (91,)),
    *((78,), (81,), (13,), (311,), (308,), (402,), (14,), (178,)),
)

SOURCES: tuple[Taken | None, ...] = (
    *(Taken("pose", (point,)) for point in _BODY),
    *(None if point is None else Taken("pose", (point,)) for point in _FEET),
    *(Taken("face", points) for points in (*_JAW, *_BROWS, *_NOSE, *_EYES, *_LIPS)),
    *(Taken("left_hand", (point,)) for point in range(21)),
    *(Taken("right_hand", (point,)) for point in range(21)),
)
"""One entry for each joint; None: MediaPipe has nothing there, and the joint is always missing."""


DOUBLE_HAND = 0.25
"""Mean distance of like joints over the longer hand's diagonal below which two hands count as one.

On 24 real clips: hands apart lie above 0.35, two that are joined but both visible above 0.25, one
that was taken for both mostly below 0.2. Folded hands, of which the network sees one, spread from
0 to 0.6 and are cut in the middle.
"""

FOREIGN_FACE = 0.3
"""Distance of the mesh's nose tip from the body's nose, over the face's diagonal, from which the
face is not this body's.

On the real clips with one speaker it stays below 0.25 where mesh and body are right, profiles
included; a mesh on a headphone or on a bystander lies above.
"""


def to_wholebody(
    parts: dict[Part, Float64[np.ndarray, "points 3"]],
) -> Float32[np.ndarray, "133 3"]:
    """The 133 joints from the parts that were found: x, y, confidence.

    Each is the mean over its source's landmarks, or 0, 0, 0. Of a hand that was taken for both,
    only the one nearer to its own wrist is kept; a face that is not where the body's nose is, is
    not kept.
    """
    pose = np.zeros((kp.JOINTS, 3), dtype=np.float32)
    for part, points in parts.items():
        joints, weights = averages(part, len(points))
        pose[joints] = weights @ points
    if is_double_hand(pose):
        pose[_hand_farther_from_its_wrist(pose)] = 0.0
    if is_foreign_face(pose):
        pose[kp.FACE] = 0.0
    return pose


@cache
def averages(
    part: Part, count: int
) -> tuple[Int64[np.ndarray, " joints"], Float64[np.ndarray, "joints points"]]:
    """The joints that come from a part, and the weights of its `count` landmarks in each."""
    joints = [j for j, taken in enumerate(SOURCES) if taken is not None and taken.part == part]
    weights = np.zeros((len(joints), count))
    for row, joint in enumerate(joints):
        taken = SOURCES[joint]
        assert taken is not None
        weights[row, list(taken.points)] = 1.0 / len(taken.points)
    return np.array(joints, dtype=np.int64), weights


def is_double_hand(pose: Float32[np.ndarray, "133 3"]) -> bool:
    """Whether both hands are there and lie on each other joint by joint; see `DOUBLE_HAND`."""
    left, right = pose[kp.LEFT_HAND], pose[kp.RIGHT_HAND]
    if not (left[:, 2].any() and right[:, 2].any()):
        return False
    apart = np.linalg.norm(left[:, :2] - right[:, :2], axis=1).mean()
    return bool(apart < DOUBLE_HAND * max(_diagonal(left), _diagonal(right)))


def is_foreign_face(pose: Float32[np.ndarray, "133 3"]) -> bool:
    """Whether face and body are there and do not share a nose; see `FOREIGN_FACE`."""
    nose, tip = pose[kp.NOSE], pose[kp.NOSE_TIP]
    if nose[2] <= 0.0 or tip[2] <= 0.0:
        return False
    apart = np.linalg.norm(nose[:2] - tip[:2])
    return bool(apart > FOREIGN_FACE * _diagonal(pose[kp.FACE]))


def _hand_farther_from_its_wrist(pose: Float32[np.ndarray, "133 3"]) -> slice:
    left, right = (
        np.linalg.norm(pose[hand.start, :2] - pose[wrist, :2])
        for hand, wrist in ((kp.LEFT_HAND, kp.LEFT_WRIST), (kp.RIGHT_HAND, kp.RIGHT_WRIST))
    )
    return kp.LEFT_HAND if left > right else kp.RIGHT_HAND


def _diagonal(points: Float32[np.ndarray, "points 3"]) -> float:
    return float(np.linalg.norm(np.ptp(points[:, :2], axis=0)))

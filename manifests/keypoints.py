"""The 133 joints of COCO-WholeBody: names, order, groups, roots, limbs and the left/right table.

Left and right are the person's own. The order is that of COCO-WholeBody (Jin et al. 2020,
arXiv:2007.11858): 17 body joints, 6 of the feet, 68 of the face (iBUG order, which starts at the
person's right jaw), 21 of the left hand, 21 of the right hand. There is no neck: it is the
shoulders' midpoint. There are two noses (`NOSE` of the body, `NOSE_TIP` of the face) and each wrist
is there twice (`LEFT_WRIST` of the body, `LEFT_HAND_ROOT` of the hand).
"""

from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

JOINTS = 133

Side = Literal["left", "right", "middle"]

BODY_NAMES = (
    "nose",
    *(
        f"{side}_{part}"
        for part in ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        for side in ("left", "right")
    ),
)
FOOT_NAMES = tuple(
    f"{side}_{part}" for side in ("left", "right") for part in ("big_toe", "small_toe", "heel")
)
FACE_NAMES = tuple(f"face_{i}" for i in range(68))
HAND_PARTS = (
    "hand_root",
    *(
        f"{finger}_{i}"
        for finger in ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky")
        for i in (1, 2, 3, 4)
    ),
)
NAMES: tuple[str, ...] = (
    *BODY_NAMES,
    *FOOT_NAMES,
    *FACE_NAMES,
    *(f"left_{part}" for part in HAND_PARTS),
    *(f"right_{part}" for part in HAND_PARTS),
)

# ---- groups --------------------------------------------------------------------------------------

BODY = slice(0, 17)
FEET = slice(17, 23)
FACE = slice(23, 91)
LEFT_HAND = slice(91, 112)
RIGHT_HAND = slice(112, 133)
GROUPS: dict[str, slice] = {
    "body": BODY,
    "feet": FEET,
    "face": FACE,
    "left_hand": LEFT_HAND,
    "right_hand": RIGHT_HAND,
}

JAW = slice(23, 40)
RIGHT_BROW = slice(40, 45)
LEFT_BROW = slice(45, 50)
NOSE_BRIDGE = slice(50, 54)
NOSE_BASE = slice(54, 59)
RIGHT_EYE_RIM = slice(59, 65)
LEFT_EYE_RIM = slice(65, 71)
OUTER_LIP = slice(71, 83)
INNER_LIP = slice(83, 91)
MOUTH = slice(71, 91)

# ---- single joints -------------------------------------------------------------------------------

NOSE = 0
LEFT_EYE, RIGHT_EYE = 1, 2
LEFT_EAR, RIGHT_EAR = 3, 4
LEFT_SHOULDER, RIGHT_SHOULDER = 5, 6
LEFT_ELBOW, RIGHT_ELBOW = 7, 8
LEFT_WRIST, RIGHT_WRIST = 9, 10
LEFT_HIP, RIGHT_HIP = 11, 12
NOSE_TIP = FACE.start + 30
CHIN = FACE.start + 8
LEFT_HAND_ROOT = LEFT_HAND.start
RIGHT_HAND_ROOT = RIGHT_HAND.start

NECK = -1
"""Stands for the shoulders' midpoint in `ROOT_OF`; it is no joint and never an index."""


def _root_of(face: int) -> NDArray[np.int64]:
    roots = np.full(JOINTS, NECK, dtype=np.int64)
    roots[FACE] = face
    roots[face] = NECK
    roots[LEFT_HAND] = LEFT_WRIST
    roots[RIGHT_HAND] = RIGHT_WRIST
    roots.flags.writeable = False
    return roots


ROOT_OF = _root_of(NOSE_TIP)
"""What each joint's local position is measured from (Yang et al. 2025, section 3.2): a joint or `NECK`.

The nose tip and the wrists, themselves roots, are measured from the neck.
"""

ROOTS_BY_FACE: dict[str, NDArray[np.int64]] = {"nose_tip": ROOT_OF, "nose": _root_of(NOSE)}
"""Tables like `ROOT_OF`, by what the face is measured from: `nose_tip` in Yang et al. 2025, `nose`, the
body's, in its released code, where the nose tip is a joint of the face like any other."""

# ---- left and right ------------------------------------------------------------------------------

# iBUG numbers, the person's right first.
_FACE_SWAPS = (
    *((i, 16 - i) for i in range(8)),
    *((i, 43 - i) for i in range(17, 22)),
    *((i, 66 - i) for i in (31, 32)),
    *((i, 81 - i) for i in (36, 37, 38, 39)),
    *((i, 87 - i) for i in (40, 41)),
    *((i, 102 - i) for i in (48, 49, 50)),
    *((i, 114 - i) for i in (58, 59)),
    *((i, 124 - i) for i in (60, 61)),
    (67, 65),
)


def _mirror_of() -> NDArray[np.int64]:
    table = np.arange(JOINTS)
    pairs = [(a + FACE.start, b + FACE.start) for a, b in _FACE_SWAPS]
    pairs += [(i, i + 1) for i in range(LEFT_EYE, BODY.stop, 2)]
    pairs += [(i, i + 3) for i in (17, 18, 19)]
    pairs += [(LEFT_HAND.start + i, RIGHT_HAND.start + i) for i in range(21)]
    for a, b in pairs:
        table[[a, b]] = b, a
    table.flags.writeable = False
    return table


MIRROR_OF = _mirror_of()
"""For each joint the joint of the other side; itself on the middle line."""


def mirror(pose: Float[np.ndarray, "*time 133 3"], width: int) -> Float[np.ndarray, "*time 133 3"]:
    """The pose of the picture flipped left to right.

    pose: x, y in pixels (centres at integers), confidence; width: of the picture, in pixels.
    Missing joints stay 0, 0.
    """
    flipped = pose[..., MIRROR_OF, :].copy()
    seen = flipped[..., 2] > 0.0
    flipped[..., 0] = np.where(seen, (width - 1) - flipped[..., 0], 0.0)
    return flipped


# ---- limbs, for drawing --------------------------------------------------------------------------

_BODY_LIMBS = (
    (NOSE, LEFT_EYE),
    (NOSE, RIGHT_EYE),
    (LEFT_EYE, LEFT_EAR),
    (RIGHT_EYE, RIGHT_EAR),
    (LEFT_SHOULDER, RIGHT_SHOULDER),
    (LEFT_HIP, RIGHT_HIP),
    *((i, i + 2) for i in range(LEFT_SHOULDER, LEFT_WRIST)),
    (LEFT_SHOULDER, LEFT_HIP),
    (RIGHT_SHOULDER, RIGHT_HIP),
    *((i, i + 2) for i in range(LEFT_HIP, 15)),
    *((15, i) for i in (17, 18, 19)),
    *((16, i) for i in (20, 21, 22)),
)


def _hand_limbs(root: int) -> tuple[tuple[int, int], ...]:
    fingers = range(root + 1, root + 21)
    return tuple((root if (i - root) % 4 == 1 else i - 1, i) for i in fingers)


def side_of(joint: int) -> Side:
    """Which side of the person a joint is on; "middle" for what mirrors onto itself."""
    if MIRROR_OF[joint] == joint:
        return "middle"
    if FACE.start <= joint < FACE.stop:
        return "right" if joint - FACE.start in {right for right, _ in _FACE_SWAPS} else "left"
    return "left" if NAMES[joint].startswith("left") else "right"


def _limb_side(limb: tuple[int, int]) -> Side:
    a, b = side_of(limb[0]), side_of(limb[1])
    if a == "middle" or a == b:
        return b
    return a if b == "middle" else "middle"


LIMBS: tuple[tuple[int, int, Side], ...] = tuple(
    (a, b, _limb_side((a, b)))
    for a, b in (*_BODY_LIMBS, *_hand_limbs(LEFT_HAND_ROOT), *_hand_limbs(RIGHT_HAND_ROOT))
)
"""Pairs of joints that a drawing connects, with their side; the face is drawn as dots."""

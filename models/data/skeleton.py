"""Which numbers of a pose a network sees, and back: joints, local or global, with or without the body's translation."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from manifests import keypoints as kp
from manifests.motion import SMOOTHINGS, Local, smooth, to_global, to_local

HALF = 256.0
"""Pixels of half a 512 crop: one unit of what the network sees."""
MIDDLE = 255.5
"""The crop's middle; pixel centres lie at integers."""

LEGS = tuple(range(13, 23))
"""Knees, ankles and feet: left out by the released code (123 of 133 joints)."""


@dataclass(frozen=True, slots=True)
class Skeleton:
    """The layout of one frame: x and y of each joint, then of the neck.

    local: face from the nose tip, hands from their wrists, the rest from the neck (Yang et al. 2025, section 3.2); else
    all in the crop. neck: the body's translation, which the released code throws away. smoothing: a name of
    `SMOOTHINGS` or None. valid_from: confidence from which a joint counts. face_root: a name of `ROOTS_BY_FACE`, what
    the face is measured from where the layout is local; the released code takes the body's nose. It is left out of the
    repr, of which features have a hash in their name (`models.data.features.pose_features`).
    """

    joints: tuple[int, ...] = tuple(range(kp.JOINTS))
    local: bool = True
    neck: bool = True
    smoothing: str | None = "paper"
    valid_from: float = 0.5
    face_root: str = field(default="nose_tip", repr=False)

    def __post_init__(self) -> None:
        """Refuse a layout that cannot be read back."""
        joints = list(self.joints)
        known = set(joints) <= set(range(kp.JOINTS))
        if not known or not joints or len(set(joints)) < len(joints):
            raise ValueError(f"joints are some of 0 to {kp.JOINTS - 1}, each once, got {joints}")
        if self.face_root not in kp.ROOTS_BY_FACE:
            raise ValueError(
                f"face_root is {' or '.join(kp.ROOTS_BY_FACE)}, got {self.face_root!r}"
            )
        if self.local and (away := {int(root) for root in self.roots[joints]} - {kp.NECK, *joints}):
            raise ValueError(
                f"a local layout needs the roots of its joints: {min(away)} is not in it"
            )
        if self.smoothing is not None and self.smoothing not in SMOOTHINGS:
            raise ValueError(
                f"smoothing is {', '.join(SMOOTHINGS)} or null, got {self.smoothing!r}"
            )
        if not 0.0 <= self.valid_from < np.inf:
            raise ValueError(f"valid_from is 0 or more, got {self.valid_from}")

    @property
    def roots(self) -> Int[np.ndarray, "133"]:
        """What each joint is measured from where the layout is local: a joint or `NECK`."""
        return kp.ROOTS_BY_FACE[self.face_root]

    @property
    def size(self) -> int:
        """Numbers per frame."""
        return 2 * (len(self.joints) + self.neck)

    def encode(
        self, pose: Float[np.ndarray, "time 133 3"]
    ) -> tuple[Float32[np.ndarray, "time size"], Bool[np.ndarray, "time size"]]:
        """A pose in pixels of the 512 crop as (values, which of them are known); unknown values are 0.

        A joint counts as known where it and its root are.
        """
        steady = smooth(pose, SMOOTHINGS[self.smoothing]) if self.smoothing else pose
        local, joints = to_local(steady, roots=self.roots), list(self.joints)
        known = (pose[..., 2] > 0.0) & (pose[..., 2] >= self.valid_from)
        if self.local:
            points = local.joints[:, joints] / HALF
            roots = self.roots[joints]
            known = known[:, joints] & np.where(roots == kp.NECK, True, known[:, roots])
        else:
            points = (steady[:, joints, :2].astype(np.float64) - MIDDLE) / HALF
            known = known[:, joints]
        values = np.where(known[..., None], points, 0.0).reshape(len(pose), -1)
        mask = np.repeat(known, 2, axis=1)
        if self.neck:
            shoulders = pose[:, [kp.LEFT_SHOULDER, kp.RIGHT_SHOULDER], 2]
            both = (shoulders >= self.valid_from).all(axis=1, keepdims=True)
            values = np.concatenate([values, (local.neck - MIDDLE) / HALF], axis=1)
            mask = np.concatenate([mask, np.repeat(both, 2, axis=1)], axis=1)
        return values.astype(np.float32), mask

    def decode(
        self,
        values: Float[np.ndarray, "time size"],
        *,
        neck: Float[np.ndarray, "time 2"] | None = None,
    ) -> Float32[np.ndarray, "time 133 3"]:
        """The pose in pixels of the 512 crop; joints outside the layout are missing, the others have confidence 1.

        neck: in pixels, needed where the layout is local and holds none. Raises ValueError where it is not given.
        """
        values = values.astype(np.float64)
        points = values[:, : 2 * len(self.joints)].reshape(len(values), -1, 2)
        confidence = np.zeros((len(values), kp.JOINTS))
        confidence[:, list(self.joints)] = 1.0
        placed = np.zeros((len(values), kp.JOINTS, 2))
        if not self.local:
            placed[:, list(self.joints)] = points * HALF + MIDDLE
            return np.concatenate([placed, confidence[..., None]], axis=-1).astype(np.float32)
        if self.neck:
            neck = values[:, -2:] * HALF + MIDDLE
        if neck is None:
            raise ValueError("a local layout without a neck needs the neck's path to be decoded")
        placed[:, list(self.joints)] = points * HALF
        local = Local(neck=neck, joints=placed, confidence=confidence)
        return to_global(local, roots=self.roots).astype(np.float32)

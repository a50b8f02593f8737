"""The opening of the lips as the loss sees it: the way between inner upper and lower lip, in spreads within clips.

A joint's place varies with who speaks and how the head is turned far more than with what is said, so an error that is
even over standardised joints hardly sees the lips open. The way between two lips has neither part.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from manifests import keypoints as kp
from models.data.skeleton import Skeleton
from models.data.statistics import LEAST_SPREAD, Statistics
from models.diffusion.loss import masked_error

PAIRS = tuple(
    (kp.FACE.start + up, kp.FACE.start + low) for up, low in ((61, 67), (62, 66), (63, 65))
)
"""Inner upper and lower lip, joints of the 133."""


@dataclass(frozen=True)
class Opening:
    """ways: standardised values of a frame to x and y of each pair's way, in `spread`s; needs: the values of each."""

    ways: Float[Tensor, "size way"]
    needs: Float[Tensor, "size way"]

    @classmethod
    def of(
        cls,
        skeleton: Skeleton,
        statistics: Statistics,
        clips: Iterable[tuple[Float[np.ndarray, "time size"], Bool[np.ndarray, "time size"]]],
    ) -> "Opening":
        """clips: (values, known) of what is trained on, before they are standardised.

        Raises ValueError where the skeleton has no inner lips.
        """
        ways = differences(skeleton)
        needs = ways != 0.0
        total, count = 0.0, 0
        for values, known in clips:
            both = (known[:, :, None] | ~needs).all(axis=1)
            for way in range(ways.shape[1]):
                seen = (values.astype(np.float64) @ ways[:, way])[both[:, way]]
                total += float(((seen - seen.mean()) ** 2).sum()) if len(seen) else 0.0
                count += len(seen)
        spread = max(float(np.sqrt(total / max(count, 1))), LEAST_SPREAD)
        scaled = ways * statistics.spread[:, None] / spread
        return cls(torch.from_numpy(scaled.astype(np.float32)), torch.from_numpy(needs.astype(np.float32)))  # fmt: skip

    def error(
        self,
        predicted: Float[Tensor, "batch time size"],
        true: Float[Tensor, "batch time size"],
        known: Bool[Tensor, "batch time size"],
    ) -> Float[Tensor, ""]:
        """Mean squared error of the ways where both lips are known; 1 for who always shows a clip's mean opening."""
        ways, needs = self.ways.to(true.device), self.needs.to(true.device)
        both = (~known).float() @ needs == 0.0
        return masked_error(predicted @ ways, true @ ways, both)


def differences(skeleton: Skeleton) -> Float[np.ndarray, "size way"]:
    """Lower less upper inner lip: x and y of three pairs. Both hang on one root, so local and global agree."""
    joints = list(skeleton.joints)
    if missing := {joint for pair in PAIRS for joint in pair} - set(joints):
        raise ValueError(f"the lips' error needs the inner lips: joint {min(missing)} is left out")
    ways = np.zeros((skeleton.size, 2 * len(PAIRS)))
    for number, (upper, lower) in enumerate(PAIRS):
        for axis in (0, 1):
            ways[2 * joints.index(lower) + axis, 2 * number + axis] = 1.0
            ways[2 * joints.index(upper) + axis, 2 * number + axis] = -1.0
    return ways

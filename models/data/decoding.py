"""From what a network says back to a pose."""

import numpy as np
from jaxtyping import Float, Float32

from manifests import keypoints as kp
from manifests.motion import neck_path
from models.data.skeleton import Skeleton
from models.data.statistics import Statistics

SEEN = 0.05
"""Fraction of the training frames from which on a joint is generated; below, nothing was learned about it."""


def decoded(
    skeleton: Skeleton,
    statistics: Statistics,
    values: Float32[np.ndarray, "time size"],
    reference: Float[np.ndarray, "133 3"],
) -> Float32[np.ndarray, "time 133 3"]:
    """Values of a layout, not normalised, as a pose in pixels of the 512 crop.

    Joints that training hardly saw are missing. Without a neck in the layout the reference's stands still.
    """
    neck = None if skeleton.neck else np.repeat(neck_path(reference[None]), len(values), axis=0)
    pose = skeleton.decode(values, neck=neck)
    joints = np.zeros(kp.JOINTS, np.bool_)
    joints[list(skeleton.joints)] = (
        statistics.known_fraction[: 2 * len(skeleton.joints) : 2] >= SEEN
    )
    pose[:, ~joints] = 0.0
    return pose

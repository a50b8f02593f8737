"""Which square of a picture holds a speaker: arithmetic on a pose and a face, for a clip or for a single picture."""

import numpy as np
from numpy.typing import NDArray

from manifests.record import Box

# What the crop is to hold: head, arms, hands and trunk. Joints 11 and 12 are the hips; legs and feet (13 to 22) are not
# part of it, so that a standing speaker fills the picture as a seated one does.
HELD = np.r_[0:13, 23:133]
# Room above the brows for the hair, in heights of the face box; the top joint of the 133 is an eyebrow.
HAIR = 0.8


def speaker_box(
    pose: NDArray[np.float32], face: Box, *, size: tuple[int, int], valid_from: float, margin: float
) -> Box:
    """The even square that holds the upper body through the span, with margin, inside the frame where it fits.

    pose: (F, 133, 3), upright pixels. Joints count where they are seen and inside the picture; the 1st and 99th
    percentiles over all of them keep a single wild frame from widening the box.
    """
    joints = pose[:, HELD].reshape(-1, 3)
    inside = (
        (joints[:, 2] >= valid_from)
        & (joints[:, 0] >= 0)
        & (joints[:, 0] < size[0])
        & (joints[:, 1] >= 0)
        & (joints[:, 1] < size[1])
    )
    points = joints[inside, :2]
    corners = [[face[0], face[1] - HAIR * face[3]], [face[0] + face[2], face[1] + face[3]]]
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    if len(points):
        low = np.minimum(low, np.percentile(points, 1, axis=0))
        high = np.maximum(high, np.percentile(points, 99, axis=0))
    low, high = np.maximum(low, 0.0), np.minimum(high, np.asarray(size, dtype=float))
    return place_square(low, high, size=size, margin=margin)


def place_square(
    low: NDArray[np.float64], high: NDArray[np.float64], *, size: tuple[int, int], margin: float
) -> Box:
    """The even square around a box, with margin; the margin gives way where it would widen the square past the frame's
    shorter side, so that only the body itself can.
    """
    longest = float(np.max(high - low))
    limit = max(longest, float(min(size)) - 1.0)
    side = int(np.ceil(min(longest * (1.0 + 2.0 * margin), limit) / 2.0)) * 2
    middle = (low + high) / 2.0
    corner = [
        placed(float(mid) - side / 2.0, side, extent)
        for mid, extent in zip(middle, size, strict=True)
    ]
    return float(corner[0]), float(corner[1]), float(side), float(side)


def placed(start: float, side: int, extent: int) -> int:
    """Where the square starts along one axis: moved inside the frame if it fits, else centred over it."""
    if side > extent:
        return round((extent - side) / 2.0)
    return min(max(round(start), 0), extent - side)

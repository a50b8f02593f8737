"""One person's pictures through a backend: how large they are, and the way back to the upright frame."""

import numpy as np
from jaxtyping import Float, Float32, UInt8

from manifests.geometry import apply, crop_affine
from manifests.record import Box
from pipeline.perception.pose import PoseBackend


def picture_size(box: Box, longest_side: int) -> tuple[int, int]:
    """(width, height) of the picture given to the network: the region's own, or shrunk to the longest side."""
    scale = min(1.0, longest_side / max(box[2], box[3]))
    return max(2, round(box[2] * scale)), max(2, round(box[3] * scale))


def follow(
    backend: PoseBackend, pictures: UInt8[np.ndarray, "frames h w 3"], box: Box
) -> Float32[np.ndarray, "frames 133 3"]:
    """Poses of one person, tracked afresh through pictures of one box, in pixels of the upright frame."""
    with backend.track() as tracker:
        seen = np.stack([tracker(picture) for picture in pictures])
    return to_upright(seen, box, (pictures.shape[2], pictures.shape[1]))


def to_upright(
    pose: Float[np.ndarray, "frames 133 3"], box: Box, size: tuple[int, int]
) -> Float32[np.ndarray, "frames 133 3"]:
    """Poses in pixels of a box cut out at `size`, mapped back to where it was cut; missing joints stay 0, 0, 0."""
    matrix = np.vstack([np.asarray(crop_affine(box, size)), [0.0, 0.0, 1.0]])
    (a, b, c), (d, e, f) = np.linalg.inv(matrix)[:2].tolist()
    placed = np.concatenate([apply(((a, b, c), (d, e, f)), pose[..., :2]), pose[..., 2:]], axis=-1)
    placed[pose[..., 2] <= 0.0] = 0.0
    return placed.astype(np.float32)

"""Pose: 133 COCO-WholeBody keypoints with confidence for every frame of one person's span, at 25 FPS."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

import numpy as np

from manifests.geometry import apply, crop_affine
from manifests.record import Affine, Backend, Box, Clip, Pose
from pipeline.perception.faces import face_at
from pipeline.perception.pose import PoseBackend, PoseTracker
from pipeline.stage import Frames


@dataclass(frozen=True, slots=True)
class EstimatePose:
    """Whole-body pose in the part of the picture that is the person's (Yang et al. 2025, section 3.2).

    Tracking starts fresh at the span's first frame, so the result is a function of span and person alone.
    longest_side: pixels of the person's picture, at most; smaller ones are not enlarged. As many pictures are kept in
    memory as the backend takes at once.
    """

    name: ClassVar = "pose"
    version: ClassVar = 2
    reads: ClassVar = frozenset({"media", "span", "person"})
    writes: ClassVar = "pose"

    backend: PoseBackend
    longest_side: int = 640

    def __call__(self, clip: Clip, frames: Frames, /) -> Clip:
        box = clip.person.region
        size = picture_size(box, self.longest_side)
        shrink = crop_affine(box, size)
        looks = (
            (picture.cut(box, size), moved(face_at(clip.person.path, frame), shrink))
            for frame, picture in frames
        )
        with self.backend.track() as tracker:
            seen = np.concatenate(list(in_batches(tracker, looks, self.backend.batch)))
        pose = to_upright(seen, shrink)
        found = float(np.mean((pose[:, :17, 2] > 0.0).any(axis=1)))
        section = Pose(
            backend=Backend(
                name=self.backend.name, version=self.backend.version, weights=self.backend.weights
            ),
            array=frames.store.put_array(pose),
            valid_from=self.backend.valid_from,
            found=found,
        )
        return clip.model_copy(update={"pose": section})


def in_batches(
    tracker: PoseTracker, looks: Iterator[tuple[np.ndarray, Box]], batch: int
) -> Iterator[np.ndarray]:
    """Poses (n, 133, 3) of the pictures with their faces, `batch` at a time."""
    while some := list(islice(looks, batch)):
        images, faces = zip(*some, strict=True)
        yield tracker.many(images, faces)


def moved(box: Box, affine: Affine) -> Box:
    """A box through an affine that neither turns nor mirrors."""
    corners = apply(affine, np.array([box[:2], (box[0] + box[2], box[1] + box[3])]))
    (left, top), (right, bottom) = corners.tolist()
    return left, top, right - left, bottom - top


def picture_size(box: Box, longest_side: int) -> tuple[int, int]:
    """(width, height) of the picture given to the network: the region's own, or shrunk to the longest side."""
    scale = min(1.0, longest_side / max(box[2], box[3]))
    return max(2, round(box[2] * scale)), max(2, round(box[3] * scale))


def to_upright(pose: np.ndarray, affine: Affine) -> np.ndarray:
    """Pose (F, 133, 3) in pixels of a cut, mapped back through the affine that cut it; missing joints stay 0, 0, 0."""
    matrix = np.vstack([np.asarray(affine), [0.0, 0.0, 1.0]])
    (a, b, c), (d, e, f) = np.linalg.inv(matrix)[:2].tolist()
    placed = np.concatenate([apply(((a, b, c), (d, e, f)), pose[..., :2]), pose[..., 2:]], axis=-1)
    placed[pose[..., 2] <= 0.0] = 0.0
    return placed.astype(np.float32)

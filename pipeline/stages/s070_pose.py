"""Pose: 133 COCO-WholeBody keypoints with confidence for every frame of one person's span, at 25 FPS."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from manifests.record import Backend, Clip, Pose
from pipeline.perception.pose import PoseBackend
from pipeline.perception.pose.person import follow, picture_size
from pipeline.stage import Frames, Needs, Scope


@dataclass(frozen=True, slots=True)
class EstimatePose:
    """Whole-body pose in the part of the picture that is the person's (paper 003, section 3.2).

    Tracking starts fresh at the span's first frame, so the result is a function of span and person alone.
    longest_side: pixels of the person's picture, at most; smaller ones are not enlarged.
    """

    name: ClassVar = "pose"
    version: ClassVar = 1
    scope: ClassVar = Scope.SPAN
    reads: ClassVar = frozenset({"media", "span", "person"})
    writes: ClassVar = "pose"
    needs: ClassVar = Needs(ram_gib=1.0)

    backend: PoseBackend
    longest_side: int = 640

    def __call__(self, clip: Clip, frames: Frames, /) -> Clip:
        box = clip.person.region
        pictures = frames.pictures(box, picture_size(box, self.longest_side))
        pose = follow(self.backend, pictures, box)
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

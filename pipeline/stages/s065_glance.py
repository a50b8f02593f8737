"""Glance: a few poses of a candidate, which say at a fiftieth of the price whether those of every frame are worth it.

What it writes are bounds: what the posture of the whole span can be at best. The rules ask the same of them as they ask
of the posture itself, so a glance drops what the pose would drop, and never anything else.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from manifests.record import Backend, Clip
from manifests.record import Glance as Section
from pipeline.perception import posture
from pipeline.perception.pose import PoseBackend
from pipeline.perception.pose.person import follow, picture_size
from pipeline.stage import Frames, Needs, Scope


@dataclass(frozen=True, slots=True)
class Glance:
    """Pose in a few frames, spread evenly over the span.

    looks: 7 is the least for which one value in a hundred spans lies outside its bound: all of 7 independent looks miss
    what half of the frames show once in 128 times. longest_side: as for the pose.
    """

    name: ClassVar = "glance"
    version: ClassVar = 1
    scope: ClassVar = Scope.SPAN
    reads: ClassVar = frozenset({"media", "span", "person"})
    writes: ClassVar = "glance"
    needs: ClassVar = Needs(ram_gib=1.0)

    backend: PoseBackend
    longest_side: int = 640
    looks: int = 7

    def __call__(self, clip: Clip, frames: Frames, /) -> Clip:
        box = clip.person.region
        pictures = frames.pictures(box, picture_size(box, self.longest_side))
        places = ((np.arange(self.looks) + 0.5) * len(pictures) / self.looks).astype(np.int64)
        pose, valid = follow(self.backend, pictures[places], box), self.backend.valid_from
        section = Section(
            backend=Backend(
                name=self.backend.name, version=self.backend.version, weights=self.backend.weights
            ),
            looks=self.looks,
            upper_body=posture.share_at_best(
                posture.upper_body(pose, clip.media.upright_size, valid), self.looks
            ),
            facing=posture.facing_at_best(pose, valid),
            face_seen=posture.share_at_best(posture.face_seen(pose, valid), self.looks),
        )
        return clip.model_copy(update={"glance": section})

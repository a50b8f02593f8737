"""Posture: what the pose of one person over one span says about its use (paper 003, section 3.2, quality control)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from manifests.record import Clip, Posture
from pipeline.perception import posture
from pipeline.stage import Frames, Needs, Scope, need


@dataclass(frozen=True, slots=True)
class MeasurePosture:
    """Upper body, size, turn of head and shoulders, face, hands, stillness: numbers; the rules decide."""

    name: ClassVar = "posture"
    version: ClassVar = 2
    scope: ClassVar = Scope.SPAN
    reads: ClassVar = frozenset({"pose", "media"})
    writes: ClassVar = "posture"
    needs: ClassVar = Needs(ram_gib=0.1)

    def __call__(self, clip: Clip, frames: Frames, /) -> Clip:
        section = need(clip.pose, "pose")
        pose = frames.store.read_array(need(section.array, "pose.array")).astype(np.float32)
        size, valid = clip.media.upright_size, section.valid_from
        measured = Posture(
            backend=section.backend,
            upper_body=posture.upper_body(pose, size, valid),
            shoulder_width=posture.shoulder_width(pose, size, valid),
            facing=posture.facing(pose, valid),
            shoulder_facing=posture.shoulder_facing(pose, valid),
            face_seen=posture.face_seen(pose, valid),
            stillness=posture.stillness(pose, valid),
            hands=posture.hands_seen(pose, valid),
        )
        return clip.model_copy(update={"posture": measured})

"""Posture: what the pose of one person over one span says about its use (Yang et al. 2025, section 3.2)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from manifests.record import Backend, Clip, Posture
from pipeline.perception import posture
from pipeline.stage import Frames, need


@dataclass(frozen=True, slots=True)
class MeasurePosture:
    """Upper body, size, turn of head and shoulders, face, hands, stillness: numbers; the rules decide."""

    name: ClassVar = "posture"
    version: ClassVar = 4
    reads: ClassVar = frozenset({"pose", "media"})
    writes: ClassVar = "posture"

    def __call__(self, clip: Clip, frames: Frames, /) -> Clip:
        section = need(clip.pose, "pose")
        pose = frames.store.read_array(need(section.array, "pose.array")).astype(np.float32)
        measured = posture_of(pose, clip.media.upright_size, section.valid_from, section.backend)
        return clip.model_copy(update={"posture": measured})


def posture_of(
    pose: posture.Pose, size: tuple[int, int], valid_from: float, backend: Backend
) -> Posture:
    """What a pose (F, 133, 3) in a picture of (width, height) = size says; see `pipeline.perception.posture`."""
    return Posture(
        backend=backend,
        upper_body=posture.upper_body(pose, size, valid_from),
        shoulder_width=posture.shoulder_width(pose, size, valid_from),
        facing=posture.facing(pose, valid_from),
        shoulder_facing=posture.shoulder_facing(pose, valid_from),
        face_seen=posture.face_seen(pose, valid_from),
        stillness=posture.stillness(pose, valid_from),
        hands=posture.hands_seen(pose, valid_from),
    )

"""Framing: the one square box of a clip, around the speaker's upper body, from the pose alone."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from manifests.geometry import compose, crop_affine, fraction_outside, upright_affine
from manifests.record import Affine, Box, Clip, Framing
from pipeline.perception.framing import speaker_box
from pipeline.stage import Frames, need


@dataclass(frozen=True, slots=True)
class FrameSpeaker:
    """Where to crop each speaker, with margins (Yang et al. 2025, section 3.2).

    size: pixels of the stored picture; margin: of the person's longer side, on each side.
    """

    name: ClassVar = "framing"
    version: ClassVar = 2
    reads: ClassVar = frozenset({"media", "person", "pose"})
    writes: ClassVar = "framing"

    size: int = 512
    margin: float = 0.08

    def __call__(self, clip: Clip, frames: Frames, /) -> Clip:
        pose = need(clip.pose, "pose")
        box = speaker_box(
            frames.store.read_array(need(pose.array, "pose.array")).astype(np.float32),
            clip.person.face,
            size=clip.media.upright_size,
            valid_from=pose.valid_from,
            margin=self.margin,
        )
        size = (self.size, self.size)
        section = Framing(
            box=box,
            outside=fraction_outside(box, clip.media.upright_size),
            enlarged=self.size / box[2],
            size=size,
            affine=source_to_crop(clip, need(frames.source.media, "media").size, box, size),
        )
        return clip.model_copy(update={"framing": section})


def source_to_crop(clip: Clip, stored: tuple[int, int], box: Box, size: tuple[int, int]) -> Affine:
    """Stored source pixels to crop pixels."""
    upright = upright_affine(
        stored, rotation=clip.media.rotation, pixel_aspect=clip.media.pixel_aspect
    )
    return compose(crop_affine(box, size), upright)

"""Crop: 512x512 H.264 with sound, 16 kHz FLAC, and the keypoints in the crop's own pixels."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from manifests.geometry import SAMPLES_PER_FRAME, apply, crop_affine
from manifests.record import Box, Clip, Crop
from pipeline.media.encoding import Encoding
from pipeline.stage import Frames, need


@dataclass(frozen=True, slots=True)
class CropClip:
    """Decode a survivor once more, cut its square and store it (Yang et al. 2025, 3.2: 512x512, 25 FPS, 16 kHz)."""

    name: ClassVar = "crop"
    version: ClassVar = 1
    reads: ClassVar = frozenset({"media", "span", "pose", "sync", "framing"})
    writes: ClassVar = "crop"

    encoding: Encoding

    def __call__(self, clip: Clip, frames: Frames, /) -> Clip:
        from pipeline.media.encode import encode_clip, write_flac

        pose, framing = need(clip.pose, "pose"), need(clip.framing, "framing")
        shift = need(clip.sync, "sync").shifted
        sound = frames.sound(shift=shift)
        if len(sound) != SAMPLES_PER_FRAME * clip.span.frames:
            raise ValueError(f"the sound has {len(sound)} samples for {clip.span.frames} frames")
        with frames.store.scratch() as folder:
            video, audio = folder / "clip.mp4", folder / "clip.flac"
            encode_clip(
                (picture for _, picture in frames),
                media=need(frames.source.media, "media"),
                box=whole(framing.box),
                frames=clip.span.frames,
                sound=frames.full_sound(sample_rate=self.encoding.audio_rate, shift=shift),
                out=video,
                encoding=self.encoding,
            )
            write_flac(sound, audio)
            placed = pose_in_crop(
                frames.store.read_array(need(pose.array, "pose.array")).astype(np.float32),
                framing.box,
                framing.size,
            )
            section = Crop(
                video=frames.store.put_file(video),
                audio=frames.store.put_file(audio),
                pose=frames.store.put_array(placed),
            )
        return clip.model_copy(update={"crop": section})


def whole(box: Box) -> tuple[int, int, int, int]:
    """A box of whole pixels as integers."""
    return round(box[0]), round(box[1]), round(box[2]), round(box[3])


def pose_in_crop(pose: NDArray[np.float32], box: Box, size: tuple[int, int]) -> NDArray[np.float32]:
    """Pose (F, 133, 3) from upright pixels to pixels of the crop; missing joints stay 0, 0, 0."""
    moved = np.concatenate([apply(crop_affine(box, size), pose[..., :2]), pose[..., 2:]], axis=-1)
    moved[pose[..., 2] <= 0.0] = 0.0
    return moved.astype(np.float32)

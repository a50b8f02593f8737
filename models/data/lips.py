"""What networks see and hear that compare lips with a voice: families of face squares, cepstra, voiced frames, offsets.

The square is the filter's own: the face box that `csg-data build` followed through the clip (`person.path` of its
record, MediaPipe's: square, from the middle of the forehead to the chin), brought into the clip's stored picture.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float32, Int16, UInt8

from manifests.geometry import FPS, SAMPLE_RATE, crop_affine
from manifests.record import Box, Clip, Sync
from models.data.features import Recipe, family
from models.data.files import DatasetError
from models.data.index import Motions
from pipeline.packages import version_of
from pipeline.perception.faces import face_at
from pipeline.perception.speech import detector
from pipeline.perception.sync import BACKENDS, activespeaker, syncnet
from pipeline.perception.sync.mfcc import COEFFICIENTS, STEPS_PER_FRAME, mfcc

VOICED_FROM = 0.5
"""Probability from which Silero's detector hears speech, its documented default."""
Colour = Literal["rgb", "grey"]


@dataclass(frozen=True, slots=True)
class View:
    """A square part of the picture, in heights of the face box. below: of its centre below the box's centre."""

    side: float
    below: float

    @classmethod
    def of(cls, *, seen: int, top: int, crop: int, margin: float) -> "View":
        """The part of `seen` pixels from row `top` on, in the middle, of a backend's face crop (`face_margin`)."""
        height = crop / (1.0 + 2.0 * margin)
        return cls(seen / height, (top + seen / 2.0 - crop / 2.0) / height)

    def place(self, face: Box) -> Box:
        """The square at a face box, in the same pixels."""
        x, y, width, height = face
        side = self.side * height
        left, top = x + (width - side) / 2.0, y + height * (0.5 + self.below) - side / 2.0
        return left, top, side, side


SYNCNET = View.of(
    seen=syncnet.SEEN_SIZE, top=syncnet.SEEN_TOP, crop=syncnet.FACE_SIZE, margin=syncnet.FACE_MARGIN
)
ACTIVE_SPEAKER = View.of(
    seen=activespeaker.MOUTH_SIZE, top=activespeaker.MOUTH_TOP, crop=activespeaker.FACE_SIZE,
    margin=activespeaker.FACE_MARGIN,
)  # fmt: skip


def face_squares(view: View, size: int, colour: Colour) -> Recipe:
    """One square per frame, size × size pixels, uint8, of three colours (RGB) or grey (ITU-R BT.601).

    An hour takes size² · 0.09 MB, of colours thrice that. It needs the dataset's `video/` shards.
    """
    shape = (size, size, 3) if colour == "rgb" else (size, size)
    kind = family(f"faces-{colour}-1", (view, size, colour), shape, np.uint8)
    return Recipe(kind, partial(_face_squares, view, size, colour))


def cepstra() -> Recipe:
    """13 cepstra at 100 Hz, four rows per frame, as the published networks hear (`pipeline.perception.sync.mfcc`)."""
    kind = family("cepstra-1", "mfcc", COEFFICIENTS, np.float32, rate=float(FPS * STEPS_PER_FRAME))
    return Recipe(kind, _cepstra)


def voiced() -> Recipe:
    """1 on frames in which Silero's detector hears speech for half of the frame or more, else 0."""
    facts = (version_of("silero-vad"), VOICED_FROM)
    return Recipe(family("voiced-1", facts, 1, np.uint8), _voiced)


def sound_offset() -> Recipe:
    """One number per clip: frames by which the stored sound is late, where the dataset's backend was sure of it.

    What `csg-data build` moved is taken off; 0 where it was not sure.
    """
    sure = tuple((name, make().weights, make().sure_from) for name, make in BACKENDS.items())
    return Recipe(family("sound-offset-1", sure, 1, np.int16, rate=None), _sound_offset)


def _face_squares(
    view: View, size: int, colour: Colour, motions: Motions, number: int
) -> np.ndarray:
    frames = motions.frames(number)
    if frames is None:
        raise DatasetError(
            f"{motions.folder} has no video of {motions.entries[number].id}: faces are cut from its video/ shards"
        )
    squares = zip(frames, boxes(motions.record(number), view), strict=False)
    cuts = [toned(cut(picture, box, size), colour) for picture, box in squares]
    return np.stack(cuts) if cuts else np.zeros((0, size, size), np.uint8)


def boxes(clip: Clip, view: View) -> Iterator[Box]:
    """The square of each frame of a clip, in pixels of its stored picture. Raises DatasetError without a framing."""
    if clip.framing is None:
        raise DatasetError(f"the record of {clip.id} does not say how it was cut out")
    x, y, width, height = clip.framing.box
    across, down = clip.framing.size[0] / width, clip.framing.size[1] / height
    for frame in range(clip.span.start, clip.span.stop):
        left, top, wide, high = view.place(face_at(clip.person.path, frame))
        yield (left - x) * across, (top - y) * down, wide * across, high * down


def cut(picture: UInt8[np.ndarray, "h w 3"], box: Box, size: int) -> UInt8[np.ndarray, "s s 3"]:
    """A square of a picture at another size, black outside of it; shrunk by area where it is larger."""
    finer = max(1, int(np.ceil(box[2] / size)))
    affine = np.asarray(crop_affine(box, (size * finer, size * finer)))
    found = cv2.warpAffine(picture, affine, (size * finer, size * finer), flags=cv2.INTER_LINEAR)
    if finer > 1:
        found = cv2.resize(found, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(found, np.uint8)


def toned(square: UInt8[np.ndarray, "s s 3"], colour: Colour) -> np.ndarray:
    """RGB as it is, or grey."""
    if colour == "rgb":
        return square
    return np.rint(square.astype(np.float32) @ activespeaker.GREY).astype(np.uint8)


def _cepstra(motions: Motions, number: int) -> Float32[np.ndarray, "step 13"]:
    frames = motions.entries[number].frames
    return activespeaker.at_frame_rate(mfcc(motions.sound(number)), frames=frames).astype(
        np.float32
    )


def _voiced(motions: Motions, number: int) -> UInt8[np.ndarray, "frame 1"]:
    sound = motions.sound(number).astype(np.float32) / 32_768.0
    speaks = np.zeros(len(sound), np.float32)
    for start, stop in _detector()(sound):
        speaks[round(start * SAMPLE_RATE) : round(stop * SAMPLE_RATE)] = 1.0
    share = speaks.reshape(motions.entries[number].frames, -1).mean(axis=1)
    return (share >= 0.5).astype(np.uint8)[:, None]


@lru_cache(maxsize=1)
def _detector() -> detector.Detect:
    path = detector.model_path()
    if path is None:
        raise DatasetError("silero-vad has no network: pip install silero-vad==6.2.3")
    return detector.load_detector(path, VOICED_FROM)


def _sound_offset(motions: Motions, number: int) -> Int16[np.ndarray, "1 1"]:
    return np.array([[remaining(motions.record(number).sync)]], np.int16)


def remaining(sync: Sync | None) -> int:
    """Frames by which the sound of a stored clip is still late, as far as that is sure."""
    if sync is None or sync.backend.name not in BACKENDS:
        return 0
    backend = BACKENDS[sync.backend.name]()
    known = backend.sure_from is not None and backend.weights == sync.backend.weights
    sure = known and backend.sure_from is not None and sync.confidence >= backend.sure_from
    return sync.offset - sync.shifted if sure else 0

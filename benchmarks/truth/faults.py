"""Faults edited into real footage: pictures in, pictures out, each written through x264 like any upload."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
from jaxtyping import UInt8

from benchmarks.truth.cast import Actor
from manifests.record import Box
from pipeline.media.decode import Count, span
from pipeline.media.probe import probe

RGB = UInt8[np.ndarray, "high wide 3"]
LONG_SIDE = 640
"""Pixels at most, as many as the pose stage looks at; the survey takes up to 1280."""


def pictures_of(media: Path, actor: Actor) -> list[RGB]:
    """The actor's stretch at 25 pictures a second, upright."""
    file = media / "video" / actor.file
    facts = probe(file)
    wide, high = facts.upright_size
    scale = min(1.0, LONG_SIDE / max(wide, high))
    size = (round(wide * scale / 2) * 2, round(high * scale / 2) * 2)
    stop = min(facts.grid_frames, round(actor.stop * 25))
    start = round(actor.start * 25)
    return [
        np.ascontiguousarray(picture.rgb(size))
        for _, picture in span(file, facts, facts.timeline, start=start, stop=stop, count=Count())
    ]


def write(pictures: Iterable[RGB], file: Path, *, crf: int = 23) -> Path:
    """H.264 at 25 pictures a second, one thread; sides are cut to even numbers."""
    with av.open(str(file), "w") as container:
        options = {"crf": str(crf), "preset": "superfast", "threads": "1"}
        stream = container.add_stream("libx264", rate=Fraction(25), options=options)
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(pictures):
            even = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]
            if number == 0:
                stream.height, stream.width = even.shape[:2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file


def mirrored(pictures: Sequence[RGB]) -> list[RGB]:
    """Left and right changed."""
    return [np.ascontiguousarray(picture[:, ::-1]) for picture in pictures]


def cropped(pictures: Sequence[RGB], box: Box) -> list[RGB]:
    """One window of all pictures, enlarged to at least 512 high; what lies outside is left away."""
    x, y, wide, high = (round(side) for side in box)
    top, left = max(0, y), max(0, x)
    parts = [picture[top : y + high, left : x + wide] for picture in pictures]
    grow = max(1.0, 512 / parts[0].shape[0])
    size = (round(parts[0].shape[1] * grow), round(parts[0].shape[0] * grow))
    return [cv2.resize(part, size, interpolation=cv2.INTER_LINEAR) for part in parts]


def around(face: Box, *, high: float) -> Box:
    """A window that is `high` face boxes high, the face in its upper middle: 1.6 is the head alone.

    The detector's box runs from the brows to the chin, about 0.6 of the head (`pipeline.stages.s060_spans`).
    """
    x, y, wide, tall = face
    side = high * tall
    return (
        x + wide / 2.0 - 0.6 * side,
        y + 0.4 * tall - 0.5 * min(side, 2.0 * tall),
        1.2 * side,
        side,
    )


def pasted_small(
    pictures: Sequence[RGB], backdrop: RGB, *, face: float, share: float, at: float
) -> list[RGB]:
    """The pictures shrunk into a 960x540 one so that a face of `face` pixels has `share` of the height.

    at: of the free width, where. The person stands on the lower edge.
    """
    wide, high = 960, 540
    large = cv2.resize(backdrop, (wide, high), interpolation=cv2.INTER_AREA)
    shrink = share * high / face
    size = (round(pictures[0].shape[1] * shrink), round(pictures[0].shape[0] * shrink))
    left, made = round(at * (wide - size[0])), list[RGB]()
    if size[0] > wide or size[1] > high:
        return made
    for picture in pictures:
        frame = large.copy()
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        frame[high - size[1] :, left : left + size[0]] = small
        made.append(frame)
    return made


def frozen(picture: RGB, *, frames: int, grain: float, seed: int) -> list[RGB]:
    """One picture again and again under fresh grain, standard deviation in grey levels."""
    drawn = np.random.default_rng(seed)
    made: list[RGB] = []
    for _ in range(frames):
        noise = drawn.standard_normal(picture.shape[:2])[..., None] * grain
        made.append(np.clip(picture + noise, 0, 255).astype(np.uint8))
    return made


def covered(pictures: Sequence[RGB], faces: Sequence[Box], *, grow: float = 1.3) -> list[RGB]:
    """A piece of the picture's own lower edge held before the face, moving with it: a script, a microphone, a hand."""
    made: list[RGB] = []
    for picture, (x, y, wide, high) in zip(pictures, faces, strict=True):
        frame = picture.copy()
        mid_x, mid_y = x + wide / 2.0, y + high / 2.0
        left, top = max(0, round(mid_x - wide * grow / 2)), max(0, round(mid_y - high * grow / 2))
        stop_x = min(frame.shape[1], round(mid_x + wide * grow / 2))
        stop_y = min(frame.shape[0], round(mid_y + high * grow / 2))
        tall, broad = stop_y - top, stop_x - left
        if tall > 0 and broad > 0:
            frame[top:stop_y, left:stop_x] = picture[-tall:, :broad]
        made.append(frame)
    return made


def panned(pictures: Sequence[RGB], *, speed: float) -> list[RGB]:
    """A camera that turns: a window of 0.7 of the width that slides to and fro by `speed` frame widths a second."""
    wide = pictures[0].shape[1]
    window = round(0.7 * wide) // 2 * 2
    free = wide - window
    made: list[RGB] = []
    for number, picture in enumerate(pictures):
        way = (number * speed * window / 25.0) % (2.0 * free)
        left = round(way if way <= free else 2.0 * free - way)
        made.append(np.ascontiguousarray(picture[:, left : left + window]))
    return made


def energy(pictures: Sequence[RGB]) -> float:
    """Mean change from picture to picture, grey levels: the baseline's only sense."""
    small = [cv2.resize(p, (96, 54), interpolation=cv2.INTER_AREA).mean(axis=2) for p in pictures]
    return float(np.mean([np.abs(b - a).mean() for a, b in pairwise(small)]))

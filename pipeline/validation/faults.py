"""Faults edited into real footage: pictures in, pictures out, each written through x264 like any upload.

Pictures are RGB at 25 a second; boxes are (x, y, width, height) in pixels of them.
"""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
from jaxtyping import Float, UInt8

from manifests.record import Box
from pipeline.media.decode import Count, span
from pipeline.media.probe import probe

RGB = UInt8[np.ndarray, "high wide 3"]
Resized = UInt8[np.ndarray, "new_high new_wide 3"]
Backdrop = UInt8[np.ndarray, "backdrop_high backdrop_wide 3"]
LONG_SIDE = 640
"""Pixels of a picture's longer side, as many as the pose stage looks at; the survey takes up to 1280."""


def pictures_of(
    file: Path, *, start: float = 0.0, stop: float | None = None, long_side: int = LONG_SIDE
) -> list[RGB]:
    """A stretch of a file at 25 pictures a second, upright, with even sides, not enlarged.

    start, stop: seconds; without a stop to the end. Raises MediaError for a file that cannot be read.
    """
    facts = probe(file)
    wide, high = facts.upright_size
    scale = min(1.0, long_side / max(wide, high))
    size = (round(wide * scale / 2) * 2, round(high * scale / 2) * 2)
    last = facts.grid_frames if stop is None else min(facts.grid_frames, round(stop * 25))
    shown = span(file, facts, facts.timeline, start=round(start * 25), stop=last, count=Count())
    return [np.ascontiguousarray(picture.rgb(size)) for _, picture in shown]


def pieces(pictures: Sequence[RGB], length: int, stride: int) -> Iterator[list[RGB]]:
    """Pieces of `length` pictures, `stride` from one to the next; fewer pictures than that are one piece."""
    length = min(length, len(pictures))
    for start in range(0, len(pictures) - length + 1, stride):
        yield list(pictures[start : start + length])


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


def cropped(pictures: Sequence[RGB], box: Box) -> list[Resized]:
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
    pictures: Sequence[RGB], backdrop: Backdrop, *, face: float, fraction: float, at: float
) -> list[Resized]:
    """The pictures shrunk into a 960x540 one so that a face of `face` pixels has `fraction` of the height.

    at: of the free width, where. The person stands on the lower edge.
    """
    wide, high = 960, 540
    large = cv2.resize(backdrop, (wide, high), interpolation=cv2.INTER_AREA)
    shrink = fraction * high / face
    size = (round(pictures[0].shape[1] * shrink), round(pictures[0].shape[0] * shrink))
    left, made = round(at * (wide - size[0])), list[Resized]()
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


def panned(pictures: Sequence[RGB], *, speed: float) -> list[Resized]:
    """A camera that turns: a window of 0.7 of the width that slides to and fro by `speed` frame widths a second."""
    wide = pictures[0].shape[1]
    window = round(0.7 * wide) // 2 * 2
    free = wide - window
    made: list[Resized] = []
    for number, picture in enumerate(pictures):
        way = (number * speed * window / 25.0) % (2.0 * free)
        left = round(way if way <= free else 2.0 * free - way)
        made.append(np.ascontiguousarray(picture[:, left : left + window]))
    return made


def repeated(pictures: Sequence[RGB], fps: float) -> list[RGB]:
    """As many pictures, of which `fps` a second are new where there are 25: each is shown for several frames."""
    shown = (int(n * fps / 25 + 1e-9) for n in range(len(pictures)))
    return [pictures[int(new * 25 / fps + 1e-9)] for new in shown]


def head_alone(pictures: Sequence[RGB], face: Box, backdrop: Backdrop) -> list[Resized]:
    """The head without a body, a quarter of the height, in the middle of a picture without people."""
    heads = cropped(pictures, around(face, high=1.6))
    large = cv2.resize(backdrop, (960, 540), interpolation=cv2.INTER_AREA)
    high = 216
    wide = round(heads[0].shape[1] * high / heads[0].shape[0])
    made: list[Resized] = []
    for head in heads:
        frame = large.copy()
        small = cv2.resize(head, (wide, high), interpolation=cv2.INTER_AREA)
        frame[120 : 120 + high, 400 : 400 + wide] = small
        made.append(frame)
    return made


def above_elbows(
    pictures: Sequence[RGB],
    face: Box,
    elbows: Float[np.ndarray, "time 2 3"],
    *,
    valid_from: float,
) -> list[Resized] | None:
    """The pictures cut off above both elbows; None where these are never seen, or raised to the chin.

    elbows: x, y and confidence; those with less than `valid_from` are not seen.
    """
    seen = elbows[..., 2] > valid_from
    if not seen.any():
        return None
    lower = float(np.percentile(elbows[..., 1][seen], 2)) - 0.05 * face[3]
    if lower < face[1] + 1.3 * face[3]:
        return None
    return cropped(pictures, (0.0, 0.0, pictures[0].shape[1], lower))


def energy(pictures: Sequence[RGB]) -> float:
    """Mean change from picture to picture, grey levels: the baseline's only sense."""
    small = [cv2.resize(p, (96, 54), interpolation=cv2.INTER_AREA).mean(axis=2) for p in pictures]
    return float(np.mean([np.abs(b - a).mean() for a, b in pairwise(small)]))

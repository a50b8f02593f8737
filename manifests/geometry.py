"""Boxes, affine maps and the 25 FPS grid: where frames become times and source pixels become crop pixels.

Pixel centres lie at integers, so a box (x, y, w, h) covers the pixels from x - 0.5 to x + w - 0.5.
"""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from manifests.record import Affine, Box

FPS = 25
SAMPLE_RATE = 16_000
SAMPLES_PER_FRAME = SAMPLE_RATE // FPS


def grid_length(timeline: NDArray[np.int64], *, time_base: Fraction, last_duration: int) -> int:
    """Whole 25 FPS frames between the first timestamp and the end of the last source frame.

    timeline: sorted presentation timestamps in ticks; last_duration: ticks that the last frame is shown.
    Raises ValueError for an empty timeline.
    """
    if len(timeline) == 0:
        raise ValueError("a timeline needs one timestamp, got 0")
    ticks = int(timeline[-1]) - int(timeline[0]) + last_duration
    return int(Fraction(ticks) * time_base * FPS)


def grid_to_source(
    timeline: NDArray[np.int64], *, time_base: Fraction, start: int, stop: int
) -> NDArray[np.int64]:
    """Index of the source frame shown at each grid frame of [start, stop): the nearest in time, the earlier on a tie.

    Exact: compares in integers, so 25 FPS sources map one to one whatever their time base.
    """
    if start < 0 or stop < start:
        raise ValueError(f"a span needs 0 <= start <= stop, got [{start}, {stop})")
    # Ticks and grid frames both become integers in units of 1 / (time_base.denominator * FPS) seconds.
    scale = time_base.numerator * FPS
    source = (timeline - timeline[0]) * scale
    wanted = np.arange(start, stop, dtype=np.int64) * time_base.denominator
    right = np.clip(np.searchsorted(source, wanted, side="left"), 0, len(source) - 1)
    left = np.maximum(right - 1, 0)
    return np.where(wanted - source[left] <= source[right] - wanted, left, right)


def frame_of_seconds(seconds: float) -> int:
    """The grid frame that is shown at a time, in seconds from the first video timestamp."""
    return int(np.floor(seconds * FPS + 1e-6))


# ---- boxes -----------------------------------------------------------------------------------------------------------


def centre(box: Box) -> tuple[float, float]:
    """Middle of a box, in its own pixels (centres at integers)."""
    return box[0] + (box[2] - 1.0) / 2.0, box[1] + (box[3] - 1.0) / 2.0


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if width <= 0.0 or height <= 0.0:
        return 0.0
    shared = width * height
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def square_around(box: Box, *, margin: float) -> tuple[int, int, int]:
    """The integer square (x, y, side), side even, around a box grown on each side by `margin` of its longer side."""
    longer = max(box[2], box[3])
    side = int(np.ceil(longer * (1.0 + 2.0 * margin) / 2.0)) * 2
    mid_x, mid_y = box[0] + box[2] / 2.0, box[1] + box[3] / 2.0
    return round(mid_x - side / 2.0), round(mid_y - side / 2.0), side


def fraction_outside(box: Box, size: tuple[int, int]) -> float:
    """Fraction of a box's area that lies outside a picture of this (width, height)."""
    width = max(0.0, min(box[0] + box[2], float(size[0])) - max(box[0], 0.0))
    height = max(0.0, min(box[1] + box[3], float(size[1])) - max(box[1], 0.0))
    return 1.0 - width * height / (box[2] * box[3])


# ---- affine maps -----------------------------------------------------------------------------------------------------


def crop_affine(box: Box, size: tuple[int, int]) -> Affine:
    """Upright pixels to pixels of a crop of (width, height) = size: edges map to edges, centres at integers."""
    scale_x, scale_y = size[0] / box[2], size[1] / box[3]
    return (
        (scale_x, 0.0, (0.5 - box[0]) * scale_x - 0.5),
        (0.0, scale_y, (0.5 - box[1]) * scale_y - 0.5),
    )


def upright_affine(size: tuple[int, int], *, rotation: int, pixel_aspect: Fraction) -> Affine:
    """Stored pixels to upright pixels: square pixels by stretching the width, then a clockwise turn.

    size: stored (width, height); rotation: 0, 90, 180 or 270 degrees clockwise.
    """
    width, height = square_size(size, pixel_aspect=pixel_aspect)
    ratio = width / size[0]
    stretch: Affine = ((ratio, 0.0, (ratio - 1.0) / 2.0), (0.0, 1.0, 0.0))
    turns: dict[int, Affine] = {
        0: ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
        90: ((0.0, -1.0, height - 1.0), (1.0, 0.0, 0.0)),
        180: ((-1.0, 0.0, width - 1.0), (0.0, -1.0, height - 1.0)),
        270: ((0.0, 1.0, 0.0), (-1.0, 0.0, width - 1.0)),
    }
    if rotation not in turns:
        raise ValueError(f"rotation must be 0, 90, 180 or 270 degrees, got {rotation}")
    return compose(turns[rotation], stretch)


def square_size(size: tuple[int, int], *, pixel_aspect: Fraction) -> tuple[int, int]:
    """(width, height) of a stored picture with square pixels, before rotation; the height stays."""
    return max(1, round(size[0] * pixel_aspect)), size[1]


def upright_size(
    size: tuple[int, int], *, rotation: int, pixel_aspect: Fraction
) -> tuple[int, int]:
    """(width, height) of a stored picture once it is upright with square pixels."""
    width, height = square_size(size, pixel_aspect=pixel_aspect)
    return (height, width) if rotation in (90, 270) else (width, height)


def compose(outer: Affine, inner: Affine) -> Affine:
    """The map that applies `inner` first, then `outer`."""
    (a, b, c), (d, e, f) = outer
    (p, q, r), (s, t, u) = inner
    return (
        (a * p + b * s, a * q + b * t, a * r + b * u + c),
        (d * p + e * s, d * q + e * t, d * r + e * u + f),
    )


def apply(affine: Affine, points: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float32]:
    """Map points (..., 2), computed in float64, returned as float32."""
    matrix = np.asarray(affine, dtype=np.float64)
    return (points.astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)

"""Skeletons and boxes drawn over pictures, and contact sheets of many: for looking, and for the
report."""

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from manifests import keypoints as kp
from manifests.record import Box

Picture = UInt8[np.ndarray, "h w 3"]
Colour = tuple[int, int, int]

COLOURS: dict[kp.Side, Colour] = {
    "left": (64, 160, 255),
    "right": (255, 120, 48),
    "middle": (255, 255, 255),
}
"""RGB: the person's left is blue, their right orange."""
FACE_COLOUR: Colour = (96, 255, 96)
_SUBPIXEL = 4


def draw_pose(
    image: Picture, pose: Float[np.ndarray, "133 3"], *, valid_from: float = 0.5
) -> Picture:
    """A copy of an RGB picture with limbs, hands and face dots of the joints whose confidence
    reaches `valid_from`.

    pose: x, y in pixels of the picture (centres at integers), confidence. Joints outside are cut
    off.
    """
    drawn = image.copy()
    seen = (pose[:, 2] >= valid_from) & (pose[:, 2] > 0.0)
    thick = max(1, round(min(image.shape[:2]) / 300))
    for a, b, side in kp.LIMBS:
        if seen[a] and seen[b]:
            width = thick if max(a, b) >= kp.LEFT_HAND.start else 2 * thick
            _line(drawn, pose[a], pose[b], COLOURS[side], width)
    for joint in np.flatnonzero(seen):
        face = kp.FACE.start <= joint < kp.FACE.stop
        colour = FACE_COLOUR if face else COLOURS[kp.side_of(int(joint))]
        _dot(drawn, pose[joint], colour, thick if face else 1.5 * thick)
    return drawn


def draw_box(
    image: Picture, box: Box, *, label: str = "", colour: Colour = (255, 255, 0)
) -> Picture:
    """A copy with a box (x, y, width, height) and a word above it."""
    drawn = image.copy()
    x, y, width, height = (round(value) for value in box)
    thick = max(1, round(min(image.shape[:2]) / 300))
    cv2.rectangle(drawn, (x, y), (x + width - 1, y + height - 1), colour, thick)
    if label:
        draw_text(drawn, label, at=(x, y - 4), colour=colour)
    return drawn


def draw_text(
    image: Picture, text: str, *, at: tuple[int, int], colour: Colour = (255, 255, 255)
) -> None:
    """Write into the picture itself, with a dark edge; `at` is the lower left corner."""
    scale = max(0.4, min(image.shape[:2]) / 900.0)
    for ink, width in (((0, 0, 0), 3), (colour, 1)):
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, ink, width, cv2.LINE_AA)


def contact_sheet(
    images: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    *,
    columns: int,
    tile: tuple[int, int] = (320, 320),
) -> Picture:
    """The pictures in rows, each made to fit a black tile of (width, height) with its aspect kept.

    Raises ValueError for no picture or no column.
    """
    if not images or columns < 1:
        raise ValueError(f"a sheet needs pictures and columns, got {len(images)} and {columns}")
    rows = -(-len(images) // columns)
    sheet = np.zeros((rows * tile[1], columns * tile[0], 3), dtype=np.uint8)
    for i, image in enumerate(images):
        small = _fit(image, tile)
        y = i // columns * tile[1] + (tile[1] - small.shape[0]) // 2
        x = i % columns * tile[0] + (tile[0] - small.shape[1]) // 2
        sheet[y : y + small.shape[0], x : x + small.shape[1]] = small
    return sheet


def numbered_face(
    image: Picture, pose: Float[np.ndarray, "133 3"], *, side: int = 1200
) -> UInt8[np.ndarray, "{side} {side} 3"]:
    """The face enlarged, each of its 68 joints with its iBUG number: to check a table of indices by
    eye.

    Raises ValueError where there is no face.
    """
    face = pose[kp.FACE]
    if not (face[:, 2] > 0.0).any():
        raise ValueError("this pose has no face")
    low, high = face[:, :2].min(axis=0), face[:, :2].max(axis=0)
    span = float((high - low).max()) * 1.2
    scale = side / span
    corner = (low + high - span) / 2.0
    matrix = np.array([[scale, 0.0, -corner[0] * scale], [0.0, scale, -corner[1] * scale]])
    large = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_CUBIC).astype(np.uint8)
    points = (face[:, :2] - corner) * scale
    for number, point in enumerate(points):
        _dot(large, point, FACE_COLOUR, 2.5)
        draw_text(large, str(number), at=(int(point[0]) + 4, int(point[1]) - 4))
    for a, b in pairwise(range(17)):
        _line(large, points[a], points[b], FACE_COLOUR, 1)
    return large


def _fit(image: Picture, tile: tuple[int, int]) -> UInt8[np.ndarray, "height width 3"]:
    scale = min(tile[0] / image.shape[1], tile[1] / image.shape[0])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


def _fixed(point: np.ndarray) -> tuple[int, int]:
    x, y = np.clip(point[:2], -1e4, 1e4) * (1 << _SUBPIXEL)
    return round(float(x)), round(float(y))


def _line(image: Picture, a: np.ndarray, b: np.ndarray, colour: Colour, width: int) -> None:
    cv2.line(image, _fixed(a), _fixed(b), colour, width, cv2.LINE_AA, _SUBPIXEL)


def _dot(image: Picture, point: np.ndarray, colour: Colour, radius: float) -> None:
    size = round(radius * (1 << _SUBPIXEL))
    cv2.circle(image, _fixed(point), size, colour, -1, cv2.LINE_AA, _SUBPIXEL)

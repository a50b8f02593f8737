"""Arms and hands: rounded bones in three dimensions, shaded like skin or cloth."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.sample.portrait import Image

Vector = NDArray[np.float64]
"""(3,): x right, y down, z towards the viewer."""

LIGHT = np.array([-0.40, -0.52, 0.755], np.float32)
SPREAD = np.radians([9.0, 1.0, -7.0, -15.0])
KNUCKLES = ((0.47, 0.135), (0.50, 0.045), (0.48, -0.045), (0.44, -0.125))
FINGERS = (0.42, 0.47, 0.43, 0.34)
PHALANGES = (0.45, 0.31, 0.24)


@dataclass(frozen=True, slots=True)
class Bone:
    """A tapered, round-ended rod. start, end: (3,); radii in the same unit; colour RGB 0 to 255."""

    start: Vector
    end: Vector
    radius: float
    end_radius: float
    colour: tuple[float, float, float]
    folds: float = 0.0


@dataclass(frozen=True, slots=True)
class HandShape:
    """How a hand is held.

    curl: 0 (straight) to 1 (fist) for index, middle, ring and little finger; thumb 0 (in) to 1
    (out); fan: spread of the fingers, 1 is relaxed; roll about the forearm in radians (0: palm to
    the viewer, pi: back of the hand); bend in the picture plane and tilt out of it, in radians.
    """

    curl: tuple[float, float, float, float] = (0.2, 0.2, 0.25, 0.3)
    thumb: float = 0.6
    fan: float = 1.0
    roll: float = 0.0
    bend: float = 0.0
    tilt: float = 0.0


def _turn(axis: int, angle: float) -> NDArray[np.float64]:
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.eye(3)
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix[first, first] = matrix[second, second] = cos
    matrix[first, second], matrix[second, first] = -sin, sin
    return matrix


def hand_bones(
    wrist: Vector,
    along: float,
    shape: HandShape,
    *,
    side: float,
    length: float,
    colour: tuple[float, float, float],
) -> list[Bone]:
    """The bones of one hand.

    wrist: (3,); along: direction of the forearm in the picture plane, radians, 0 to the right and
    pi/2 down; side: -1 for the hand on the left of the picture, 1 for the other; length: wrist to
    middle fingertip.
    """
    pose = _turn(2, along + shape.bend) @ _turn(1, -shape.tilt) @ _turn(0, side * shape.roll)
    flip = np.array([1.0, -side, 1.0])

    def at(point: Vector) -> Vector:
        return wrist + length * (pose @ (flip * point))

    dimmer = (0.97 * colour[0], 0.97 * colour[1], 0.97 * colour[2])
    bones = []
    for number, (knuckle, reach) in enumerate(zip(KNUCKLES, FINGERS, strict=True)):
        base = np.array([knuckle[0], knuckle[1], 0.0])
        root = np.array([0.02, knuckle[1] * 0.55, 0.0])
        bones.append(Bone(at(root), at(base), 0.098 * length, 0.068 * length, colour))
        heading = SPREAD[number] * shape.fan
        bent, here = 0.0, base
        for joint, fraction in enumerate(PHALANGES):
            bent += shape.curl[number] * (1.35, 1.6, 1.0)[joint]
            step = np.array(
                [np.cos(bent) * np.cos(heading), np.cos(bent) * np.sin(heading), np.sin(bent)]
            )
            there = here + reach * fraction * step
            thick = (0.060, 0.054, 0.049, 0.042)
            thinner = 1.0 if number < 3 else 0.86
            bones.append(
                Bone(at(here), at(there), thick[joint] * thinner * length,
                     thick[joint + 1] * thinner * length, dimmer if joint == 1 else colour)
            )  # fmt: skip
            here = there
    out = 0.35 + 0.75 * shape.thumb
    here = np.array([0.07, 0.09, 0.03])
    for reach, radius, end_radius in (
        (0.24, 0.10, 0.068),
        (0.17, 0.062, 0.057),
        (0.14, 0.055, 0.045),
    ):
        there = here + reach * np.array([np.cos(out), np.sin(out), 0.22])
        bones.append(Bone(at(here), at(there), radius * length, end_radius * length, colour))
        here, out = there, out - 0.22
    return bones


def draw_bones(bones: Sequence[Bone], *, size: tuple[int, int]) -> tuple[Image, tuple[int, int]]:
    """Render bones in canvas pixels; the nearest surface wins at each pixel.

    Returns an RGBA patch (height, width, 4), not premultiplied, and the canvas position of its
    corner; the patch holds only what lies on a canvas of `size` (width, height).
    """
    ends = np.array([[*bone.start[:2], *bone.end[:2]] for bone in bones])
    widest = np.array([[max(bone.radius, bone.end_radius) + 2] for bone in bones])
    low = np.floor(np.minimum(ends[:, :2], ends[:, 2:]) - widest).astype(int)
    high = np.ceil(np.maximum(ends[:, :2], ends[:, 2:]) + widest).astype(int) + 1
    low, high = np.clip(low, 0, size), np.clip(high, 0, size)
    left, top = (int(v) for v in low.min(axis=0))
    right, bottom = (int(v) for v in high.max(axis=0))
    shape = (max(bottom - top, 0), max(right - left, 0))
    if 0 in shape:
        return np.zeros((0, 0, 4), np.uint8), (left, top)
    surface = _Surface(shape)
    palette = sorted({bone.colour for bone in bones})
    for bone, (x0, y0), (x1, y1) in zip(bones, low, high, strict=True):
        if x1 > x0 and y1 > y0:
            window = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
            surface.add(bone, palette.index(bone.colour), window, (int(x0), int(y0)))
    return surface.patch(palette), (left, top)


class _Surface:
    """What is nearest at each pixel so far: shade, which colour, height and coverage."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shade = np.zeros(shape, np.float32)
        self.cover = np.zeros(shape, np.float32)
        self.height = np.full(shape, -1e9, np.float32)
        self.colour = np.zeros(shape, np.uint8)

    def add(
        self, bone: Bone, colour: int, window: tuple[slice, slice], corner: tuple[int, int]
    ) -> None:
        """Put a bone into the part `window`, whose first pixel is canvas pixel `corner`."""
        height, cover = self.height[window], self.cover[window]
        rows, columns = height.shape
        x = np.arange(columns, dtype=np.float32)[None, :] + np.float32(corner[0] - bone.start[0])
        y = np.arange(rows, dtype=np.float32)[:, None] + np.float32(corner[1] - bone.start[1])
        inside, level, shade = _rod(bone, x, y)
        wins = (inside > 0) & (level > height)
        # At its soft edge a bone lets the shade beneath shine through, if there is one.
        coverage = np.maximum(inside, cover <= 0) * wins
        self.shade[window] += (shade - self.shade[window]) * coverage
        np.copyto(self.colour[window], np.uint8(colour), where=coverage > 0.5)
        np.copyto(height, level, where=wins)
        np.maximum(cover, inside, out=cover)

    def patch(self, palette: Sequence[tuple[float, float, float]]) -> Image:
        """Everything in colour, RGBA."""
        table = np.array(palette, np.float32)
        planes = [
            np.minimum(np.take(table[:, channel], self.colour) * self.shade, 255).astype(np.uint8)
            for channel in range(3)
        ]
        return cv2.merge([*planes, (self.cover * np.float32(255)).astype(np.uint8)])


def _rod(
    bone: Bone, x: NDArray[np.float32], y: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Coverage (0 to 1), height towards the viewer and shade (about 0.4 to 1.1) of a bone.

    x: (1, width), y: (height, 1), pixels from the bone's start.
    """
    way = (bone.end - bone.start).astype(np.float32)
    length2 = np.float32(max(float(way[0] ** 2 + way[1] ** 2), 1e-6))
    fraction = x * (way[0] / length2) + y * (way[1] / length2)
    np.maximum(fraction, 0, out=fraction)
    np.minimum(fraction, 1, out=fraction)
    radius = np.float32(bone.radius) + np.float32(bone.end_radius - bone.radius) * fraction
    off_x, off_y = x - fraction * way[0], y - fraction * way[1]
    distance2 = off_x * off_x + off_y * off_y
    inside = radius - np.sqrt(distance2)
    inside += np.float32(0.5)
    np.maximum(inside, 0, out=inside)
    np.minimum(inside, 1, out=inside)
    reciprocal = 1 / radius
    rise = np.sqrt(np.maximum(1 - distance2 * reciprocal * reciprocal, 0))
    level = np.float32(bone.start[2]) + fraction * way[2] + rise * radius
    light = (off_x * LIGHT[0] + off_y * LIGHT[1]) * reciprocal + rise * LIGHT[2]
    shade = np.float32(0.50) + np.float32(0.56) * np.maximum(light, 0)
    # Darker towards the silhouette, so that fingers stand out from each other.
    shade *= np.float32(0.72) + np.float32(0.28) * np.minimum(rise * np.float32(2.2), 1)
    if bone.folds:
        waves = np.float32(np.sqrt(length2) / bone.radius * 5.0)
        shade *= 1 + np.float32(bone.folds) * np.sin(fraction * waves + off_x * np.float32(0.08))
    return inside, level, shade

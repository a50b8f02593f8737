"""A head that speaks: the mouth opens, the eyes blink, the head turns, from one still image."""

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.sample import portrait
from pipeline.sample.portrait import Face, Image, Point

CAVITY = (46.0, 16.0, 18.0)
"""RGB of the open mouth behind the teeth."""
WIDEST_GAP = 15.0
"""Distance between the lips at opening 1, in portrait pixels (the face is 105 high)."""
NATIVE_GAP = 6.8
HALF_MOUTH = 20.0
LIPS = (165, 134, 285, 206)
LIDS = (190, 88, 262, 114)
"""Parts of the portrait that move by themselves: left, top, right, bottom in portrait pixels."""
PIVOT: Point = (224.5, 186.0)
"""Where the head turns on the neck."""


@dataclass(frozen=True, slots=True)
class Look:
    """State of a head in one frame.

    opening 0 to 1; spread -1 (rounded lips) to 1 (drawn wide); blink 0 to 1; yaw and pitch in
    radians (up to about 0.25); roll in radians; shift in portrait pixels.
    """

    opening: float = 0.0
    spread: float = 0.0
    blink: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    shift: Point = (0.0, 0.0)


def depth(x: Image, y: Image) -> Image:
    """Height of the face above the plane of the ears, in portrait pixels.

    x: (width,) and y: (height,), in portrait pixels; the result is (height, width).
    """
    skull = 44.0 * np.maximum(
        1.0 - ((x - 224.5) / 54.0) ** 2 - ((y - 108.0) / 82.0)[:, None] ** 2, 0
    )
    ridge = np.exp(-(((x - 223.5) / 8.0) ** 2))
    nose = 15.0 * ridge * np.exp(-(((y - 126.0) / 13.0) ** 2))[:, None]
    return (skull + nose).astype(np.float32)


def move_lips(x: Image, y: Image, look: Look) -> tuple[Image, Image, Image]:
    """Where each pixel of the talking face comes from in the still one, and how dark the mouth is.

    x, y: portrait pixels. Returns source x, source y and the fraction of cavity colour (0 to 1).
    """
    centre = portrait.MOUTH[0]
    near = np.exp(-(((x - centre) / 34.0) ** 2) - ((y - 146.0) / 20.0) ** 2)
    source_x = centre + (x - centre) * (1.0 - near * 0.16 * look.spread)
    across = (source_x - centre) / HALF_MOUTH
    bow = np.clip(1.0 - across**2, 0.0, 1.0)
    upper = 140.7 + portrait.TILT * (source_x - centre) + 2.9 * bow
    gap, native = look.opening * WIDEST_GAP * bow, NATIVE_GAP * bow
    below = y - upper
    low = np.clip((y - 153.0) / 14.0, 0.0, 1.0)
    pull = (1 - low) * bow + low * 0.85 * np.exp(-((across / 1.7) ** 2))
    fade = np.clip(1.0 - 0.25 * (y - 160.0) / 18.0, 0.75, 1.0) * np.clip((194.0 - y) / 16.0, 0, 1)
    lower_y = y - (look.opening * WIDEST_GAP - NATIVE_GAP) * pull * fade
    within = (below >= 0) & (below < gap)
    teeth = upper + np.minimum(below, native * 0.9)
    source_y = np.where(within, teeth, np.where(below >= 0, lower_y, y))
    dark = np.clip((below - 0.55 * native) / (0.35 * native + 0.8), 0.0, 1.0)
    cavity = np.where(within, dark, 0.0)
    return source_x.astype(np.float32), source_y.astype(np.float32), cavity.astype(np.float32)


def close_lids(x: Image, y: Image, blink: float) -> Image:
    """Source y with the upper lids lowered: the skin above each eye is stretched over it."""
    source_y = y
    for eye in portrait.EYES:
        bow = np.clip(1.0 - ((x - eye[0]) / 11.5) ** 2, 0.0, 1.0)
        brow, lid = eye[1] - 9.0, eye[1] - 3.4 * bow
        target = lid + 7.2 * blink * bow
        stretched = brow + (y - brow) * (lid - brow) / np.maximum(target - brow, 1e-3)
        covers = (y > brow) & (y < target) & (bow > 0)
        source_y = np.where(covers, stretched, source_y)
    return source_y.astype(np.float32)


def _pixels(x: Image, y: Image) -> tuple[Image, Image]:
    """Portrait positions as pixels of a head image."""
    zoom, (left, top) = portrait.ZOOM, portrait.ORIGIN
    return (x - left) * zoom, (y - top) * zoom


def turn_maps(outline: Image, angle: float) -> tuple[Image, Image]:
    """Maps for cv2.remap that turn a head image by `angle` radians (to the right of the picture).

    outline: (height, width), 0 to 255, what belongs to the head. The portrait is wrapped round
    an ellipsoid with a nose, turned, and seen again; the back of the head is combed from the hair
    at its side. Where there is no head the maps point outside the image.
    """
    step = 0.2
    u, v = np.meshgrid(np.arange(140.0, 310.0, step), np.arange(8.0, 196.0, step))
    column, row = (np.round(a).astype(int) for a in _pixels(u, v))
    within = outline[row, column] > 128
    left = np.where(within, u, 1e3).min(axis=1, keepdims=True)
    right = np.where(within, u, -1e3).max(axis=1, keepdims=True)
    middle, half = (left + right) / 2, np.maximum((right - left) / 2, 1.0)
    # Round in every row, so that front and back of the head meet at its outline.
    rise = np.sqrt(np.clip(1 - ((u - middle) / half) ** 2, 0, 1))
    rise *= np.sqrt(np.clip(1 - np.clip((92.0 - v) / 80.0, 0, 1) ** 2, 0, 1))
    nose = 17.0 * np.exp(-(((u - 223.5) / 7.0) ** 2) - ((v - 127.0) / 11.0) ** 2)
    chin = 6.0 * np.exp(-(((u - 223.5) / 18.0) ** 2) - ((v - 170.0) / 10.0) ** 2)
    side = middle - np.sign(angle) * half * (0.86 + 0.08 * np.sin(u * 0.21))
    front = np.stack([u, v, 50.0 * rise + nose + chin, u, v])[:, within]
    back = np.stack([u, v, -62.0 * rise, side, np.minimum(v, 76.0 + 0.1 * v)])
    back = back[:, within & (v < 138)]
    x, y, z, source_x, source_y = np.concatenate([front, back], axis=1)
    turned = 224.5 + (x - 224.5) * np.cos(angle) + z * np.sin(angle)
    order = np.argsort(z * np.cos(angle) - (x - 224.5) * np.sin(angle), kind="stable")
    column, row = (np.round(a[order]).astype(int) for a in _pixels(turned, y))
    inside = (column >= 0) & (column < portrait.SIZE[0]) & (row >= 0) & (row < portrait.SIZE[1])
    maps = []
    filled = np.zeros((portrait.SIZE[1], portrait.SIZE[0]), np.float32)
    filled[row[inside], column[inside]] = 1.0
    solid = cv2.morphologyEx(filled, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    for source in _pixels(source_x, source_y):
        seen = np.zeros_like(filled)
        seen[row[inside], column[inside]] = source[order][inside]
        coverage = cv2.GaussianBlur(filled, (0, 0), 1.5)
        smooth = cv2.GaussianBlur(seen, (0, 0), 1.5) / np.maximum(coverage, 1e-3)
        maps.append(np.where(solid > 0, smooth, -100.0).astype(np.float32))
    return maps[0], maps[1]


def _window(box: tuple[int, int, int, int]) -> tuple[slice, slice]:
    """Rows and columns of a head image for a box in portrait pixels."""
    left, top = (round(v) for v in portrait.to_head((box[0], box[1])))
    right, bottom = (round(v) for v in portrait.to_head((box[2], box[3])))
    return slice(top, bottom), slice(left, right)


class Head:
    """One person's head, ready to be drawn in any state. Fields are read-only after creation.

    turn: radians by which the whole head looks away from the camera.
    """

    def __init__(self, face: Face, *, turn: float = 0.0) -> None:
        self.face = face
        self._turn = None
        self.still = portrait.head_image(face)
        self._rest = self.still.astype(np.uint8)
        if turn:
            self._turn = turn_maps(self.still[..., 3], -turn if face.mirrored else turn)
        self._lips, self._lids = (_window(box) for box in (LIPS, LIDS))

    def speak(self, look: Look) -> Image:
        """The head with lips and lids moved, RGBA, not premultiplied, not yet placed."""
        head = self._rest.copy()
        x, y = (part[self._lips] for part in portrait.grid())
        source_x, source_y, cavity = move_lips(x, y, look)
        moved = self._fetch(source_x, source_y, self._lips)
        rows, columns = np.nonzero(cavity)
        fraction = cavity[rows, columns][:, None]
        pixels = moved[rows, columns, :3].astype(np.float32)
        dark = np.asarray(CAVITY, np.float32)
        moved[rows, columns, :3] = (pixels + (dark - pixels) * fraction).astype(np.uint8)
        head[self._lips] = moved
        if look.blink > 0.02:
            x, y = (part[self._lids] for part in portrait.grid())
            head[self._lids] = self._fetch(x, close_lids(x, y, look.blink), self._lids)
        if self._turn is not None:
            head = cv2.remap(head, *self._turn, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        return head

    def _fetch(self, x: Image, y: Image, window: tuple[slice, slice]) -> Image:
        """Pixels of the still head at portrait positions near `window`."""
        rows, columns = window
        offset_x, offset_y = portrait.to_head((0.0, 0.0))
        return cv2.remap(
            self._rest[rows, columns],
            (x * portrait.ZOOM + (offset_x - columns.start)).astype(np.float32),
            (y * portrait.ZOOM + (offset_y - rows.start)).astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )

    def place(
        self, look: Look, *, scale: float, origin: Point, size: tuple[int, int]
    ) -> tuple[Image, tuple[int, int]]:
        """The head as it lies on the canvas.

        scale: canvas pixels per portrait pixel; origin: portrait point that falls on canvas
        (0, 0); size: canvas width and height. Returns an RGBA patch (not premultiplied) and the
        canvas position of its corner.
        """
        talking = self.speak(look)
        wide = scale * self.face.width
        pivot = (
            (PIVOT[0] + look.shift[0] - origin[0]) * scale,
            (PIVOT[1] + look.shift[1] - origin[1]) * scale,
        )
        reach = (round(84 * wide), round(176 * scale))
        left, top = max(0, round(pivot[0]) - reach[0]), max(0, round(pivot[1]) - reach[1])
        right = min(size[0], round(pivot[0]) + reach[0])
        bottom = min(size[1], round(pivot[1]) + round(32 * scale))
        if right <= left or bottom <= top:
            return np.zeros((0, 0, 4), np.uint8), (0, 0)
        column = np.arange(left, right, dtype=np.float32)[None, :] - np.float32(pivot[0])
        row = np.arange(top, bottom, dtype=np.float32)[:, None] - np.float32(pivot[1])
        cos, sin = np.float32(np.cos(look.roll)), np.float32(np.sin(look.roll))
        sign = np.float32(-1.0 if self.face.mirrored else 1.0)
        x = PIVOT[0] + sign * (column * cos + row * sin) / np.float32(wide)
        y = PIVOT[1] + (row * cos - column * sin) / np.float32(scale)
        if self._turn is None:
            # The roll is small enough to leave it out of the height.
            height = depth(PIVOT[0] + sign * column[0] / wide, PIVOT[1] + row[:, 0] / scale)
            x -= sign * np.float32(np.sin(look.yaw)) * height
            y -= np.float32(np.sin(look.pitch)) * np.maximum(height - 20.0, 0)
        offset_x, offset_y = portrait.to_head((0.0, 0.0))
        patch = cv2.remap(
            talking,
            (x * portrait.ZOOM + offset_x).astype(np.float32),
            (y * portrait.ZOOM + offset_y).astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
        )
        return patch, (left, top)

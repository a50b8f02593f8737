"""The heads of the sample: one public-domain portrait, cut out, reshaped and recoloured per person.

The portrait is NASA's picture of astronaut Eileen Collins as scikit-image ships it. All points
are in pixels of that picture; a head is kept at twice its size, with the origin at `ORIGIN`.
"""

import functools
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import skimage.data
from cv2.typing import MatLike

Image = MatLike
"""(height, width) or (height, width, channels), 0 to 255; RGBA is not premultiplied here."""

Rgb = tuple[float, float, float]
Point = tuple[float, float]

ORIGIN: Point = (115.0, 0.0)
ZOOM = 2.0
SIZE = (440, 460)
"""Width and height of a head image, in its own pixels."""

FACE_TOP, CHIN, CENTRE_X = 72.0, 177.0, 224.5
BASE_SKIN: Rgb = (222.0, 180.0, 150.0)

JAW: tuple[Point, ...] = (
    (270, 98), (271, 107), (271, 115), (270, 124), (269, 134), (267, 144), (263, 153), (258, 160),
    (251, 167), (244, 173), (236, 178), (228, 181), (220, 181), (211, 180), (203, 176), (196, 170),
    (190, 163), (185, 155), (182, 146), (180, 137), (179, 128), (178, 119), (178, 110), (179, 98),
)  # fmt: skip
HAIR: tuple[Point, ...] = (
    (181, 131), (174, 126), (170, 118), (162, 110), (156, 97), (153, 80), (155, 63), (165, 50),
    (180, 40), (190, 30), (203, 21), (220, 17), (237, 16), (253, 20), (270, 27), (282, 35),
    (291, 47), (297, 60), (301, 80), (299, 97), (293, 113), (283, 125), (277, 134), (268, 136),
)  # fmt: skip
HAIRLINE: tuple[Point, ...] = (
    (176, 128), (180, 116), (182, 100), (185, 86), (188, 79), (200, 80), (215, 80), (235, 80),
    (250, 83), (262, 88), (267, 92), (268, 104), (270, 116), (271, 124), (276, 130), (262, 190),
    (190, 190),
)  # fmt: skip
EARS: tuple[Point, Point] = ((177.0, 114.0), (273.0, 117.0))
EYES: tuple[Point, Point] = ((204.0, 101.2), (247.0, 103.6))
EYE_HALF = (10.0, 4.5)
NOSE: Point = (223.4, 128.0)
MOUTH: Point = (223.4, 143.2)
TILT = 0.04
"""Slope of the portrait's mouth and eyes: the head leans a little."""

Hair = Literal["own", "long", "short", "none", "bun"]


@dataclass(frozen=True, slots=True)
class Face:
    """What makes one head look like one person.

    Colours are RGB, 0 to 255. `jaw`, `nose`, `eyes`, `lips` are sizes relative to the portrait
    and `width` that of the whole head. `beard` is 0 (none) to 1 (full).
    """

    skin: Rgb = BASE_SKIN
    hair: Rgb = (118.0, 92.0, 58.0)
    style: Hair = "own"
    mirrored: bool = False
    width: float = 1.0
    jaw: float = 1.0
    nose: float = 1.0
    eyes: float = 1.0
    lips: float = 1.0
    brows: float = 0.0
    beard: float = 0.0
    moustache: float = 0.0
    glasses: Rgb | None = None
    age: float = 0.0
    seed: int = 1


def to_head(point: Point) -> Point:
    """Portrait pixels to head pixels."""
    return ((point[0] - ORIGIN[0]) * ZOOM, (point[1] - ORIGIN[1]) * ZOOM)


@functools.cache
def grid() -> tuple[Image, Image]:
    """Portrait x and y of every pixel of a head image, each (height, width)."""
    x, y = np.meshgrid(np.arange(SIZE[0], dtype=np.float32), np.arange(SIZE[1], dtype=np.float32))
    return x / np.float32(ZOOM) + np.float32(ORIGIN[0]), y / np.float32(ZOOM) + np.float32(
        ORIGIN[1]
    )


def _polygon(points: tuple[Point, ...], *, soft: float) -> Image:
    mask = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    corners = np.array([to_head(point) for point in points], np.float64)
    cv2.fillPoly(mask, [np.round(corners * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    return cv2.GaussianBlur(mask.astype(np.float32) / 255.0, (0, 0), soft)


def _ellipse(centre: Point, half: Point, *, soft: float = 0.08) -> Image:
    """1 inside, 0 outside, with an edge of `soft` of the radius."""
    x, y = grid()
    radius = np.sqrt(((x - centre[0]) / half[0]) ** 2 + ((y - centre[1]) / half[1]) ** 2)
    return np.clip((1.0 - radius) / soft + 0.5, 0.0, 1.0).astype(np.float32)


def _over(below: Image, colour: Image | Rgb, mask: Image) -> Image:
    top = np.asarray(colour, np.float32)
    return (below + (top - below) * mask[..., None]).astype(np.float32)


def _streaks(seed: int, *, along: float, across: float) -> Image:
    """Hair-like noise around 1, (height, width), longer down than across."""
    noise = np.random.default_rng(seed).standard_normal((SIZE[1], SIZE[0])).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), sigmaX=across, sigmaY=along)
    return (1.0 + 0.13 * smooth / smooth.std()).astype(np.float32)


@functools.cache
def _portrait() -> Image:
    whole = skimage.data.astronaut()
    left, top = int(ORIGIN[0]), int(ORIGIN[1])
    wide, high = round(SIZE[0] / ZOOM), round(SIZE[1] / ZOOM)
    crop = whole[top : top + high, left : left + wide]
    large = cv2.resize(crop, SIZE, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    return np.clip(large + 0.5 * (large - cv2.GaussianBlur(large, (0, 0), 2.0)), 0, 255)


def _bleed(image: Image, inside: Image) -> Image:
    """Outside `inside` (0 to 1), the blurred colour of what lies inside: no rim of background."""
    total = cv2.GaussianBlur(image * inside[..., None], (0, 0), 6.0)
    coverage = cv2.GaussianBlur(inside, (0, 0), 6.0)[..., None]
    return _over((total / np.maximum(coverage, 1e-3)).astype(np.float32), image, inside)


def _shrink(mask: Image, pixels: float) -> Image:
    """Pull the edge of a 0-to-1 mask inwards."""
    inner = cv2.erode(mask, np.ones((3, 3), np.uint8), iterations=round(pixels))
    return cv2.GaussianBlur(inner, (0, 0), 1.5)


def _reshape(face: Face, image: Image) -> Image:
    """Magnify jaw, nose, eyes and lips about their own centres."""
    x, y = grid()
    source_x, source_y = x.copy(), y.copy()

    def magnify(centre: Point, half: Point, size: Point) -> None:
        reach = np.exp(-(((x - centre[0]) / half[0]) ** 2 + ((y - centre[1]) / half[1]) ** 2))
        np.add(source_x, (x - centre[0]) * (1 / size[0] - 1) * reach, out=source_x)
        np.add(source_y, (y - centre[1]) * (1 / size[1] - 1) * reach, out=source_y)

    magnify((CENTRE_X, 160.0), (60.0, 34.0), (face.jaw, 1.0))
    magnify(NOSE, (17.0, 14.0), (face.nose, 1.0 + (face.nose - 1.0) * 0.3))
    magnify(MOUTH, (26.0, 13.0), (1.0 + (face.lips - 1.0) * 0.4, face.lips))
    for eye in EYES:
        magnify(eye, (15.0, 10.0), (face.eyes, face.eyes))
    left, top = to_head((0.0, 0.0))
    return cv2.remap(
        image,
        (source_x * ZOOM + left).astype(np.float32),
        (source_y * ZOOM + top).astype(np.float32),
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _skull(face: Face, image: Image, face_mask: Image) -> tuple[Image, Image]:
    """The head without the portrait's hair: a painted skull and ears; also its outline."""
    x, y = grid()
    outline = _ellipse((225.0, 93.0), (49.0, 57.0), soft=0.03)
    depth = np.clip(1 - ((x - 225) / 52) ** 2 - ((y - 98) / 64) ** 2, 0.02, 1.0)
    light = 0.55 + 0.5 * np.sqrt(depth) - 0.0022 * (x - 215) + 0.0012 * (80 - y)
    painted = np.clip(np.asarray(BASE_SKIN, np.float32) * light[..., None], 0, 250)
    grain = cv2.GaussianBlur(
        np.random.default_rng(7).standard_normal(x.shape).astype(np.float32), (0, 0), 1.2
    )
    painted = painted + 8.0 * grain[..., None]
    ears = np.zeros_like(x)
    for ear, side in zip(EARS, (-1.0, 1.0), strict=True):
        lobe = _ellipse((ear[0] + side * 1, ear[1]), (7.0, 14.0))
        shade = _ellipse((ear[0] + side * 2.5, ear[1] - 1), (3.5, 8.5), soft=0.6)
        painted = _over(painted, np.asarray(BASE_SKIN, np.float32) * 0.86, lobe)
        painted = _over(painted, np.asarray(BASE_SKIN, np.float32) * 0.62, shade * lobe * 0.8)
        ears = np.maximum(ears, lobe)
    below_fringe = np.clip((y - (85.5 + (x - 205) * 0.07)) / 4.0, 0, 1) * face_mask
    inside = _polygon(tuple((CENTRE_X + (px - CENTRE_X) * 0.93, py) for px, py in JAW), soft=5.0)
    keep = below_fringe * np.clip(inside + np.clip((y - 128) / 8, 0, 1), 0, 1)
    head = _over(painted.astype(np.float32), image, keep.astype(np.float32))
    return head, np.maximum(np.maximum(outline, ears), 0.0)


def _short_hair(face: Face, head: Image) -> tuple[Image, Image]:
    """A close crop over the skull, with sideburns; colour in the caller's base tone."""
    x, y = grid()
    cap = _ellipse((225.0, 90.0), (52.5, 61.0), soft=0.05)
    edge = 60.0 + 0.0075 * (x - 222) ** 2 + 1.5 * np.sin(x / 4.0) + np.sin(x / 1.7)
    side = np.clip((np.abs(x - 225.5) - 43.5) / 3.0, 0, 1) * np.clip((112 - y) / 5.0, 0, 1)
    front = np.clip((edge - y) / 4.0, 0, 1)
    mask = (cap * np.maximum(front, side)).astype(np.float32)
    light = np.clip(1.05 - 0.004 * (x - 210) - 0.003 * (y - 40), 0.5, 1.25)
    strands = _streaks(face.seed, along=5.0, across=1.3) * light
    return (np.asarray(face.hair, np.float32) * strands[..., None]).astype(np.float32), mask


def _beard(face: Face, head: Image, jaw: Image) -> Image:
    """Stubble or beard on the jaw, moustache above the lip, sparing the lips."""
    x, y = grid()
    colour = (
        np.asarray(face.hair, np.float32)
        * 0.8
        * _streaks(face.seed + 3, along=2.5, across=1.2)[..., None]
    )
    distance = np.abs(x - CENTRE_X)
    low = np.clip((y - (150.0 - 0.0 * distance)) / 6.0, 0, 1)
    cheeks = np.clip((distance - 33.0) / 8.0, 0, 1) * np.clip((y - 118.0) / 12.0, 0, 1)
    lips = _ellipse((MOUTH[0], 148.0), (25.0, 11.5), soft=0.35)
    chin = np.maximum(low, cheeks) * jaw * (1 - lips) * face.beard
    lip_line = MOUTH[1] - 5.5 + TILT * (x - MOUTH[0]) - 0.0022 * (x - MOUTH[0]) ** 2
    moustache = np.exp(-(((y - lip_line) / 3.2) ** 2)) * np.clip((27 - distance) / 6, 0, 1)
    head = _over(head, colour, chin.astype(np.float32))
    return _over(head, colour, (moustache * face.moustache).astype(np.float32))


def _brows(face: Face, head: Image) -> Image:
    x, y = grid()
    colour = np.asarray(face.hair, np.float32) * 0.6
    for eye, side in zip(EYES, (-1.0, 1.0), strict=True):
        away = (x - eye[0]) * side
        line = eye[1] - 11.2 - 0.06 * away + 0.012 * (away - 3) ** 2
        mask = np.exp(-(((y - line) / 2.0) ** 2)) * np.clip((14.5 - np.abs(away)) / 4, 0, 1)
        head = _over(head, colour, (mask * face.brows).astype(np.float32))
    return head


def _lines(face: Face, head: Image) -> Image:
    """Furrows of the forehead and beside the mouth, as a gentle darkening."""
    x, y = grid()
    dark = np.zeros_like(x)
    for height in (60.0, 67.0, 74.0):
        line = height + 0.0035 * (x - 224) ** 2
        dark += np.exp(-(((y - line) / 1.0) ** 2)) * np.clip((30 - np.abs(x - 224)) / 10, 0, 1)
    for eye in EYES:
        bag = eye[1] + 9.0 - 0.02 * (x - eye[0]) ** 2
        dark += np.exp(-(((y - bag) / 1.4) ** 2)) * np.clip((11 - np.abs(x - eye[0])) / 5, 0, 1)
    return (head * (1 - 0.16 * face.age * np.clip(dark, 0, 1))[..., None]).astype(np.float32)


def _glasses(colour: Rgb, head: Image) -> Image:
    """A frame around each eye, a bridge and two sides."""
    drawn = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    for eye in EYES:
        centre = to_head((eye[0], eye[1] + 2.0))
        points = cv2.ellipse2Poly((round(centre[0]), round(centre[1])), (33, 25), 2, 0, 360, 5)
        cv2.polylines(drawn, [np.array(points)], True, 255, 4, cv2.LINE_AA)
    for ends in (
        ((220.5, 101.0), (230.5, 101.5)),
        ((187, 100), (179, 98)),
        ((264, 103), (271, 101)),
    ):
        start, end = (tuple(round(v) for v in to_head(point)) for point in ends)
        cv2.line(drawn, start, end, 255, 4, cv2.LINE_AA)
    mask = cv2.GaussianBlur(drawn.astype(np.float32) / 255.0, (0, 0), 0.8)
    return _over(head, colour, mask)


def _tone(image: Image, target: Rgb, base: Rgb, *, contrast: float) -> Image:
    """Shift colours so that `base` becomes `target`, keeping the shading."""
    ratio = np.clip(image, 1, 255) / np.asarray(base, np.float32)
    return np.clip(np.asarray(target, np.float32) * ratio**contrast, 0, 255).astype(np.float32)


def head_image(face: Face) -> Image:
    """One person's head at rest, RGBA, `SIZE`, mouth as in the portrait (a smile with teeth).

    Mirroring and `width` are left to whoever places the head, so that all heads keep the same
    mouth and eye positions.
    """
    image = np.clip(_reshape(face, _portrait()), 1.0, 255.0)
    jaw = _polygon(
        tuple((CENTRE_X + (x - CENTRE_X) * (1 + (face.jaw - 1) * 0.8), y) for x, y in JAW), soft=1.2
    )
    face_mask = _polygon(HAIRLINE, soft=2.0)
    whites = np.maximum(
        *(_ellipse(eye, (EYE_HALF[0] * face.eyes, EYE_HALF[1] * face.eyes)) for eye in EYES)
    )
    teeth = _ellipse((MOUTH[0], MOUTH[1] + 2.5), (19.0, 4.5 * face.lips), soft=0.3)
    if face.style in ("own", "long", "bun"):
        outline = np.maximum(jaw, _polygon(HAIR, soft=1.6))
        image = _bleed(image, _shrink(outline, 3))
        gray = np.maximum(image.mean(axis=2, keepdims=True), 1.0)
        hair = np.asarray(face.hair, np.float32) * (gray / 115.0) ** 0.8
        skin = _tone(image, face.skin, BASE_SKIN, contrast=1.0)
        skin = _over(skin, image, np.maximum(whites, teeth) * 0.85)
        head = _over(np.clip(hair, 0, 255), skin, face_mask)
    else:
        image = _bleed(image, _shrink(jaw, 3))
        bare, skull = _skull(face, image, face_mask)
        outline = np.maximum(jaw, skull)
        head = _tone(bare, face.skin, BASE_SKIN, contrast=1.0)
        head = _over(head, image, np.maximum(whites, teeth) * 0.85)
        if face.style == "short":
            hair, mask = _short_hair(face, head)
            head, outline = _over(head, hair, mask), np.maximum(outline, mask)
    if face.brows:
        head = _brows(face, head)
    if face.age:
        head = _lines(face, head)
    if face.beard or face.moustache:
        head = _beard(face, head, jaw)
    if face.glasses is not None:
        head = _glasses(face.glasses, head)
    rgba = np.dstack([np.clip(head, 0, 255), 255.0 * np.clip(outline, 0, 1)])
    return rgba.astype(np.float32)

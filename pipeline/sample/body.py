"""What stands still behind the head and the arms: torso, neck, long hair, and the room."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from pipeline.sample.portrait import Face, Image, Point, Rgb

SHOULDER_Y, SHOULDER_X = 255.0, 90.0
"""The shoulder joints lie at CENTRE_X -/+ SHOULDER_X, SHOULDER_Y, in portrait pixels."""
CENTRE_X = 224.5
Garment = Literal["jumper", "blazer", "shirt", "tee", "stripes"]
Room = Literal["study", "stage", "kitchen", "plain", "street"]


@dataclass(frozen=True, slots=True)
class Build:
    """Body and clothes of one person. Colours RGB 0 to 255; sizes relative to the default body."""

    cloth: Rgb
    under: Rgb = (235.0, 235.0, 235.0)
    garment: Garment = "jumper"
    sleeves: Literal["long", "short"] = "long"
    shoulders: float = 1.0
    girth: float = 1.0
    arms: float = 1.0


def _fill(
    size: tuple[int, int], points: list[Point], *, scale: float, origin: Point, soft: float
) -> Image:
    mask = np.zeros((size[1], size[0]), np.uint8)
    corners = (np.array(points) - np.array(origin)) * scale
    cv2.fillPoly(mask, [np.round(corners * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    return cv2.GaussianBlur(mask.astype(np.float32) / 255.0, (0, 0), soft * scale)


def _curve(points: list[Point]) -> list[Point]:
    """A closed smooth line through the points (Catmull-Rom), eight steps a piece."""
    corners = np.array(points)
    before, after = np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0)
    beyond = np.roll(corners, -2, axis=0)
    pieces = []
    for t in np.linspace(0, 1, 8, endpoint=False):
        pieces.append(
            0.5
            * (
                2 * corners
                + (after - before) * t
                + (2 * before - 5 * corners + 4 * after - beyond) * t**2
                + (3 * corners - before - 3 * after + beyond) * t**3
            )
        )
    smooth = np.stack(pieces, axis=1).reshape(-1, 2)
    return [(float(x), float(y)) for x, y in smooth]


def _mirrored(half: list[Point]) -> list[Point]:
    """Right half (x from the middle, y) to a closed outline around CENTRE_X."""
    right = [(CENTRE_X + x, y) for x, y in half]
    left = [(CENTRE_X - x, y) for x, y in reversed(half)]
    return right + left


def draw_torso(
    face: Face, build: Build, *, size: tuple[int, int], scale: float, origin: Point
) -> Image:
    """Torso and neck, RGBA, 0 to 255, of a canvas of `size` (width, height).

    scale: canvas pixels per portrait pixel; origin: portrait point at canvas (0, 0).
    """
    wide, girth = build.shoulders, build.girth
    outline = _curve(
        _mirrored([
            (24, 212), (48, 222), (82 * wide, 230), (104 * wide, 243), (111 * wide, 268),
            (98 * girth, 320), (90 * girth, 400), (91 * girth, 470), (99 * girth, 540),
            (104 * girth, 640), (104 * girth, 760),
        ])
    )  # fmt: skip
    x, y = np.meshgrid(np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32))
    x, y = x / scale + origin[0] - CENTRE_X, y / scale + origin[1]
    body = _fill(size, outline, scale=scale, origin=origin, soft=0.7)
    round_off = np.sqrt(np.clip(1 - (x / (118.0 * wide)) ** 2, 0.05, 1))
    light = 0.45 + 0.55 * round_off - 0.0012 * x
    folds = 0.03 * np.sin(y * 0.075 + x * 0.03) + 0.025 * np.sin(x * 0.12 + 1.5 * np.sin(y * 0.02))
    weave = np.random.default_rng(face.seed).standard_normal(x.shape).astype(np.float32)
    weave = cv2.GaussianBlur(weave, (0, 0), 0.9) * 0.035
    cloth = np.asarray(build.cloth, np.float32) * (light + folds + weave)[..., None]
    if build.garment == "stripes":
        band = np.clip(3.0 * np.sin(y * 0.28 + 0.004 * x**2 * 0.02) + 0.5, 0, 1)
        cloth += (np.asarray(build.under, np.float32) * light[..., None] - cloth) * band[..., None]
    neck = _fill(
        size, _curve(_mirrored([(27, 150), (26, 195), (31, 214), (40, 226), (0.5, 262)])),
        scale=scale, origin=origin, soft=0.8,
    )  # fmt: skip
    under_chin = 0.62 + 0.30 * np.clip((y - 184) / 26, 0, 1)
    skin_light = under_chin * (0.72 + 0.30 * np.sqrt(np.clip(1 - (x / 40) ** 2, 0, 1))) - 0.002 * x
    skin = np.asarray(face.skin, np.float32) * skin_light[..., None]

    def layer(below: Image, half: list[Point], colour: Image) -> Image:
        mask = _fill(size, _mirrored(half), scale=scale, origin=origin, soft=0.5)
        return below + (colour - below) * mask[..., None]

    plain = np.asarray(build.under, np.float32) * (light + folds)[..., None]
    image = cloth
    if build.garment == "blazer":
        image = layer(image, [(40, 214), (34, 300), (1, 430)], plain)
        edge = np.abs(np.abs(x) - np.clip(40 - (y - 230) * 0.2, 0, 40))
        line = np.clip(1.6 - edge, 0, 1) * ((y > 222) & (y < 430))
        image = image * (1 - 0.45 * line[..., None])
    if build.garment == "shirt":
        button = np.clip(3.2 - np.hypot(x, (y - 262) % 52 - 26), 0, 1) * (y > 262)
        placket = np.clip(1.2 - np.abs(np.abs(x) - 7), 0, 1) * (y > 240)
        image = image * (1 - 0.35 * np.clip(button + 0.5 * placket, 0, 1))[..., None]
    rgb = image + (skin - image) * neck[..., None]
    if build.garment in ("shirt", "blazer"):
        collar = np.asarray(build.under if build.garment == "blazer" else build.cloth, np.float32)
        bright = collar * 1.04 * (0.8 + 0.2 * light)[..., None]
        for sign in (-1.0, 1.0):
            flap = [
                (sign * 22, 206),
                (sign * 42, 214),
                (sign * 46, 236),
                (sign * 24, 262),
                (0, 250),
            ]
            mask = _fill(
                size, [(CENTRE_X + px, py) for px, py in flap], scale=scale, origin=origin, soft=0.6
            )
            rgb = rgb + (bright - rgb) * mask[..., None]
    else:
        ring = np.clip(1.5 - np.abs(np.hypot(x / 1.05, (y - 212)) - 42) / 2.2, 0, 1) * (y > 214)
        rgb = rgb * (1 - 0.25 * ring[..., None])
    cover = np.maximum(body, neck)
    return np.dstack([np.clip(rgb, 0, 255), 255 * cover]).astype(np.float32)


def draw_long_hair(face: Face, *, size: tuple[int, int], scale: float, origin: Point) -> Image:
    """Hair that falls behind the neck to the shoulders, RGBA 0 to 255."""
    half: list[Point] = [(40, 40), (70, 70), (78, 120), (80, 180), (84, 240), (70, 275), (30, 282)]
    mask = _fill(size, _curve(_mirrored(half)), scale=scale, origin=origin, soft=1.2)
    noise = np.random.default_rng(face.seed + 9).standard_normal(mask.shape).astype(np.float32)
    strands = cv2.GaussianBlur(noise, (0, 0), sigmaX=1.4, sigmaY=22.0)
    strands = 0.72 + 0.16 * strands / strands.std()
    rgb = np.asarray(face.hair, np.float32) * strands[..., None]
    return np.dstack([np.clip(rgb, 0, 255), 255 * mask]).astype(np.float32)


def draw_room(room: Room, *, size: tuple[int, int], seed: int) -> Image:
    """A blurred room, (height, width, 3) RGB. Deterministic for a seed."""
    random = np.random.default_rng(seed)
    width, height = size
    tones: dict[Room, tuple[Rgb, Rgb]] = {
        "study": ((176, 160, 138), (120, 104, 90)), "stage": ((38, 44, 66), (16, 18, 30)),
        "kitchen": ((214, 220, 218), (170, 178, 176)), "plain": ((150, 168, 178), (118, 134, 146)),
        "street": ((168, 190, 206), (128, 134, 128)),
    }  # fmt: skip
    top, bottom = (np.asarray(tone, np.float32) for tone in tones[room])
    ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    image = np.repeat(top + (bottom - top) * ramp, width, axis=1)
    count = {"study": 46, "stage": 5, "kitchen": 14, "plain": 0, "street": 20}[room]
    for _ in range(count):
        x, y = (int(random.integers(0, limit)) for limit in (width, height))
        if room == "study":
            y = int(y // 150 * 150)
            box, hue = (int(random.integers(14, 40)), 130), random.uniform(40, 180, 3)
        elif room == "stage":
            box, hue = (int(random.integers(60, 160)), height), np.array([60, 66, 96.0])
        elif room == "kitchen":
            box, hue = (int(random.integers(90, 220)), 180), random.uniform(150, 235) * np.ones(3)
        else:
            box, hue = (int(random.integers(50, 160)), 400), random.uniform(90, 190, 3)
        cv2.rectangle(image, (x, y), (x + box[0], y + box[1]), hue.tolist(), -1)
    image = cv2.GaussianBlur(image, (0, 0), 9.0 if room != "stage" else 40.0)
    grain = random.standard_normal(image.shape[:2]).astype(np.float32)
    image += 2.0 * cv2.GaussianBlur(grain, (0, 0), 1.0)[..., None]
    return np.clip(image, 0, 255).astype(np.uint8)

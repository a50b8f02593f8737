"""A whole speaker drawn into a frame: room, torso, head, arms, hands."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from pipeline.sample import body, limbs
from pipeline.sample.body import Build, Room
from pipeline.sample.head import Head
from pipeline.sample.motion import Arm, Moment
from pipeline.sample.portrait import CENTRE_X, Face, Image, Point

UPPER_ARM, FOREARM, HAND = 145.0, 130.0, 98.0
"""Lengths in portrait pixels; the face is 105 from hairline to chin."""
SHADOW = 0.30


@dataclass(frozen=True, slots=True)
class Shot:
    """How the camera sees the figure.

    size: width and height in pixels; scale: pixels per portrait pixel; middle: where CENTRE_X
    lies, as a fraction of the width; top: the portrait's y at the upper edge of the frame.
    """

    size: tuple[int, int] = (960, 540)
    scale: float = 0.975
    middle: float = 0.5
    top: float = -10.0

    @property
    def origin(self) -> Point:
        """The portrait point at the frame's upper left corner."""
        return (CENTRE_X - self.middle * self.size[0] / self.scale, self.top)


class Figure:
    """One person in one room before one camera; `draw` gives the frames.

    Parts that keep their shape are painted once here. turn: radians by which the person looks
    away from the camera, to the right of the picture.
    """

    def __init__(
        self, face: Face, build: Build, room: Room, shot: Shot, *, turn: float = 0.0
    ) -> None:
        self.narrow = float(np.cos(turn))
        slim = max(0.55, self.narrow)
        if turn:
            build = replace(build, shoulders=build.shoulders * slim, girth=build.girth * slim)
        self.face, self.build, self.shot = face, build, shot
        self.head = Head(face, turn=turn)
        options = {"scale": shot.scale, "origin": shot.origin}
        self._room = body.draw_room(room, size=shot.size, seed=face.seed)
        torso = body.draw_torso(face, build, size=shot.size, **options)
        if face.style == "long":
            torso = _stack(body.draw_long_hair(face, size=shot.size, **options), torso)
        self._torso, self._corner = _trim(torso, margin=round(8 * shot.scale))

    def draw(self, moment: Moment) -> Image:
        """One frame, (height, width, 3) RGB."""
        frame = self._room.copy()
        scale = self.shot.scale
        sway = (moment.sway[0] * scale, moment.sway[1] * scale)
        height, width = self._torso.shape[:2]
        if self.narrow < 1.0:
            self._draw_arm(frame, moment.arms[1], 1.0, sway)
        move = np.array([[1, 0, sway[0]], [0, 1, sway[1]]], np.float32)
        torso = cv2.warpAffine(self._torso, move, (width, height), flags=cv2.INTER_LINEAR)
        _paste(frame, torso, self._corner)
        patch, corner = self.head.place(
            moment.look, scale=scale, origin=self.shot.origin, size=self.shot.size
        )
        _paste(frame, patch, corner)
        self._draw_arm(frame, moment.arms[0], -1.0, sway)
        if self.narrow == 1.0:
            self._draw_arm(frame, moment.arms[1], 1.0, sway)
        return frame

    def _draw_arm(self, frame: Image, arm: Arm, side: float, sway: tuple[float, float]) -> None:
        bones = self.arm_bones(arm, side)
        scale, origin = self.shot.scale, self.shot.origin
        shift = np.array([sway[0] - origin[0] * scale, sway[1] - origin[1] * scale, 0.0])
        placed = [
            limbs.Bone(
                bone.start * scale + shift, bone.end * scale + shift, bone.radius * scale,
                bone.end_radius * scale, bone.colour, bone.folds,
            )
            for bone in bones
        ]  # fmt: skip
        patch, (x, y) = limbs.draw_bones(placed, size=self.shot.size)
        if patch.size == 0:
            return
        rows, columns = slice(y, y + patch.shape[0]), slice(x, x + patch.shape[1])
        width = round(14 * scale)
        soft = cv2.blur(patch[..., 3], (width, width))
        # The arm grows out of the shoulder there: no shadow of its own.
        high = np.arange(y, y + patch.shape[0], dtype=np.float32)[:, None] / scale + origin[1]
        fade = np.float32(SHADOW) * np.clip((high - body.SHOULDER_Y) / 60.0, 0, 1)
        light = cv2.cvtColor((255 - soft * fade).astype(np.uint8), cv2.COLOR_GRAY2RGB)
        frame[rows, columns] = cv2.multiply(frame[rows, columns], light, scale=1 / 255.0)
        _paste(frame, patch, (x, y))

    def arm_bones(self, arm: Arm, side: float) -> list[limbs.Bone]:
        """Bones of one arm in portrait pixels; side -1 is the arm on the left of the picture."""
        size = self.build.arms
        apart, ahead = side * body.SHOULDER_X * self.build.shoulders, 0.0
        if self.narrow < 1.0:
            apart, ahead = side * body.SHOULDER_X * self.narrow, 110.0
        shoulder = np.array([CENTRE_X + apart, body.SHOULDER_Y, 0.0])
        wrist = np.array([CENTRE_X + arm.wrist[0] * self.narrow + ahead, arm.wrist[1], 70.0])
        open_by = 0.10 + 0.35 * arm.lift
        elbow = shoulder + UPPER_ARM * size * np.array(
            [side * np.sin(open_by), np.cos(open_by), 0.0]
        )
        reach = wrist[:2] - elbow[:2]
        distance = float(np.hypot(*reach))
        if distance > FOREARM * size:
            wrist[:2] = elbow[:2] + reach * (FOREARM * size / distance)
        along = float(np.arctan2(wrist[1] - elbow[1], wrist[0] - elbow[0]))
        skin, cloth = self.face.skin, self.build.cloth
        cuff = elbow + (wrist - elbow) * 0.88
        long = self.build.sleeves == "long"
        bones = [
            limbs.Bone(shoulder, elbow, 24.0, 19.5, cloth, 0.05)
            if long
            else limbs.Bone(shoulder, elbow, 19.0, 15.5, skin),
            limbs.Bone(elbow, cuff if long else wrist, 19.5 if long else 15.5,
                       14.5 if long else 10.5, cloth if long else skin, 0.05 if long else 0.0),
        ]  # fmt: skip
        if not long:
            sleeve = shoulder + (elbow - shoulder) * 0.5
            bones.append(limbs.Bone(shoulder, sleeve, 27.0, 25.0, cloth, 0.04))
        raised = np.array([0.0, 0.0, 5.0])
        bones.append(limbs.Bone(cuff + raised, wrist + raised, 11.5, 10.5, skin))
        bones += limbs.hand_bones(
            wrist, along, arm.hand, side=side, length=HAND * size, colour=skin
        )
        return bones


def _stack(below: Image, above: Image) -> Image:
    """Two RGBA layers of equal size in one."""
    high, low = above[..., 3:] / 255.0, below[..., 3:] / 255.0
    cover = high + low * (1 - high)
    rgb = (above[..., :3] * high + below[..., :3] * low * (1 - high)) / np.maximum(cover, 1e-4)
    return np.dstack([rgb, cover * 255.0]).astype(np.float32)


def _trim(layer: Image, *, margin: int) -> tuple[Image, tuple[int, int]]:
    """The part of an RGBA layer that holds anything, with a margin, and where it lies."""
    rows = np.flatnonzero(layer[..., 3].max(axis=1) > 1)
    columns = np.flatnonzero(layer[..., 3].max(axis=0) > 1)
    top, bottom = max(0, rows[0] - margin), rows[-1] + 1 + margin
    left, right = max(0, columns[0] - margin), columns[-1] + 1 + margin
    part = layer[top:bottom, left:right]
    # Below the frame the body goes on: repeat the last row, so that sway opens no gap.
    if bottom > layer.shape[0]:
        extra = np.repeat(part[-1:], bottom - layer.shape[0], axis=0)
        part = np.concatenate([part, extra])
    return np.clip(part, 0, 255).astype(np.uint8), (int(left), int(top))


def _paste(frame: Image, patch: Image, corner: tuple[int, int]) -> None:
    """Lay an RGBA patch over a frame, in place."""
    x, y = corner
    region = frame[y : y + patch.shape[0], x : x + patch.shape[1]]
    patch = patch[: region.shape[0], : region.shape[1]]
    if patch.size == 0:
        return
    opacity = patch[..., 3].astype(np.float32)
    colour = cv2.cvtColor(patch, cv2.COLOR_RGBA2RGB)
    region[...] = cv2.blendLinear(colour, np.ascontiguousarray(region), opacity, 255 - opacity)

"""Shots from one pass over small pictures.

PySceneDetect finds the cuts, `blends` the gradual transitions, `camera` the background's motion.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import ClassVar

import cv2
import numpy as np
import scenedetect
from jaxtyping import Bool, Float, UInt8
from scenedetect import FrameTimecode
from scenedetect.detectors import AdaptiveDetector, ThresholdDetector

from pipeline.perception.shots.blends import Blends
from pipeline.perception.shots.camera import CameraMotion, median_speed

THUMB = 32  # pixels: longer side of the pictures in which gradual transitions are looked for


class ShotError(ValueError):
    """Pictures were handed over that do not belong to one run through one video."""


class Kind(StrEnum):
    """What a stretch of frames is."""

    SHOT = "shot"
    TRANSITION = "transition"  # a fade or dissolve: belongs to neither neighbour


@dataclass(frozen=True, slots=True)
class Stretch:
    """Source frames [first, stop) of one kind."""

    first: int
    stop: int
    kind: Kind
    camera_motion: float | None  # median background speed, frame widths/s; None: not measured


@dataclass(frozen=True, slots=True)
class ShotDetector:
    """PySceneDetect's adaptive and threshold detectors, in their own units, on small pictures.

    `min_content_val` lies between the largest change that is no cut (an inset graphic on a news
    desk: 16) and the smallest cut (two angles in one studio: 33) of real clips at this size.
    `min_scene_len` is short on purpose: PySceneDetect's 15 frames hide the second of two cuts.
    """

    long_side: int = 128  # pixels of the BGR pictures it wants
    adaptive_threshold: float = 3.0
    window_width: int = 2
    min_content_val: float = 22.0
    min_scene_len: int = 2  # frames
    threshold: float = 12.0  # mean brightness below which a picture is black, 0 to 255
    blends: Blends = field(default_factory=Blends)
    camera: CameraMotion = field(default_factory=CameraMotion)

    name: ClassVar[str] = "pyscenedetect-adaptive"
    version: ClassVar[str] = f"1+scenedetect-{scenedetect.__version__}+opencv-{cv2.__version__}"
    weights: ClassVar[str | None] = None

    def start(self, rate: Fraction) -> "ShotWatcher":
        """A watcher for one video of this mean frame rate, in frames per second."""
        if rate <= 0:
            raise ShotError(f"a frame rate must be positive, got {rate}")
        return ShotWatcher(self, rate)


class QuickAdaptive(AdaptiveDetector):
    """PySceneDetect's adaptive detector with its frame score computed four times as fast.

    The score is the same number: the mean absolute difference over hue, saturation and value.
    """

    _before: UInt8[np.ndarray, "h w 3"] | None = None

    def _calculate_frame_score(self, timecode: FrameTimecode, frame_img: np.ndarray) -> float:
        before, self._before = self._before, cv2.cvtColor(frame_img, cv2.COLOR_BGR2HSV)
        if before is None:
            return 0.0
        return cv2.norm(self._before, before, cv2.NORM_L1) / before.size


class ShotWatcher:
    """Sees the pictures of one video in order and says at the end which shots they make."""

    def __init__(self, detector: ShotDetector, rate: Fraction) -> None:
        self._detector = detector
        self._rate = rate
        self._cut = QuickAdaptive(
            adaptive_threshold=detector.adaptive_threshold,
            min_scene_len=detector.min_scene_len,
            window_width=detector.window_width,
            min_content_val=detector.min_content_val,
        )
        self._fade = ThresholdDetector(
            threshold=detector.threshold, min_scene_len=0, add_final_scene=True
        )
        self._thumb_step = _step(rate, detector.blends.samples_per_second)
        self._camera_step = _step(rate, detector.camera.steps_per_second)
        self._frames: list[int] = []
        self._cuts: list[int] = []
        self._fades: list[int] = []
        self._thumbs: list[UInt8[np.ndarray, "h w"]] = []
        self._shape: tuple[int, ...] | None = None
        self._last_grey: UInt8[np.ndarray, "h w"] | None = None
        self._shifts: list[tuple[int, int, float]] = []
        self._last_look = 0

    def see(self, index: int, bgr: UInt8[np.ndarray, "h w 3"]) -> None:
        """Take the next picture; `index` is its source frame number.

        Raises ShotError where numbers do not rise or the size changes.
        """
        self._check(index, bgr)
        place = len(self._frames)
        self._frames.append(index)
        time = FrameTimecode(place, fps=self._rate)
        self._cuts += (cut.frame_num for cut in self._cut.process_frame(time, bgr))
        if place % self._thumb_step == 0:
            self._see_thumb(time, bgr)
        if place % self._camera_step == 0:
            self._see_camera(place, cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY))

    def finish(self) -> tuple[Stretch, ...]:
        """Shots and transitions: contiguous, half-open, covering every picture seen."""
        if not self._frames:
            return ()
        last = FrameTimecode(len(self._frames) - 1, fps=self._rate)
        self._fades += (cut.frame_num for cut in self._fade.post_process(last))
        self._cuts += (cut.frame_num for cut in self._cut.post_process(last))
        return tuple(self._stretch(*piece) for piece in self._pieces())

    def _check(self, index: int, bgr: UInt8[np.ndarray, "h w 3"]) -> None:
        if self._frames and index <= self._frames[-1]:
            raise ShotError(f"frame numbers must rise, got {index} after {self._frames[-1]}")
        if self._shape is not None and bgr.shape != self._shape:
            raise ShotError(f"pictures must keep the shape {self._shape}, got {bgr.shape}")
        self._shape = bgr.shape

    def _see_thumb(self, time: FrameTimecode, bgr: UInt8[np.ndarray, "h w 3"]) -> None:
        every = max(1, self._detector.long_side // THUMB)
        points = np.ascontiguousarray(bgr[every // 2 :: every, every // 2 :: every])
        thumb = cv2.cvtColor(points if points.size else bgr, cv2.COLOR_BGR2GRAY)
        self._thumbs.append(thumb)
        self._fades += (cut.frame_num for cut in self._fade.process_frame(time, thumb))

    def _see_camera(self, place: int, grey: UInt8[np.ndarray, "h w"]) -> None:
        if self._last_grey is not None:
            shift = self._detector.camera.shift(self._last_grey, grey)
            if shift is not None:
                self._shifts.append((self._last_look, place, shift))
        self._last_grey, self._last_look = grey, place

    def _pieces(self) -> list[tuple[int, int, Kind]]:
        """The stretches as places in the row of pictures seen."""
        count = len(self._frames)
        gradual = np.zeros(count, dtype=bool)
        for first, stop in self._gradual():
            gradual[first:stop] = True
        opens = {0, *(cut for cut in self._cuts if not gradual[cut])}
        opens |= {int(edge) + 1 for edge in np.flatnonzero(np.diff(gradual))}
        starts = sorted(opens)
        return [
            (a, b, Kind.TRANSITION if gradual[a] else Kind.SHOT)
            for a, b in zip(starts, [*starts[1:], count], strict=True)
        ]

    def _gradual(self) -> list[tuple[int, int]]:
        """Places inside gradual transitions: mixtures of pictures, and the black between fades.

        A video that is dark throughout has no black between anything.
        """
        step, thumbs = self._thumb_step, np.stack(self._thumbs)
        found = [(a * step, (b - 1) * step + 1) for a, b in self._detector.blends.find(thumbs)]
        dark = thumbs.mean(axis=(1, 2)) < self._detector.threshold
        for fade in self._fades if not dark.all() else ():
            first, stop = _grow(dark, min(fade // step, len(dark) - 1))
            found.append((max(0, (first - 1) * step + 1), min(stop * step, len(self._frames))))
        return found

    def _stretch(self, first: int, stop: int, kind: Kind) -> Stretch:
        end = self._frames[stop] if stop < len(self._frames) else self._frames[-1] + 1
        motion = median_speed(self._speeds(first, stop)) if kind is Kind.SHOT else None
        return Stretch(self._frames[first], end, kind, motion)

    def _speeds(self, first: int, stop: int) -> Float[np.ndarray, "step"]:
        per_second = float(self._rate)
        return np.array(
            [
                shift * per_second / (self._frames[b] - self._frames[a])
                for a, b, shift in self._shifts
                if first <= a and b < stop
            ]
        )


def _step(rate: Fraction, per_second: float) -> int:
    """Every how many-th frame to look at, to look about this often."""
    return max(1, round(float(rate) / per_second))


def _grow(dark: Bool[np.ndarray, "sample"], at: int) -> tuple[int, int]:
    """The run [first, stop) of dark samples around one of them."""
    first, stop = at, at + 1
    while first > 0 and dark[first - 1]:
        first -= 1
    while stop < len(dark) and dark[stop]:
        stop += 1
    return first, stop

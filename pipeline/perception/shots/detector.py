"""Shots from one pass over small pictures.

PySceneDetect finds the cuts, `blends` the gradual transitions, `camera` the background's motion.
"""

from collections.abc import Sequence
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
    change: float | None  # median of `picture_change` over its looks, grey levels; None: one look


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
    version: ClassVar[str] = f"4+scenedetect-{scenedetect.__version__}+opencv-{cv2.__version__}"
    weights: ClassVar[str | None] = None

    def start(self, rate: Fraction) -> "ShotWatcher":
        """A watcher for one video of this mean frame rate, in frames per second."""
        if rate <= 0:
            raise ShotError(f"a frame rate must be positive, got {rate}")
        return ShotWatcher(self, rate)


class ShotWatcher:
    """Sees the pictures of one video in order and says at the end which shots they make."""

    def __init__(self, detector: ShotDetector, rate: Fraction) -> None:
        self._detector = detector
        self._rate = rate
        self._thumb_step = _step(rate, detector.blends.samples_per_second)
        self._camera_step = _step(rate, detector.camera.steps_per_second)
        self._frames: list[int] = []
        self._scores: list[float] = []
        self._before: UInt8[np.ndarray, "h w 3"] | None = None
        self._thumbs: list[UInt8[np.ndarray, "h w"]] = []
        self._last_grey: UInt8[np.ndarray, "h w"] | None = None
        self._shifts: list[tuple[int, int, float]] = []
        self._changes: list[tuple[int, int, float]] = []
        self._last_look = 0

    def see(self, index: int, bgr: UInt8[np.ndarray, "h w 3"]) -> None:
        """Take the next picture; `index` is its source frame number.

        Raises ShotError where numbers do not rise or the size changes.
        """
        self._check(index, bgr)
        place = len(self._frames)
        self._frames.append(index)
        hsv = cv2.cvtColor(bgr, cv2.COLOR_BGR2HSV)
        self._scores.append(0.0 if self._before is None else content_score(self._before, hsv))
        self._before = hsv
        if place % self._thumb_step == 0:
            self._thumbs.append(_thumb(bgr, every=max(1, self._detector.long_side // THUMB)))
        if place % self._camera_step == 0:
            self._see_camera(place, cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY))

    def finish(self) -> tuple[Stretch, ...]:
        """Shots and transitions: contiguous, half-open, covering every picture seen."""
        if not self._frames:
            return ()
        return tuple(self._stretch(*piece) for piece in self._pieces())

    def _check(self, index: int, bgr: UInt8[np.ndarray, "h w 3"]) -> None:
        if self._frames and index <= self._frames[-1]:
            raise ShotError(f"frame numbers must rise, got {index} after {self._frames[-1]}")
        if self._before is not None and bgr.shape != self._before.shape:
            raise ShotError(f"pictures must keep the shape {self._before.shape}, got {bgr.shape}")

    def _see_camera(self, place: int, grey: UInt8[np.ndarray, "h w"]) -> None:
        if self._last_grey is not None:
            change = picture_change(self._last_grey, grey)
            self._changes.append((self._last_look, place, change))
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
        cuts = find_cuts(self._scores, self._detector, self._rate)
        opens = {0, *(cut for cut in cuts if not gradual[cut])}
        opens |= {int(edge) + 1 for edge in np.flatnonzero(np.diff(gradual))}
        starts = sorted(opens)
        return [
            (a, b, Kind.TRANSITION if gradual[a] else Kind.SHOT)
            for a, b in zip(starts, [*starts[1:], count], strict=True)
        ]

    def _gradual(self) -> list[tuple[int, int]]:
        """Places inside gradual transitions: mixtures of pictures, and the black between fades."""
        step, thumbs = self._thumb_step, np.stack(self._thumbs)
        found = [(a * step, (b - 1) * step + 1) for a, b in self._detector.blends.find(thumbs)]
        dark = thumbs.mean(axis=(1, 2)) < self._detector.threshold
        for fade in find_fades(thumbs, self._detector, self._rate / step):
            first, stop = _grow(dark, min(fade, len(dark) - 1))
            found.append((max(0, (first - 1) * step + 1), min(stop * step, len(self._frames))))
        return found

    def _stretch(self, first: int, stop: int, kind: Kind) -> Stretch:
        end = self._frames[stop] if stop < len(self._frames) else self._frames[-1] + 1
        motion = median_speed(self._speeds(first, stop)) if kind is Kind.SHOT else None
        changes = [change for a, b, change in self._changes if first <= a and b < stop]
        change = float(np.median(changes)) if changes and kind is Kind.SHOT else None
        return Stretch(self._frames[first], end, kind, motion, change)

    def _speeds(self, first: int, stop: int) -> Float[np.ndarray, "step"]:
        per_second = float(self._rate)
        return np.array(
            [
                shift * per_second / (self._frames[b] - self._frames[a])
                for a, b, shift in self._shifts
                if first <= a and b < stop
            ]
        )


class _Scored(AdaptiveDetector):
    """PySceneDetect's adaptive detector fed with frame scores in place of pictures."""

    def _calculate_frame_score(self, timecode: FrameTimecode, frame_img: np.ndarray) -> float:
        return float(frame_img)


def content_score(before: UInt8[np.ndarray, "h w 3"], after: UInt8[np.ndarray, "h w 3"]) -> float:
    """PySceneDetect's content value of two HSV pictures: mean absolute difference, 0 to 255.

    The same number as ContentDetector computes with its default weights, in a fifth of the time.
    """
    return cv2.norm(after, before, cv2.NORM_L1) / after.size


def picture_change(before: UInt8[np.ndarray, "h w"], after: UInt8[np.ndarray, "h w"]) -> float:
    """By how many grey levels the liveliest 400th of a picture differs from an earlier one, grain taken off.

    The signed difference is averaged over 3x3 pixels, which takes two thirds of independent grain out; what grain is
    left is told from the calmer three quarters of the picture, as if it were Gaussian there (`benchmarks/frozen.py`).
    """
    step = cv2.blur(np.subtract(after, before, dtype=np.float32), (3, 3))
    changed = np.abs(step, out=step).ravel()
    calm, lively = changed.size * 3 // 4, changed.size - 1 - changed.size // 400
    changed.partition((calm, lively))
    return float(changed[lively]) - GRAIN * float(changed[: max(1, calm)].mean())


GRAIN = 5.87
"""Of Gaussian noise the 0.9975 quantile of the magnitude over the mean of its lower three quarters."""


def find_cuts(scores: Sequence[float], detector: ShotDetector, rate: Fraction) -> list[int]:
    """Places of the frames that start a new shot, as PySceneDetect's AdaptiveDetector says.

    It is asked only around scores that can be a cut; the answer is that for all frames.
    """
    theirs = _Scored(
        adaptive_threshold=detector.adaptive_threshold,
        min_scene_len=detector.min_scene_len,
        window_width=detector.window_width,
        min_content_val=detector.min_content_val,
    )
    near = {0}
    for place in np.flatnonzero(np.asarray(scores) >= detector.min_content_val).tolist():
        near |= set(range(place - detector.window_width, place + detector.window_width + 1))
    cuts: list[int] = []
    for place in sorted(near & set(range(len(scores)))):
        time = FrameTimecode(place, fps=rate)
        cuts += (cut.frame_num for cut in theirs.process_frame(time, np.array(scores[place])))
    return cuts


def find_fades(
    thumbs: UInt8[np.ndarray, "sample h w"], detector: ShotDetector, rate: Fraction
) -> list[int]:
    """Samples in the middle of the black between two shots, as PySceneDetect's ThresholdDetector says.

    Black that the video ends with counts from its first sample. A video that is never dark, or
    dark throughout, has no black between anything.
    """
    means = thumbs.mean(axis=(1, 2))
    dark = means < detector.threshold
    if dark.all() or not dark.any():
        return []
    theirs = ThresholdDetector(threshold=detector.threshold, min_scene_len=0, add_final_scene=True)
    fades: list[int] = []
    for place, mean in enumerate(means):
        time = FrameTimecode(place, fps=rate)
        fades += (fade.frame_num for fade in theirs.process_frame(time, mean))
    last = FrameTimecode(len(means) - 1, fps=rate)
    return fades + [fade.frame_num for fade in theirs.post_process(last)]


def _thumb(bgr: UInt8[np.ndarray, "h w 3"], *, every: int) -> UInt8[np.ndarray, "h w"]:
    """Every how many-th pixel of a picture, grey."""
    points = np.ascontiguousarray(bgr[every // 2 :: every, every // 2 :: every])
    return cv2.cvtColor(points if points.size else bgr, cv2.COLOR_BGR2GRAY)


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

"""Shots from one pass over small pictures.

`cuts` finds the hard ones, `gradual` and `blends` the transitions, `camera` the background's motion, `new_pictures`
how often the picture is another one.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8
from numpy.typing import NDArray

from pipeline.packages import opencv_version
from pipeline.perception.shots.blends import Blends
from pipeline.perception.shots.camera import CameraMotion, median_speed
from pipeline.perception.shots.cuts import Cuts
from pipeline.perception.shots.gradual import Gradual
from pipeline.perception.shots.new_pictures import NewPictures, smoothed, step
from pipeline.perception.shots.rolling import Rolling

THUMB = 32  # pixels: longer side of the grey pictures in which boundaries are looked for


class ShotError(ValueError):
    """Pictures were handed over that do not belong to one run through one video."""


class Kind(StrEnum):
    """What a stretch of frames is."""

    SHOT = "shot"
    TRANSITION = "transition"  # a fade, dissolve or wipe: belongs to neither neighbour


@dataclass(frozen=True, slots=True)
class Stretch:
    """Source frames [first, stop) of one kind."""

    first: int
    stop: int
    kind: Kind
    camera_motion: float | None  # median background speed, frame widths/s; None: not measured
    change: float | None  # median of `picture_change` over its looks, grey levels; None: one look
    new_pictures: tuple[
        float | None, ...
    ]  # as `NewPictures.rates` gives them; empty in a transition


@runtime_checkable
class Boundaries(Protocol):
    """Looks for what separates the shots of one video."""

    def add(self, picture: UInt8[np.ndarray, "..."], /) -> None:
        """Take the next picture."""
        ...

    def finish(self) -> tuple[list[int], list[tuple[int, int]]]:
        """Places of the pictures that start a new shot at once, and places [first, stop) inside transitions."""
        ...


@dataclass(frozen=True, slots=True)
class ShotDetector:
    """Hard cuts and gradual transitions with one setting; `docs/decisions/0008` has what was measured.

    The base of every other backend, which has its own `name`, `version` and `boundaries`.
    """

    long_side: int = 128  # pixels of the pictures it wants
    cuts: Cuts = field(default_factory=Cuts)
    gradual: Gradual = field(default_factory=Gradual)
    blends: Blends = field(default_factory=Blends)
    camera: CameraMotion = field(default_factory=CameraMotion)
    new_pictures: NewPictures = field(default_factory=NewPictures)

    name: ClassVar[str] = "embedded"
    version: ClassVar[str] = f"8+opencv-{opencv_version()}"
    weights: ClassVar[str | None] = None
    coloured: ClassVar[bool] = False
    """Whether it wants BGR pictures; else grey ones, which cost next to nothing."""

    def missing(self) -> str | None:
        """What the detector lacks on this machine and how to get it; None where it can run."""
        return None

    def boundaries(self, fps: Fraction) -> Boundaries:
        """What looks for boundaries in one video."""
        return Thumbs(Rolling(self.cuts, self.gradual, self.blends, fps=float(fps)))

    def start(
        self, fps: Fraction, seconds: Float[np.ndarray, "frame"] | None = None
    ) -> "ShotWatcher":
        """A watcher for one video of this mean frame rate, in frames per second.

        seconds: of each source frame; None where all are equally far apart.
        """
        if fps <= 0:
            raise ShotError(f"a frame rate must be positive, got {fps}")
        return ShotWatcher(self, fps, seconds)


@dataclass(frozen=True, slots=True)
class Thumbs:
    """Cuts and transitions of grey pictures, looked for in still smaller ones."""

    rolling: Rolling

    def add(self, picture: UInt8[np.ndarray, "h w"]) -> None:
        """Take the next picture."""
        self.rolling.add(thumb(picture))

    def finish(self) -> tuple[list[int], list[tuple[int, int]]]:
        """As `Rolling` says."""
        return self.rolling.finish()


class ShotWatcher:
    """Sees the pictures of one video in order and says at the end which shots they make."""

    def __init__(
        self,
        detector: ShotDetector,
        fps: Fraction,
        seconds: Float[np.ndarray, "frame"] | None = None,
    ) -> None:
        self._detector = detector
        self._fps = fps
        self._seconds = seconds
        self._boundaries = detector.boundaries(fps)
        self._camera_step = _step(fps, detector.camera.steps_per_second)
        self._frames: list[int] = []
        self._shape: tuple[int, ...] | None = None
        self._last_grey: UInt8[np.ndarray, "h w"] | None = None
        self._shifts: list[tuple[int, int, float]] = []
        self._changes: list[tuple[int, int, float]] = []
        self._last_look = 0
        self._last_smooth: UInt8[np.ndarray, "h w"] | None = None
        self._steps: list[NDArray[np.uint8]] = []

    def add(self, index: int, picture: UInt8[np.ndarray, "..."]) -> None:
        """Take the next picture, BGR where the detector is `coloured`, else grey; `index` is its source frame number.

        Raises ShotError where numbers do not rise or the size changes.
        """
        import cv2

        self._check(index, picture)
        place = len(self._frames)
        self._frames.append(index)
        self._shape = picture.shape
        self._boundaries.add(picture)
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) if self._detector.coloured else picture
        self._see_step(smoothed(grey))
        if place % self._camera_step == 0:
            self._see_camera(place, grey)

    def finish(self) -> tuple[Stretch, ...]:
        """Shots and transitions: contiguous, half-open, covering every picture seen."""
        if not self._frames:
            return ()
        return tuple(self._stretch(*piece) for piece in self._pieces())

    def _check(self, index: int, picture: UInt8[np.ndarray, "..."]) -> None:
        if self._frames and index <= self._frames[-1]:
            raise ShotError(f"frame numbers must rise, got {index} after {self._frames[-1]}")
        if self._shape is not None and picture.shape != self._shape:
            raise ShotError(f"pictures must keep the shape {self._shape}, got {picture.shape}")

    def _see_step(self, smooth: UInt8[np.ndarray, "h w"]) -> None:
        last = smooth if self._last_smooth is None else self._last_smooth
        self._steps.append(step(last, smooth))
        self._last_smooth = smooth

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
        cuts, spans = self._boundaries.finish()
        gradual = np.zeros(count, dtype=bool)
        for first, stop in spans:
            gradual[first:stop] = True
        opens = {0, *(cut for cut in cuts if not gradual[cut])}
        opens |= {int(edge) + 1 for edge in np.flatnonzero(np.diff(gradual))}
        starts = sorted(opens)
        return [
            (a, b, Kind.TRANSITION if gradual[a] else Kind.SHOT)
            for a, b in zip(starts, [*starts[1:], count], strict=True)
        ]

    def _stretch(self, first: int, stop: int, kind: Kind) -> Stretch:
        end = self._frames[stop] if stop < len(self._frames) else self._frames[-1] + 1
        motion = median_speed(self._speeds(first, stop)) if kind is Kind.SHOT else None
        changes = [change for a, b, change in self._changes if first <= a and b < stop]
        change = float(np.median(changes)) if changes and kind is Kind.SHOT else None
        return Stretch(
            self._frames[first], end, kind, motion, change, self._new_pictures(first, stop, kind)
        )

    def _new_pictures(self, first: int, stop: int, kind: Kind) -> tuple[float | None, ...]:
        if kind is not Kind.SHOT:
            return ()
        frames = np.array(self._frames[first:stop])
        times = frames / float(self._fps) if self._seconds is None else self._seconds[frames]
        return self._detector.new_pictures.rates(np.stack(self._steps[first:stop]), times)

    def _speeds(self, first: int, stop: int) -> Float[np.ndarray, "step"]:
        per_second = float(self._fps)
        return np.array(
            [
                shift * per_second / (self._frames[b] - self._frames[a])
                for a, b, shift in self._shifts
                if first <= a and b < stop
            ]
        )


def picture_change(before: UInt8[np.ndarray, "h w"], after: UInt8[np.ndarray, "h w"]) -> float:
    """By how many grey levels the liveliest 400th of a picture differs from an earlier one, grain taken off.

    The signed difference is averaged over 3x3 pixels, which takes two thirds of independent grain out; the rest
    is estimated from the calmer three quarters of the picture, as if it were Gaussian there (`research/frozen.py`).
    """
    import cv2

    step = cv2.blur(np.subtract(after, before, dtype=np.float32), (3, 3))
    changed = np.abs(step, out=step).ravel()
    calm, lively = changed.size * 3 // 4, changed.size - 1 - changed.size // 400
    changed.partition((calm, lively))
    return float(changed[lively]) - GRAIN * float(changed[: max(1, calm)].mean())


GRAIN = 5.87
"""Of Gaussian noise the 0.9975 quantile of the magnitude over the mean of its lower three quarters."""


def thumb(grey: UInt8[np.ndarray, "h w"]) -> UInt8[np.ndarray, "small_h small_w"]:
    """A picture of which the longer side is THUMB pixels at most."""
    import cv2

    shrink = max(1.0, max(grey.shape) / THUMB)
    size = max(1, round(grey.shape[1] / shrink)), max(1, round(grey.shape[0] / shrink))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _step(fps: Fraction, per_second: float) -> int:
    """Every how many-th frame to look at, to look about this often."""
    return max(1, round(float(fps) / per_second))

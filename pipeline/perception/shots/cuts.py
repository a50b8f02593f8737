"""Hard cuts: one sudden step after which nearly every contour of the picture is another one.

The step alone does not tell. A flash steps as far, but soon gives the same picture back; a shaken camera does, but the
new picture is the old one shifted; an inset or a fast hand does, but leaves most contours where they were.
"""

from dataclasses import dataclass
from math import log

import numpy as np
from jaxtyping import Bool, Float, Int16, Int64, UInt8

Span = tuple[int, int]
Grey = UInt8[np.ndarray, "frame h w"]
BLOCK = 2048  # pictures computed at once
AROUND = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Cuts:
    """What counts as a hard cut, on grey pictures of 32 pixels. `docs/decisions/0008` has what was measured.

    spike: a step over the largest of those around it, each plus `noise`.
    cells: fraction of the sixteenths of the picture, of those with contours, in which a tenth of the contours or more
    change: an inset or a banner leaves most of it as it was.
    shifted: what is left of the step when the old picture is shifted onto the new one, as a shaken camera does.
    alike: correlation of the fine structure of both: high where something lights or moves what was there.
    The four decide together, weighed as `research.truth.shots_fit` found on films of people not reported on.
    """

    least: float = 2.0  # grey levels of 255, mean over the picture
    noise: float = 0.3  # grey levels
    spike: float = 1.2  # ratio from which a step is looked at
    by_spike: float = 0.16  # per e-fold, where a whole picture of changed contours counts 1
    by_shifted: float = 0.49  # per unit of `shifted`
    by_alike: float = -0.23  # per unit of `alike`
    enough: float = 1.41  # cells and the three others together
    farthest: int = 4  # pixels of 32 that a shaken camera shifts the picture in one frame, at most
    flash_spike: float = 1.6  # ratio: a flash dies away in steps that are smaller than its first
    flash_s: float = 0.3  # seconds that a flash lasts, at most
    back: float = 0.35  # ratio: what differs after a flash over the flash's own step
    drift: float = (
        0.28  # fraction of the contours that have moved by then, where only the light is back
    )
    one_sided: float = 0.85  # ratio: a flash makes the whole picture lighter, or darker
    lit: float = 0.5  # correlation: a flash lights the contours that were there
    held: int = 6  # frames that one picture may stay: a lower rate in a file of a higher one
    held_s: float = 4.0  # seconds before and after in which that is looked for
    quiet: float = (
        0.4  # fraction of a step, below which the steps before it are a picture that stays
    )
    usual: int = 5  # steps that are seen, at least
    few: float = 0.4  # fraction of the steps that may come sooner: transitions and coding do

    def find(self, grey: Grey, *, fps: float) -> tuple[list[int], list[Span]]:
        """Places of the pictures that start a new shot, and the flashes [first, stop). fps: pictures per second."""
        changes = steps(grey)
        cuts: list[int] = []
        flashes: list[Span] = []
        for place, spike in self.sudden(changes, fps=fps):
            if flashes and place <= flashes[-1][1]:
                continue
            longest = round(self.flash_s * fps)
            back = self.flash_ends(grey, place, longest) if spike >= self.flash_spike else None
            if back is not None:
                flashes.append((place, back))
            elif self.is_cut(grey[place - 1], grey[place], spike=spike):
                cuts.append(place)
        return cuts, flashes

    def sudden(self, changes: Float[np.ndarray, "frame"], *, fps: float) -> list[tuple[int, float]]:
        """Places whose step stands out from those around it, and by how much."""
        padded = np.pad(changes, 2)
        around = np.max([padded[k : k + len(changes)] for k in (0, 1, 3, 4)], axis=0)
        high = (changes >= self.least) & (changes >= self.spike * (around + self.noise))
        reach = round(self.held_s * fps)
        moving = np.flatnonzero(changes >= self.least)
        still = np.array(
            [self.still(changes, int(at)) for at in moving] if high.any() else [], dtype=np.int64
        )
        found = list[tuple[int, float]]()
        for place in map(int, np.flatnonzero(high)):
            seen = slice(*np.searchsorted(moving, (place - reach, place + reach + 1)))
            near = 1 + self.stays(still[seen])
            first = max(0, place - near)
            beside = np.delete(changes[first : place + near + 1], place - first)
            spike = float(changes[place] / (beside.max(initial=0.0) + self.noise))
            if spike >= self.spike:
                found.append((place, spike))
        return found

    def still(self, changes: Float[np.ndarray, "frame"], at: int) -> int:
        """How many frames before a step the picture stayed."""
        before = changes[max(0, at - self.held + 1) : at][::-1]
        loud = np.flatnonzero(before > self.quiet * changes[at])
        return int(loud[0]) if len(loud) else len(before)

    def stays(self, still: Int64[np.ndarray, "step"]) -> int:
        """For how many frames each picture stays, of `still` before each step: 1 unless most steps say so."""
        if len(still) < self.usual:
            return 1
        return 1 + int(np.quantile(still, self.few, method="lower"))

    def is_cut(
        self, before: UInt8[np.ndarray, "h w"], after: UInt8[np.ndarray, "h w"], *, spike: float
    ) -> bool:
        """Whether two neighbours show different pictures, not one that was shifted or drawn upon."""
        cells = contours_changed(before, after)[1]
        known = cells + self.by_spike * log(spike) + self.by_alike * alike(before, after)
        if known + self.by_shifted < self.enough:  # a shift leaves all of the step at most
            return False
        left = left_when_shifted(before, after, farthest=self.farthest)
        return known + self.by_shifted * left >= self.enough

    def flash_ends(self, grey: Grey, place: int, longest: int) -> int | None:
        """Where the picture from before `place` is back after a flash; None where it was none."""
        before = grey[place - 1].astype(np.int16)
        step = grey[place] - before
        size = float(np.abs(step).mean())
        if abs(float(step.mean())) < self.one_sided * size:
            return None
        if alike(grey[place - 1], grey[place]) < self.lit:
            return None
        for later in range(place + 1, min(place + longest, len(grey) - 1) + 1):
            left = grey[later] - before
            if np.abs(left).mean() <= self.back * size or (
                abs(left.mean()) <= self.back / 2 * size
                and contours_changed(grey[place - 1], grey[later])[0] < self.drift
            ):
                return later
        return None


def steps(grey: Grey) -> Float[np.ndarray, "frame"]:
    """Mean absolute difference of each picture from the one before, grey levels; 0 for the first."""
    return np.concatenate((np.zeros(min(1, len(grey))), distance(grey[:-1], grey[1:])))


def distance(
    a: UInt8[np.ndarray, "frame h w"], b: UInt8[np.ndarray, "frame h w"]
) -> Float[np.ndarray, "frame"]:
    """Mean absolute difference of pairs of pictures, grey levels."""
    import cv2

    found = [np.zeros(0)]
    for first in range(0, len(a), BLOCK):
        pair = [
            part[first : first + BLOCK].reshape(len(part[first : first + BLOCK]), -1)
            for part in (a, b)
        ]
        off = cv2.absdiff(np.ascontiguousarray(pair[0]), np.ascontiguousarray(pair[1]))
        means = cv2.reduce(off, 1, cv2.REDUCE_AVG, dtype=cv2.CV_64F)
        found.append(means.ravel().astype(np.float64, copy=False))
    return np.concatenate(found)


def contours_changed(
    before: UInt8[np.ndarray, "h w"], after: UInt8[np.ndarray, "h w"]
) -> tuple[float, float]:
    """Which fraction of the pixels on a contour of either picture change, and in which fraction of its cells some do.

    A pixel changes by more than 0.3 of the contour's height. 1 where there are hardly any contours to ask.
    """
    height = np.maximum(relief(before), relief(after))
    step = np.abs(after.astype(np.int16) - before)
    on = height > CONTOUR
    fraction = float((step[on] > 0.3 * height[on]).mean()) if on.sum() >= 10 else 1.0
    faint = height > 2 * CONTOUR // 3
    changed = faint & (step > np.maximum(0.3 * height, 2.0))
    there, moved = in_cells(faint), in_cells(changed)
    known = there >= 3
    cells = float((moved[known] >= 0.1 * there[known]).mean()) if known.sum() >= 4 else 1.0
    return fraction, cells


def alike(before: UInt8[np.ndarray, "h w"], after: UInt8[np.ndarray, "h w"]) -> float:
    """Correlation of what is finer than 5 pixels, on the contours of both, where the later picture is not burnt out.

    1 where hardly any contours are left to ask.
    """
    import cv2

    dim = cv2.dilate(((after > BURNT) | (after < DARK)).astype(np.uint8), AROUND) == 0
    on = dim & (np.maximum(relief(before), relief(after)) > CONTOUR)
    if on.sum() < 20:
        return 1.0
    fine = [
        (picture - cv2.blur(picture, (5, 5)))[on]
        for picture in (before.astype(np.float32), after.astype(np.float32))
    ]
    size = float(np.linalg.norm(fine[0]) * np.linalg.norm(fine[1]))
    return float(fine[0] @ fine[1]) / size if size > 0.0 else 1.0


BURNT, DARK = (
    225,
    4,
)  # grey levels of full range beyond which a flash or the dark hides what was there


def in_cells(flags: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "16"]:
    """How many are true in each of the four by four cells of a picture."""
    high, wide = (np.arange(4) * length // 4 for length in flags.shape)
    sums = np.add.reduceat(np.add.reduceat(flags.astype(np.float64), high, axis=0), wide, axis=1)
    return sums.ravel()


CONTOUR = 12  # grey levels between the lightest and the darkest of 3x3 pixels: grain and coding noise stay below


def relief(picture: UInt8[np.ndarray, "h w"]) -> Int16[np.ndarray, "h w"]:
    """The lightest less the darkest of the 3x3 pixels around each."""
    import cv2

    return cv2.morphologyEx(picture, cv2.MORPH_GRADIENT, AROUND).astype(np.int16)


def left_when_shifted(
    before: UInt8[np.ndarray, "h w"], after: UInt8[np.ndarray, "h w"], *, farthest: int
) -> float:
    """The least difference of any shift of `before` by half pixels, over the difference unshifted.

    Compared where all shifts overlap; 1 where the pictures are too small for that.
    """
    import cv2

    reach = 2 * farthest
    a, b = (
        cv2.resize(p, (2 * p.shape[1], 2 * p.shape[0]), interpolation=cv2.INTER_LINEAR).astype(
            np.int16
        )
        for p in (before, after)
    )
    if min(a.shape) <= 2 * reach:
        return 1.0
    core = b[reach:-reach, reach:-reach]
    shifts = np.lib.stride_tricks.sliding_window_view(a, core.shape)
    left = np.abs(shifts - core).mean(axis=(2, 3))
    return float(left.min() / (left[reach, reach] + 0.5))

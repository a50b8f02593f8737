"""How many new pictures a second a shot shows: repeats that fill up a higher frame rate are not counted.

A picture that stays differs from the one before by what coding and grain make of it, and one that is new by more. How
much that is depends on the film, so each step is compared with the smallest and the largest around it. It is asked cell
by cell, since a person may move at another rate than the screen behind them. `research.truth.picture_rate` has what
was measured.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from manifests.record import Box

CELLS = 4
"""Rows, and columns, of the cells of a picture."""


@dataclass(frozen=True, slots=True)
class NewPictures:
    """What counts as a new picture, and from how many of them a rate is computed."""

    reach_s: float = (
        0.6  # seconds before and after in which the smallest and the largest step are looked for
    )
    share: float = 0.25  # of the way from the smallest to the largest step, from which one is new
    enough: float = 12.0  # grey levels of 255 above the smallest step, from which one is new however large others are
    least: float = 6.0  # grey levels of 255 above the smallest step, below which none is new
    fewest: int = 4  # new pictures from which a rate is computed,
    fewest_per_second: float = (
        1.0  # and how often they come: key frames of a still picture come more rarely
    )
    pause_s: float = 1.0  # seconds without a new picture after which it is the person who stays
    usual: float = (
        1.5  # of the median time from one new picture to the next: what takes longer is a pause
    )

    def rates(
        self, steps: UInt8[np.ndarray, "picture cell"], times: Float[np.ndarray, "picture"]
    ) -> tuple[float | None, ...]:
        """New pictures per second in each cell of one shot; None where too little moves to tell.

        steps: of each picture from the one before, as `step` gives them; the first one's is not looked at. times:
        seconds. Right up to half the rate of the pictures handed over; above that it may come out as that rate.
        """
        if len(steps) <= self.fewest:
            return (None,) * steps.shape[1]
        new = self.new(steps[1:], seconds_apart=float(np.median(np.diff(times))))
        wanted = max(self.fewest, self.fewest_per_second * float(times[-1] - times[0]))
        return tuple(
            self.rate(times[1:][in_cell]) if in_cell.sum() >= wanted else None for in_cell in new.T
        )

    def new(
        self, steps: UInt8[np.ndarray, "picture cell"], *, seconds_apart: float
    ) -> Bool[np.ndarray, "picture cell"]:
        """Which pictures are new in which cells."""
        import cv2

        around = np.ones((2 * max(1, round(self.reach_s / seconds_apart)) + 1, 1), np.uint8)
        low, high = cv2.erode(steps, around), cv2.dilate(steps, around)
        wanted = np.clip(
            self.share * np.subtract(high, low, dtype=np.float32), self.least, self.enough
        )
        return np.subtract(steps, low, dtype=np.float32) >= wanted

    def rate(self, times: Float[np.ndarray, "new"]) -> float | None:
        """How often pictures come at these seconds, pauses left out; None where there is nothing but pauses."""
        apart = np.diff(times)
        apart = apart[apart <= self.pause_s]
        if len(apart) < self.fewest - 1:
            return None
        return float(1.0 / apart[apart <= self.usual * np.median(apart)].mean())


def smoothed(grey: UInt8[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
    """A picture averaged over 3x3 pixels, which takes two thirds of independent grain out of it."""
    import cv2

    return np.asarray(cv2.blur(grey, (3, 3)), dtype=np.uint8)


def step(
    before: UInt8[np.ndarray, "h w"], after: UInt8[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "cell"]:
    """By how many grey levels the pixel that changes most does so in each cell, row by row. Both pictures smoothed."""
    import cv2

    changed = cv2.absdiff(before, after)
    rows, columns = (np.arange(CELLS) * side // CELLS for side in before.shape)
    return np.maximum.reduceat(np.maximum.reduceat(changed, rows, axis=0), columns, axis=1).ravel()


def of_person(cells: tuple[float | None, ...], face: Box, size: tuple[int, int]) -> float | None:
    """Median rate in the cells in which a person's head and hands move; None where none of them can tell.

    cells: as `rates` gives them; face: box in pixels of a picture of `size` = (width, height). Looked at: one face's
    width on each side, and from half its height above to three below.
    """
    if not cells:
        return None
    x, y, wide, high = face
    columns = touched(x - wide, x + 2.0 * wide, size[0])
    rows = touched(y - 0.5 * high, y + 4.0 * high, size[1])
    asked = [cells[row * CELLS + column] for row in rows for column in columns]
    known = [rate for rate in asked if rate is not None]
    return float(np.median(known)) if known else None


def touched(first: float, stop: float, length: int) -> range:
    """Cells along one side that [first, stop) touches, in pixels of `length`."""
    return range(
        min(CELLS - 1, max(0, int(first * CELLS / length))),
        max(1, min(CELLS, int(np.ceil(stop * CELLS / length)))),
    )

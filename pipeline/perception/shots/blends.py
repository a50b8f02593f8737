"""Gradual transitions, found as what they are: pictures halfway between an earlier and a later one.

In a dissolve, or a fade from or to one colour, picture t is a linear mix of what comes before and
what comes after, so the middle of a window equals the mean of its ends. Moving people and moving
cameras change as much but are far from that mean, and a hard cut misses it by half the change.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

BLOCK = 1024  # windows computed at once


@dataclass(frozen=True, slots=True)
class Blends:
    """What counts as a gradual transition.

    The residual is the mean absolute difference between the middle picture and the mean of the two
    ends, over the mean absolute difference of the ends. Of 132 dissolves between real clips, of 8
    to 25 frames, 93 % or more come below 0.2 in one of the three windows; talking people, pans and
    hand-held cameras stay above 0.23 wherever the change is 15 levels or more.
    """

    samples_per_second: float = 12.5
    half_windows: tuple[int, ...] = (2, 4, 6)  # samples: 0.16, 0.32 and 0.48 s
    least_change: float = 15.0  # grey levels of 255 between the two ends
    most_residual: float = 0.2  # ratio; 0 is an exact mix, 0.5 a hard cut

    def find(self, pictures: UInt8[np.ndarray, "sample h w"]) -> tuple[tuple[int, int], ...]:
        """Runs [first, stop) of samples that lie inside a gradual transition, ends included.

        pictures: small grey pictures at an even rate of about `samples_per_second`.
        """
        inside = np.zeros(len(pictures), dtype=bool)
        for half in self.half_windows:
            change, residual = mixture(pictures, half=half)
            hits = np.flatnonzero((change >= self.least_change) & (residual <= self.most_residual))
            for first in hits:
                inside[first : first + 2 * half + 1] = True
        return runs(inside)


def mixture(
    pictures: UInt8[np.ndarray, "sample h w"], *, half: int
) -> tuple[Float[np.ndarray, "window"], Float[np.ndarray, "window"]]:
    """Change between the ends of each window of 2 * half + 1 pictures, and the middle's residual.

    Returns grey levels, and a ratio that is 0 where the middle is the mean of the ends and 0.5 for
    a hard cut; both empty where there are fewer pictures than one window holds.
    """
    windows = max(0, len(pictures) - 2 * half)
    change, residual = np.empty(windows), np.empty(windows)
    for first in range(0, windows, BLOCK):
        block = slice(first, min(first + BLOCK, windows))
        start, middle, end = (
            pictures[block.start + k : block.stop + k].astype(np.int16) for k in (0, half, 2 * half)
        )
        change[block] = np.abs(end - start).mean(axis=(1, 2))
        residual[block] = np.abs(2 * middle - start - end).mean(axis=(1, 2)) / 2.0
    return change, residual / np.maximum(change, 1e-6)


def runs(flags: np.ndarray) -> tuple[tuple[int, int], ...]:
    """The half-open runs of true values in a row of flags."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return tuple((int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True))

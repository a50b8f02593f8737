"""Pushes and slides: the new picture moves in from one side, over the old one or pushing it out."""

import numpy as np
from jaxtyping import Float, Int16

Windows = Int16[np.ndarray, "window h w"]


def off_push(a: Windows, b: Windows, middle: Windows) -> Float[np.ndarray, "window"]:
    """How far a picture is from the best picture that is part a and part b moving in, over the ends' distance.

    0 in the middle of a push or a slide, whichever side it comes from, where both ends are at rest.
    """
    size = np.abs(b - a).mean(axis=(1, 2)) + 0.5
    least = np.full(len(a), np.inf)
    for axis in (1, 2):
        for ends in ((a, b, middle), tuple(np.flip(each, axis) for each in (a, b, middle))):
            upright = (each if axis == 1 else each.transpose(0, 2, 1) for each in ends)
            least = np.minimum(least, _off_from_below(*upright))
    return least / size


def _off_from_below(a: Windows, b: Windows, middle: Windows) -> Float[np.ndarray, "window"]:
    """The least mean difference where the first rows of b stand below rows of a."""
    high = a.shape[1]
    least = np.full(len(a), np.inf)
    for rows in range(max(1, high // 4), high - high // 4 + 1):
        below = np.abs(middle[:, high - rows :] - b[:, :rows]).sum(axis=(1, 2))
        rest = middle[:, : high - rows]
        pushed = np.abs(rest - a[:, rows:]).sum(axis=(1, 2))
        covered = np.abs(rest - a[:, : high - rows]).sum(axis=(1, 2))
        least = np.minimum(least, below + np.minimum(pushed, covered))
    return least / (high * a.shape[2])


def off_pan(a: Windows, b: Windows) -> Float[np.ndarray, "window"]:
    """How far b is, where both show the same, from a moved by up to three quarters of the picture.

    Over their distance unmoved: small where the camera went from a to b.
    """
    least = np.full(len(a), np.inf)
    for x, y in ((a, b), (b, a)):
        for axis in (1, 2):
            upright = [each if axis == 1 else each.transpose(0, 2, 1) for each in (x, y)]
            high = upright[0].shape[1]
            for rows in range(1, high * 3 // 4 + 1):
                off = np.abs(upright[1][:, : high - rows] - upright[0][:, rows:])
                least = np.minimum(least, off.mean(axis=(1, 2)))
    return least / (np.abs(b - a).mean(axis=(1, 2)) + 0.5)

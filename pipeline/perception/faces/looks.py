"""What somebody looks like besides their face: the colours of head and chest, to tell apart people who come close."""

import numpy as np
from jaxtyping import Float, UInt8

from manifests.record import Box

BINS = 12  # of each of the three channels of each patch
NARROW = (88, 168)  # of CIELAB's a and b as OpenCV has them: skin, hair and most clothes lie there
MOST = 96  # pixels along a patch from twice which on only every second, third, ... one is counted

Look = tuple[float, ...]
"""Two patches, three channels each, `BINS` shares each."""


def places(low: int, high: int) -> UInt8[np.ndarray, "256"]:
    """The histogram's bin of each of a channel's values; what lies outside the range is in the first or the last."""
    return np.clip((np.arange(256) - low) * BINS // (high - low), 0, BINS - 1).astype(np.uint8)


PLACES = (places(0, 255), places(*NARROW), places(*NARROW))


def look(rgb: UInt8[np.ndarray, "h w 3"], face: Box) -> Look:
    """Histograms of CIELAB's channels in the head and in the chest below it; a patch outside the picture is all 0.

    face: forehead to chin, pixels of the picture. Head: the face with half of its height above. Chest: twice as wide as
    the face, from 0.4 to 1.6 of its height below the chin.
    """
    x, y, width, height = face
    head = (x, y - 0.5 * height, width, 1.5 * height)
    chest = (x - 0.5 * width, y + 1.4 * height, 2.0 * width, 1.2 * height)
    return tuple(fraction for patch in (head, chest) for fraction in colours(rgb, patch).tolist())


def colours(rgb: UInt8[np.ndarray, "h w 3"], box: Box) -> Float[np.ndarray, " shares"]:
    """The three histograms of a box, one after the other, each with the sum 1."""
    import cv2

    left, top = max(0, round(box[0])), max(0, round(box[1]))
    patch = rgb[top : max(0, round(box[1] + box[3])), left : max(0, round(box[0] + box[2]))]
    if patch.size == 0:
        return np.zeros(3 * BINS)
    step = max(1, max(patch.shape[:2]) // MOST)
    few = np.ascontiguousarray(patch[::step, ::step])
    lab = cv2.cvtColor(few, cv2.COLOR_RGB2LAB).astype(np.uint8, copy=False)
    counts = [
        np.bincount(bins[lab[..., channel]].ravel(), minlength=BINS)
        for channel, bins in enumerate(PLACES)
    ]
    return np.concatenate(counts) / (lab.shape[0] * lab.shape[1])


def unlike(a: Look, b: Look) -> float:
    """Mean Hellinger distance of the histograms that both have: 0 the same colours, 1 none in common."""
    first, second = (np.asarray(each).reshape(-1, BINS) for each in (a, b))
    both = (first.sum(axis=1) > 0.0) & (second.sum(axis=1) > 0.0)
    if not both.any():
        return 0.0
    shared = np.sqrt(first[both] * second[both]).sum(axis=1)
    return float(np.sqrt(np.maximum(0.0, 1.0 - shared)).mean())

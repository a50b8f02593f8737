"""How near generated frames lie to the recorded ones, frame by frame: streamed, two pictures in memory at a time."""

from collections.abc import Callable, Iterable
from typing import cast

import cv2
import numpy as np
from jaxtyping import UInt8
from skimage.metrics import structural_similarity

Picture = UInt8[np.ndarray, "_height _width 3"]
Film = Callable[[], Iterable[Picture]]
"""RGB pictures from the first on, at each call anew."""

MOST_DB = 100.0
"""What identical pictures count as, whose ratio is infinite."""


def psnr(frames: Film, truth: Film) -> float | None:
    """Mean over frames of 10 log10(255^2 / mean squared error), at most 100 dB a frame. None without a frame."""
    return _mean(_psnr, frames, truth)


def ssim(frames: Film, truth: Film) -> float | None:
    """Mean over frames of the structural similarity, mean of the three channels (Wang et al. 2004: Gaussian of sigma
    1.5). None without a frame.
    """
    return _mean(_ssim, frames, truth)


def _mean(score: Callable[[Picture, Picture], float], frames: Film, truth: Film) -> float | None:
    """Over the frames that both have; a picture of another size is brought to the truth's."""
    total, count = 0.0, 0
    for ours, theirs in zip(frames(), truth(), strict=False):
        total += score(_sized(ours, theirs), theirs)
        count += 1
    return total / count if count else None


def _sized(picture: Picture, like: Picture) -> Picture:
    if picture.shape == like.shape:
        return picture
    height, width = like.shape[:2]
    how = cv2.INTER_AREA if picture.shape[0] > height else cv2.INTER_LINEAR
    return cv2.resize(picture, (width, height), interpolation=how)


def _psnr(ours: Picture, theirs: Picture) -> float:
    error = float(np.square(ours.astype(np.float64) - theirs).mean())
    return MOST_DB if error == 0.0 else min(MOST_DB, 10.0 * np.log10(255.0**2 / error))


def _ssim(ours: Picture, theirs: Picture) -> float:
    value = structural_similarity(
        ours, theirs, channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    )  # fmt: skip
    return float(cast(np.floating, value))  # a tuple only where gradients or pictures are asked for

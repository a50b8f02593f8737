"""Mean and spread of what a network sees, over one dataset's training clips: an artefact of the dataset."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32

LEAST_SPREAD = 1e-3
"""In half crops, a quarter of a pixel: what hardly moves is not blown up."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """mean, spread: one number per value of a frame; a value that was never known has 0 and 1."""

    mean: Float32[np.ndarray, " size"]
    spread: Float32[np.ndarray, " size"]

    @classmethod
    def of(
        cls,
        clips: Iterable[tuple[Float[np.ndarray, "time size"], Bool[np.ndarray, "time size"]]],
        size: int,
    ) -> "Statistics":
        """Over the known values of all frames, in one pass, in float64 (Chan et al. 1979)."""
        count, mean, squares = np.zeros(size), np.zeros(size), np.zeros(size)
        for values, known in clips:
            here = known.sum(axis=0)
            local = np.where(known, values, 0.0).sum(axis=0, dtype=np.float64) / np.maximum(here, 1)
            around = np.where(known, values - local, 0.0)
            total, apart = count + here, local - mean
            squares += (around**2).sum(axis=0) + apart**2 * count * here / np.maximum(total, 1)
            mean += apart * here / np.maximum(total, 1)
            count = total
        spread = np.sqrt(squares / np.maximum(count, 1))
        spread = np.where(count > 0, np.maximum(spread, LEAST_SPREAD), 1.0)
        return cls(mean.astype(np.float32), spread.astype(np.float32))

    def apply(self, values: Float32[np.ndarray, "*time size"]) -> Float32[np.ndarray, "*time size"]:
        """Values brought to mean 0 and spread 1."""
        return (values - self.mean) / self.spread

    def undo(self, values: Float32[np.ndarray, "*time size"]) -> Float32[np.ndarray, "*time size"]:
        """The inverse of `apply`."""
        return values * self.spread + self.mean

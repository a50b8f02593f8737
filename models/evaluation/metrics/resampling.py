"""Shuffled voices, for what a mean would be by chance. How sure it is says `pipeline.perception.resampling`."""

import numpy as np
from jaxtyping import Int64


def derangement(count: int, rng: np.random.Generator) -> Int64[np.ndarray, " count"]:
    """A random permutation that leaves nothing in its place: drawn until one does, 2.7 times in the mean.

    Raises ValueError below two.
    """
    if count < 2:
        raise ValueError(f"a derangement needs two, got {count}")
    while True:
        order = rng.permutation(count)
        if (order != np.arange(count)).all():
            return order

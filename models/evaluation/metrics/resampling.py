"""What a mean would be by chance: shuffled voices. How sure it is says `pipeline.perception.resampling`."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import Int64

from pipeline.perception.resampling import Interval, percentile_bounds

Motion = TypeVar("Motion")
Sound = TypeVar("Sound")


def permutation_chance(
    score: Callable[[Motion, Sound], float | None],
    pairs: Sequence[tuple[Motion, Sound]],
    *,
    seed: int,
    draws: int = 20,
    level: float = 0.95,
) -> Interval:
    """The mean score where each motion meets another clip's voice, over shuffles that leave no clip its own.

    score: None where it cannot be measured; such pairs are left out. It must bear a motion and a voice of different
    lengths (`body.together`). Clips of one speaker are close to each other, so where the set holds several, chance is
    a little too kind. Costs draws x clips scores. Raises ValueError for fewer than two clips, or where nothing at all
    could be measured.
    """
    rng = np.random.default_rng(seed)
    means = []
    for _ in range(draws):
        order = derangement(len(pairs), rng)
        scores = [score(pair[0], pairs[other][1]) for pair, other in zip(pairs, order, strict=True)]
        found = [value for value in scores if value is not None]
        if found:
            means.append(float(np.mean(found)))
    if not means:
        raise ValueError(f"none of {len(pairs)} clips could be scored with another's voice")
    low, high = percentile_bounds(np.array(means), level=level)
    return Interval(float(np.mean(means)), float(low), float(high), len(means))


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

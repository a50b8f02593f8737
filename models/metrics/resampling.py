"""How sure a mean is, and what it would be by chance: bootstrap over people, shuffled voices."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float, Int64

Motion = TypeVar("Motion")
Sound = TypeVar("Sound")


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with the bounds of what resampling gives.

    count: of what was resampled: values, people, or shuffles.
    """

    mean: float
    low: float
    high: float
    count: int


def bootstrap(
    values: Float[np.ndarray, " n"],
    *,
    groups: Sequence[str] | None = None,
    seed: int,
    draws: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Percentile bootstrap of the mean of all values (Efron 1979).

    groups: who each value is of. Then people are drawn, each with all their values, as clips of one person are alike;
    the interval is as wide as that few people allow. With fewer than about ten of them it is still too narrow. Raises
    ValueError for no values, values that are not finite, or groups of another length.
    """
    if not len(values) or not np.isfinite(values).all():
        raise ValueError(f"a bootstrap needs finite values, got {len(values)}")
    if groups is not None and len(groups) != len(values):
        raise ValueError(f"{len(values)} values have {len(groups)} groups")
    names, member = np.unique(
        np.arange(len(values)) if groups is None else np.asarray(groups), return_inverse=True
    )
    total = np.bincount(member, weights=values)
    size = np.bincount(member)
    rng = np.random.default_rng(seed)
    means = np.empty(draws)
    for draw in range(draws):
        taken = rng.integers(0, len(names), len(names))
        means[draw] = total[taken].sum() / size[taken].sum()
    low, high = _bounds(means, level)
    return Interval(float(np.mean(values)), low, high, len(names))


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
    low, high = _bounds(np.array(means), level)
    return Interval(float(np.mean(means)), low, high, len(means))


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


def _bounds(means: Float[np.ndarray, " draws"], level: float) -> tuple[float, float]:
    low, high = np.quantile(means, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)

"""How sure a figure is that is taken over few people: the bootstrap, written once for both halves of the project.

It lies here because both halves may import perception, functions on arrays, and the pipeline may not import models:
metrics of models and truth tables of filters resample people alike. It is no part of the contract, so it is not in
`manifests`.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64
from numpy.typing import ArrayLike


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
    low, high = bootstrap_statistic(
        lambda drawn: total[drawn].sum() / size[drawn].sum(),
        people=len(names),
        seed=seed,
        draws=draws,
        level=level,
    )
    return Interval(float(np.mean(values)), float(low), float(high), len(names))


def bootstrap_statistic(
    statistic: Callable[[Int64[np.ndarray, " people"]], ArrayLike],
    *,
    people: int,
    seed: int,
    draws: int = 2000,
    level: float = 0.95,
) -> tuple[Float[np.ndarray, "*figures"], Float[np.ndarray, "*figures"]]:
    """Bounds of one figure or several of the same people, by the percentile bootstrap over people (Efron 1979).

    statistic: the figures of a sample; it is given the numbers, from 0, of as many people as there are, drawn with
    replacement. A figure that is NaN in a sample is left out of its bounds, which are NaN where all are.
    """
    random = np.random.default_rng(seed)
    found = [statistic(random.integers(0, people, people)) for _ in range(draws)]
    return percentile_bounds(np.array(found, np.float64), level=level)


def percentile_bounds(
    samples: Float[np.ndarray, "draws *figures"], *, level: float = 0.95
) -> tuple[Float[np.ndarray, "*figures"], Float[np.ndarray, "*figures"]]:
    """The bounds between which the middle `level` of the samples lie; NaN where there is no number at all."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice encountered", RuntimeWarning)
        low, high = np.nanquantile(samples, [(1.0 - level) / 2.0, (1.0 + level) / 2.0], axis=0)
    return np.asarray(low), np.asarray(high)

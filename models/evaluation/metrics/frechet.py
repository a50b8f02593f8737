"""The Frechet distance of two sets of features, each taken for a Gaussian, and what it is by chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64


def frechet_distance(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"]) -> float:
    """|mean_a - mean_b|^2 + tr(A + B - 2 (AB)^1/2), A and B the covariances over n - 1 (Dowson & Landau 1982).

    Features in, their square out. The trace of the root is the sum of the singular values of R_a R_b', where
    A = R_a' R_a: no matrix root is taken, so fewer rows than features are no trouble, nothing becomes complex, and
    identical sets give 0. Raises ValueError for fewer than two rows.
    """
    if min(len(a), len(b)) < 2:
        raise ValueError(f"a covariance needs two rows, got {len(a)} and {len(b)}")
    apart = a.mean(axis=0, dtype=np.float64) - b.mean(axis=0, dtype=np.float64)
    return _distance(apart, _root(a), _root(b))


@dataclass(frozen=True, slots=True)
class Moments:
    """Of each of some groups of rows how many there are, their sum and the sum of their outer products.

    What is needed to tell the Frechet distance of any choice of groups without a look at the rows.
    """

    count: Float64[np.ndarray, " groups"]
    total: Float64[np.ndarray, "groups d"]
    outer: Float64[np.ndarray, "groups pairs"]

    @classmethod
    def of(
        cls,
        rows: Float[np.ndarray, "n d"],
        owners: Int64[np.ndarray, " n"],
        groups: int,
        *,
        around: Float64[np.ndarray, " d"],
    ) -> "Moments":
        """owners: the group of each row, from 0. around: what is taken off each row first, so that the spread is not
        lost beside the mean; distances compare only where it is the same.
        """
        size = rows.shape[1]
        count = np.bincount(owners, minlength=groups).astype(np.float64)
        total, outer = np.zeros((groups, size)), np.zeros((groups, size * (size + 1) // 2))
        upper = np.triu_indices(size)
        order = np.argsort(owners, kind="stable")
        firsts = np.concatenate([[0], np.cumsum(count)]).astype(int)
        for group in np.flatnonzero(count):
            part = rows[order[firsts[group] : firsts[group + 1]]].astype(np.float64) - around
            total[group], outer[group] = part.sum(axis=0), (part.T @ part)[upper]
        return cls(count, total, outer)

    def chosen(
        self, times: Float64[np.ndarray, " groups"]
    ) -> tuple[float, Float64[np.ndarray, " d"], Float64[np.ndarray, "d d"]] | None:
        """Rows, mean (less `around`) and covariance where each group comes so many times; None below two rows."""
        count = float(times @ self.count)
        if count < 2:
            return None
        mean = times @ self.total / count
        covariance = np.zeros((len(mean), len(mean)))
        covariance[np.triu_indices(len(mean))] = times @ self.outer
        covariance += np.triu(covariance, 1).T
        return count, mean, (covariance - count * np.outer(mean, mean)) / (count - 1)


def frechet_of_moments(
    a: Moments, b: Moments, times: Float64[np.ndarray, " groups"]
) -> float | None:
    """`frechet_distance` of the rows of both where each group comes so many times; None below two rows."""
    ours, theirs = a.chosen(times), b.chosen(times)
    if ours is None or theirs is None:
        return None
    return _distance(ours[1] - theirs[1], _root_of(ours[2]), _root_of(theirs[2]))


def _distance(
    apart: Float64[np.ndarray, " d"],
    root_a: Float64[np.ndarray, "_r d"],
    root_b: Float64[np.ndarray, "_s d"],
) -> float:
    shared = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    return max(0.0, float(apart @ apart + (root_a**2).sum() + (root_b**2).sum() - 2.0 * shared))


def _root_of(covariance: Float64[np.ndarray, "d d"]) -> Float64[np.ndarray, "d d"]:
    """R with R'R the covariance; what rounding has made of a value of 0 is none."""
    values, vectors = np.linalg.eigh(covariance)
    kept = np.where(values > 1e-12 * max(values[-1], 0.0), values, 0.0)
    return np.sqrt(kept)[:, None] * vectors.T


def expected_bias(
    features: Float[np.ndarray, "n d"],
    *,
    seed: int,
    draws: int = 10,
    groups: Sequence[str] | None = None,
) -> float:
    """Mean distance of two halves of one set, drawn at random: what no difference looks like at n / 2 rows.

    The bias falls about as 1 / n, so at n rows it is about half of this. groups: one per row; a group (a clip, a
    person) is never split, as windows of one clip are alike. Raises ValueError where a half would have fewer than two
    rows.
    """
    names = np.unique(groups) if groups is not None else np.arange(len(features))
    members = np.asarray(groups) if groups is not None else names
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        first = np.isin(members, rng.permutation(names)[: len(names) // 2])
        found.append(frechet_distance(features[first], features[~first]))
    return float(np.mean(found))


def _root(rows: Float[np.ndarray, "n d"]) -> Float64[np.ndarray, "r d"]:
    """R with R'R the covariance; r is the smaller of n and d."""
    around = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    return np.linalg.qr(around / np.sqrt(len(rows) - 1)).R

"""The Frechet distance of two sets of features, each taken for a Gaussian, and what it is by chance."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64


def frechet_distance(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"]) -> float:
    """|mean_a - mean_b|^2 + tr(A + B - 2 (AB)^1/2), A and B the covariances over n - 1 (Dowson & Landau 1982).

    Features in, their square out. The trace of the root is the sum of the singular values of R_a R_b', where
    A = R_a' R_a: no matrix root is taken, so fewer rows than features are no trouble, nothing becomes complex, and
    identical sets give 0. Raises ValueError for fewer than two rows.
    """
    if min(len(a), len(b)) < 2:
        raise ValueError(f"a covariance needs two rows, got {len(a)} and {len(b)}")
    root_a, root_b = _root(a), _root(b)
    apart = a.mean(axis=0, dtype=np.float64) - b.mean(axis=0, dtype=np.float64)
    shared = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    return max(0.0, float(apart @ apart + (root_a**2).sum() + (root_b**2).sum() - 2.0 * shared))


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

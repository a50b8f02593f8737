"""The Frechet distance against closed forms, and its bias on one and the same Gaussian."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg

from models.evaluation.metrics.frechet import expected_bias, frechet_distance


def gaussian(seed: int, rows: int, size: int, *, mix: bool = True) -> np.ndarray:
    rng = np.random.default_rng(seed)
    drawn = rng.normal(size=(rows, size))
    return drawn @ rng.normal(size=(size, size)) if mix else drawn


@given(st.integers(0, 1000), st.integers(2, 40), st.integers(1, 12))
def test_a_set_is_at_no_distance_from_itself_whatever_its_rank(seed, rows, size) -> None:
    a = gaussian(seed, rows, size)
    assert frechet_distance(a, a[::-1]) <= 1e-10 * (a**2).sum()


def test_two_points_on_a_line_by_hand() -> None:
    """Means 1 and 6, variances 2 and 8: 25 + (sqrt 8 - sqrt 2)^2 = 27."""
    assert frechet_distance(np.array([[0.0], [2.0]]), np.array([[4.0], [8.0]])) == pytest.approx(27)


def test_it_equals_the_matrix_root_where_both_covariances_are_full() -> None:
    a, b = gaussian(1, 300, 6), gaussian(2, 200, 6) + 0.5
    first, second = np.cov(a.T), np.cov(b.T)
    root = np.trace(linalg.sqrtm(first @ second).real)
    apart = ((a.mean(0) - b.mean(0)) ** 2).sum()
    by_root = apart + np.trace(first) + np.trace(second) - 2 * root
    assert frechet_distance(a, b) == pytest.approx(by_root, rel=1e-9)


@given(st.integers(0, 1000), st.integers(2, 30), st.integers(2, 30))
def test_it_is_symmetric_and_blind_to_a_common_turn_and_shift(seed, n, m) -> None:
    a, b = gaussian(seed, n, 5), gaussian(seed + 1, m, 5) + 1.0
    turn = np.linalg.qr(gaussian(seed + 2, 5, 5))[0]
    there = frechet_distance(a, b)
    assert there >= 0.0
    assert frechet_distance(b, a) == pytest.approx(there, rel=1e-9, abs=1e-9)
    assert frechet_distance(a @ turn + 3.0, b @ turn + 3.0) == pytest.approx(there, abs=1e-8)


def test_features_of_single_precision_far_from_zero_are_no_trouble() -> None:
    a = gaussian(3, 50, 4, mix=False).astype(np.float32)
    assert frechet_distance(a + np.float32(1000), a + np.float32(1002)) == pytest.approx(
        16, rel=1e-3
    )


def test_one_row_has_no_covariance() -> None:
    with pytest.raises(ValueError, match="two rows, got 1 and 5"):
        frechet_distance(np.zeros((1, 2)), np.zeros((5, 2)))


def test_133_rows_of_400_features_of_one_gaussian_are_430_apart() -> None:
    """The bias that published distances on test sets of 133 videos carry."""
    a, b = gaussian(4, 133, 400, mix=False), gaussian(5, 133, 400, mix=False)
    assert frechet_distance(a, b) == pytest.approx(430, abs=10)


def test_the_bias_of_halves_falls_with_their_size() -> None:
    rows = gaussian(6, 800, 8, mix=False)
    many, few = expected_bias(rows, seed=0), expected_bias(rows[:200], seed=0)
    assert 0.0 < many < 0.4 * few
    assert expected_bias(rows, seed=0) == many != expected_bias(rows, seed=1)


def test_the_bias_is_larger_where_rows_of_a_group_are_alike() -> None:
    rows = np.repeat(gaussian(7, 40, 4, mix=False), 10, axis=0)
    groups = [f"clip {i // 10}" for i in range(len(rows))]
    assert expected_bias(rows, seed=0, groups=groups) > 5 * expected_bias(rows, seed=0)
    with pytest.raises(ValueError, match="two rows"):
        expected_bias(rows[:3], seed=0)

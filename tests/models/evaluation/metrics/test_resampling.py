"""Shuffles that leave no clip its own voice."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluation.metrics.body import together
from models.evaluation.metrics.lips import lip_agreement
from models.evaluation.metrics.resampling import derangement, permutation_chance
from pipeline.perception.resampling import Interval


@given(st.integers(2, 30), st.integers(0, 999))
def test_a_derangement_is_a_permutation_without_a_fixed_point(count, seed) -> None:
    order = derangement(count, np.random.default_rng(seed))
    assert sorted(order) == list(range(count))
    assert all(order[i] != i for i in range(count))


def test_all_derangements_of_four_are_as_likely() -> None:
    rng = np.random.default_rng(3)
    seen = [tuple(derangement(4, rng)) for _ in range(1800)]
    counts = [seen.count(order) for order in set(seen)]
    assert len(counts) == 9
    assert max(abs(count - 200) for count in counts) < 50


def test_chance_counts_only_strangers() -> None:
    """A score of 1 for one's own voice: by chance none."""
    pairs = [(i, i) for i in range(5)]
    found = permutation_chance(lambda a, b: float(a == b), pairs, seed=0)
    assert found == Interval(0.0, 0.0, 0.0, 20)


def test_pairs_that_cannot_be_scored_are_left_out() -> None:
    pairs = [(i, i) for i in range(4)]
    found = permutation_chance(lambda a, _: None if a == 0 else 3.0, pairs, seed=0)
    assert found.mean == 3.0
    with pytest.raises(ValueError, match="none of 4"):
        permutation_chance(lambda _, __: None, pairs, seed=0)
    with pytest.raises(ValueError, match="needs two, got 1"):
        permutation_chance(lambda a, b: 0.0, pairs[:1], seed=0)


def test_lips_and_their_own_voice_are_above_chance(talkers) -> None:
    shorter = [
        (pose[: 150 - i], voice[: 640 * (150 - i)]) for i, (pose, voice) in enumerate(talkers)
    ]
    assert all(len(a) > len(b) for (a, _), (b, _) in pairwise(shorter))
    chance = permutation_chance(
        lambda pose, voice: lip_agreement(*together(pose, voice)).now, shorter, seed=0, draws=10
    )
    own = np.mean([lip_agreement(pose, voice).now for pose, voice in shorter])
    assert chance.high < 0.5 < 0.9 < own

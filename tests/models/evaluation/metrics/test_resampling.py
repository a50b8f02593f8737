"""Shuffles that leave no clip its own voice."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.evaluation.metrics.body import together
from models.evaluation.metrics.lips import lip_agreement
from models.evaluation.metrics.resampling import derangement


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


def test_lips_and_their_own_voice_are_above_chance(talkers) -> None:
    shorter = [
        (pose[: 150 - i], voice[: 640 * (150 - i)]) for i, (pose, voice) in enumerate(talkers)
    ]
    assert all(len(a) > len(b) for (a, _), (b, _) in pairwise(shorter))
    order = derangement(len(shorter), np.random.default_rng(0))
    foreign = [together(shorter[i][0], shorter[other][1]) for i, other in enumerate(order)]
    chance = np.mean([lip_agreement(pose, voice).now for pose, voice in foreign])
    own = np.mean([lip_agreement(pose, voice).now for pose, voice in shorter])
    assert chance < 0.5 < 0.9 < own

"""The five diversities by hand, and that they say different things."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests import keypoints as kp
from models.evaluation.metrics.diversity import hands, l1_shuffled, l1_within, l2_pairs, pairwise


def rows(seed: int, count: int = 40, size: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, size))


def test_the_same_motion_again_and_again_has_no_diversity(pose) -> None:
    same = np.ones((300, 4))
    assert l1_shuffled(same, seed=0) == l2_pairs(same, seed=0) == pairwise(same) == 0.0
    assert hands(np.stack([pose, pose, pose])) == 0.0


def test_a_still_clip_has_none_within_however_clips_differ() -> None:
    assert l1_within([np.full((10, 3), 1.0), np.full((5, 3), 9.0)]) == 0.0
    assert pairwise(np.stack([np.full((10, 3), 1.0), np.full((10, 3), 9.0)])) == 8.0


def test_the_spread_within_clips_by_hand() -> None:
    """Two frames 1 and 3 around 2 in each of 4 values, then two still frames: (4 + 4 + 0 + 0) / 4."""
    moving = np.array([[1.0] * 4, [3.0] * 4])
    assert l1_within([moving, np.zeros((2, 4))]) == 2.0


@given(st.integers(0, 999), st.integers(2, 12))
def test_pairs_from_sorted_columns_are_all_pairs(seed, count) -> None:
    motions = rows(seed, count)
    slow = [np.abs(motions[i] - motions[j]).mean() for i in range(count) for j in range(i)]
    assert pairwise(motions) == pytest.approx(np.mean(slow))


def test_pairs_stay_within_their_batch() -> None:
    """Batches of 50: 0 and 1 never meet, and a last single motion meets none."""
    motions = np.repeat([0.0, 1.0, 5.0], [50, 50, 1])[:, None]
    assert pairwise(motions) == 0.0
    assert pairwise(motions, batch=101) > 0.4


def test_of_two_batches_half_the_shuffles_change_nothing() -> None:
    """Two rows one apart in each of 6 values: shuffled they are 6 away, kept they are 0."""
    two = np.stack([np.zeros(6), np.ones(6)])
    found = [l1_shuffled(two, seed=seed) for seed in range(200)]
    assert set(found) == {0.0, 6.0}
    assert np.mean(found) == pytest.approx(3.0, abs=0.6)


def test_larger_batches_of_like_rows_are_farther_apart() -> None:
    """Rows of a batch are alike here, as windows of one clip are: within a batch no row meets its like."""
    clips = np.repeat(rows(1, 20), 10, axis=0)
    assert l1_shuffled(clips, seed=0, batch=200 // 20) == pytest.approx(
        l1_shuffled(rows(1, 20), seed=0)
    )
    assert l1_shuffled(rows(2, 2000), seed=0, limit=500) == pytest.approx(
        6 * 2 / np.sqrt(np.pi), rel=0.05
    )


def test_300_pairs_of_a_gaussian_are_as_far_as_its_closed_form() -> None:
    """In 2 values the distance of two draws has mean sqrt(pi)."""
    features = rows(3, 5000, 2)
    found = np.mean([l2_pairs(features, seed=seed) for seed in range(20)])
    assert found == pytest.approx(np.sqrt(np.pi), rel=0.03)


def test_seeds_decide_and_repeat() -> None:
    features = rows(4, 400)
    for measure in (l1_shuffled, l2_pairs):
        assert measure(features, seed=1) == measure(features, seed=1) != measure(features, seed=2)


def test_hands_half_a_shoulder_width_apart(pose) -> None:
    """Of two hands one is moved by 50 of 100 pixels: a quarter in the mean; of three samples two pairs differ."""
    other = pose.copy()
    other[:, kp.LEFT_HAND, 0] += 50
    assert hands(np.stack([pose, other])) == pytest.approx(0.25)
    assert hands(np.stack([pose, other, pose])) == pytest.approx(0.25 * 2 / 3)
    assert hands(np.stack([pose, other]), width=50.0) == pytest.approx(0.5)


def test_a_hand_that_is_never_seen_is_left_out(pose) -> None:
    other, blind = pose.copy(), pose.copy()
    other[:, kp.LEFT_HAND, 0] += 50
    blind[:, kp.RIGHT_HAND] = 0
    assert hands(np.stack([blind, other])) == pytest.approx(0.5)


def test_too_few_are_refused(pose) -> None:
    one = np.zeros((1, 4))
    for measure, what in ((lambda: l1_shuffled(one, seed=0), "two batches"), (lambda: pairwise(one), "two motions"),
                          (lambda: l2_pairs(one, seed=0), "300 pairs"), (lambda: l1_within([]), "a frame"),
                          (lambda: hands(pose[None]), "two samples")):  # fmt: skip
        with pytest.raises(ValueError, match=what):
            measure()


def test_hands_that_are_never_seen_are_not_measured() -> None:
    assert hands(np.zeros((2, 3, 133, 3))) is None
    assert hands(np.zeros((2, 3, 133, 3)), width=1.0) is None


@given(st.integers(0, 999), st.floats(0.1, 9), st.floats(-9, 9))
def test_all_grow_with_size_and_ignore_a_common_shift(seed, size, shift) -> None:
    features = rows(seed, 30)
    for measure in (
        lambda x: l1_shuffled(x, seed=0),
        lambda x: l2_pairs(x, seed=0, pairs=20),
        pairwise,
        lambda x: l1_within([x]),
    ):
        assert measure(features * size + shift) == pytest.approx(size * measure(features))

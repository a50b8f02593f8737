"""Nearness to the truth, by hand and on broken motions."""

import numpy as np
import pytest

from manifests import keypoints as kp
from models.evaluation.metrics.accuracy import THRESHOLDS, mean_error, pck, pcm


def test_the_truth_itself_is_without_error(pose) -> None:
    assert mean_error(pose, pose) == 0.0
    assert pcm(pose, pose) == 1.0
    assert {pck(pose, pose, name) for name in THRESHOLDS} == {1.0}


def test_a_motion_moved_by_three_and_four_pixels_is_five_off(pose) -> None:
    moved = pose.copy()
    moved[..., :2] += (3, 4)
    assert mean_error(moved, pose) == pytest.approx(5.0, rel=1e-5)
    assert pcm(moved, pose) == 1.0


@pytest.mark.parametrize(
    ("name", "pixels"), [("tenth", 10), ("fifth", 20), ("half", 50), ("5px", 5), ("20px", 20)]
)
def test_a_joint_counts_just_below_its_threshold(pose, name: str, pixels: int) -> None:
    """Shoulders are 100 pixels apart; one hand of 21 joints out of all known is moved."""
    near, far = pose.copy(), pose.copy()
    near[:, kp.LEFT_HAND, 0] += pixels - 0.01
    far[:, kp.LEFT_HAND, 0] += pixels + 0.01
    assert pck(near, pose, name) == 1.0
    assert pck(far, pose, name) == pytest.approx(1 - 21 / (13 + 68 + 42))


def test_only_what_both_know_counts(pose) -> None:
    moved = pose.copy()
    moved[:, kp.LEFT_HAND, 0] += 30
    missing = moved.copy()
    missing[:, kp.LEFT_HAND] = 0
    assert mean_error(missing, pose) == 0.0 == mean_error(pose, missing)
    missing[:, kp.LEFT_HAND] = (np.nan, np.nan, 1.0)
    assert mean_error(missing, pose) == 0.0
    assert pcm(missing, pose) == 1.0


def test_a_hand_that_follows_its_wrist_is_one_wrong_joint_of_correct_motion(pose) -> None:
    moved = pose.copy()
    moved[:, kp.LEFT_HAND, 1] += 51
    moved[:, kp.LEFT_WRIST, 1] += 51
    assert pcm(moved, pose) == pytest.approx(1 - 1 / 53)
    assert pcm(moved, pose, threshold=0.52) == 1.0


def test_nothing_known_is_not_measured(pose) -> None:
    nothing = np.zeros_like(pose)
    assert mean_error(nothing, pose) is None
    assert pck(nothing, pose, "10px") is None
    assert pck(pose, nothing, "half") is None is pcm(pose, nothing)


def test_sizes_do_not_matter_where_the_unit_is_the_shoulder(pose, faulted) -> None:
    shaken = faulted("shaken", 9.0)
    large = [p * np.array([2, 2, 1], dtype=np.float32) for p in (shaken, pose)]
    assert pck(*large, "tenth") == pytest.approx(pck(shaken, pose, "tenth"), abs=1e-4)
    assert mean_error(*large) == pytest.approx(2 * mean_error(shaken, pose), rel=1e-4)


def test_more_fault_is_more_error(pose, faulted) -> None:
    errors = [mean_error(faulted("late", n), pose) for n in (1, 3, 6)]
    assert errors == sorted(errors) and errors[0] > 0.0
    shares = [pck(faulted("shaken", n), pose, "10px") for n in (2, 5, 20)]
    assert shares == sorted(shares, reverse=True) and shares[-1] < 0.3

"""Distances between pose backends, computed by hand and under changes that may not matter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests import keypoints as kp
from pipeline.perception.pose.comparison import Comparison, agreement, quarters, shoulder_width

HALF = {"one": 0.5, "two": 0.5}


def person(frames: int = 4, *, width: float = 50.0, confidence: float = 0.9) -> np.ndarray:
    """All joints at random places, the shoulders `width` apart."""
    pose = np.random.default_rng(0).uniform(0.0, 300.0, (frames, 133, 3)).astype(np.float32)
    pose[..., 2] = confidence
    pose[:, kp.LEFT_SHOULDER, :2] = (100.0, 80.0)
    pose[:, kp.RIGHT_SHOULDER, :2] = (100.0 + width, 80.0)
    return pose


def shifted(pose: np.ndarray, x: float, y: float) -> np.ndarray:
    moved = pose.copy()
    moved[..., :2] += (x, y)
    return moved


def compared(**poses: np.ndarray) -> Comparison:
    comparison = Comparison({name: 0.5 for name in poses})
    assert comparison.add(poses)
    return comparison


def test_a_shift_of_five_pixels_is_a_tenth_of_shoulders_fifty_apart() -> None:
    one = person()
    found = list(compared(one=one, two=shifted(one, 3.0, 4.0)).agreements())
    assert [each.group for each in found] == list(kp.GROUPS)
    for each in found:
        assert each.pair == ("one", "two")
        assert (each.median, each.p95) == (pytest.approx(0.1, rel=1e-4),) * 2
    assert [each.joints for each in found] == [4 * 17, 4 * 6, 4 * 68, 4 * 21, 4 * 21]


def test_what_one_of_them_did_not_find_is_in_no_distance_but_in_the_coverage() -> None:
    one, two = person(), shifted(person(), 3.0, 4.0)
    two[:, kp.LEFT_HAND] = 0.0
    two[:2, kp.RIGHT_HAND, 2] = 0.49
    comparison = compared(one=one, two=two)
    found = {each.group: each for each in comparison.agreements()}
    left, right = found["left_hand"], found["right_hand"]
    assert (left.joints, left.median, left.p95, left.by_confidence) == (0, None, None, ((), ()))
    assert right.joints == 2 * 21
    assert comparison.coverage()["two"] == {
        "body": 1.0, "feet": 1.0, "face": 1.0, "left_hand": 0.0, "right_hand": 0.5,
    }  # fmt: skip
    assert comparison.coverage()["one"]["left_hand"] == 1.0


@given(st.floats(0.2, 20.0), st.floats(-500.0, 500.0), st.integers(0, 1_000))
def test_neither_size_nor_place_of_the_person_matters(size: float, place: float, seed: int) -> None:
    one = person()
    two = one.copy()
    two[..., :2] += np.random.default_rng(seed).normal(0.0, 4.0, two[..., :2].shape)
    plain = list(compared(one=one, two=two).agreements())
    for pose in (one, two):
        pose[..., :2] = pose[..., :2] * size + place
    for before, after in zip(plain, compared(one=one, two=two).agreements(), strict=True):
        assert after.median == pytest.approx(before.median, rel=1e-2)


def test_the_order_of_the_two_does_not_matter() -> None:
    one, two = person(), shifted(person(), 6.0, -2.0)
    for a, b in zip(
        compared(one=one, two=two).agreements(),
        compared(two=two, one=one).agreements(),
        strict=True,
    ):
        assert (a.pair, a.median, a.by_confidence) == (
            b.pair[::-1],
            b.median,
            b.by_confidence[::-1],
        )


def test_three_backends_are_three_pairs() -> None:
    found = compared(one=person(), two=person(), three=person()).agreements()
    assert {each.pair for each in found} == {("one", "two"), ("one", "three"), ("two", "three")}


def test_a_clip_without_shoulders_is_not_taken() -> None:
    pose = person()
    pose[:, kp.LEFT_SHOULDER, 2] = 0.4
    comparison = Comparison(HALF)
    assert not comparison.add({"one": pose, "two": pose})
    assert comparison.frames == 0 and list(comparison.agreements()) == []


def test_the_width_is_the_median_over_those_that_found_both_shoulders() -> None:
    one, two = person(width=40.0), person(width=60.0)
    assert shoulder_width({"one": one, "two": two}, HALF) == 50.0
    two[..., 2] = 0.1
    assert shoulder_width({"one": one, "two": two}, HALF) == 40.0


def test_a_confidence_that_says_where_it_errs_falls_from_quarter_to_quarter() -> None:
    confidence = np.linspace(0.01, 1.0, 400)
    found = quarters(confidence, 1.0 - confidence)
    assert [each.joints for each in found] == [100] * 4
    medians = [each.median for each in found]
    assert medians == sorted(medians, reverse=True)
    assert medians[0] == pytest.approx(0.866, abs=0.01)
    assert found[0].high < found[1].low and found[-1].high == 1.0


def test_equal_confidences_stay_in_one_part() -> None:
    (only,) = quarters(np.full(40, 0.7), np.arange(40.0))
    assert (only.low, only.high, only.joints, only.median) == (0.7, 0.7, 40, 19.5)
    assert quarters(np.zeros(0), np.zeros(0)) == ()
    two = quarters(np.repeat([0.2, 0.9], [10, 30]), np.repeat([1.0, 0.0], [10, 30]))
    assert [(each.joints, each.median) for each in two] == [(10, 1.0), (30, 0.0)]


def test_joints_below_the_number_still_say_what_confidence_is_worth() -> None:
    rows = np.array([[0.5, 0.1, 0.9, 0.0], [0.1, 0.9, 0.9, 1.0], [9.0, 0.0, 0.9, 0.0]])
    found = agreement(("one", "two"), "body", rows)
    assert (found.joints, found.median) == (1, 0.1)
    assert [each.median for each in found.by_confidence[0]] == [0.5, 0.1]

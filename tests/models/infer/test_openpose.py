"""OpenPose's joints from COCO-WholeBody's, and how the crop lies in pictures of other shapes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests import keypoints as kp
from models.infer.openpose import BODY_NAMES, NECK, fit, placing, to_aapose, to_openpose


def numbered() -> np.ndarray:
    """Each joint at (its number, twice its number), sure by 0.5 and a thousandth of its number."""
    joints = np.arange(kp.JOINTS, dtype=np.float64)
    return np.stack([joints + 1.0, 2.0 * joints, 0.5 + joints / 1000.0], axis=1)


def test_each_joint_is_where_its_name_says() -> None:
    pose = numbered()
    found = to_openpose(pose)
    for number, name in enumerate(BODY_NAMES):
        if number != NECK:
            assert np.array_equal(found.body[number], pose[kp.NAMES.index(name)])
    assert np.array_equal(found.hands, pose[kp.LEFT_HAND.start :].reshape(2, 21, 3))
    assert np.array_equal(found.face, pose[kp.FACE])


def shouldered(left: float, right: float) -> np.ndarray:
    """Shoulders as sure as that."""
    pose = numbered()
    pose[kp.LEFT_SHOULDER], pose[kp.RIGHT_SHOULDER] = (300.0, 200.0, left), (100.0, 210.0, right)
    return pose


@pytest.mark.parametrize("left", [0.31, 0.9, 1.2])
def test_the_neck_is_between_the_shoulders_and_sure_where_both_are_above_the_bound(
    left: float,
) -> None:
    assert to_openpose(shouldered(left, 0.4)).body[NECK].tolist() == [200.0, 205.0, 1.0]


@pytest.mark.parametrize("left", [0.0, 0.29, 0.3])
def test_there_is_no_neck_where_one_shoulder_is_not_above_it(left: float) -> None:
    assert not to_openpose(shouldered(left, 0.9)).body[NECK].any()


def test_a_toe_is_as_sure_as_the_less_sure_and_without_one_of_its_two_there_is_none() -> None:
    pose = numbered()
    pose[kp.NAMES.index("right_small_toe")] = 0.0
    found = to_openpose(pose)
    assert found.toes[0] == pytest.approx([18.5, 35.0, 0.517])
    assert not found.toes[1].any()


def test_for_wan_animate_neck_and_toes_are_means_in_confidence_too() -> None:
    pose = shouldered(0.9, 0.2)
    pose[kp.NAMES.index("right_small_toe")] = 0.0
    found, other = to_aapose(pose), to_openpose(pose)
    assert found.body[NECK] == pytest.approx([200.0, 205.0, 0.55])
    assert found.toes[0] == pytest.approx([18.5, 35.0, 0.5175])
    assert not found.toes[1].any()
    assert not to_aapose(shouldered(0.0, 0.9)).body[NECK].any()
    beside = [joint for joint in range(18) if joint != NECK]
    assert np.array_equal(found.body[beside], other.body[beside])
    assert np.array_equal(found.hands, other.hands) and np.array_equal(found.face, other.face)


def test_the_crop_in_its_own_size_stays_as_it_is() -> None:
    assert np.allclose(fit(numbered(), (512, 512)), numbered())


def test_the_crop_fills_the_shorter_side_and_is_centred() -> None:
    assert placing((576, 1024)) == (1.125, 0, 224)
    assert placing((1024, 576)) == (1.125, 224, 0)
    pose = np.zeros((1, kp.JOINTS, 3))
    pose[0, 0], pose[0, 1] = (-0.5, -0.5, 1.0), (511.5, 511.5, 1.0)  # the corners of the crop
    corners = fit(pose, (576, 1024))[0]
    assert corners[0] == pytest.approx([-0.5, 223.5, 1.0])
    assert corners[1] == pytest.approx([575.5, 799.5, 1.0])
    assert not corners[2:].any()


@given(width=st.integers(64, 2000), height=st.integers(64, 2000))
def test_nothing_is_stretched(width: int, height: int) -> None:
    pose = numbered()
    fitted = fit(pose, (width, height))
    before, after = pose[100, :2] - pose[3, :2], fitted[100, :2] - fitted[3, :2]
    assert after == pytest.approx(before * min(width, height) / 512.0)

"""Tests of smoothing and of the local representation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.signal import savgol_filter

from manifests import keypoints as kp
from manifests.motion import (
    SMOOTHINGS,
    Smoothing,
    neck_path,
    savitzky_golay,
    smooth,
    to_global,
    to_local,
)

FRAMES = 6


def pose_of(points: np.ndarray, found: np.ndarray) -> np.ndarray:
    """A pose whose missing joints are 0, 0, 0."""
    return np.concatenate([points, np.ones_like(points[..., :1])], axis=-1) * found[..., None]


poses = st.builds(
    pose_of,
    hnp.arrays(np.float64, (FRAMES, kp.JOINTS, 2), elements=st.floats(-3000.0, 3000.0, width=32)),
    hnp.arrays(np.bool_, (FRAMES, kp.JOINTS)),
)


def noise(frames: int, seed: int = 0) -> np.ndarray:
    points = np.random.default_rng(seed).normal(300.0, 20.0, (frames, kp.JOINTS, 2))
    return pose_of(points, np.ones((frames, kp.JOINTS), dtype=np.bool_))


# ---- smoothing ----


@pytest.mark.parametrize(("window", "frames"), [(11, 40), (11, 11), (7, 12), (5, 5), (3, 9)])
def test_the_filter_is_that_of_scipy(window: int, frames: int) -> None:
    path = np.random.default_rng(1).normal(size=(frames, 2))
    expected = savgol_filter(path, window, 2, axis=0)
    assert np.allclose(savitzky_golay(path, window, 2), expected, atol=1e-12)


def test_a_parabola_is_not_bent_by_a_filter_of_degree_two() -> None:
    time = np.arange(25.0)
    path = np.stack([3.0 * time**2 - time, 100.0 - 2.0 * time], axis=1)
    assert np.allclose(savitzky_golay(path, 11, 2), path)


def test_the_paper_leaves_the_mouth_and_the_release_smooths_it_less() -> None:
    pose = noise(60)
    moved = {name: np.abs(smooth(pose, how) - pose)[..., :2] for name, how in SMOOTHINGS.items()}
    assert not moved["paper"][:, kp.MOUTH].any()
    assert moved["paper"][:, kp.CHIN].any()
    inner, outer, rest = (
        moved["released"][:, part].mean() for part in (kp.INNER_LIP, kp.OUTER_LIP, kp.JAW)
    )
    assert 0.0 < inner < outer < rest


def test_a_missing_frame_neither_moves_its_neighbours_nor_is_filled() -> None:
    pose = noise(41)
    pose[20, kp.LEFT_WRIST] = 0.0
    smoothed = smooth(pose)
    assert not smoothed[20, kp.LEFT_WRIST].any()
    for part in (slice(0, 20), slice(21, 41)):
        alone = smooth(pose[part])
        assert np.allclose(smoothed[part, kp.LEFT_WRIST], alone[:, kp.LEFT_WRIST])


def test_runs_of_one_or_two_frames_stay_as_they_are() -> None:
    pose = noise(12)
    pose[[1, 4, 7, 10], kp.NOSE] = 0.0
    assert np.array_equal(smooth(pose)[:, kp.NOSE], pose[:, kp.NOSE])


def test_smoothing_keeps_dtype_and_confidence_and_its_argument() -> None:
    pose = noise(30).astype(np.float32)
    before = pose.copy()
    smoothed = smooth(pose)
    assert smoothed.dtype == np.float32
    assert np.array_equal(smoothed[..., 2], pose[..., 2])
    assert np.array_equal(pose, before)


def test_a_still_pose_stays_still() -> None:
    pose = np.repeat(noise(1), 30, axis=0)
    assert np.allclose(smooth(pose), pose, atol=1e-9)


@pytest.mark.parametrize("window", [4, 1, 2, -3])
def test_a_window_without_centre_or_effect_is_refused(window: int) -> None:
    with pytest.raises(ValueError, match="odd and above the degree"):
        Smoothing(rest=window)


@settings(max_examples=25, deadline=None)
@given(pose=poses, shift=st.tuples(st.integers(-500, 500), st.integers(-500, 500)))
def test_smoothing_a_shifted_pose_shifts_the_smoothed_pose(
    pose: np.ndarray, shift: tuple[int, int]
) -> None:
    moved = shifted(pose, shift)
    assert np.allclose(smooth(moved), shifted(smooth(pose), shift), atol=1e-6)


# ---- local representation ----


def shifted(pose: np.ndarray, shift: tuple[float, float]) -> np.ndarray:
    moved = pose.copy()
    moved[..., :2] += np.where(pose[..., 2:] > 0.0, shift, 0.0)
    return moved


def test_local_positions_of_a_pose_computed_by_hand() -> None:
    pose = np.zeros((1, kp.JOINTS, 3))
    pose[0, kp.LEFT_SHOULDER] = (140.0, 200.0, 1.0)
    pose[0, kp.RIGHT_SHOULDER] = (100.0, 220.0, 1.0)
    pose[0, kp.NOSE_TIP] = (121.0, 110.0, 1.0)
    pose[0, kp.CHIN] = (120.0, 150.0, 1.0)
    pose[0, kp.LEFT_WRIST] = (160.0, 300.0, 1.0)
    pose[0, kp.LEFT_HAND_ROOT] = (161.0, 302.0, 1.0)
    local = to_local(pose)
    assert local.neck.tolist() == [[120.0, 210.0]]
    assert local.joints[0, kp.LEFT_SHOULDER].tolist() == [20.0, -10.0]
    assert local.joints[0, kp.NOSE_TIP].tolist() == [1.0, -100.0]
    assert local.joints[0, kp.CHIN].tolist() == [-1.0, 40.0]
    assert local.joints[0, kp.LEFT_WRIST].tolist() == [40.0, 90.0]
    assert local.joints[0, kp.LEFT_HAND_ROOT].tolist() == [1.0, 2.0]
    assert not local.joints[0, kp.RIGHT_WRIST].any()


@settings(max_examples=25, deadline=None)
@given(pose=poses, roots=st.sampled_from(list(kp.ROOTS_BY_FACE.values())))
def test_global_of_local_is_the_pose_itself(pose: np.ndarray, roots: np.ndarray) -> None:
    back = to_global(to_local(pose, roots=roots), roots=roots)
    assert np.allclose(back, pose, atol=1e-6, rtol=0.0)


@settings(max_examples=25, deadline=None)
@given(pose=poses, shift=st.tuples(st.integers(-500, 500), st.integers(-500, 500)))
def test_a_shift_of_the_whole_pose_moves_only_the_neck(
    pose: np.ndarray, shift: tuple[int, int]
) -> None:
    before, after = to_local(pose), to_local(shifted(pose, shift))
    assert np.allclose(after.joints, before.joints, atol=1e-6)
    moved = shift if (pose[..., 2] > 0.0).any() else (0.0, 0.0)
    assert np.allclose(after.neck - before.neck, moved, atol=1e-6)


def test_a_still_pose_has_still_local_joints_and_a_still_neck() -> None:
    local = to_local(np.repeat(noise(1), 9, axis=0))
    assert not np.diff(local.neck, axis=0).any()
    assert not np.diff(local.joints, axis=0).any()


def test_a_hand_without_its_wrist_is_measured_from_the_neck() -> None:
    pose = noise(1)
    pose[0, kp.LEFT_WRIST] = 0.0
    local = to_local(pose)
    finger = kp.LEFT_HAND.stop - 1
    assert np.allclose(local.joints[0, finger], pose[0, finger, :2] - local.neck[0])


def test_the_neck_runs_straight_through_frames_without_shoulders() -> None:
    pose = np.zeros((4, kp.JOINTS, 3))
    for frame, x in ((0, 10.0), (2, 30.0)):
        pose[frame, [kp.LEFT_SHOULDER, kp.RIGHT_SHOULDER]] = (x, 5.0, 1.0)
    assert neck_path(pose)[:, 0].tolist() == [10.0, 20.0, 30.0, 30.0]


def test_an_empty_picture_has_a_neck_of_zeros() -> None:
    pose = np.zeros((3, kp.JOINTS, 3))
    assert not neck_path(pose).any()
    assert not to_global(to_local(pose)).any()

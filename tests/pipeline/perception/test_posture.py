"""Tests of what a pose says about the use of a clip."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests import keypoints as kp
from pipeline.perception.posture import (
    body_found,
    face_seen,
    facing,
    hands_seen,
    head_turn,
    inside,
    shoulder_facing,
    shoulder_width,
    stillness,
    upper_body,
)

SIZE = (400, 300)
SURE = 0.5


def speaker(frames: int = 30) -> np.ndarray:
    """Somebody seen from the front who holds still: shoulders 100 px apart, one hand in view."""
    pose = np.zeros((frames, kp.JOINTS, 3), dtype=np.float32)
    pose[:, kp.FACE] = (200.0, 80.0, 0.9)
    pose[:, kp.JAW.start] = (170.0, 70.0, 0.9)
    pose[:, kp.JAW.stop - 1] = (230.0, 70.0, 0.9)
    for joint, point in {
        kp.NOSE: (200.0, 80.0),
        kp.NOSE_TIP: (200.0, 80.0),
        kp.RIGHT_EAR: (168.0, 72.0),
        kp.LEFT_EAR: (232.0, 72.0),
        kp.RIGHT_SHOULDER: (150.0, 150.0),
        kp.LEFT_SHOULDER: (250.0, 150.0),
        kp.RIGHT_ELBOW: (130.0, 250.0),
        kp.LEFT_ELBOW: (270.0, 250.0),
        kp.LEFT_WRIST: (240.0, 280.0),
    }.items():
        pose[:, joint] = (*point, 0.9)
    pose[:, kp.LEFT_HAND] = (240.0, 280.0, 0.9)
    return pose


def turned(degrees: float) -> np.ndarray:
    """The same head turned: its nose reaches out by one and a half half widths of the face."""
    pose = speaker()
    angle = np.radians(degrees)
    for right, nose, left in (
        (kp.JAW.start, kp.NOSE_TIP, kp.JAW.stop - 1),
        (kp.RIGHT_EAR, kp.NOSE, kp.LEFT_EAR),
    ):
        pose[:, right, 0] = 200.0 - 30.0 * np.cos(angle)
        pose[:, left, 0] = 200.0 + 30.0 * np.cos(angle)
        pose[:, nose, 0] = 200.0 + 45.0 * np.sin(angle)
    return pose


def test_a_speaker_in_full_view_has_every_share_at_one() -> None:
    pose = speaker()
    assert body_found(pose) == 1.0
    assert upper_body(pose, SIZE, SURE) == 1.0
    assert face_seen(pose, SURE) == 1.0
    assert hands_seen(pose, SURE) == 1.0


def test_shoulders_of_100_pixels_in_a_frame_of_300_are_a_third() -> None:
    assert shoulder_width(speaker(), SIZE, SURE) == pytest.approx(1.0 / 3.0)


def test_elbows_below_the_picture_are_no_upper_body() -> None:
    pose = speaker(10)
    pose[:4, [kp.LEFT_ELBOW, kp.RIGHT_ELBOW], 1] = 299.6
    assert upper_body(pose, SIZE, SURE) == pytest.approx(0.6)
    pose[:, kp.LEFT_ELBOW, 1] = 250.0
    assert upper_body(pose, SIZE, SURE) == 1.0


def test_elbows_at_the_sides_are_no_upper_body_either() -> None:
    pose = speaker()
    pose[:, [kp.LEFT_ELBOW, kp.RIGHT_ELBOW], 0] = 4.4
    assert upper_body(pose, SIZE, SURE) == 0.0


@pytest.mark.parametrize(("y", "share"), [(294.4, 1.0), (294.6, 0.0)])
def test_elbows_within_a_twentieth_of_the_shoulders_from_the_edge_are_no_upper_body(
    y: float, share: float
) -> None:
    pose = speaker()
    pose[:, [kp.LEFT_ELBOW, kp.RIGHT_ELBOW], 1] = y
    assert upper_body(pose, SIZE, SURE) == share


def test_a_guessed_shoulder_is_no_upper_body() -> None:
    pose = speaker()
    pose[:, kp.LEFT_SHOULDER, 2] = 0.49
    assert upper_body(pose, SIZE, SURE) == 0.0
    assert shoulder_width(pose, SIZE, SURE) is None
    assert stillness(pose, SURE) is None


def test_a_joint_on_the_outer_edge_of_the_first_pixel_is_inside() -> None:
    pose = np.zeros((1, kp.JOINTS, 3))
    pose[0, 0, :2] = (-0.5, 299.5)
    pose[0, 1, :2] = (-0.6, 10.0)
    assert inside(pose, SIZE)[0, :2].tolist() == [True, False]


@pytest.mark.parametrize("degrees", [0.0, 20.0, 45.0, 70.0])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_turn_of_a_head_is_read_from_its_nose(degrees: float, sign: float) -> None:
    pose = turned(sign * degrees)
    assert head_turn(pose, SURE) == pytest.approx(np.full(30, degrees), abs=0.01)
    assert facing(pose, SURE) == pytest.approx(1.0 - degrees / 90.0, abs=1e-3)


def test_a_head_in_profile_without_a_face_is_read_from_its_ears() -> None:
    pose = turned(80.0)
    pose[:, kp.FACE] = 0.0
    assert facing(pose, SURE) == pytest.approx(1.0 / 9.0, abs=1e-3)
    assert face_seen(pose, SURE) == 0.0


def test_a_head_from_behind_is_not_frontal() -> None:
    pose = speaker()
    pose[:, kp.FACE] = 0.0
    assert facing(pose, SURE) == pytest.approx(1.0)
    assert facing(kp.mirror(pose, 400)[:, kp.MIRROR_OF], SURE) == 0.0


def test_nobody_faces_nowhere() -> None:
    pose = np.zeros((3, kp.JOINTS, 3))
    assert facing(pose, SURE) is None
    assert shoulder_facing(pose, SURE) is None
    assert shoulder_width(pose, SIZE, SURE) is None
    assert body_found(pose) == 0.0


@settings(deadline=None)
@given(angle=st.floats(-180.0, 180.0), scale=st.floats(0.2, 5.0), turn=st.floats(0.0, 80.0))
def test_a_tilted_or_scaled_head_is_turned_as_before(
    angle: float, scale: float, turn: float
) -> None:
    pose = turned(turn).astype(np.float64)
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    tilted = pose.copy()
    tilted[..., :2] = scale * pose[..., :2] @ np.array([[cos, sin], [-sin, cos]])
    assert facing(tilted, SURE) == pytest.approx(facing(pose, SURE), abs=1e-6)


def test_shoulders_are_positive_from_the_front_and_negative_from_behind() -> None:
    front = shoulder_facing(speaker(), SURE)
    assert front == pytest.approx(100.0 / 70.0)
    behind = shoulder_facing(kp.mirror(speaker(), 400)[:, kp.MIRROR_OF], SURE)
    assert behind == pytest.approx(-100.0 / 70.0)


def test_who_holds_still_moves_at_zero() -> None:
    assert stillness(speaker(30), SURE) == pytest.approx(0.0, abs=1e-6)


def test_a_walk_of_one_shoulder_width_a_second_goes_four_fifths_in_that_time() -> None:
    pose = speaker(50)
    pose[..., 0] += np.arange(50, dtype=np.float32)[:, None] * 4.0 * (pose[..., 2] > 0)
    assert stillness(pose, SURE) == pytest.approx(0.8, abs=1e-3)


def test_a_tremor_of_one_pixel_counts_for_little() -> None:
    pose = speaker(100)
    tremor = np.random.default_rng(0).normal(0.0, 1.0, pose[..., :2].shape)
    pose[..., :2] += tremor * (pose[..., 2:] > 0)
    assert stillness(pose, SURE) < 0.01  # one shoulder is 100 pixels from the other


def test_a_gesture_now_and_then_is_no_stillness() -> None:
    pose = speaker(100)
    pose[30:60, :, 0] += 20.0 * (pose[30:60, :, 2] > 0)
    assert stillness(pose, SURE) == pytest.approx(0.2, abs=1e-3)


def test_frames_in_which_a_joint_is_missing_do_not_move_it() -> None:
    pose = speaker(40)
    pose[12:16] = 0.0
    assert stillness(pose, SURE) == pytest.approx(0.0, abs=1e-6)


def test_less_than_three_times_four_tenths_of_a_second_say_nothing_of_stillness() -> None:
    assert stillness(speaker(29), SURE) is None


@settings(deadline=None, max_examples=25)
@given(scale=st.floats(0.1, 10.0), seed=st.integers(0, 100))
def test_stillness_does_not_depend_on_the_size_of_the_picture(scale: float, seed: int) -> None:
    pose = speaker(30).astype(np.float64)
    pose[..., :2] += np.random.default_rng(seed).normal(0.0, 5.0, pose[..., :2].shape)
    pose[pose[..., 2] == 0.0] = 0.0
    larger = pose * (scale, scale, 1.0)
    assert stillness(larger, SURE) == pytest.approx(stillness(pose, SURE), rel=1e-6)


def test_one_hand_is_enough_and_few_of_its_joints_are_not() -> None:
    pose = speaker(4)
    pose[0, kp.LEFT_HAND] = 0.0
    pose[1, kp.LEFT_HAND.start + 10 : kp.LEFT_HAND.stop] = 0.0
    assert hands_seen(pose, SURE) == 0.5


@pytest.mark.parametrize("share", [body_found, lambda pose: upper_body(pose, SIZE, SURE)])
def test_a_pose_without_frames_is_refused(share: Callable[[np.ndarray], float]) -> None:
    with pytest.raises(ValueError, match="one frame, got 0"):
        share(np.zeros((0, kp.JOINTS, 3)))

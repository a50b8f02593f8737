"""Speed, jerk and bones: by hand, and which way they move on broken motions."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manifests import keypoints as kp
from models.evaluation.metrics.smoothness import bone_error, bone_variation, jerk, jitter, speed


def along(pose, path) -> np.ndarray:
    """The first frame moved as a whole along x."""
    moved = np.repeat(pose[:1], len(path), axis=0).astype(np.float64)
    moved[..., 0] += np.asarray(path)[:, None]
    return moved


def test_two_pixels_a_frame_are_half_a_shoulder_width_a_second(pose) -> None:
    moving = along(pose, 2.0 * np.arange(20))
    assert speed(moving) == pytest.approx(2.0 * 25 / 100)
    assert speed(moving, width=50.0) == pytest.approx(1.0)
    assert jitter(moving) == pytest.approx(0.0, abs=1e-9)


def test_a_cubic_path_has_the_jerk_of_its_cube(pose) -> None:
    """The third difference of t^3 is 6."""
    cubic = along(pose, np.arange(12.0) ** 3)
    assert jitter(cubic) == pytest.approx(6.0)
    assert jerk(cubic) == pytest.approx(6.0 * 25**3 / 100)


def test_gaps_are_not_bridged(pose) -> None:
    moving = along(pose, np.arange(12.0) ** 3)
    moving[5, :, :] = 0
    moving[6, :, :2] = np.nan
    assert jitter(moving) == pytest.approx(6.0)
    moving[[2, 9]] = 0
    assert jitter(moving) is None
    assert speed(np.zeros_like(pose)) is None
    assert jitter(pose[:3]) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(st.floats(-50, 50), st.floats(0.5, 3.0))
def test_shifts_and_sizes_do_not_matter_in_shoulder_widths(pose, shift, size) -> None:
    other = pose.astype(np.float64)
    other[..., :2] = np.where(other[..., 2:] > 0, other[..., :2] * size + shift, 0)
    for measure in (speed, jerk, bone_variation):
        assert measure(other) == pytest.approx(measure(pose.astype(np.float64)), rel=1e-6)


def test_noise_shakes_and_freezing_stills(pose, faulted) -> None:
    for measure in (speed, jitter, jerk, bone_variation):
        assert measure(faulted("frozen")) == pytest.approx(0.0, abs=1e-9)
        assert measure(faulted("shaken", 3.0)) > 1.5 * measure(pose) > 0.0
    assert speed(faulted("late", 5)) == pytest.approx(speed(pose), rel=0.1)


def test_bones_ten_per_cent_longer_are_a_tenth_off(pose) -> None:
    long = pose[:1].astype(np.float64)
    long[..., :2] *= 1.1
    assert bone_error(long, pose[:1]) == pytest.approx(0.1, rel=1e-5)
    assert bone_error(pose[:1], pose[:1]) == 0.0


def test_one_stretched_forearm_is_its_share_of_the_limbs(pose) -> None:
    """Of the limbs that are seen, one is longer by its whole length."""
    pose = pose[:1]
    arm = pose.copy()
    arm[:, kp.LEFT_WRIST] = 2 * pose[:, kp.LEFT_WRIST] - pose[:, kp.LEFT_ELBOW]
    seen = sum(bool((pose[0, [a, b], 2] > 0).all()) for a, b, _ in kp.LIMBS)
    assert bone_error(arm, pose) == pytest.approx(1 / seen, rel=1e-5)


def test_bones_that_are_not_seen_are_not_measured(pose) -> None:
    assert bone_error(np.zeros_like(pose), pose) is None
    assert bone_variation(pose[:1]) is None

"""A motion that lies elsewhere or is of another size than the person: measured, and fitted by the body."""

import numpy as np
import pytest

from manifests import keypoints as kp
from models.infer.fitting import FitError, Misfit, fitted, misfit
from tests.models.making import smooth_pose


def moved(pose: np.ndarray, scale: float, x: float, y: float) -> np.ndarray:
    found = pose[..., 2:] > 0.0
    return np.concatenate(
        [np.where(found, scale * pose[..., :2] + (x, y), 0.0), pose[..., 2:]], axis=-1
    ).astype(np.float32)


def test_a_motion_fits_the_body_that_it_is_of() -> None:
    pose = smooth_pose(0, 50)
    found = misfit(pose, pose[25])
    assert not found.large and found.neck is not None and found.neck < 20.0


def test_shoulders_of_another_width_and_a_neck_elsewhere_are_told_in_pixels() -> None:
    pose = smooth_pose(0, 1)
    found = misfit(moved(np.repeat(pose, 9, axis=0), 0.8, 60.0, 80.0), pose[0])
    wide = np.linalg.norm(pose[0, kp.LEFT_SHOULDER, :2] - pose[0, kp.RIGHT_SHOULDER, :2])
    assert found.reference_shoulders == pytest.approx(wide, rel=1e-5)
    assert found.shoulders == pytest.approx(0.8 * wide, rel=1e-5)
    assert found.large and f"{0.8 * wide:.0f} px wide for the reference's {wide:.0f}" in str(found)


@pytest.mark.parametrize("scale", [0.6, 0.95, 1.7])
def test_what_was_scaled_and_moved_is_brought_back(scale: float) -> None:
    pose = np.repeat(smooth_pose(0, 1), 20, axis=0)
    back = fitted(moved(pose, scale, -30.0, 45.0), pose[0])
    assert np.allclose(back, pose, atol=1e-2)
    assert not misfit(back, pose[0]).large


def test_a_fit_keeps_gestures_and_leaves_missing_joints_missing() -> None:
    pose = smooth_pose(0, 60)
    pose[:, kp.LEFT_HAND.start : kp.LEFT_HAND.stop] = 0.0
    back = fitted(moved(pose, 0.5, 10.0, 20.0), pose[0])
    assert not back[:, kp.LEFT_HAND.start : kp.LEFT_HAND.stop].any()
    hand = slice(kp.RIGHT_HAND.start, kp.RIGHT_HAND.stop)
    ratio = np.ptp(back[:, hand, 0], axis=0) / np.ptp(pose[:, hand, 0], axis=0)
    assert np.allclose(ratio, np.median(ratio), rtol=1e-3) and 0.8 < np.median(ratio) < 1.25


def test_without_shoulders_nothing_is_said_and_without_a_body_nothing_is_fitted() -> None:
    pose = smooth_pose(0, 5)
    nobody = np.zeros_like(pose[0])
    assert misfit(pose, nobody) == Misfit(None, misfit(pose, pose[0]).shoulders, None)
    assert not misfit(pose, nobody).large and "not known" in str(misfit(pose, nobody))
    with pytest.raises(FitError, match="too few joints"):
        fitted(pose, nobody)

"""Tests of the mmpose adapter; the inference enters as an argument, since mmpose is optional."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pipeline.perception.people import Figure, SpeakerBoxes
from pipeline.perception.pose import PoseBackend, PoseTracker
from pipeline.perception.pose.mmpose import MMPose, MMPoseTracker


@dataclass
class Instances:
    keypoints: np.ndarray
    keypoint_scores: np.ndarray


@dataclass
class Sample:
    pred_instances: Instances


def infer_at_red(joints: int) -> Callable[..., list[Sample]]:
    """Puts every joint at the mean of the third channel, which is red in mmpose's order."""

    def infer(model: object, img: np.ndarray, bboxes: np.ndarray) -> list[Sample]:
        left, top, right, bottom = (round(side) for side in bboxes[0])
        points = np.full((1, joints, 2), img[top:bottom, left:right, 2].mean(), dtype=np.float32)
        scores = np.linspace(0.0, 1.0, joints, dtype=np.float32)[None]
        return [Sample(Instances(points, scores))]

    return infer


def red() -> np.ndarray:
    return np.full((20, 30, 3), (200, 10, 20), dtype=np.uint8)


def test_pictures_are_handed_over_as_bgr_and_joints_without_score_are_missing() -> None:
    tracker = MMPoseTracker(None, infer_at_red(133))
    assert isinstance(tracker, PoseTracker)
    pose = tracker(red())
    assert pose.shape == (133, 3)
    assert not pose[0].any()
    assert pose[132].tolist() == [200.0, 200.0, 1.0]


def test_a_box_is_handed_over_by_its_corners() -> None:
    picture = red()
    picture[:, 15:] = 0
    boxes = SpeakerBoxes(lambda _: [Figure((15.0, 0.0, 15.0, 20.0), 0.9)])
    half, held = MMPoseTracker(None, infer_at_red(133), boxes).many([picture] * 2, [None] * 2)
    assert half[132].tolist() == held[132].tolist() == [0.0, 0.0, 1.0]


def test_a_model_of_17_joints_is_refused() -> None:
    with pytest.raises(ValueError, match="133 joints, got 17"):
        MMPoseTracker(None, infer_at_red(17))(red())


def test_what_is_missing_is_said_with_how_to_get_it(tmp_path: Path) -> None:
    backend = MMPose(tmp_path / "config.py", tmp_path / "weights.pth")
    assert isinstance(backend, PoseBackend)
    assert backend.weights is None
    assert "pip install" in (backend.missing() or "") or "model zoo" in (backend.missing() or "")

"""Tests of drawings and contact sheets."""

import numpy as np
import pytest

from manifests import keypoints as kp
from pipeline.media.draw import COLOURS, contact_sheet, draw_box, draw_pose, numbered_face


def black(height: int = 100, width: int = 120) -> np.ndarray:
    return np.zeros((height, width, 3), dtype=np.uint8)


def arm(confidence: float = 1.0) -> np.ndarray:
    pose = np.zeros((kp.JOINTS, 3), dtype=np.float32)
    pose[kp.LEFT_ELBOW] = (20.0, 50.0, confidence)
    pose[kp.LEFT_WRIST] = (100.0, 50.0, confidence)
    return pose


def test_a_limb_is_drawn_in_the_colour_of_its_side_and_the_argument_is_left_alone() -> None:
    image = black()
    drawn = draw_pose(image, arm())
    assert tuple(drawn[50, 60]) == COLOURS["left"]
    assert not drawn[20].any()
    assert not image.any()


def test_joints_below_the_threshold_are_not_drawn() -> None:
    assert not draw_pose(black(), arm(0.4), valid_from=0.5).any()
    assert not draw_pose(black(), np.zeros((kp.JOINTS, 3)), valid_from=0.0).any()


def test_a_limb_that_leaves_the_picture_is_cut_off() -> None:
    pose = arm()
    pose[kp.LEFT_WRIST, 0] = 1e7
    assert draw_pose(black(), pose)[50, 119].any()


def test_a_box_has_its_corners_where_they_were_asked_for() -> None:
    drawn = draw_box(black(), (10.0, 20.0, 30.0, 40.0), colour=(255, 0, 0))
    assert tuple(drawn[20, 10]) == tuple(drawn[59, 39]) == (255, 0, 0)
    assert not drawn[40, 25].any()
    assert draw_box(black(), (10.0, 60.0, 30.0, 40.0), label="A")[40:60].any()


def test_a_sheet_keeps_order_and_aspect() -> None:
    wide = np.full((50, 100, 3), 200, dtype=np.uint8)
    tall = np.full((100, 50, 3), 100, dtype=np.uint8)
    sheet = contact_sheet([wide, tall, wide], columns=2, tile=(40, 40))
    assert sheet.shape == (80, 80, 3)
    assert (sheet[10:30, :40] == 200).all()
    assert not sheet[:10, :40].any()
    assert (sheet[:40, 50:70] == 100).all()
    assert not sheet[:40, 40:50].any()
    assert (sheet[50:70, :40] == 200).all()
    assert not sheet[40:, 40:].any()


@pytest.mark.parametrize(("count", "columns"), [(0, 3), (2, 0)])
def test_a_sheet_of_nothing_is_refused(count: int, columns: int) -> None:
    with pytest.raises(ValueError, match="needs pictures and columns"):
        contact_sheet([black()] * count, columns=columns)


def test_a_numbered_face_needs_a_face() -> None:
    with pytest.raises(ValueError, match="no face"):
        numbered_face(black(), np.zeros((kp.JOINTS, 3)))
    pose = np.zeros((kp.JOINTS, 3))
    pose[kp.FACE] = np.random.default_rng(0).uniform(20.0, 80.0, (68, 3))
    assert numbered_face(black(), pose, side=300).shape == (300, 300, 3)

"""Tests of the embedded pose backend on scikit-image's portrait, and of its table of sources."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from manifests import keypoints as kp
from pipeline.perception.pose import BACKENDS, PoseBackend, PoseTracker
from pipeline.perception.pose.mapping_page import page
from pipeline.perception.pose.mediapipe import MediaPipePose
from pipeline.perception.pose.mediapipe_map import (
    SOURCES,
    is_double_hand,
    is_foreign_face,
    to_wholebody,
)

ROOT = Path(__file__).parents[4]
NO_SOURCE = (kp.NAMES.index("left_small_toe"), kp.NAMES.index("right_small_toe"))


def portrait() -> np.ndarray:
    return pytest.importorskip("skimage.data").astronaut()


def shifted(count: int) -> list[np.ndarray]:
    return [np.roll(portrait(), 2 * i, axis=1) for i in range(count)]


@pytest.fixture(scope="module")
def pose() -> np.ndarray:
    with MediaPipePose().track() as track:
        return track(portrait())


def test_the_backend_is_small_and_names_what_it_runs() -> None:
    backend = BACKENDS["mediapipe"]()
    assert isinstance(backend, PoseBackend)
    assert pickle.loads(pickle.dumps(backend)) == backend
    assert backend.missing() is None
    assert backend.version.startswith("0.10.")
    assert backend.weights is not None
    assert len(backend.weights) == 64


def test_a_portrait_has_a_face_and_shoulders_and_no_toes(pose: np.ndarray) -> None:
    assert pose.shape == (133, 3)
    assert pose.dtype == np.float32
    assert (pose[kp.FACE, 2] > 0.5).all()
    assert (pose[[kp.LEFT_SHOULDER, kp.RIGHT_SHOULDER], 2] > 0.5).all()
    assert not pose[list(NO_SOURCE)].any()


def test_left_is_the_persons_left_which_a_front_view_shows_on_the_right(pose: np.ndarray) -> None:
    for left, right in (
        (kp.LEFT_EYE, kp.RIGHT_EYE),
        (kp.LEFT_SHOULDER, kp.RIGHT_SHOULDER),
        (kp.LEFT_EYE_RIM.start, kp.RIGHT_EYE_RIM.start),
        (kp.JAW.stop - 1, kp.JAW.start),
    ):
        assert pose[left, 0] > pose[right, 0]


def test_the_parts_of_the_face_stand_in_the_order_of_a_face(pose: np.ndarray) -> None:
    heights = [
        pose[part, 1].mean() for part in (kp.LEFT_BROW, kp.LEFT_EYE_RIM, kp.NOSE_BASE, kp.OUTER_LIP)
    ]
    assert heights == sorted(heights)
    assert pose[kp.CHIN, 1] == pose[kp.JAW, 1].max()
    assert (np.diff(pose[kp.JAW, 0])[2:14] > 0).all()
    bridge = pose[kp.NOSE_BRIDGE, 1]
    assert (np.diff(bridge) > 0).all()


def test_body_and_mesh_agree_about_the_nose_and_the_eyes(pose: np.ndarray) -> None:
    width = np.ptp(pose[kp.JAW, 0])
    assert np.linalg.norm(pose[kp.NOSE, :2] - pose[kp.NOSE_TIP, :2]) < 0.15 * width
    for eye, rim in ((kp.LEFT_EYE, kp.LEFT_EYE_RIM), (kp.RIGHT_EYE, kp.RIGHT_EYE_RIM)):
        assert np.linalg.norm(pose[eye, :2] - pose[rim, :2].mean(axis=0)) < 0.1 * width


def test_the_same_pictures_give_the_same_bytes_each_time_a_tracker_starts() -> None:
    pictures = shifted(6)
    runs = []
    for _ in range(2):
        with MediaPipePose().track() as track:
            assert isinstance(track, PoseTracker)
            runs.append(b"".join(track(picture).tobytes() for picture in pictures))
    assert runs[0] == runs[1]


def test_a_tracker_knows_nothing_of_the_one_before() -> None:
    with MediaPipePose().track() as track:
        for picture in shifted(4):
            track(picture)
    with MediaPipePose().track() as first, MediaPipePose().track() as second:
        assert np.array_equal(first(portrait()), second(portrait()))


def test_nobody_in_the_picture_is_all_missing() -> None:
    with MediaPipePose().track() as track:
        assert not track(np.full((120, 160, 3), 90, dtype=np.uint8)).any()


def test_starting_up_leaves_no_chatter_on_standard_error(capfd: pytest.CaptureFixture) -> None:
    with MediaPipePose().track() as track:
        track(portrait())
        os.write(2, b"a real message\n")
    assert capfd.readouterr().err == "a real message\n"


# ---- the table ----


def test_each_joint_has_one_source_of_its_own_part() -> None:
    assert len(SOURCES) == kp.JOINTS
    assert [i for i, taken in enumerate(SOURCES) if taken is None] == list(NO_SOURCE)
    for name, group in kp.GROUPS.items():
        part = {"body": "pose", "feet": "pose"}.get(name, name)
        assert {taken.part for taken in SOURCES[group] if taken} == {part}
    used = [(taken.part, taken.points) for taken in SOURCES if taken]
    assert len(used) == len(set(used))


def test_the_page_of_the_table_is_fresh() -> None:
    assert (ROOT / "docs" / "pose-mapping.md").read_text() == page()


def test_a_pair_of_landmarks_stands_for_its_middle() -> None:
    mesh = np.stack([np.arange(478.0), np.zeros(478), np.full(478, 0.75)], axis=1)
    pose = to_wholebody({"face": mesh})
    assert pose[kp.JAW.start + 3].tolist() == [(132 + 58) / 2, 0.0, 0.75]
    assert not pose[kp.BODY].any()


def hand(x: float, y: float) -> np.ndarray:
    points = np.random.default_rng(2).uniform(0.0, 60.0, (21, 2)) + np.array([x, y])
    points[0] = (x, y)
    return np.concatenate([points, np.full((21, 1), 0.9)], axis=1)


def body(**points: tuple[float, float]) -> np.ndarray:
    table = np.zeros((33, 3))
    blazepose = {"nose": 0, "left_wrist": 15, "right_wrist": 16}
    for name, point in points.items():
        table[blazepose[name]] = (*point, 0.9)
    return table


def test_one_hand_taken_for_both_is_kept_at_the_wrist_it_belongs_to() -> None:
    pose = to_wholebody(
        {
            "pose": body(left_wrist=(300.0, 100.0), right_wrist=(101.0, 100.0)),
            "left_hand": hand(103.0, 101.0),
            "right_hand": hand(100.0, 100.0),
        }
    )
    assert not pose[kp.LEFT_HAND].any()
    assert pose[kp.RIGHT_HAND, 2].all()


def test_two_hands_side_by_side_are_both_kept() -> None:
    pose = to_wholebody({"left_hand": hand(130.0, 100.0), "right_hand": hand(100.0, 100.0)})
    assert not is_double_hand(pose)
    assert pose[kp.LEFT_HAND, 2].all()
    assert pose[kp.RIGHT_HAND, 2].all()


@pytest.mark.parametrize(("nose", "kept"), [((10.0, 0.0), True), ((400.0, 0.0), False)])
def test_a_face_is_kept_only_where_the_bodys_nose_is(nose: tuple[float, float], kept: bool) -> None:
    mesh = np.zeros((478, 3))
    mesh[:, 0] = np.linspace(-50.0, 50.0, 478)
    mesh[4, :2] = 0.0
    mesh[:, 2] = 1.0
    pose = to_wholebody({"pose": body(nose=nose), "face": mesh})
    assert bool(pose[kp.FACE].any()) is kept
    assert not is_foreign_face(pose)

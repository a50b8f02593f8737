"""Tests of the embedded pose backend on scikit-image's portrait, and of its table of sources."""

import os
import pickle
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from manifests import keypoints as kp
from manifests.geometry import centre
from manifests.record import Box
from pipeline.perception.pose import BACKENDS, PoseBackend, PoseTracker
from pipeline.perception.pose.mapping_page import page
from pipeline.perception.pose.mediapipe import MediaPipePose
from pipeline.perception.pose.mediapipe_map import (
    SOURCES,
    is_double_hand,
    is_foreign_face,
    to_wholebody,
)
from pipeline.stages.s060_spans import region

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


@pytest.mark.parametrize("mine", [0, 1], ids=["left", "right"])
def test_of_two_people_in_one_picture_each_has_their_own_pose(mine: int) -> None:
    image = np.concatenate([portrait(), portrait()[:, ::-1]], axis=1)
    faces: list[Box] = [(178.0, 70.0, 90.0, 105.0), (756.0, 70.0, 90.0, 105.0)]
    x, y, width, height = map(int, region(faces[mine], [faces[1 - mine]], (1024, 512)))
    with MediaPipePose().track() as track:
        found = track(np.ascontiguousarray(image[y : y + height, x : x + width]))
    nose, middle = found[kp.NOSE, :2] + (x, y), centre(faces[mine])
    assert np.linalg.norm(nose - middle) < 30.0
    shoulders = found[[kp.LEFT_SHOULDER, kp.RIGHT_SHOULDER], 0] + x
    assert ((shoulders < 512.0) == (mine == 0)).all()


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


# ---- the table against what is seen ----

SHARED = Path(os.environ.get("COSPEECH_SHARED", ROOT.parent / "shared"))
VIDEO = SHARED / "media" / "video"
needs_clips = pytest.mark.skipif(not VIDEO.is_dir(), reason=f"no real clips under {VIDEO}")
HANDS = (
    (kp.LEFT_HAND, kp.LEFT_WRIST, kp.RIGHT_WRIST),
    (kp.RIGHT_HAND, kp.RIGHT_WRIST, kp.LEFT_WRIST),
)


def frame(name: str, index: int) -> np.ndarray:
    with av.open(str(VIDEO / name)) as container:
        for i, picture in enumerate(container.decode(video=0)):
            if i == index:
                rgb = picture.to_ndarray(format="rgb24")
                scale = 640 / max(rgb.shape[:2])
                return cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    raise AssertionError(f"{name} has no frame {index}")


def settled(image: np.ndarray) -> np.ndarray:
    """The pose after a few looks at the same picture."""
    with MediaPipePose().track() as track:
        return [track(np.ascontiguousarray(image)) for _ in range(4)][-1]


def upright(face: np.ndarray) -> np.ndarray:
    """iBUG points (68, 2) with the outer corners of the eyes at (0, 0) and (1, 0)."""
    right, left = face[36], face[45]
    along = (left - right) / np.sum((left - right) ** 2)
    across = np.array([-along[1], along[0]])
    return (face - right) @ np.stack([along, across], axis=1)


def check_ibug_order(face: np.ndarray) -> None:
    """What holds for the 68 points of any frontal face (Sagonas et al. 2013, figure 1), y down."""
    x, y = upright(face).T
    assert (np.diff(x[17:27]) > 0).all()  # brows from the person's right to the left
    assert (np.diff(y[27:31]) > 0).all()  # down the bridge
    assert (np.diff(x[31:36]) > 0).all()  # along the nostrils
    assert y[31:36].min() > y[29]
    turn = np.unwrap(np.arctan2(y[:17] - y[30], x[:17] - x[30]))
    assert (np.diff(turn) < 0).all()  # once along the jaw
    assert y[8] > y[[0, 16]].max()
    for corner, upper, lower, other in ((36, (37, 38), (41, 40), 39), (42, (43, 44), (47, 46), 45)):
        assert x[corner] < min(x[[*upper, *lower]]) and x[other] > max(x[[*upper, *lower]])
        assert x[upper[0]] < x[upper[1]] and x[lower[0]] < x[lower[1]]
        assert (y[list(upper)] < y[list(lower)]).all()  # lid over lid, an open eye
    for start, corner, half in ((48, 54, 6), (60, 64, 4)):
        stop = start + 2 * half
        assert (np.diff(x[start : start + half + 1]) > 0).all()  # upper lip
        assert (np.diff(x[start + half : stop]) < 0).all()  # and back along the lower one
        assert x[corner] == x[start:stop].max() and x[start] == x[start:stop].min()
    assert y[51] < y[62] <= y[66] + 0.02 and y[66] < y[57]  # outside, inside, inside, outside
    assert x[48] < x[60] + 0.02 and x[64] < x[54] + 0.02
    assert y[33] < y[51] and y[57] < y[8]


def test_a_portraits_face_is_in_ibug_order(pose: np.ndarray) -> None:
    check_ibug_order(pose[kp.FACE, :2])


@needs_clips
@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("latentsync_demo2.mp4", 20),
        ("tango_1wrQ6Msp7wM.mp4", 20),
        ("tango_demo2.mp4", 60),
        pytest.param("tango_demo0.mp4", 20, marks=pytest.mark.slow),
        pytest.param("tango_oliver_silent_101099.mp4", 100, marks=pytest.mark.slow),
        pytest.param("svid_full_body_1.mp4", 100, marks=pytest.mark.slow),
        pytest.param("infinitetalk_man_1080p30.mp4", 100, marks=pytest.mark.slow),
    ],
)
def test_the_mirrored_picture_gives_the_mirrored_pose(name: str, index: int) -> None:
    """Left and right are swapped joint by joint; measured: body 0.02 to 0.06, face 0.003 to 0.009 of a shoulder."""
    image = frame(name, index)
    pose = settled(image)
    again = kp.mirror(settled(image[:, ::-1]), image.shape[1])
    shoulders = np.linalg.norm(pose[kp.LEFT_SHOULDER, :2] - pose[kp.RIGHT_SHOULDER, :2])
    limits = {"body": 0.1, "feet": 0.1, "face": 0.02, "left_hand": 0.1, "right_hand": 0.1}
    off = np.linalg.norm(pose[:, :2] - again[:, :2], axis=1) / shoulders
    both = (pose[:, 2] > 0.5) & (again[:, 2] > 0.5)
    compared = [group for group, joints in kp.GROUPS.items() if both[joints].any()]
    assert {"body", "face"} < set(compared)
    for group in compared:
        joints = kp.GROUPS[group]
        assert np.median(off[joints][both[joints]]) < limits[group], group
    for hand, own, other in HANDS:  # the hand network against the body network
        if both[hand].any():
            to_own, to_other = (
                np.linalg.norm(pose[hand.start, :2] - pose[wrist, :2]) for wrist in (own, other)
            )
            assert to_own < 0.25 * shoulders < to_other
    check_ibug_order(pose[kp.FACE, :2])


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

"""Each dialect on a pose made by hand: which strokes are there, where, in which colour."""

import numpy as np
import pytest

from manifests import keypoints as kp
from models.infer.canvas import DIALECTS

SIZE = (512, 512)
LARGE = (2160, 2160)  # nothing is made small here, so that no thin stroke falls between two pixels
WITH_BODY = ("mimicmotion", "stableanimator", "wan_animate", "wan_animate_v1", "unianimate")
SWAPPED = ("mimicmotion", "echomimic_v2")
SHOULDERS = {"right": (150.0, 200.0), "left": (350.0, 200.0)}


def empty() -> np.ndarray:
    return np.zeros((kp.JOINTS, 3), dtype=np.float32)


def shoulders(confidence: float = 1.0) -> np.ndarray:
    pose = empty()
    pose[kp.RIGHT_SHOULDER] = (*SHOULDERS["right"], confidence)
    pose[kp.LEFT_SHOULDER] = (*SHOULDERS["left"], confidence)
    return pose


def hand(confidence: float = 1.0) -> np.ndarray:
    """A left hand: root, then a thumb to the right and a little finger upward, each joint 30 pixels on."""
    pose = empty()
    root = kp.LEFT_HAND_ROOT
    pose[root] = (200.0, 400.0, confidence)
    for i in range(1, 5):
        pose[root + i] = (200.0 + 30.0 * i, 400.0, confidence)
        pose[root + 16 + i] = (200.0, 400.0 - 30.0 * i, confidence)
    return pose


def colour(picture: np.ndarray, x: float, y: float) -> list[int]:
    """The brightest colour within two pixels of a place of the crop."""
    x, y = x * len(picture) / 512, y * len(picture) / 512
    near = picture[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3].reshape(-1, 3).astype(int)
    return near[near.sum(axis=1).argmax()].tolist()


def as_drawn(name: str, picture: np.ndarray) -> np.ndarray:
    return picture[..., ::-1] if name in SWAPPED else picture


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("size", [(512, 512), (300, 400), (400, 300)])
def test_a_picture_has_its_size_and_without_joints_is_black(name: str, size) -> None:
    picture = DIALECTS[name](empty(), size)
    assert picture.shape == (size[1], size[0], 3) and picture.dtype == np.uint8
    assert not picture.any()


@pytest.mark.parametrize("name", WITH_BODY)
def test_a_limb_is_its_colour_darkened_between_joints_of_full_colour(name: str) -> None:
    picture = as_drawn(name, DIALECTS[name](shoulders(), SIZE))
    assert colour(picture, 200, 200) == pytest.approx([153, 0, 0], abs=2)  # neck to the right
    assert colour(picture, 300, 200) == pytest.approx([153, 51, 0], abs=2)  # neck to the left
    assert colour(picture, 150, 200)[1] > 60  # the right shoulder is (255, 170, 0), thinned
    assert not picture[:190].any() and not picture[210:].any()
    assert not picture[:, :140].any() and not picture[:, 360:].any()


@pytest.mark.parametrize("name", SWAPPED)
def test_what_was_swapped_once_reaches_the_network_with_red_and_blue_exchanged(name: str) -> None:
    picture = DIALECTS[name](np.where(shoulders() > 0.0, shoulders(), hand()), SIZE)
    red, _, blue = colour(picture, 320, 400)  # the tip of the thumb is drawn as (0, 0, 255)
    assert red > 100 and red > blue
    if name == "mimicmotion":
        assert colour(picture, 200, 200) == pytest.approx([0, 0, 153], abs=2)


@pytest.mark.parametrize(
    ("name", "bound"),
    [
        *(("mimicmotion", 0.3), ("stableanimator", 0.6), ("unianimate", 0.3)),
        *(("wan_animate", 0.5), ("wan_animate_v1", 0.6)),
    ],
)
def test_a_limb_is_drawn_from_its_confidence_on(name: str, bound: float) -> None:
    """The neck itself, at 250, is there for StableAnimator: both shoulders are above 0.3."""
    assert DIALECTS[name](shoulders(bound + 0.01), SIZE)[:, 160:240].any()
    picture = DIALECTS[name](shoulders(bound - 0.01), SIZE)
    assert not picture[:, :240].any() and not picture[:, 260:].any()
    assert picture.any() == (name == "stableanimator")


@pytest.mark.parametrize("name", WITH_BODY)
def test_a_limb_with_one_missing_end_is_not_drawn(name: str) -> None:
    pose = shoulders()
    pose[kp.LEFT_SHOULDER] = 0.0
    picture = DIALECTS[name](pose, SIZE)
    assert picture[195:206, 145:156].any()  # the joint alone
    assert not picture[:, 160:].any() and not picture[:100].any()


@pytest.mark.parametrize("name", ["mimicmotion", "stableanimator"])
def test_limbs_are_as_bright_as_both_joints_are_sure_and_the_neck_is_as_sure_as_can_be(
    name: str,
) -> None:
    pose = shoulders(0.8)
    pose[kp.RIGHT_ELBOW] = (150.0, 300.0, 0.9)
    picture = as_drawn(name, DIALECTS[name](pose, SIZE))
    assert colour(picture, 200, 200) == pytest.approx([255 * 0.8 * 0.6, 0, 0], abs=3)
    upper_arm = np.array([255, 170, 0]) * 0.8 * 0.9 * 0.6
    assert colour(picture, 150, 250) == pytest.approx(upper_arm, abs=3)


@pytest.mark.parametrize("name", WITH_BODY)
def test_an_unsure_shoulder_takes_nothing_from_the_limb_to_the_sure_one(name: str) -> None:
    pose = shoulders(0.9)
    pose[kp.LEFT_SHOULDER, 2] = 0.4
    picture = as_drawn(name, DIALECTS[name](pose, SIZE))
    wanted = 153 * 0.9 if name in ("mimicmotion", "stableanimator") else 153
    assert colour(picture, 200, 200) == pytest.approx([wanted, 0, 0], abs=3)


@pytest.mark.parametrize("name", ["wan_animate", "unianimate"])
def test_other_limbs_are_as_bright_whatever_the_confidence(name: str) -> None:
    assert np.array_equal(DIALECTS[name](shoulders(0.8), SIZE), DIALECTS[name](shoulders(), SIZE))


def test_confidence_above_one_is_full_brightness() -> None:
    bright = DIALECTS["mimicmotion"](shoulders(1.3), SIZE)
    assert colour(bright, 200, 200) == pytest.approx([0, 0, 153], abs=2)


@pytest.mark.parametrize("name", DIALECTS)
def test_hands_have_edges_of_many_hues_with_blue_joints(name: str) -> None:
    picture = as_drawn(name, DIALECTS[name](hand(), LARGE))
    first, last = colour(picture, 215, 400), colour(picture, 200, 295)
    assert first == pytest.approx([255, 0, 0], abs=3)  # root to thumb, hue 0
    assert last == pytest.approx([255, 0, 76], abs=3)  # the last edge, hue 0.95
    tip = colour(picture, 200, 280)
    assert tip == pytest.approx([0, 0, 255], abs=3)


@pytest.mark.parametrize("name", ["mimicmotion", "stableanimator", "echomimic_v2"])
def test_unsure_hands_are_dark(name: str) -> None:
    picture = as_drawn(name, DIALECTS[name](hand(0.5), LARGE))
    assert colour(picture, 215, 400) == pytest.approx([63, 0, 0], abs=2)


@pytest.mark.parametrize(
    ("name", "bound"), [("wan_animate", 0.5), ("wan_animate_v1", 0.6), ("unianimate", 0.3)]
)
def test_other_hands_are_drawn_from_their_confidence_on(name: str, bound: float) -> None:
    assert DIALECTS[name](hand(bound + 0.01), SIZE).any()
    assert not DIALECTS[name](hand(bound - 0.01), SIZE).any()


@pytest.mark.parametrize("name", DIALECTS)
def test_hands_left_of_the_picture_are_not_drawn(name: str) -> None:
    pose = hand()
    pose[kp.LEFT_HAND, 0] -= 400.0
    assert not DIALECTS[name](pose, SIZE).any()


@pytest.mark.parametrize("name", DIALECTS)
def test_joints_far_outside_cost_nothing_but_their_strokes(name: str) -> None:
    pose = shoulders()
    pose[kp.RIGHT_ELBOW] = (-900.0, 1500.0, 1.0)
    pose[kp.RIGHT_HAND] = (2000.0, 2000.0, 1.0)
    assert DIALECTS[name](pose, SIZE).shape == (512, 512, 3)


def test_a_face_is_white_dots_where_the_dialect_has_one() -> None:
    pose = empty()
    pose[kp.CHIN] = (256.0, 300.0, 1.0)
    for name in DIALECTS:
        picture = DIALECTS[name](pose, SIZE)
        if name in ("mimicmotion", "stableanimator"):
            red, green, blue = colour(picture, 256, 300)
            assert red == green == blue > 200
        else:
            assert not picture.any()


def test_only_hands_are_there_for_echomimic() -> None:
    assert not DIALECTS["echomimic_v2"](shoulders(), SIZE).any()


@pytest.mark.parametrize(
    ("name", "end"), [("unianimate", [102, 153, 153]), ("wan_animate", [120, 120, 0])]
)
def test_feet_are_drawn_where_the_dialect_has_them(name: str, end: list[int]) -> None:
    pose = empty()
    pose[kp.NAMES.index("right_ankle")] = (100.0, 400.0, 1.0)
    pose[kp.NAMES.index("right_big_toe")] = (160.0, 440.0, 1.0)
    pose[kp.NAMES.index("right_small_toe")] = (140.0, 460.0, 1.0)
    assert colour(DIALECTS[name](pose, SIZE), 125, 425) == end
    assert not DIALECTS["mimicmotion"](pose, SIZE)[:, 110:].any()


@pytest.mark.parametrize(
    ("name", "thick"),
    [("wan_animate", {200: 3, 960: 7}), ("wan_animate_v1", {200: 3, 960: 9})],
)
def test_sticks_grow_with_the_picture(name: str, thick: dict[int, int]) -> None:
    for side, wanted in thick.items():
        picture = DIALECTS[name](shoulders(), (side, side))
        column = picture[:, int(200 / 512 * side)].any(axis=1)
        assert abs(int(column.sum()) - wanted) <= 1


@pytest.mark.parametrize("name", DIALECTS)
def test_the_crop_lies_in_the_middle_of_an_upright_picture(name: str) -> None:
    pose = np.where(shoulders() > 0.0, shoulders(), hand())
    rows = np.flatnonzero(DIALECTS[name](pose, (512, 1024)).any(axis=(1, 2)))
    wanted = np.flatnonzero(DIALECTS[name](pose, SIZE).any(axis=(1, 2)))
    assert abs(rows[0] - wanted[0] - 256) <= 1 and abs(rows[-1] - wanted[-1] - 256) <= 1


@pytest.mark.parametrize("name", DIALECTS)
def test_drawing_leaves_the_pose_as_it_is_and_runs_alike(name: str) -> None:
    pose = np.where(shoulders() > 0.0, shoulders(), hand())
    before = pose.copy()
    first = DIALECTS[name](pose, SIZE)
    assert np.array_equal(pose, before)
    assert np.array_equal(DIALECTS[name](pose, SIZE), first)

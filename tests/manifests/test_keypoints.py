"""Tests of the joint table."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from manifests import keypoints as kp


def test_there_are_133_distinct_names_in_the_order_of_coco_wholebody() -> None:
    assert len(kp.NAMES) == kp.JOINTS == len(set(kp.NAMES))
    expected = {
        0: "nose",
        5: "left_shoulder",
        10: "right_wrist",
        16: "right_ankle",
        17: "left_big_toe",
        22: "right_heel",
        23: "face_0",
        90: "face_67",
        91: "left_hand_root",
        95: "left_thumb_4",
        111: "left_pinky_4",
        112: "right_hand_root",
        132: "right_pinky_4",
    }
    assert {i: kp.NAMES[i] for i in expected} == expected


def test_the_groups_cover_each_joint_once() -> None:
    joints = np.concatenate([np.arange(kp.JOINTS)[group] for group in kp.GROUPS.values()])
    assert sorted(joints) == list(range(kp.JOINTS))


def test_the_parts_of_the_face_follow_each_other_without_a_gap() -> None:
    parts = (
        *(kp.JAW, kp.RIGHT_BROW, kp.LEFT_BROW, kp.NOSE_BRIDGE, kp.NOSE_BASE),
        *(kp.RIGHT_EYE_RIM, kp.LEFT_EYE_RIM, kp.OUTER_LIP, kp.INNER_LIP),
    )
    assert parts[0].start == kp.FACE.start
    assert parts[-1].stop == kp.FACE.stop
    assert all(a.stop == b.start for a, b in pairwise(parts))
    assert kp.NOSE_TIP == 53 == kp.NOSE_BRIDGE.stop - 1


def test_roots_are_measured_from_the_neck_and_nothing_is_two_roots_away() -> None:
    for root in (kp.NOSE_TIP, kp.LEFT_WRIST, kp.RIGHT_WRIST):
        assert kp.ROOT_OF[root] == kp.NECK
    assert kp.ROOT_OF[kp.CHIN] == kp.NOSE_TIP
    assert kp.ROOT_OF[kp.LEFT_HAND_ROOT] == kp.LEFT_WRIST
    assert kp.ROOT_OF[kp.RIGHT_HAND.stop - 1] == kp.RIGHT_WRIST
    assert set(kp.ROOT_OF) == {kp.NECK, kp.NOSE_TIP, kp.LEFT_WRIST, kp.RIGHT_WRIST}


def test_a_face_measured_from_the_bodys_nose_changes_the_roots_of_the_face_alone() -> None:
    paper, released = kp.ROOTS_BY_FACE["nose_tip"], kp.ROOTS_BY_FACE["nose"]
    assert paper is kp.ROOT_OF
    assert set(released[kp.FACE]) == {kp.NOSE} and released[kp.NOSE] == kp.NECK
    beside = np.r_[0 : kp.FACE.start, kp.FACE.stop : kp.JOINTS]
    assert np.array_equal(released[beside], paper[beside])


def test_the_mirror_table_is_its_own_inverse_and_swaps_left_with_right() -> None:
    assert np.array_equal(kp.MIRROR_OF[kp.MIRROR_OF], np.arange(kp.JOINTS))
    for joint, name in enumerate(kp.NAMES):
        swapped = name.replace("left", "RIGHT").replace("right", "left").lower()
        if not name.startswith("face"):
            assert kp.NAMES[kp.MIRROR_OF[joint]] == swapped


@pytest.mark.parametrize(
    ("ibug", "other"),
    [
        *((0, 16), (8, 8), (17, 26), (30, 30), (31, 35), (36, 45), (39, 42), (41, 46), (48, 54)),
        *((51, 51), (57, 57), (58, 56), (60, 64), (62, 62), (66, 66), (67, 65)),
    ],
)
def test_the_face_is_mirrored_by_its_ibug_numbers(ibug: int, other: int) -> None:
    assert kp.MIRROR_OF[kp.FACE.start + ibug] == kp.FACE.start + other


def test_names_groups_and_the_mirror_table_are_those_of_rtmlib() -> None:
    """An independent listing of COCO-WholeBody, from mmpose's `configs/_base_/datasets/coco_wholebody.py`."""
    table = pytest.importorskip("rtmlib.visualization.skeleton.coco133").coco133["keypoint_info"]
    names = [table[joint]["name"] for joint in range(kp.JOINTS)]

    def plain(name: str) -> str:
        return name.replace("_", "").replace("-", "").replace("pinkyfinger", "pinky")

    def theirs(name: str) -> str:
        return plain(name).replace("ringfinger", "ring").replace("middlefinger", "middle")

    assert [theirs(name) for name in names] == [theirs(name) for name in kp.NAMES]
    for joint, entry in table.items():
        assert kp.MIRROR_OF[joint] == (names.index(entry["swap"]) if entry["swap"] else joint), (
            joint
        )


def test_mirroring_a_pixel_at_the_left_edge_puts_it_at_the_right_edge() -> None:
    pose = np.zeros((1, kp.JOINTS, 3))
    pose[0, kp.LEFT_WRIST] = (0.0, 7.0, 0.9)
    flipped = kp.mirror(pose, 512)
    assert flipped[0, kp.RIGHT_WRIST].tolist() == [511.0, 7.0, 0.9]
    assert not flipped[0, kp.LEFT_WRIST].any()


@given(
    points=hnp.arrays(np.float64, (2, kp.JOINTS, 2), elements=st.integers(-2000, 2000)),
    found=hnp.arrays(np.bool_, (2, kp.JOINTS)),
    width=st.integers(1, 4000),
)
def test_mirroring_twice_changes_nothing(points: np.ndarray, found: np.ndarray, width: int) -> None:
    pose = np.concatenate([points, np.ones((2, kp.JOINTS, 1))], axis=-1) * found[..., None]
    assert np.array_equal(kp.mirror(kp.mirror(pose, width), width), pose)


def test_limbs_lie_within_one_side_or_across_the_middle() -> None:
    for a, b, side in kp.LIMBS:
        if side != "middle":
            assert {kp.side_of(a), kp.side_of(b)} <= {side, "middle"}
    hand = [(a, b) for a, b, _ in kp.LIMBS if a >= kp.LEFT_HAND.start]
    assert len(hand) == 40
    assert sum(a in (kp.LEFT_HAND_ROOT, kp.RIGHT_HAND_ROOT) for a, _ in hand) == 10


def test_the_right_half_of_the_face_is_the_one_that_ibug_counts_first() -> None:
    assert kp.side_of(kp.RIGHT_EYE_RIM.start) == "right"
    assert kp.side_of(kp.LEFT_EYE_RIM.start) == "left"
    assert kp.side_of(kp.CHIN) == "middle"

"""What a network sees of a pose, and back; the statistics that normalise it; the loss over what is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from manifests import keypoints as kp
from models.data.skeleton import LEGS, Skeleton
from models.data.statistics import Statistics
from models.diffusion.loss import masked_error
from models.systems.csg405.configs import released
from tests.models.making import released_layout


def pose(frames: int = 12) -> np.ndarray:
    random = np.random.default_rng(0)
    points = random.uniform(50, 450, (frames, kp.JOINTS, 2))
    return np.concatenate([points, np.ones((frames, kp.JOINTS, 1))], axis=-1).astype(np.float32)


@pytest.mark.parametrize("local", [True, False])
@pytest.mark.parametrize("face_root", ["nose_tip", "nose"])
def test_a_pose_comes_back(local: bool, face_root: str) -> None:
    skeleton, given = Skeleton(local=local, smoothing=None, face_root=face_root), pose()
    values, known = skeleton.encode(given)
    assert values.shape == known.shape == (12, skeleton.size) == (12, 268)
    assert known.all()
    assert np.allclose(skeleton.decode(values), given, atol=1e-2)


def test_the_released_layout_is_exchanged_with_the_released_code_both_ways() -> None:
    skeleton, given = replace(released().skeleton, smoothing=None), pose()
    theirs = released_layout(given)[:, 1:].reshape(len(given), -1)
    ours, known = skeleton.encode(given)
    assert known.all() and ours.shape == (12, 246)
    assert np.allclose(ours, theirs, atol=1e-6)
    neck = (given[:, 5, :2].astype(np.float64) + given[:, 6, :2]) / 2.0
    back = skeleton.decode(theirs, neck=neck)
    assert back.shape == given.shape and not back[:, list(LEGS)].any()
    kept = list(skeleton.joints)
    assert np.allclose(back[:, kept], given[:, kept], atol=1e-3)


def test_what_the_face_is_measured_from_changes_the_face_alone() -> None:
    given = pose()
    paper, known = Skeleton().encode(given)
    other, other_known = Skeleton(face_root="nose").encode(given)
    face = np.zeros(Skeleton().size, np.bool_)
    face[2 * kp.FACE.start : 2 * kp.FACE.stop] = True
    assert np.array_equal(paper[:, ~face], other[:, ~face])
    assert (paper[:, face] != other[:, face]).any(axis=0).all()
    assert np.array_equal(known, other_known)


def test_a_face_is_known_where_the_nose_it_is_measured_from_is() -> None:
    given, face = pose(), slice(2 * kp.FACE.start, 2 * kp.FACE.stop)
    given[:, kp.NOSE] = 0.0
    assert Skeleton().encode(given)[1][:, face].all()
    assert not Skeleton(face_root="nose").encode(given)[1][:, face].any()


def test_a_joint_without_its_root_is_not_known_and_legs_can_be_left_out() -> None:
    skeleton = Skeleton(joints=tuple(j for j in range(kp.JOINTS) if j not in LEGS), smoothing=None)
    given = pose()
    given[:, kp.LEFT_WRIST] = 0.0
    values, known = skeleton.encode(given)
    hand = [skeleton.joints.index(j) for j in range(kp.LEFT_HAND.start, kp.LEFT_HAND.stop)]
    assert skeleton.size == 248
    assert not known[:, [2 * place for place in hand]].any()
    assert not values[~known].any()


def test_statistics_are_those_of_the_known_values_in_one_pass() -> None:
    random = np.random.default_rng(1)
    parts = [
        (random.normal(3.0, 2.0, (n, 4)).astype(np.float32), random.random((n, 4)) < 0.7)
        for n in (5, 50, 500)
    ]
    found = Statistics.of(parts, 4)
    for column in range(4):
        seen = np.concatenate([values[known[:, column], column] for values, known in parts])
        assert found.mean[column] == pytest.approx(seen.mean(), abs=1e-4)
        assert found.std[column] == pytest.approx(seen.std(), abs=1e-4)
    assert np.allclose(found.undo(found.apply(parts[0][0])), parts[0][0], atol=1e-5)


def test_unknown_values_cost_nothing() -> None:
    true, known = torch.zeros(2, 3, 4), torch.ones(2, 3, 4, dtype=torch.bool)
    known[0, 1:] = False
    said = torch.zeros(2, 3, 4)
    said[0, 1:] = 100.0
    assert masked_error(said, true, known) == 0.0
    said[0, 0] = 2.0
    assert masked_error(said, true, known) == pytest.approx(2.0)


def test_a_weight_multiplies_its_values_and_divides_nothing() -> None:
    true, known = torch.zeros(1, 2, 4), torch.ones(1, 2, 4, dtype=torch.bool)
    known[0, 1, 1:] = False  # 5 values are known
    said = torch.tensor([1.0, 2.0, 3.0, 4.0]).expand(1, 2, 4)
    weights = torch.tensor([2.0, 1.0, 1.0, 1.0])
    assert masked_error(said, true, known) == pytest.approx((1 + 4 + 9 + 16 + 1) / 5)
    assert masked_error(said, true, known, weights) == pytest.approx((2 + 4 + 9 + 16 + 2) / 5)


def test_weights_of_one_are_no_weights_to_the_bit() -> None:
    generator = torch.Generator().manual_seed(0)
    said, true = torch.randn(2, 3, 40, 268, generator=generator)
    known = torch.rand(3, 40, 268, generator=generator) < 0.8
    known[1] = False
    plain = torch.where(known, (said - true) ** 2, 0.0) * known.float()
    before = (plain.sum(dim=(1, 2)) / known.float().sum(dim=(1, 2)).clamp(min=1.0)).mean()
    assert torch.equal(masked_error(said, true, known), before)
    assert torch.equal(masked_error(said, true, known, torch.ones(268)), before)

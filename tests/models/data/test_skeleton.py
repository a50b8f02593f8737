"""What a network sees of a pose, and back; the statistics that normalise it; the loss over what is known."""

import numpy as np
import pytest
import torch

from manifests import keypoints as kp
from models.data.skeleton import LEGS, Skeleton
from models.data.statistics import Statistics
from models.diffusion.loss import masked_error


def pose(frames: int = 12) -> np.ndarray:
    random = np.random.default_rng(0)
    points = random.uniform(50, 450, (frames, kp.JOINTS, 2))
    return np.concatenate([points, np.ones((frames, kp.JOINTS, 1))], axis=-1).astype(np.float32)


@pytest.mark.parametrize("local", [True, False])
def test_a_pose_comes_back(local: bool) -> None:
    skeleton, given = Skeleton(local=local, smoothing=None), pose()
    values, known = skeleton.encode(given)
    assert values.shape == known.shape == (12, skeleton.size) == (12, 268)
    assert known.all()
    assert np.allclose(skeleton.decode(values), given, atol=1e-2)


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
        assert found.spread[column] == pytest.approx(seen.std(), abs=1e-4)
    assert np.allclose(found.undo(found.apply(parts[0][0])), parts[0][0], atol=1e-5)


def test_unknown_values_cost_nothing() -> None:
    true, known = torch.zeros(2, 3, 4), torch.ones(2, 3, 4, dtype=torch.bool)
    known[0, 1:] = False
    said = torch.zeros(2, 3, 4)
    said[0, 1:] = 100.0
    assert masked_error(said, true, known) == 0.0
    said[0, 0] = 2.0
    assert masked_error(said, true, known) == pytest.approx(2.0)

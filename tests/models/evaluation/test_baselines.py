"""Baselines: what they make of a voice is what they say."""

import numpy as np
import pytest

from manifests import keypoints as kp
from models.data.skeleton import Skeleton
from models.data.statistics import Statistics
from models.evaluation.baselines import LoudnessBaseline, MeanPose, Nearest, RidgeBaseline, Still
from models.evaluation.metrics.body import face_height
from models.evaluation.metrics.lips import lip_opening, loudness
from tests.models.evaluation.people import person, voice

LAYOUT = Skeleton(smoothing=None)


def statistics(*poses: np.ndarray) -> Statistics:
    return Statistics.of((LAYOUT.encode(pose) for pose in poses), LAYOUT.size)


def test_the_still_reference_does_not_move() -> None:
    pose = person(0)
    made = Still()(np.zeros((7, 3)), voice(0, 10), pose[4], 0)
    assert made.shape == (7, 133, 3) and (made == pose[4]).all()


def test_the_mean_pose_is_the_mean_of_the_training_frames() -> None:
    pose = person(1)
    made = MeanPose(LAYOUT, statistics(pose))(np.zeros((5, 3)), voice(0, 5), pose[0], 0)
    assert np.allclose(made[0, :, :2], pose[..., :2].mean(axis=0), atol=0.01)
    assert (made[0] == made[-1]).all()


def test_the_nearest_neighbour_of_a_training_voice_is_its_own_motion() -> None:
    poses = [person(seed) for seed in range(3)]
    random = np.random.default_rng(0)
    voices = [random.normal(size=(60, 8)).astype(np.float32) for _ in poses]
    motions = [LAYOUT.encode(pose)[0] for pose in poses]
    generator = Nearest(LAYOUT, statistics(*poses), voices, motions, window=20)
    made = generator(voices[1][10:50], voice(0, 40), poses[0][0], 0)
    assert np.allclose(made[..., :2], poses[1][10:50, :, :2], atol=0.01)


def test_the_loud_mouth_finds_slope_and_lag_of_a_mouth_that_follows_loudness() -> None:
    pose, sound = person(2), voice(2)
    loud = loudness(sound)
    opening = np.roll(loud - np.percentile(loud, 95), 2) * 0.004 + 0.3
    height = face_height(pose)
    assert height is not None
    pose[:, [kp.FACE.start + i for i in (65, 66, 67)], 1] += (opening * height)[:, None].astype(
        np.float32
    )
    generator = LoudnessBaseline.fit([pose], [sound])
    assert generator.lag == 2
    assert generator.slope == pytest.approx(0.004, rel=0.05)
    made = generator(np.zeros((60, 3)), sound, person(3)[0], 0)
    assert np.corrcoef(lip_opening(made), opening)[0, 1] > 0.99
    assert (made[:, kp.LEFT_WRIST] == made[0, kp.LEFT_WRIST]).all()


def test_the_linear_mouth_hears_what_is_a_linear_function_of_the_features() -> None:
    poses, voices = [], []
    for seed in range(4):
        random = np.random.default_rng(seed)
        features, pose = random.normal(size=(200, 3)), person(seed, 200)
        opening = 0.1 + 0.02 * (features[:, 0] - np.roll(features[:, 1], 2))
        height = face_height(pose)
        assert height is not None
        pose[:, [kp.FACE.start + i for i in (65, 66, 67)], 1] += (opening * height)[:, None].astype(
            np.float32
        )
        poses.append(pose)
        voices.append(features)
    generator = RidgeBaseline.fit(poses[:3], voices[:3], shrinkage=1.0)
    made = generator(voices[3], voice(0, 200), poses[3][0], 0)
    assert np.corrcoef(lip_opening(made)[5:-5], lip_opening(poses[3])[5:-5])[0, 1] > 0.95
    assert (made[:, kp.LEFT_WRIST] == made[0, kp.LEFT_WRIST]).all()

"""Poses and voices for the tests of generators and of the evaluation."""

import numpy as np

from manifests import keypoints as kp


def person(seed: int, frames: int = 60) -> np.ndarray:
    """A pose whose face and shoulders are where they belong, trembling."""
    random = np.random.default_rng(seed)
    pose = random.uniform(200.0, 300.0, (133, 2))[None].repeat(frames, axis=0)
    pose[:, kp.NOSE_BRIDGE.start] = (256.0, 150.0)
    pose[:, kp.CHIN] = (256.0, 210.0)
    pose[:, kp.INNER_LIP] = (256.0, 190.0)
    pose[:, kp.LEFT_SHOULDER], pose[:, kp.RIGHT_SHOULDER] = (330.0, 260.0), (180.0, 260.0)
    pose = pose + random.normal(0.0, 0.1, pose.shape)
    return np.concatenate([pose, np.ones((frames, 133, 1))], axis=2).astype(np.float32)


def voice(seed: int, frames: int = 60) -> np.ndarray:
    """Noise whose loudness changes every five frames."""
    random = np.random.default_rng(seed)
    loud = np.repeat(random.uniform(50.0, 5_000.0, frames // 5), 5 * 640)
    return (random.normal(0.0, 1.0, frames * 640) * loud).clip(-32_768, 32_767).astype(np.int16)

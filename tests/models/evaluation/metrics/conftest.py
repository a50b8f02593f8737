"""A drawn person who talks: arms that swing, hands that open, a mouth that follows the voice."""

import numpy as np
import pytest

from manifests import keypoints as kp

FRAMES = 150
BODY_AT = {
    kp.NOSE: (256, 120), kp.LEFT_EYE: (266, 110), kp.RIGHT_EYE: (246, 110), kp.LEFT_EAR: (280, 115),
    kp.RIGHT_EAR: (232, 115), kp.LEFT_SHOULDER: (306, 200), kp.RIGHT_SHOULDER: (206, 200),
    kp.LEFT_ELBOW: (326, 280), kp.RIGHT_ELBOW: (186, 280), kp.LEFT_WRIST: (306, 340),
    kp.RIGHT_WRIST: (206, 340), kp.LEFT_HIP: (290, 380), kp.RIGHT_HIP: (222, 380),
}  # fmt: skip
"""Pixels; the shoulders are 100 apart, the face is 50 high, legs are not seen."""


def talker(seed: int, frames: int = FRAMES) -> tuple[np.ndarray, np.ndarray]:
    """A pose (frames, 133, 3) and the voice that drives it, one syllable each third of a second."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames) / 25.0
    loud = 0.05 + np.abs(np.sin(np.pi * 3.0 * time + rng.uniform(0, np.pi)))
    pose = np.zeros((frames, kp.JOINTS, 3))
    for joint, place in BODY_AT.items():
        pose[:, joint] = (*place, 0.9)
    pose[:, kp.FACE] = (256.0, 130.0, 0.8)
    pose[:, kp.NOSE_BRIDGE.start, 1], pose[:, kp.CHIN, 1] = 110.0, 160.0
    pose[:, [84, 85, 86], 1] = 140.0
    pose[:, [90, 89, 88], 1] = 140.0 + 5.0 * loud[:, None]
    for side, (elbow, wrist, hand) in enumerate(
        [(7, 9, kp.LEFT_HAND), (8, 10, kp.RIGHT_HAND)],
    ):
        swing = [rng.normal(size=2) * 6 @ np.sin(rng.uniform(2, 6, (2, 1)) * time) for _ in "xy"]
        pose[:, elbow, :2] += 0.5 * np.stack(swing, axis=-1)
        pose[:, wrist, :2] += 2.0 * np.stack(swing, axis=-1)
        fingers = rng.normal(size=(21, 2)) * 12 * (hand.start > 0)
        pose[:, hand, :2] = pose[:, [wrist], :2] + fingers * (
            1 + 0.2 * np.sin(3 * time + side)[:, None, None]
        )
        pose[:, hand, 2] = 0.7
    carrier = rng.normal(size=frames * 640) * 2000
    return pose.astype(np.float32), (carrier * np.repeat(loud, 640)).astype(np.int16)


@pytest.fixture(scope="session")
def talkers() -> list[tuple[np.ndarray, np.ndarray]]:
    return [talker(seed) for seed in range(6)]


@pytest.fixture
def pose(talkers) -> np.ndarray:
    return talkers[0][0].copy()


@pytest.fixture
def voice(talkers) -> np.ndarray:
    return talkers[0][1].copy()


@pytest.fixture
def faulted(pose):
    """The same motion, broken in one way: frozen, shaken by a number of pixels, or late by a number of frames."""

    def fault(kind: str, amount: float = 0.0) -> np.ndarray:
        broken = pose.copy()
        if kind == "frozen":
            broken[:] = pose[:1]
        elif kind == "shaken":
            noise = np.random.default_rng(9).normal(size=pose[..., :2].shape) * amount
            broken[..., :2] += np.where(pose[..., 2:] > 0, noise, 0)
        elif kind == "late":
            broken[int(amount) :] = pose[: -int(amount)]
            broken[: int(amount)] = pose[:1]
        return broken

    return fault

"""Small datasets and toy generators for the tests of the evaluation."""

from pathlib import Path

import numpy as np
import torch

from models.data.index import Motions
from tests.models.making import Made, smooth_pose, write_dataset

RECORDED = tuple(
    Made(20 + number, frames, "test", name)
    for number, (frames, name) in enumerate(
        [(130, "ada"), (150, "ada"), (200, "bea"), (140, "bea"), (135, "bea"), (193, "cid")]
    )
)
"""The clips that the values of `recorded.json` were measured on."""


def motions(folder: Path, clips: tuple[Made, ...] = RECORDED) -> Motions:
    return Motions.open(write_dataset(folder, clips))


def toy(features: np.ndarray, reference: np.ndarray, seed: int) -> np.ndarray:
    """The reference, swaying by the seed, whose lower lip drops by the first number of the features."""
    sway = smooth_pose(seed, len(features))[..., :2] - smooth_pose(seed, 1)[..., :2]
    pose = np.repeat(reference[None], len(features), axis=0).astype(np.float32)
    pose[..., :2] += 2.0 * sway
    pose[:, [23 + i for i in (65, 66, 67)], 1] += 3.0 * features[:, :1].astype(np.float32)
    return pose


def untrained_encoder(width: int = 8):
    """A motion encoder of random weights: what a code is does not matter here."""
    from models.evaluation.metrics.autoencoder import MotionEncoder

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return MotionEncoder(width=width).eval()

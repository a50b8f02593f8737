"""The lips' opening as the loss sees it: blind to where and whose the mouth is, awake to how far it opens."""

import numpy as np
import pytest
import torch

from manifests import keypoints as kp
from models.data.skeleton import Skeleton
from models.data.statistics import Statistics
from models.systems.csg405.opening import PAIRS, Opening

SKELETON = Skeleton()


def clip(seed: int, frames: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """Values of one person: every joint somewhere, the head swaying, the lower lip opening by 0.01 half crops."""
    drawn = np.random.default_rng(seed)
    values = np.repeat(drawn.normal(0.0, 0.2, (1, SKELETON.size)), frames, axis=0)
    values += np.sin(np.arange(frames) / 9.0)[:, None] * 0.05
    opening = drawn.normal(0.0, 0.01, frames)
    for _, lower in PAIRS:
        values[:, 2 * lower + 1] += opening
    return values.astype(np.float32), np.ones(values.shape, bool)


def opening_of(clips: list[tuple[np.ndarray, np.ndarray]]) -> tuple[Opening, Statistics]:
    statistics = Statistics.of(clips, SKELETON.size)
    return Opening.of(SKELETON, statistics, clips), statistics


def standard(statistics: Statistics, values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(statistics.apply(values))[None]


def test_a_mouth_that_never_moves_has_the_error_one():
    clips = [clip(seed) for seed in range(6)]
    opening, statistics = opening_of(clips)
    errors = []
    for values, known in clips:
        true = standard(statistics, values)
        still = standard(statistics, np.repeat(values.mean(axis=0, keepdims=True), len(values), 0))
        errors.append(float(opening.error(still, true, torch.from_numpy(known)[None])))
    assert np.mean(errors) == pytest.approx(1.0, abs=1e-3)


def test_a_face_elsewhere_has_no_error_and_a_lip_elsewhere_has_one():
    clips = [clip(seed) for seed in range(3)]
    opening, statistics = opening_of(clips)
    values, known = clips[0]
    there = torch.from_numpy(known)[None]
    true = standard(statistics, values)
    moved = standard(statistics, values + np.float32(0.1))
    assert float(opening.error(moved, true, there)) < 1e-6
    open_wide = values.copy()
    open_wide[:, [2 * lower + 1 for _, lower in PAIRS]] += 0.01
    assert float(opening.error(standard(statistics, open_wide), true, there)) > 0.1


def test_lips_that_are_not_known_do_not_count():
    clips = [clip(seed) for seed in range(3)]
    opening, statistics = opening_of(clips)
    values, known = clips[0]
    hidden = torch.from_numpy(known)[None].clone()
    hidden[:, :, [2 * lower for _, lower in PAIRS]] = False  # one of the two coordinates is enough
    hidden[:, :, [2 * lower + 1 for _, lower in PAIRS]] = False
    wrong = standard(statistics, values[::-1].copy())
    assert float(opening.error(wrong, standard(statistics, values), hidden)) == 0.0


def test_a_skeleton_without_inner_lips_is_refused():
    lip = kp.FACE.start + 66
    skeleton = Skeleton(joints=tuple(j for j in range(kp.JOINTS) if j != lip))
    blank = Statistics(*(np.ones(skeleton.size, np.float32) for _ in range(3)))
    with pytest.raises(ValueError, match=f"joint {lip} is left out"):
        Opening.of(skeleton, blank, [])

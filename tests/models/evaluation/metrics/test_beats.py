"""Beats found by hand, scores of known distances, and what random beats score."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import argrelextrema

from manifests import keypoints as kp
from models.evaluation.metrics.beats import (
    VARIANTS,
    arm_turns,
    chance_level,
    joint_pauses,
    minima,
    nearness,
    onsets,
    slow_moments,
)

pytestmark = pytest.mark.xdist_group("librosa")  # compiled once, in one process

PUBLISHED = {
    "mint": 0.30, "mint_25fps": 0.54, "diffgesture": 0.25, "emage": 0.57, "talkshow": 0.72,
}  # fmt: skip
"""Chance levels stated for 3 onsets and 1.2 motion beats a second."""


@pytest.mark.parametrize("samples", [0, 640, 1_920, 2_047, 2_048, 2_560])
def test_a_voice_shorter_than_a_spectrum_has_no_onset_and_no_warning(samples: int) -> None:
    assert len(onsets(np.zeros(samples, np.int16))) == 0


def random_times(rng: np.random.Generator, rate: float, seconds: float) -> np.ndarray:
    return np.sort(rng.uniform(0, seconds, rng.poisson(rate * seconds)))


@pytest.mark.parametrize("name", VARIANTS)
def test_random_beats_score_what_was_stated(name: str) -> None:
    """All five come within 0.03 in one minute of random beats; the closed form gives .3005, .5515, .2509, .5515,
    .7112.
    """
    rng, variant = np.random.default_rng(0), VARIANTS[name]
    drawn = [(random_times(rng, 1.2, 60), random_times(rng, 3.0, 60)) for _ in range(200)]
    measured = np.mean([variant.score([moved], heard) for moved, heard in drawn])
    assert measured == pytest.approx(PUBLISHED[name], abs=0.03)
    rate = 3.0 if variant.over == "motion" else 1.2
    assert measured == pytest.approx(chance_level(rate, variant.sigma), abs=0.02)


@pytest.mark.parametrize("name", ["emage", "talkshow"])
def test_in_ten_seconds_random_beats_score_a_little_less(name: str) -> None:
    """Beyond a short clip's ends there is nothing to be near to: the closed form is 0.01 to 0.03 too high."""
    rng, variant = np.random.default_rng(1), VARIANTS[name]
    drawn = [(random_times(rng, 1.2, 10), random_times(rng, 3.0, 10)) for _ in range(1000)]
    lost = chance_level(1.2, variant.sigma) - np.mean(
        [variant.score([moved], heard) for moved, heard in drawn if len(moved)]
    )
    assert 0.01 < lost < 0.03


@pytest.mark.parametrize("name", VARIANTS)
def test_beats_at_once_score_one_and_one_sigma_apart_six_tenths(name: str) -> None:
    variant = VARIANTS[name]
    beats = np.array([1.0, 4.0, 7.0])
    assert variant.score([beats], beats) == 1.0
    assert variant.score([beats + variant.sigma], beats) == pytest.approx(np.exp(-0.5))


def test_which_side_is_averaged_matters() -> None:
    """One motion beat on one of four onsets far apart."""
    moved, heard = np.array([1.0]), np.array([1.0, 10.0, 20.0, 30.0])
    assert VARIANTS["mint"].score([moved], heard) == 1.0
    assert VARIANTS["diffgesture"].score([moved], heard) == pytest.approx(0.25)


def test_motion_without_beats_and_voices_without_onsets() -> None:
    none, some = np.zeros(0), np.array([1.0])
    assert {name: v.score([none], some) for name, v in VARIANTS.items()} == {
        "mint": 0.0, "mint_25fps": 0.0, "diffgesture": None, "emage": 0.0, "talkshow": None,
    }  # fmt: skip
    assert VARIANTS["emage"].score([none, some], some) == 0.5
    assert all(variant.score([some], none) is None for variant in VARIANTS.values())
    assert all(variant.score([], some) is None for variant in VARIANTS.values())


@given(st.integers(0, 999), st.floats(0.02, 1.0), st.floats(-9, 9))
def test_nearness_is_bounded_and_blind_to_a_common_shift(seed, sigma, shift) -> None:
    rng = np.random.default_rng(seed)
    beats, others = random_times(rng, 3, 10), random_times(rng, 2, 10)
    there = nearness(beats, others, sigma=sigma)
    assert 0.0 <= there <= 1.0
    assert nearness(beats + shift, others + shift, sigma=sigma) == pytest.approx(there, abs=1e-9)
    assert nearness(beats, others, sigma=2 * sigma) >= there


@given(st.integers(0, 999), st.integers(1, 12), st.integers(1, 60))
def test_minima_are_those_of_scipy(seed, order, length) -> None:
    values = np.random.default_rng(seed).integers(0, 9, length).astype(np.float64)
    assert (
        minima(values, order=order).tolist()
        == argrelextrema(values, np.less, order=order)[0].tolist()
    )


def stopping(pose: np.ndarray, *, period: int = 25) -> np.ndarray:
    """Everything moves along x and all but stops each `period` frames, not quite on a frame: a tie is no minimum."""
    moved = np.repeat(pose[:1], 150, axis=0).astype(np.float64)
    steps = 0.3 + np.abs(np.sin(np.pi * (np.arange(150) - 0.3) / period))
    moved[..., 0] += np.cumsum(steps)[:, None]
    return moved


def test_a_motion_that_stops_each_second_has_its_beats_there(pose) -> None:
    seconds = [1.0, 2.0, 3.0, 4.0, 5.0]
    for order in (4, 10):
        (beats,) = slow_moments(stopping(pose), order=order)
        assert beats.tolist() == seconds
    each = joint_pauses(stopping(pose), order=6)
    assert len(each) == 7
    assert all(np.abs(beats - seconds).max() <= 0.04 for beats in each)


def test_a_joint_that_all_but_stands_has_no_pause(pose) -> None:
    """Between its moves it stands still: below a tenth of its mean speed nothing is a beat."""
    still = stopping(pose)
    still[..., 0] -= np.cumsum(np.full(150, 0.299))[:, None]
    assert all(not len(beats) for beats in joint_pauses(still, order=6))
    assert all(len(beats) for beats in joint_pauses(still, order=6, threshold=0.0))


def test_an_elbow_that_turns_and_stops_beats_when_it_stops(pose) -> None:
    """The forearm turns at 0.2 to 3 degrees a frame and is slowest each 25 frames."""
    moved = np.repeat(pose[:1], 150, axis=0).astype(np.float64)
    angle = np.deg2rad(np.cumsum(0.2 + 0.8 * np.abs(np.sin(np.pi * np.arange(150) / 25))))
    elbow = moved[:, kp.LEFT_ELBOW, :2]
    moved[:, kp.LEFT_WRIST, :2] = elbow + 60 * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    (beats,) = arm_turns(moved)
    assert {1.0, 2.0, 3.0, 4.0} <= set(beats.tolist())
    assert len(beats) <= 7  # the angle is also still where it turns back


def test_gaps_make_no_beats_and_unseen_joints_none(pose) -> None:
    gappy = stopping(pose)
    gappy[30:36, kp.LEFT_HAND] = 0
    assert slow_moments(gappy, order=4)[0].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    gappy[:80, kp.LEFT_WRIST] = 0
    assert arm_turns(gappy) == []
    assert len(joint_pauses(gappy, order=6)) == 6
    assert slow_moments(np.zeros_like(pose), order=4) == []
    assert (
        joint_pauses(pose[:2], order=6)
        == arm_turns(pose[:2])
        == slow_moments(pose[:1], order=4)
        == []
    )


def test_a_frozen_motion_has_no_beats(faulted) -> None:
    frozen = faulted("frozen")
    for variant in VARIANTS.values():
        assert sum(len(beats) for beats in variant.find(frozen)) == 0


def test_four_bursts_are_four_onsets_and_silence_is_none() -> None:
    sound = np.zeros(5 * 16_000)
    for start in (0.8, 1.6, 2.4, 3.2):
        first = int(start * 16_000)
        sound[first : first + 1600] = np.random.default_rng(0).normal(size=1600) * 5000
    found = onsets(sound.astype(np.int16))
    starts = np.array([0.8, 1.6, 2.4, 3.2])
    assert np.abs(found[:, None] - starts).min(axis=0).max() < 0.05
    assert onsets(np.zeros(16_000, dtype=np.int16)).tolist() == []


def test_a_motion_that_stops_at_its_onsets_scores_above_chance(pose) -> None:
    heard = np.arange(1.0, 6.0)
    for name, variant in VARIANTS.items():
        if name == "diffgesture":
            continue  # nothing turns in a motion that only shifts
        on_time = variant.score(variant.find(stopping(pose)), heard)
        off = variant.score(variant.find(stopping(pose)), heard + 0.5)
        assert on_time > 0.9 > off

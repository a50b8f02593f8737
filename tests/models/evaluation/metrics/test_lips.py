"""Lips and voice: openings and loudness by hand, agreement under lag, silence, missing frames and frozen faces."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests import keypoints as kp
from models.evaluation.metrics.lips import (
    LOWER_LIP,
    UPPER_LIP,
    Agreement,
    agreement,
    lip_agreement,
    lip_error,
    lip_opening,
    loudness,
)


def test_lips_five_pixels_apart_in_a_face_of_fifty_are_a_tenth_open(pose) -> None:
    pose[:, UPPER_LIP, 1], pose[:, LOWER_LIP, 1] = 140, 145
    assert lip_opening(pose) == pytest.approx(0.1)


def test_the_pairs_lie_above_each_other_and_are_those_of_the_inner_lip() -> None:
    assert {*UPPER_LIP, *LOWER_LIP} < set(range(kp.INNER_LIP.start, kp.INNER_LIP.stop))
    assert [kp.MIRROR_OF[joint] for joint in UPPER_LIP] == list(reversed(UPPER_LIP))
    assert [kp.MIRROR_OF[joint] for joint in LOWER_LIP] == list(reversed(LOWER_LIP))


@given(st.floats(-60, 60), st.floats(-300, 300), st.floats(0.5, 4))
def test_a_turned_moved_or_larger_head_opens_its_mouth_as_far(degrees, shift, size) -> None:
    pose = np.zeros((3, kp.JOINTS, 3))
    pose[:, kp.FACE] = (256.0, 130.0, 0.8)
    pose[:, 50, 1], pose[:, kp.CHIN, 1] = 110.0, 160.0
    pose[:, list(LOWER_LIP), 1] += np.array([2.0, 5.0, 11.0])[:, None]
    turn = np.deg2rad(degrees)
    matrix = size * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = pose.copy()
    moved[..., :2] = pose[..., :2] @ matrix.T + shift
    assert lip_opening(moved) == pytest.approx(lip_opening(pose), abs=1e-6)


def test_the_loudness_of_a_square_wave_is_that_of_its_height() -> None:
    """Half of full scale is 6.02 dB below it; silence is at the floor."""
    voice = np.concatenate([np.full(640, 16_384), np.zeros(640)]).astype(np.int16)
    assert loudness(voice) == pytest.approx([-6.0206, -90.0], abs=1e-3)
    with pytest.raises(ValueError, match="640 samples for each frame, got 641"):
        loudness(np.zeros(641, dtype=np.int16))


def test_the_truth_agrees_with_itself_and_almost_with_its_voice(pose, voice) -> None:
    itself, heard = lip_agreement(pose, pose), lip_agreement(pose, voice)
    assert itself.now == pytest.approx(1.0) and itself.lag == 0
    assert heard.now is not None and heard.now > 0.9 and heard.lag == 0


@pytest.mark.parametrize("late", [1, 3, 5])
def test_late_lips_agree_best_at_their_lag(faulted, pose, late: int) -> None:
    measured = lip_agreement(faulted("late", late), pose)
    assert measured.lag == late
    assert measured.best == pytest.approx(1.0)
    assert measured.now is not None and measured.now < 0.95
    assert lip_agreement(pose, faulted("late", late)).lag == -late


def test_anothers_voice_does_not_agree(talkers) -> None:
    pairs = [(a, b) for a in range(6) for b in range(6) if a != b]
    own = [lip_agreement(pose, voice).now for pose, voice in talkers]
    other = [lip_agreement(talkers[a][0], talkers[b][1]).now for a, b in pairs]
    assert np.mean(own) > 0.9 > np.mean(other) + 0.5


def test_frozen_lips_and_silence_are_not_measured(faulted, pose, voice) -> None:
    nothing = Agreement(None, None, None)
    assert lip_agreement(faulted("frozen"), voice) == nothing
    assert lip_agreement(pose, np.zeros_like(voice)) == nothing
    assert lip_agreement(np.zeros_like(pose), voice) == nothing
    assert lip_agreement(pose[:20], voice[: 20 * 640]) == nothing


def test_missing_frames_are_left_out(pose, voice) -> None:
    whole = lip_agreement(pose, voice).now
    pose[40:60, UPPER_LIP[0]] = 0
    pose[70:75, :, :2] = np.nan
    assert np.isnan(lip_opening(pose)).sum() == 25
    assert lip_agreement(pose, voice).now == pytest.approx(whole, abs=0.05)


def test_lengths_that_differ_are_refused(pose, voice) -> None:
    with pytest.raises(ValueError, match="150 frames are compared with 149"):
        lip_agreement(pose, voice[:-640])


@given(st.integers(0, 999), st.floats(0.1, 10), st.floats(-5, 5))
def test_agreement_is_bounded_and_blind_to_scale(seed, scale, shift) -> None:
    first, second = np.random.default_rng(seed).normal(size=(2, 60))
    found = agreement(first, second)
    assert found.now is not None and found.best is not None
    assert -1 <= found.now <= found.best <= 1
    assert agreement(first * scale + shift, second).best == pytest.approx(found.best)


def test_the_best_of_eleven_lags_is_above_nothing_by_chance() -> None:
    rng = np.random.default_rng(0)
    found = [agreement(*rng.normal(size=(2, 100))) for _ in range(200)]
    assert abs(np.mean([f.now for f in found if f.now is not None])) < 0.03
    assert 0.1 < np.mean([f.best for f in found if f.best is not None]) < 0.25


def test_a_shut_mouth_is_off_by_the_mean_true_opening(pose) -> None:
    """True openings 0, 5 and 10 pixels: their mean is half the largest."""
    truth = pose[:3]
    shut = truth.copy()
    middle = [UPPER_LIP[1], LOWER_LIP[1]]
    truth[:, middle, 1] = [[140, 140], [140, 145], [140, 150]]
    shut[:, middle, 1] = 140
    assert lip_error(shut, truth) == pytest.approx(0.5)
    assert lip_error(truth, truth) == 0.0
    assert lip_error(truth, shut) is None
    assert lip_error(np.zeros_like(truth), truth) is None


def test_lip_error_grows_with_lateness(faulted, pose) -> None:
    errors = [lip_error(faulted("late", late), pose) for late in (1, 2, 4)]
    assert errors == sorted(errors) and errors[0] > 0

"""The motion encoder and the windows it sees: shapes, determinism, evaluation mode, files, and distances that grow."""

import json

import numpy as np
import pytest
import torch

from manifests import keypoints as kp
from models.evaluation.metrics import autoencoder
from models.evaluation.metrics.autoencoder import MotionEncoder, load, save, train_encoder
from models.evaluation.metrics.frechet import frechet_distance
from models.evaluation.metrics.windows import VALUES, gesture_windows


@pytest.fixture(scope="module")
def windows(talkers) -> np.ndarray:
    return np.concatenate([gesture_windows(pose, step=4) for pose, _ in talkers])


@pytest.fixture(scope="module")
def encoder(windows) -> MotionEncoder:
    return train_encoder(windows, seed=0, epochs=3, width=16)


# ---- windows -------------------------------------------------------------------------------------


def test_150_frames_are_two_windows_and_two_more_half_way(pose) -> None:
    assert gesture_windows(pose).shape == (2, 64, 108)
    assert gesture_windows(pose, step=32).shape == (3, 64, 108)
    assert gesture_windows(pose[:63]).shape == (0, 64, 108)
    assert gesture_windows(np.zeros_like(pose)).shape == (0, 64, 108)


def test_places_are_from_their_roots_in_shoulder_widths(pose) -> None:
    """The neck is at (256, 200), the left elbow at (326, 280) before it swings, the shoulders 100 apart."""
    window = gesture_windows(pose[:1].repeat(64, axis=0))[0].reshape(64, 54, 2)
    assert window[0, kp.LEFT_SHOULDER] == pytest.approx([0.5, 0.0])
    wrist, hand = pose[0, kp.LEFT_WRIST, :2], pose[0, kp.LEFT_HAND_ROOT, :2]
    assert window[0, 11] == pytest.approx((hand - wrist) / 100, abs=1e-5)
    assert window[:, 53] == pytest.approx(0.0, abs=1e-6)


def test_windows_do_not_see_where_or_how_large_the_person_is(pose) -> None:
    other = pose.astype(np.float64)
    other[..., :2] = np.where(other[..., 2:] > 0, 0.5 * other[..., :2] + 100, 0)
    assert gesture_windows(other) == pytest.approx(gesture_windows(pose), abs=1e-4)


def test_a_body_that_sways_is_seen(pose) -> None:
    swaying = pose.copy()
    swaying[..., 0] += 10 * np.sin(np.arange(150) / 10)[:, None] * (pose[..., 2] > 0)
    apart = np.abs(gesture_windows(swaying) - gesture_windows(pose)).max(axis=(0, 1))
    assert apart[-2] > 0.05 and apart[:-2].max() < 1e-4


def test_gaps_run_straight_and_what_is_never_known_is_nan(pose) -> None:
    gappy = pose.copy()
    gappy[10:13, kp.LEFT_HAND] = 0
    gappy[:, kp.RIGHT_HAND] = (np.nan, 0.0, 1.0)
    windows = gesture_windows(gappy)
    left, right = slice(2 * 11, 2 * 32), slice(2 * 32, 2 * 53)
    whole = gesture_windows(pose)[0, :, left]
    assert windows[0, 11, left] == pytest.approx((whole[9] + whole[13]) / 2, abs=1e-5)
    assert np.isnan(windows[..., right]).all() and np.isfinite(windows[..., : right.start]).all()


def test_what_the_truth_lacks_is_left_out_of_what_is_compared_with_it(pose) -> None:
    truth = pose.copy()
    truth[:, kp.RIGHT_HAND] = 0
    both = gesture_windows(pose, like=truth), gesture_windows(truth)
    assert np.array_equal(*both, equal_nan=True)


# ---- encoder -------------------------------------------------------------------------------------


def test_seven_blocks_of_256_give_a_code_of_32() -> None:
    encoder = MotionEncoder()
    sizes = [tuple(block[0].weight.shape) for block in encoder.blocks]
    assert sizes == [(256, VALUES, 3), (256, 256, 3), *[(256, 256, 4)] * 4, (64, 256, 4)]
    mean, logarithm = encoder(torch.randn(2, 64, VALUES))
    assert mean.shape == logarithm.shape == (2, 32)


def test_the_code_sees_every_frame(encoder) -> None:
    x = torch.randn(1, 64, VALUES, generator=torch.Generator().manual_seed(0)).requires_grad_()
    encoder(x)[0].square().sum().backward()
    assert x.grad is not None and (x.grad.abs().sum(dim=-1) > 0).all()


def test_training_lowers_the_loss_repeats_and_leaves_the_global_state(windows, caplog) -> None:
    state = torch.get_rng_state()
    with caplog.at_level("INFO", logger="models.evaluation.metrics.autoencoder"):
        first = train_encoder(windows, seed=1, epochs=3, width=8)
    losses = [float(message.split("loss=")[1]) for message in caplog.messages]
    assert len(losses) == 3 and losses == sorted(losses, reverse=True)
    assert torch.equal(torch.get_rng_state(), state)
    again = train_encoder(windows, seed=1, epochs=3, width=8)
    other = train_encoder(windows, seed=2, epochs=3, width=8)
    assert first.fingerprint() == again.fingerprint() != other.fingerprint()


def test_encoding_is_in_evaluation_mode_whatever_the_mode_was(encoder, windows) -> None:
    there = encoder.encode(windows)
    encoder.train()
    assert np.array_equal(encoder.encode(windows), there)
    assert encoder.training
    encoder.eval()
    assert encoder.encode(windows[:1]) == pytest.approx(there[:1], abs=1e-5)
    assert encoder.encode(windows[:0]).shape == (0, 32)


def test_missing_values_are_at_the_mean(encoder, windows) -> None:
    holes = windows.copy()
    holes[..., 30:50] = np.nan
    assert np.isfinite(encoder.encode(holes)).all()
    mean = windows.copy()
    mean[..., 30:50] = encoder.mean.numpy()[30:50]
    assert encoder.encode(holes) == pytest.approx(encoder.encode(mean), abs=1e-5)
    trained = train_encoder(holes, seed=0, epochs=1, width=8)
    assert np.isfinite(trained.encode(holes)).all()


def test_one_window_trains_nothing(windows) -> None:
    with pytest.raises(ValueError, match="two windows, got 1"):
        train_encoder(windows[:1], seed=0)


# ---- distance ------------------------------------------------------------------------------------


def fgd(generated: np.ndarray, truth: np.ndarray, encoder: MotionEncoder) -> float:
    return frechet_distance(encoder.encode(generated), encoder.encode(truth))


def test_the_same_windows_are_at_no_distance(encoder, windows) -> None:
    assert fgd(windows, windows, encoder) == pytest.approx(0.0, abs=1e-9)


def test_distance_grows_with_noise_and_hardly_sees_that_a_motion_is_frozen(
    encoder, windows
) -> None:
    """Freezing counts here as half a pixel of noise does: the code tells where hands are before how they move."""
    noise = np.random.default_rng(0).normal(size=windows.shape).astype(np.float32)
    far = [fgd(windows + noise * amount, windows, encoder) for amount in (0.005, 0.02, 0.1)]
    frozen = fgd(windows[:, :1].repeat(64, axis=1), windows, encoder)
    assert 0 < far[0] < frozen < far[1] < far[2]


# ---- files ---------------------------------------------------------------------------------------


def test_an_encoder_comes_back_under_its_fingerprint(encoder, windows, tmp_path) -> None:
    path = save(encoder, tmp_path / "new")
    assert path.name == f"motion-{encoder.fingerprint()}.safetensors"
    assert sorted(p.suffix for p in path.parent.iterdir()) == [".json", ".safetensors"]
    back = load(path)
    assert not back.training
    assert np.array_equal(back.encode(windows), encoder.encode(windows))
    assert save(encoder, tmp_path / "new").read_bytes() == path.read_bytes()


def test_weights_under_another_name_are_refused(encoder, tmp_path) -> None:
    path = save(encoder, tmp_path)
    for suffix in (".safetensors", ".json"):
        path.with_suffix(suffix).rename(tmp_path / f"motion-0123456789ab{suffix}")
    with pytest.raises(ValueError, match=f"weights of {encoder.fingerprint()}"):
        load(tmp_path / "motion-0123456789ab.safetensors")
    about = tmp_path / "motion-0123456789ab.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"format": 0}))
    with pytest.raises(ValueError, match=f"format 0, this code reads {autoencoder.FORMAT}"):
        load(tmp_path / "motion-0123456789ab.safetensors")

"""Frames beside frames: values by hand, and that no more than two pictures are needed at a time."""

import numpy as np
import pytest

from models.evaluation.metrics.pictures import psnr, ssim
from models.evaluation.metrics.table import METRICS, Item


def film(*pictures: np.ndarray):
    return lambda: iter(pictures)


def noise(seed: int, side: int = 32) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8)


def test_the_ratio_of_a_constant_error_by_hand() -> None:
    truth = np.full((32, 32, 3), 100, np.uint8)
    assert psnr(film(truth + 5), film(truth)) == pytest.approx(10 * np.log10(255**2 / 25))
    assert psnr(film(truth + 5, truth), film(truth, truth)) == pytest.approx(
        (10 * np.log10(255**2 / 25) + 100) / 2
    )


def test_the_same_pictures_are_alike_and_noise_is_not() -> None:
    one, other = noise(0), noise(1)
    assert ssim(film(one), film(one)) == pytest.approx(1.0)
    unlike = ssim(film(other), film(one))
    assert unlike is not None and abs(unlike) < 0.1
    near = np.clip(one.astype(int) + 10, 0, 255).astype(np.uint8)
    alike = ssim(film(near), film(one))
    assert alike is not None and 0.9 < alike < 1.0


def test_a_picture_of_another_size_is_brought_to_the_truths() -> None:
    small = np.repeat(np.repeat(noise(2, 16), 2, axis=0), 2, axis=1)
    assert psnr(film(noise(2, 16).repeat(4, 0).repeat(4, 1)), film(small)) == 100.0
    grey = np.full((7, 9, 3), 80, np.uint8)
    assert psnr(film(grey), film(np.full((32, 32, 3), 80, np.uint8))) == 100.0


@pytest.mark.parametrize("name", ["psnr", "ssim"])
def test_without_frames_or_a_video_nothing_is_measured(name: str, pose, voice) -> None:
    metric = METRICS[name]
    assert metric.paired and metric.needs == {"frames", "truth"}
    for ours, theirs in ((None, film(noise(0))), (film(noise(0)), None), (film(), film())):
        assert metric.compute(Item(pose, pose, voice, ours, theirs)) is None
    same = metric.compute(Item(pose, pose, voice, film(noise(0)), film(noise(0))))
    other = metric.compute(Item(pose, pose, voice, film(noise(1)), film(noise(0))))
    assert same is not None and other is not None and same > other

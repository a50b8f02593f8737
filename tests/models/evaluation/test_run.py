"""The evaluation's parts that are made of the training clips: the encoder under FGD, the baselines."""

from pathlib import Path

import numpy as np
import pytest

from manifests import keypoints as kp
from models.data.audio import encoder_of
from models.data.index import Motions
from models.data.skeleton import Skeleton
from models.evaluation.metrics.autoencoder import MotionEncoder
from models.evaluation.metrics.table import NotMeasured
from models.evaluation.run import baselines, motion_encoder
from tests.models.making import Made, smooth_pose, write_dataset


def motions(folder: Path, *frames: int, faceless: bool = False) -> Motions:
    """Clips of so many frames."""
    clips = []
    for number, count in enumerate(frames):
        pose = smooth_pose(number, count)
        if faceless:
            pose[:, kp.FACE] = 0.0
        clips.append(Made(number, count, pose=pose))
    return Motions.open(write_dataset(folder, clips))


@pytest.mark.parametrize(
    ("training", "held", "epochs", "why"),
    [
        ((64, 80), (64,), 1, "it takes 2 windows of 64 frames to evaluate on, there is 1"),
        ((64, 80), (63, 63), 1, "it takes 2 windows of 64 frames to evaluate on, there are none"),
        (
            (64,),
            (128,),
            1,
            "it takes a motion encoder, which takes 2 windows of 64 frames to train on, there is 1",
        ),
        ((64, 80), (128,), 0, "it takes a motion encoder, which 0 epochs do not train"),
    ],
)
def test_nothing_is_trained_where_windows_are_too_few(
    tmp_path: Path, training: tuple[int, ...], held: tuple[int, ...], epochs: int, why: str
) -> None:
    learned, tested = motions(tmp_path / "a", *training), motions(tmp_path / "b", *held)
    found = motion_encoder(learned, tested, tmp_path / "fgd", epochs=epochs, width=8)
    assert found == NotMeasured(why)
    assert not (tmp_path / "fgd").exists()


def test_two_windows_are_enough_and_the_encoder_is_kept(tmp_path: Path) -> None:
    learned, tested = motions(tmp_path / "a", 64, 80), motions(tmp_path / "b", 128)
    first, second = (
        motion_encoder(learned, tested, tmp_path / "fgd", epochs=1, width=8) for _ in range(2)
    )
    assert isinstance(first, MotionEncoder) and isinstance(second, MotionEncoder)
    assert first.fingerprint() == second.fingerprint()


@pytest.mark.parametrize("faceless", [False, True])
def test_lips_have_baselines_where_training_clips_show_lips(tmp_path: Path, faceless: bool) -> None:
    learned = motions(tmp_path / "a", 64, 80, faceless=faceless)
    made = baselines(learned, Skeleton(), encoder_of("logmel"), tmp_path / "features")
    assert {"reference, still", "mean pose", "nearest neighbour"} <= set(made)
    assert ("loudness baseline" in made) == ("ridge baseline" in made) == (not faceless)
    voice = np.zeros((30, 160), np.float32)
    for maker in made.values():
        assert maker(voice, np.zeros(30 * 640, np.int16), learned.pose(0)[0], 0).shape[0] == 30

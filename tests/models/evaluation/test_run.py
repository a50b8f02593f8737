"""The whole evaluation: what is made of the training clips, several generators in one table, files."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.data.audio import LogMel
from models.data.features import Recipe, audio_features, family
from models.data.index import Motions
from models.evaluation.gesture_encoder import motion_encoder, training_windows
from models.evaluation.metrics.autoencoder import MotionEncoder
from models.evaluation.metrics.collection import NotMeasured
from models.evaluation.metrics.windows import gesture_windows
from models.evaluation.report import interval_of
from models.evaluation.run import Settings, evaluate
from models.infer.generator import Generator, Motion, Person
from tests.models.evaluation.worlds import motions
from tests.models.making import Made, pictures

pytestmark = pytest.mark.xdist_group("librosa")  # compiled once, in one process


def clips(folder: Path, *frames: int) -> Motions:
    return motions(folder, tuple(Made(number, count) for number, count in enumerate(frames)))


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
    learned, tested = clips(tmp_path / "a", *training), clips(tmp_path / "b", *held)
    found = motion_encoder(learned, tested, tmp_path / "features", epochs=epochs, width=8)
    assert found == NotMeasured(why)
    assert not (tmp_path / "features").exists()


def test_two_windows_are_enough_and_the_encoder_is_kept_for_these_clips(tmp_path: Path) -> None:
    learned, tested = clips(tmp_path / "a", 64, 80), clips(tmp_path / "b", 128)
    other = clips(tmp_path / "c", 64, 90)
    first, second, third = (
        motion_encoder(each, tested, tmp_path / "features", epochs=1, width=8)
        for each in (learned, learned, other)
    )
    assert isinstance(first, MotionEncoder) and isinstance(second, MotionEncoder)
    assert first.fingerprint() == second.fingerprint()
    assert len(list((tmp_path / "features").glob("motion-encoder@*/*.safetensors"))) == 2
    assert isinstance(third, MotionEncoder) and third.fingerprint() != first.fingerprint()


def test_windows_to_train_on_are_all_there_are_or_a_share_of_some_clips(tmp_path: Path) -> None:
    training = clips(tmp_path, 64, 200, 120, 160)
    whole = np.concatenate([gesture_windows(training.pose(n), step=16) for n in range(4)])
    assert (training_windows(training) == whole).all()
    few = training_windows(training, 8)
    assert len(few) <= 8 and len({each.tobytes() for each in few}) == len(few) > 1
    assert {each.tobytes() for each in few} <= {each.tobytes() for each in whole}


@dataclass(frozen=True)
class Toy:
    """A generator that stands still, `off` pixels beside the reference; with frames, as dark as it is told to."""

    off: float
    grey: int | None = None
    bands: int = 160
    facts: Mapping[str, Any] = field(default_factory=dict)
    generation: Any = None

    @property
    def audio_recipe(self) -> Recipe:
        if self.bands == 160:
            return audio_features(LogMel())
        kind = family("half", "of tests", self.bands, np.float32)
        return Recipe(kind, lambda motions, number: self.encode_audio(motions.sound(number)))

    def encode_audio(self, sound: np.ndarray) -> np.ndarray:
        return LogMel()(sound)[:, : self.bands].astype(np.float32)

    def generate(self, heard: np.ndarray, person: Person, *, seed: int) -> Motion:
        assert heard.shape[1] == self.bands
        pose = np.repeat(person.pose[None], len(heard), axis=0)
        pose[..., 0] += np.float32(self.off)
        if self.grey is None:
            return Motion(pose)
        assert person.picture is not None
        frames = pictures(len(heard)).astype(int) + self.grey
        return Motion(pose, frames[:, ::2, ::2].clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Motions:
    held = tuple(
        Made(number, frames, "test", name, shard=str(number), movie=True)
        for number, (frames, name) in enumerate([(30, "ada"), (34, "bea"), (28, "bea")], start=3)
    )
    return motions(tmp_path_factory.mktemp("filmed"), held)


def value(told: list[dict[str, Any]], generator: str, metric: str) -> float | None:
    (row,) = [
        row for row in told
        if (row["generator"], row["metric"], row["protocol"][:6]) == (generator, metric, "paired")
    ]  # fmt: skip
    return row["interval"] and row["interval"]["mean"]


def test_generators_stand_side_by_side_each_with_what_it_hears_and_makes(
    filmed: Motions, tmp_path: Path
) -> None:
    generators = {"near": Toy(1.0, 10), "far": Toy(9.0, 60, bands=80), "blind": Toy(4.0)}
    assert all(isinstance(each, Generator) for each in generators.values())
    training, done = clips(tmp_path / "training", 64, 80), []
    evaluate(
        tmp_path / "out", generators, training, filmed,
        settings=Settings(epochs=0), facts={"model": "of tests"},
        on_progress=lambda *each: done.append(each),
    )  # fmt: skip
    assert done == [(1, 3), (2, 3), (3, 3)]
    told = json.loads((tmp_path / "out" / "metrics.json").read_text())
    rows, text = told["rows"], (tmp_path / "out" / "metrics.md").read_text()
    header = "| near | far | blind | reference, still | mean pose | nearest neighbour |"
    assert f"| metric | protocol | truth {header}" in text
    near, far = (value(rows, name, "mean_error") for name in ("near", "far"))
    assert near is not None and far is not None and near < far
    for metric in ("psnr", "ssim"):
        near, far = (value(rows, name, metric) for name in ("near", "far"))
        assert near is not None and far is not None and near > far
        assert value(rows, "blind", metric) is None
    near = value(rows, "near", "psnr")
    assert near == pytest.approx(20 * np.log10(255 / 10), abs=1.0)  # the video's own loss is small
    (line,) = [line for line in text.splitlines() if line.startswith("| psnr | paired | blind")]
    assert line.endswith("| it makes no frames |")
    assert told["facts"]["model"] == "of tests"
    videos = sorted((tmp_path / "out" / "videos" / "near").glob("*.mp4"))
    assert len(videos) == 2


def test_a_clip_without_a_video_has_no_frames_to_compare_with(tmp_path: Path) -> None:
    training = clips(tmp_path / "training", 64, 80)

    class Painter(Toy):
        def generate(self, heard: np.ndarray, person: Person, *, seed: int) -> Motion:
            assert person.picture is None
            made = Toy(0.0).generate(heard, person, seed=seed)
            return Motion(made.pose, np.zeros((len(heard), 8, 8, 3), np.uint8))

    evaluate(
        tmp_path / "out", {"painter": Painter(0.0)}, training, clips(tmp_path / "held", 30, 40),
        settings=Settings(epochs=0, samples=1),
    )  # fmt: skip
    text = (tmp_path / "out" / "metrics.md").read_text()
    assert "| ssim | paired | painter | no clip has a video |" in text


def test_so_many_clips_are_chosen_over_people_and_the_table_says_so(tmp_path: Path) -> None:
    held = tuple(
        Made(number, 64, "test", "ada" if number < 5 else f"p{number}") for number in range(8)
    )
    rows = evaluate(
        tmp_path / "out", {}, clips(tmp_path / "training", 64, 80), motions(tmp_path / "held", held),
        settings=Settings(epochs=0, clips=4, seed=2, fit_clips=1),
    )  # fmt: skip
    told = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert told["facts"]["clips"] == "4 of 8, chosen evenly over people by seed 2"
    assert told["facts"]["people"] == 4
    assert told["facts"]["baselines fitted on"].startswith("1 of 2 training clips")
    assert {row.measured for row in rows if (row.metric, row.protocol) == ("speed", "paired")} == {
        4
    }


@pytest.mark.parametrize(
    ("people", "clips", "words"),
    [
        (1, 1, "none of a mean: all is of one person (1 clip)"),
        (1, 4, "none of a mean: all is of one person (4 clips); of chance over 5 shuffles of the voices, where they "
         "differ"),
        (2, 2, "95 %, bootstrap over those of the 2 people who have a value, from two on, too narrow below ten"),
        (12, 30, "95 %, bootstrap over those of the 12 people who have a value, from two on; of chance over 5 "
         "shuffles of the voices, where they differ"),
    ],
)  # fmt: skip
def test_the_interval_is_said_to_be_what_it_is(people: int, clips: int, words: str) -> None:
    assert interval_of(people, clips) == words
    assert people > 1 or "over people" not in words

"""Each installed backend is run, and what fails or finds nothing is said in one line."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline import weights
from pipeline.__main__ import app
from pipeline.audit import deep
from pipeline.audit.deep import NothingFound, Trial, in_process
from pipeline.config import Run
from pipeline.perception.shots import ShotDetector
from pipeline.perception.sync import Lips, SyncScore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Material of a few made pictures: two shots, silence, nobody."""
    rng = np.random.default_rng(0)
    dark, bright = (rng.integers(low, low + 90, (2, 72, 128, 3), np.uint8) for low in (0, 160))
    pictures = np.concatenate([dark[:1].repeat(25, axis=0), bright[:1].repeat(25, axis=0)])
    np.save(tmp_path / "shots.npy", pictures)
    np.save(tmp_path / "person.npy", pictures[:25])
    np.save(tmp_path / "sound.npy", np.zeros(48_000, np.int16))
    (tmp_path / "run.json").write_text(Run().with_backends().model_dump_json())
    return tmp_path


def test_a_backend_that_works_says_what_it_found(folder: Path) -> None:
    trial = in_process("shots", "embedded", folder)
    assert (trial.outcome, trial.note[:27]) == ("works", "2 shots, the second from fr")
    assert trial.seconds > 0.0


def test_a_backend_whose_weights_are_damaged_fails_with_the_reason(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSPEECH_WEIGHTS", str(folder))
    (folder / weights.known("segmentation").file).write_bytes(b"half a file")
    trial = in_process("speech", "segmentation", folder)
    assert trial.outcome == "fails"
    assert "has SHA-256" in trial.note and "\n" not in trial.note


def test_a_backend_that_does_not_answer_fails(folder: Path) -> None:
    trial = in_process("shots", "embedded", folder, patience=0.05)
    assert (trial.outcome, trial.note) == ("fails", "no answer in 0.05 s")


def test_one_shot_where_there_are_two_is_a_failure(folder: Path) -> None:
    np.save(folder / "shots.npy", np.load(folder / "person.npy").repeat(2, axis=0))
    with pytest.raises(NothingFound, match="1 shots found where there are 2"):
        deep.try_shots(ShotDetector(), folder)


class Named:
    """What every backend says of itself."""

    name, version, weights = "fake", "1", None

    def missing(self) -> str | None:
        return None


class Still(Named):
    """A pose backend, and its tracker, that find what they are told to."""

    valid_from, batch = 0.5, 10

    def __init__(self, confidence: float) -> None:
        self.confidence = confidence

    def track(self) -> "Still":
        return self

    def __enter__(self) -> "Still":
        return self

    def __exit__(self, *_: object) -> None: ...

    def __call__(self, image: np.ndarray, face: object = None) -> np.ndarray:
        return self.many([image], [face])[0]

    def many(self, images: list, faces: list) -> np.ndarray:
        return np.full((len(images), 133, 3), self.confidence, np.float32)


def test_joints_below_the_backends_own_number_are_not_found(folder: Path) -> None:
    assert deep.try_pose(Still(0.5), folder).startswith("joints found: 1.00 of 133 (body 1.00")
    with pytest.raises(NothingFound, match="no joint in 25 frames"):
        deep.try_pose(Still(0.49), folder)


class Silent(Named):
    """A sync backend without an answer."""

    face_size, face_margin, sure_from = None, 0.0, None

    def load(self, device: str = "cpu") -> "Silent":
        return self

    def __call__(self, lips: Lips, sound: np.ndarray, *, margin: int) -> SyncScore:
        assert (len(lips.pose), margin, len(sound)) == (45, 15, 48_000)
        return SyncScore(offset=0, confidence=float("nan"), speaking=0.0)


def test_an_answer_that_is_no_number_is_a_failure(folder: Path) -> None:
    np.save(folder / "person.npy", np.zeros((75, 8, 8, 3), np.uint8))
    np.save(folder / "pose.npy", np.zeros((75, 133, 3), np.float32))
    with pytest.raises(NothingFound, match="no number"):
        deep.try_sync(Silent(), folder)


@pytest.mark.parametrize(("outcome", "code"), [("works", 0), ("not installed", 0), ("fails", 1)])
def test_the_exit_code_is_1_only_where_an_installed_backend_fails(
    outcome: deep.Outcome, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = Trial("sync", "light-asd", outcome, "the note")
    monkeypatch.setattr(deep, "trials", lambda run: iter([trial]))
    done = CliRunner().invoke(app, ["doctor", "--deep"])
    assert (done.exit_code, "the note" in done.output) == (code, True)


@pytest.mark.slow
def test_every_backend_of_a_bare_machine_works_on_the_sample() -> None:
    found = {(each.kind, each.name): each for each in deep.trials(Run())}
    assert [each for each in found.values() if each.outcome == "fails"] == []
    for key in (("speech", "embedded"), ("pose", "mediapipe"), ("sync", "embedded")):
        assert found[key].outcome == "works", found[key]
    assert found["sync", "light-asd"].outcome == "not installed"
    assert "csg-data weights fetch light-asd" in found["sync", "light-asd"].note

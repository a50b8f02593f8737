"""A system that is no diffusion model goes through every command, with nothing changed but its file and the table."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from models.__main__ import main
from pipeline.media.probe import open_media
from tests.models.systems import toy


@pytest.fixture(scope="module")
def command() -> "Command":
    return Command()


class Command:
    """Runs `csg-model` in this process; what it printed, its exit code being 0."""

    def __call__(self, *arguments: str | Path) -> None:
        with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as caught:
            patch.setattr(sys, "argv", ["csg-model", *map(str, arguments)])
            main()
        assert caught.value.code in (0, None)


@pytest.fixture(scope="module")
def run(command: Command, dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained toy."""
    out = tmp_path_factory.mktemp("toy") / "run"
    features = out.with_name("features")
    command("prepare", "toy", "--data", dataset, "--features", features)
    prepared = {place.name.partition("@")[0] for place in features.iterdir()}
    assert prepared == {"skeleton-1", "logmel-2", "thumbnails-1", "onsets-1"}
    command("train", "toy", "--data", dataset, "--out", out, "--features", features)
    return out


def test_both_phases_are_trained_and_the_model_says_what_it_is(run: Path, dataset: Path) -> None:
    assert {each.name for each in run.iterdir()} == {"codec", "animation", "model"}
    stated = json.loads((run / "model" / "system.json").read_text())
    assert stated["system"] == "toy"
    root = json.loads((dataset / "dataset.json").read_text())["root"]
    assert stated["facts"]["dataset"] == root and stated["facts"]["steps"] == 16


def test_motion_and_frames_are_generated(
    run: Path, command: Command, dataset: Path, tmp_path: Path
) -> None:
    talk = [
        "generate",
        "--model",
        run,
        "--data",
        dataset,
        "--audio",
        "test:0",
        "--reference",
        "val:0",
    ]
    command(*talk, "--out", tmp_path / "still", "--guides", "none", "-s", "liveliness=0")
    command(*talk, "--out", tmp_path / "lively", "--guides", "none", "-s", "liveliness=3")
    poses = [np.load(tmp_path / name / "pose.npy") for name in ("still", "lively")]
    assert poses[0].shape == (50, 133, 3) and not np.array_equal(*poses)
    facts = json.loads((tmp_path / "lively" / "facts.json").read_text())
    assert facts["generation"] == {"liveliness": 3.0, "device": "cpu"}
    with open_media(tmp_path / "lively" / "video.mp4") as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 50 and frames[0].shape == (64, 64, 3)


def test_two_models_stand_side_by_side_and_frames_are_measured(
    run: Path, command: Command, dataset: Path, tmp_path: Path
) -> None:
    command(
        *(
            "evaluate",
            "--model",
            f"calm={run}",
            "--model",
            f"lively={run}/model",
            "--data",
            dataset,
        ),
        *("--out", tmp_path / "table", "--features", tmp_path / "features", "--split", "val"),
        *("--epochs", "0", "-s", "calm.liveliness=0", "-s", "lively.liveliness=5"),
    )
    table = json.loads((tmp_path / "table" / "metrics.json").read_text())
    assert table["facts"]["calm: generation"]["liveliness"] == 0.0
    values = {
        (row["generator"], row["metric"]): row["interval"] and row["interval"]["mean"]
        for row in table["rows"]
        if row["protocol"] == "paired"
    }
    assert values["calm", "jitter"] < values["lively", "jitter"]
    assert values["calm", "psnr"] and values["mean pose", "psnr"] is None


def test_an_unknown_setting_of_one_of_several_models_is_one_sentence(
    run: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    line = ["evaluate", "--model", f"calm={run}", "--data", dataset, "--out", tmp_path / "t"]
    monkeypatch.setattr(sys, "argv", ["csg-model", *map(str, line), "-s", "calm.lively=1"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    said = " ".join(capsys.readouterr().err.split())
    assert said == "csg-model: there is no setting 'lively'; did you mean liveliness?"


def test_the_table_of_systems_names_it(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    command("systems")
    said = capsys.readouterr().out
    assert "csg405: audio and one skeleton" in said and "(arXiv:2507.06812)" in said
    assert "toy: audio to codes and frames" in said and "phases codec, animation" in said
    command("systems", "toy")
    said = capsys.readouterr().out
    assert "liveliness: 1.0" in said and "csg405" not in said
    assert toy.SYSTEM.phases(toy.small()) == ("codec", "animation")

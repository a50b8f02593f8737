"""The second half of the README, command by command, on a dataset of the built-in sample."""

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from models.infer.guides import GUIDES
from tests.conftest import ROOT
from tests.runs import Built

pytestmark = [pytest.mark.xdist_group("build"), pytest.mark.timeout(900), pytest.mark.slow]

PROGRAM = ".venv/bin/csg-model"
FEWER = {
    "train": ["--set", "training.steps=4", "--set", "training.batch_size=2"],
    "generate": ["--set", "steps=2"],
    "evaluate": ["--set", "steps=2", "--epochs", "2"],
}
"""What the test adds to the README's commands."""


def commands() -> list[list[str]]:
    """The words of each line of the section that starts the program; comments are left out."""
    section = (ROOT / "README.md").read_text().split("\n## From clips to motion\n")[1]
    block = section.split("```sh\n")[1].split("```")[0]
    lines = [line for line in block.splitlines() if line.startswith(PROGRAM)]
    return [shlex.split(line, comments=True) for line in lines]


@pytest.fixture(scope="module")
def place(built: Built, sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the README's commands name: the dataset, a voice, a picture."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(built.run.out, folder / "dataset")
    with av.open(str(sample / "carla.mp4")) as container:
        picture = next(container.decode(video=0))
        picture.to_image().save(folder / "me.png")
    with av.open(str(sample / "ben.mp4")) as container:
        sound = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
        rate = container.streams.audio[0].rate
    soundfile.write(folder / "talk.wav", sound[: 2 * rate], rate)
    return folder


def test_the_commands_train_a_model_move_a_person_and_measure_the_model(place: Path) -> None:
    told = commands()
    assert [words[1] for words in told] == ["train", "generate", "evaluate"]
    program = str(Path(sys.executable).with_name("csg-model"))
    for words in told:
        line = [program, *words[1:], *FEWER[words[1]]]
        done = subprocess.run(line, cwd=place, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr

    facts = json.loads((place / "run" / "model" / "system.json").read_text())["facts"]
    assert facts["steps"] == 4

    made = place / "made"
    assert np.load(made / "pose.npy").shape == (50, 133, 3)
    for name in ("skeleton.mp4", "voice.wav", "reference.npy", "reference.png"):
        assert (made / name).stat().st_size > 0
    assert {folder.name for folder in (made / "guides").iterdir()} == set(GUIDES)

    table = json.loads((place / "run" / "evaluation" / "metrics.json").read_text())
    assert table["facts"]["people"] == table["facts"]["clips"] == 2
    found = {(row["generator"], row["metric"], row["protocol"]): row for row in table["rows"]}
    for measured in (
        ("model", "fgd", "set"),
        ("truth", "fgd_floor", "set"),
        ("model", "mean_error", "paired"),
        ("truth", "lips_voice", "paired"),
        ("ridge baseline", "lips_truth", "matched minus mismatched"),
    ):
        assert found[measured]["interval"] is not None, measured
    few = found["model", "diversity_l2_pairs", "set"]
    assert few["interval"] is None and "300 windows" in few["reason"]
    for name in ("metrics.md", "metrics.png", "videos"):
        assert (place / "run" / "evaluation" / name).exists()

"""The README's quick start and its second half, command by command, on a dataset of the built-in sample."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from PIL import Image

from models.infer.guides import GUIDES
from pipeline.media.draw import COLOURS
from tests.conftest import ROOT
from tests.runs import Built

pytestmark = [pytest.mark.xdist_group("build"), pytest.mark.timeout(900)]

PROGRAM = ".venv/bin/csg-model"
FEWER = {
    "train": ["--set", "training.steps=4", "--set", "training.batch_size=2"],
    "generate": ["--set", "steps=2"],
    "evaluate": ["--set", "steps=2", "--epochs", "2"],
}
"""What the test adds to the README's commands."""


def section(title: str) -> str:
    """The text below a heading of the second level."""
    return (ROOT / "README.md").read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]


def code(title: str, language: str) -> str:
    """The first block of code of a section in a language."""
    return section(title).split(f"```{language}\n")[1].split("```")[0]


def commands() -> list[list[str]]:
    """The words of each line of the section that starts the program; comments are left out."""
    block = code("From clips to motion", "sh")
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


def run_python(script: str, place: Path) -> str:
    """What it prints, run by an interpreter of its own."""
    words = [sys.executable, "-c", script]
    done = subprocess.run(words, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_quick_start_prints_the_clips_and_draws_a_skeleton(place: Path) -> None:
    said = run_python(code("Quick start", "python"), place)
    clips = pq.read_table(place / "dataset" / "clips.parquet", columns=["id"])["id"].to_pylist()
    assert all(clip in said for clip in clips)
    assert "133, 3) 5.2 s of ada.mp4" in said
    with Image.open(place / "skeleton.png") as picture:
        drawn = np.asarray(picture)
    assert drawn.shape == (512, 512, 3)
    assert (np.abs(drawn.astype(int) - COLOURS["left"]).sum(axis=2) < 30).sum() > 500


def test_the_query_of_the_readme_counts_what_was_dropped(place: Path) -> None:
    script = code("What comes out", "python").replace("duckdb.sql(", "found = duckdb.sql(", 1)
    assert "too_short" in run_python(script + "\nprint(found.fetchall())", place)


def test_install_and_both_commands_stand_on_the_first_screen() -> None:
    screen = (ROOT / "README.md").read_text().splitlines()[:20]
    assert any(line.startswith("make dataset ") for line in screen)
    assert any(line.startswith("make test ") for line in screen)


def test_every_link_within_the_project_leads_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("kind", ["shots", "speech", "pose", "sync"])
def test_the_table_lists_the_backends_that_there_are(kind: str) -> None:
    rows = [
        line.split("|")[1:3] for line in section("Systems and backends").splitlines() if "|" in line
    ]
    begins = [first.strip() for first, _ in rows].index(kind)
    names = [rows[begins][1]]
    for first, name in rows[begins + 1 :]:
        if first.strip():
            break
        names.append(name)
    backends = import_module(f"pipeline.perception.{kind}").BACKENDS
    assert {name.strip(" `") for name in names} == set(backends)


@pytest.mark.slow
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

"""The trainer beside its resuming: it learns, it refuses, it writes what it promises."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import runs
import torch
from rich.console import Console

from models.systems.csg405.configs import Config, Size, tiny
from models.systems.csg405.training import MotionPhase
from models.systems.csg405.generator import SkeletonGenerator
from models.training.settings import SettingsError, Training, plain
from models.training.trainer import Diverged, finite, seed_of, train


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.write_dataset(tmp_path_factory.mktemp("made") / "data")


def config(**changes: object) -> Config:
    training = Training(
        steps=60,
        batch_size=4,
        learning_rate=3e-3,
        warmup=5,
        save=30,
        validate=60,
        previews=1,
        log=1,
        threads=1,
        ema_decay=0.9,
    )
    return replace(
        tiny(),
        size=Size(32, 2, 2, 64),
        frames=30,
        training=replace(training, **changes),  # type: ignore[arg-type]
    )


def run(data: Path, folder: Path, wanted: Config) -> Path:
    task = Task.of(wanted, data)
    settings = {"config": plain(wanted), "dataset": task.training.root}
    with Path("/dev/null").open("w") as nowhere:
        return train(folder, task, wanted.training, settings, console=Console(file=nowhere))


@pytest.mark.filterwarnings("ignore:.*distutils.*:DeprecationWarning")
def test_a_run_learns_and_leaves_log_checkpoints_pictures_and_a_model(
    data: Path, tmp_path: Path
) -> None:
    model = run(data, tmp_path / "run", config())
    lines = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert len(losses) == 60 and sum(losses[-10:]) < 0.95 * sum(losses[:10])
    assert [each.name for each in sorted((tmp_path / "run/checkpoints").iterdir())] == [
        "step-00000030",
        "step-00000060",
    ]
    assert list((tmp_path / "run/samples/step-00000060").glob("*.mp4"))
    assert list((tmp_path / "run/log").glob("**/events*"))
    assert "diffusion_pytorch_model.safetensors" in {each.name for each in model.iterdir()}
    assert SkeletonGenerator.load(tmp_path / "run").facts["steps"] == 60


def test_a_run_goes_on_with_more_steps_but_not_with_another_rate(
    data: Path, tmp_path: Path
) -> None:
    quiet = {"tracker": "none", "previews": 0}
    run(data, tmp_path / "run", config(steps=6, save=3, **quiet))
    longer = run(data, tmp_path / "run", config(steps=9, save=3, **quiet))
    whole = run(data, tmp_path / "whole", config(steps=9, save=3, **quiet))
    name = "diffusion_pytorch_model.safetensors"
    assert (longer / name).read_bytes() == (whole / name).read_bytes()
    with pytest.raises(SettingsError, match=r"begun with another config\.training\.learning_rate"):
        run(data, tmp_path / "run", config(steps=9, save=3, learning_rate=1e-4, **quiet))


def test_a_loss_that_is_no_number_ends_the_run_with_a_sentence() -> None:
    with pytest.raises(Diverged, match=r"the loss of step 7 is nan: lower training\.learning_rate"):
        finite(torch.tensor(float("nan")), 7)


def test_no_two_steps_or_ranks_share_a_seed() -> None:
    seeds = {
        seed_of(seed, step, rank) for seed in (0, 1) for step in range(-1, 200) for rank in range(4)
    }
    assert len(seeds) == 2 * 201 * 4


def test_people_who_are_left_out_are_not_trained_on(data: Path) -> None:
    whole = Task.of(config(), data)
    person = whole.training.entries[0].identity
    task = Task.of(config(), data, without=(person,))
    assert person not in {entry.identity for entry in task.training.entries}
    assert {entry.identity for entry in task.validation.entries} == {person}
    assert (task.statistics.mean != whole.statistics.mean).any()


def test_the_network_overfits_one_batch(data: Path) -> None:
    wanted = config()
    task = Task.of(wanted, data)
    torch.manual_seed(0)
    network = task.network()
    batch = task.steps(0, 1)[0]
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    losses = []
    for _ in range(150):
        loss = task.loss(network, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.25 * losses[0]


def test_the_mouth_weighs_what_the_configuration_says(data: Path) -> None:
    wanted = replace(config(), noise=replace(config().noise, mouth_weight=4.0))
    weights = Task.of(wanted, data).weights(torch.device("cpu"))
    assert weights is not None
    assert weights.sum() == 2 * (20 * 4 + 113) + 2
    assert Task.of(config(), data).weights(torch.device("cpu")) is None

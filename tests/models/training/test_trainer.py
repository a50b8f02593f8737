"""The trainer beside its resuming: it learns, it refuses, it writes what it promises."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import runs
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType
from rich.console import Console
from safetensors.torch import load_file

from models.data.dataset import Dataset
from models.data.features import NotPrepared
from models.systems import system_of
from models.systems.csg405.configs import Config, Size, tiny
from models.systems.csg405.generator import SkeletonGenerator
from models.systems.csg405.training import MotionPhase
from models.systems.run import train_phases
from models.training import checkpoint
from models.training.checkpoint import CheckpointError
from models.training.phase import Group, Objective
from models.training.settings import SettingsError, Training
from models.training.state import owners, seed_of
from models.training.trainer import Diverged, check_batch, finite, free, machine_of, means
from tests.models.systems import toy

WEIGHTS = "diffusion_pytorch_model.safetensors"
QUIET = {"tracker": "none", "previews": 0}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = runs.write_dataset(tmp_path_factory.mktemp("made") / "data")
    runs.prepare(folder)
    return folder


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


def run(
    data: Path,
    folder: Path,
    wanted: object,
    *,
    system: str = "csg405",
    warm_start: Path | None = None,
) -> Path:
    with Path("/dev/null").open("w") as nowhere:
        return train_phases(
            system, system_of(system), wanted, Dataset.open(data), folder, console=Console(file=nowhere),
            warm_start=warm_start,
        )  # fmt: skip


def log_of(phase: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (phase / "log.jsonl").read_text().splitlines()]


def phase_of(data: Path, wanted: Config, *, without: tuple[str, ...] = ()) -> MotionPhase:
    return MotionPhase.of(wanted, Dataset.open(data, without=without))


@pytest.mark.filterwarnings("ignore:.*distutils.*:DeprecationWarning")
def test_a_run_learns_and_leaves_log_checkpoints_pictures_and_a_model(
    data: Path, tmp_path: Path
) -> None:
    model = run(data, tmp_path / "run", config())
    phase = tmp_path / "run" / "motion"
    losses = [line["loss"] for line in log_of(phase) if "loss" in line]
    assert len(losses) == 60 and sum(losses[-10:]) < 0.95 * sum(losses[:10])
    assert [each.name for each in sorted((phase / "checkpoints").iterdir())] == [
        "step-00000030",
        "step-00000060",
    ]
    assert list((phase / "samples/step-00000060").glob("*.mp4"))
    assert list((phase / "log").glob("**/events*"))
    assert WEIGHTS in {each.name for each in model.iterdir()}
    assert SkeletonGenerator.load(tmp_path / "run").facts["steps"] == 60


def test_a_run_goes_on_with_more_steps_but_not_with_another_rate(
    data: Path, tmp_path: Path
) -> None:
    run(data, tmp_path / "run", config(steps=6, save=3, **QUIET))
    longer = run(data, tmp_path / "run", config(steps=9, save=3, **QUIET))
    whole = run(data, tmp_path / "whole", config(steps=9, save=3, **QUIET))
    assert (longer / WEIGHTS).read_bytes() == (whole / WEIGHTS).read_bytes()
    with pytest.raises(SettingsError, match=r"begun with another config\.training\.learning_rate"):
        run(data, tmp_path / "run", config(steps=9, save=3, learning_rate=1e-4, **QUIET))


def test_a_finished_phase_is_not_exported_again(data: Path, tmp_path: Path) -> None:
    wanted = config(steps=2, **QUIET)
    model = run(data, tmp_path / "run", wanted)
    (model / WEIGHTS).write_bytes(b"as it was")
    run(data, tmp_path / "run", wanted)
    assert (model / WEIGHTS).read_bytes() == b"as it was"
    shutil.rmtree(model)
    run(data, tmp_path / "run", wanted)
    assert load_file(model / WEIGHTS)


def test_a_run_of_an_earlier_version_is_refused_in_one_sentence(data: Path, tmp_path: Path) -> None:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    with pytest.raises(SettingsError, match=r"was begun by an earlier version.*--warm-start"):
        run(data, tmp_path / "run", config(steps=2, **QUIET))


# ---- what is logged and kept ----------------------------------------------------------------------------------


def test_the_log_holds_means_over_its_interval(data: Path, tmp_path: Path) -> None:
    run(data, tmp_path / "each", config(steps=6, **QUIET))
    run(data, tmp_path / "three", config(steps=6, **QUIET | {"log": 3}))
    each = [line for line in log_of(tmp_path / "each/motion") if "loss" in line]
    three = [line for line in log_of(tmp_path / "three/motion") if "loss" in line]
    assert [line["step"] for line in three] == [3, 6]
    for name in ("loss", "grad_norm"):
        means_of_each = [sum(line[name] for line in each[at : at + 3]) / 3 for at in (0, 3)]
        assert [line[name] for line in three] == pytest.approx(means_of_each, rel=1e-12)
    assert three[-1]["learning_rate"] == each[-1]["learning_rate"]


def test_milestones_stay_beside_the_newest(data: Path, tmp_path: Path) -> None:
    run(data, tmp_path / "run", config(steps=10, save=1, keep=2, milestones=4, **QUIET))
    kept = sorted(each.name for each in (tmp_path / "run/motion/checkpoints").iterdir())
    assert kept == [f"step-{step:08d}" for step in (4, 8, 9, 10)]


def test_validation_says_where_the_loss_is_and_how_generated_clips_move(
    data: Path, tmp_path: Path
) -> None:
    run(data, tmp_path / "run", config(steps=2, validate=2, previews=1, tracker="none"))
    figures = next(line for line in log_of(tmp_path / "run/motion") if "validation/loss" in line)
    steps = [figures[f"validation/loss_by_step/{step:04d}"] for step in (125, 375, 625, 875)]
    assert sum(steps) / 4 == pytest.approx(figures["validation/loss"])
    parts = [
        figures[f"validation/loss_by_part/{part}"] for part in ("body", "face", "mouth", "hands")
    ]
    assert min(parts) < figures["validation/loss"] < max(parts)
    for name in ("speed", "jitter"):
        assert figures[f"validation/motion/{name}"] != figures[f"validation/truth/{name}"]


def test_validation_is_bounded_and_the_same_in_batches_of_any_size(data: Path) -> None:
    torch.manual_seed(0)
    figures = []
    for size in (4, 3):
        wanted = config(batch_size=size, validation_clips=1, **QUIET)
        phase = phase_of(data, wanted)
        assert phase.validated == 1 and phase.previews == 0
        torch.manual_seed(0)
        networks = {name: network.eval() for name, network in phase.networks().items()}
        with torch.no_grad():
            found = [
                (item, phase.validate(networks, item, Path()))
                for item in range(phase.validation_items)
            ]
        figures.append(means(found))
    assert figures[0] == pytest.approx(figures[1], rel=1e-5)
    assert phase_of(data, config(validation_clips=0)).validation_items == 0


def test_a_mean_is_over_all_items_in_their_order_whoever_had_them() -> None:
    found = [(1, {"a": [3.0, 5.0]}), (0, {"a": [1.0], "b": [2.0]}), (2, {"b": []})]
    assert means(found) == {"a": 3.0, "b": 2.0}


# ---- weights to begin with ------------------------------------------------------------------------------------


def test_a_warm_start_begins_with_the_weights_it_is_given(data: Path, tmp_path: Path) -> None:
    first = run(data, tmp_path / "first", config(steps=4, **QUIET))
    still = config(steps=1, learning_rate=1e-12, **QUIET)
    checkpoint = tmp_path / "first/motion/checkpoints/step-00000004"
    for number, start in enumerate((tmp_path / "first", first, checkpoint)):
        model = run(data, tmp_path / f"warm-{number}", still, warm_start=start)
        before, after = load_file(first / WEIGHTS), load_file(model / WEIGHTS)
        for name, tensor in before.items():
            assert torch.allclose(after[name], tensor, atol=1e-9), (start, name)
    cold = load_file(run(data, tmp_path / "cold", still) / WEIGHTS)
    assert not torch.allclose(cold["proj_in.weight"], load_file(first / WEIGHTS)["proj_in.weight"])


def test_a_warm_start_that_does_not_fit_is_one_sentence(data: Path, tmp_path: Path) -> None:
    first = run(data, tmp_path / "first", config(steps=2, **QUIET))
    wider = replace(config(steps=2, **QUIET), size=Size(64, 2, 2, 64))
    with pytest.raises(CheckpointError, match=r"motion\.is_reference is \(32,\), needed \(64,\)"):
        run(data, tmp_path / "wider", wider, warm_start=first)
    deeper = replace(config(steps=2, **QUIET), size=Size(32, 3, 2, 64))
    with pytest.raises(CheckpointError, match=r"lacks 'motion\.blocks\.2"):
        run(data, tmp_path / "deeper", deeper, warm_start=first)
    with pytest.raises(SettingsError, match="holds no model or checkpoint of motion"):
        run(data, tmp_path / "none", config(steps=2, **QUIET), warm_start=tmp_path)
    with pytest.raises(SettingsError, match="begun with another warm_start"):
        run(data, tmp_path / "first", config(steps=2, **QUIET), warm_start=first)


# ---- phases of any kind ---------------------------------------------------------------------------------------


def test_frozen_parts_are_neither_kept_nor_changed_and_buffers_are(
    data: Path, tmp_path: Path
) -> None:
    run(data, tmp_path / "run", toy.small(), system="toy")
    kept = load_file(max((tmp_path / "run/codec/checkpoints").iterdir()) / "networks.safetensors")
    assert {name.split(".")[0] for name in kept} == {"codec"}
    assert "codec.down.1.running_mean" in kept and kept["codec.down.1.num_batches_tracked"] == 12
    average = load_file(max((tmp_path / "run/codec/checkpoints").iterdir()) / "average.safetensors")
    assert torch.equal(average["codec.down.1.running_mean"], kept["codec.down.1.running_mean"])
    assert not torch.equal(average["codec.down.0.weight"], kept["codec.down.0.weight"])
    second = load_file(
        max((tmp_path / "run/animation/checkpoints").iterdir()) / "networks.safetensors"
    )
    assert {name.split(".")[0] for name in second} == {"animator", "critic"}
    exported = (tmp_path / "run/codec/model/codec.safetensors").read_bytes()
    assert (
        tmp_path / "run/model/codec.safetensors"
    ).read_bytes() == exported  # it was not trained on


def test_objectives_take_turns_with_rates_of_their_own(data: Path, tmp_path: Path) -> None:
    run(
        data,
        tmp_path / "run",
        replace(toy.small(), animation=replace(toy.small().animation, log=1)),
        system="toy",
    )
    lines = [line for line in log_of(tmp_path / "run/animation") if "loss/critic" in line]
    assert ["loss/animator" in line for line in lines] == [
        True,
        False,
    ] * 8  # it takes every second step
    assert {line["learning_rate/critic"] for line in lines[2:]} == {2e-3}
    assert lines[-2]["loss/animator"] == pytest.approx(
        sum(lines[-2][f"loss/animator/{part}"] for part in ("pose", "frames", "critic"))
    )


def test_gradients_over_several_batches_are_those_of_one(data: Path, tmp_path: Path) -> None:
    """Without a mask, without batch norm: the mean of the parts' means is the mean of the whole."""
    changed = {"accumulate": 1, "steps": 3, "log": 1}
    models = []
    for accumulate in (1, 2, 4):
        animation = replace(toy.small().animation, **changed | {"accumulate": accumulate})
        wanted = replace(toy.small(), animation=animation)
        models.append(
            load_file(
                run(data, tmp_path / f"run-{accumulate}", wanted, system="toy")
                / "animator.safetensors"
            )
        )
    for other in models[1:]:
        for name, tensor in models[0].items():
            assert torch.allclose(tensor, other[name], atol=1e-6), name


def test_a_phase_that_was_trained_anew_is_seen_by_the_next(data: Path, tmp_path: Path) -> None:
    run(data, tmp_path / "run", toy.small(), system="toy")
    shutil.rmtree(tmp_path / "run" / "codec")
    other = replace(toy.small(), codec=replace(toy.small().codec, seed=5))
    with pytest.raises(
        SettingsError, match=r"begun with another (after\.codec|config\.codec\.seed)"
    ):
        run(data, tmp_path / "run", other, system="toy")


def test_parameters_with_two_owners_and_groups_of_nothing_are_mistakes() -> None:
    networks = {"one": torch.nn.Linear(2, 2)}

    def objective(*groups: Group) -> Objective:
        return Objective("o", groups, lambda networks, batch: {})

    with pytest.raises(ValueError, match=r"one\.weight is trained twice"):
        owners(networks, [objective(Group("one"), Group("one", "weight"))])
    with pytest.raises(ValueError, match="one has no parameter 'head'"):
        owners(networks, [objective(Group("one", "head"))])
    with pytest.raises(ValueError, match="trains one parameter or more"):
        owners(networks, [])


def test_several_ranks_are_told_what_is_not_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = runs.write_dataset(tmp_path / "data")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(NotPrepared, match=r"1 of 1 shards of skeleton-1@.* csg-model prepare"):
        run(data, tmp_path / "run", config(steps=2, **QUIET))


# ---- small parts ----------------------------------------------------------------------------------------------


def test_a_loss_that_is_no_number_ends_the_run_with_a_sentence() -> None:
    assert finite({"loss": 2.0, "grad_norm": 1.0}, 7) == 2.0
    with pytest.raises(Diverged, match=r"the loss of step 7 is nan: lower training\.learning_rate"):
        finite({"loss/critic": 1.0, "loss/animator": float("nan")}, 7)


def test_no_two_steps_or_ranks_share_a_seed() -> None:
    seeds = {
        seed_of(seed, step, rank) for seed in (0, 1) for step in range(-1, 200) for rank in range(4)
    }
    assert len(seeds) == 2 * 201 * 4


def test_a_batch_is_dealt_out_evenly() -> None:
    check_batch(Training(batch_size=16, accumulate=2), 4)
    with pytest.raises(
        SettingsError, match="batch_size of 16 cannot be dealt out evenly to 4 ranks in 8"
    ):
        check_batch(Training(batch_size=16, accumulate=8), 4)


def test_only_what_changes_no_weight_may_change_on_the_way() -> None:
    constant = {"config": {"a": {"training": {"schedule": "constant_with_warmup"}}, "workers": 1}}
    assert free("config.a.training.workers", constant) and free("config.a.training.steps", constant)
    assert not free("config.a.training.seed", constant) and not free("config.workers", constant)
    cosine = {"config": {"a": {"training": {"schedule": "cosine"}}}}
    assert not free("config.a.training.steps", cosine)


def test_people_who_are_left_out_are_not_trained_on(data: Path) -> None:
    whole = phase_of(data, config())
    person = whole.dataset.training.entries[0].identity
    phase = phase_of(data, config(), without=(person,))
    assert person not in phase.dataset.training.identities
    assert phase.dataset.validation.identities == {person}
    assert (phase.statistics.mean != whole.statistics.mean).any()


def test_the_network_overfits_one_batch(data: Path) -> None:
    phase = phase_of(data, config())
    torch.manual_seed(0)
    networks = phase.networks()
    batch = phase.batch(runs.places(4))
    optimizer = torch.optim.Adam(networks["motion"].parameters(), 3e-3)
    losses = []
    for _ in range(150):
        (loss,) = phase.losses(networks, batch).values()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.25 * losses[0]


def test_the_mouth_weighs_what_the_configuration_says(data: Path) -> None:
    wanted = replace(config(), noise=replace(config().noise, mouth_weight=4.0))
    weights = phase_of(data, wanted).weights(torch.device("cpu"))
    assert weights is not None
    assert weights.sum() == 2 * (20 * 4 + 113) + 2
    assert phase_of(data, config()).weights(torch.device("cpu")) is None


@pytest.mark.parametrize("kind", [DistributedType.FSDP, DistributedType.DEEPSPEED])
def test_ranks_that_would_hold_parts_of_a_network_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: DistributedType
) -> None:
    monkeypatch.setattr(Accelerator, "distributed_type", property(lambda self: kind))
    with pytest.raises(SettingsError, match=rf"trains whole networks \(DDP\), got {kind.value}"):
        machine_of(tmp_path, Training(tracker="none"))


def test_a_checkpoint_that_does_not_fit_on_the_disk_leaves_those_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors = {"networks": {"weight": torch.ones(2)}}
    checkpoint.save(tmp_path, 3, tensors, {}, {}, keep=1)

    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(CheckpointError, match=r"step-00000006 cannot be written: .*No space left"):
        checkpoint.save(tmp_path, 6, tensors, {}, {}, keep=1)
    assert [each.name for each in tmp_path.iterdir()] == ["step-00000003"]
    assert checkpoint.load(tmp_path / "step-00000003")[2]["step"] == 3

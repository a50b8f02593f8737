"""The training loop, read from top to bottom: batches, turns of the objectives, log, validation, checkpoint.

A run is a pure function of its settings and its dataset. Each step's batches, noise and dropout are functions of
(seed, step), so a run that was killed and started again ends with the same bits as one that was not. Nothing here knows
a system: `models.training.phase` says what it is given.
"""

import hashlib
import json
import math
from collections.abc import Generator, Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import (
    DistributedType,
    InitProcessGroupKwargs,
    broadcast,
    broadcast_object_list,
    gather_object,
)
from rich.console import Console
from torch import Tensor

from manifests.errors import UserError
from manifests.files import sha256_of, write_whole
from models.data.batches import Steps
from models.data.order import Order
from models.training import checkpoint
from models.training.phase import Batch, Losses, Phase
from models.training.progress import Progress
from models.training.settings import SettingsError, Training, differing, plain
from models.training.signals import Stopped, stop_signals
from models.training.state import Meters, State, Turn, averaged, begin, seed_of, warm_start

PATIENCE = timedelta(hours=2)
"""For which ranks wait for the one that exports."""


class Diverged(UserError):
    """The loss is NaN or infinite."""


def train(
    run: Path, phase: Phase, settings: Mapping[str, Any], *, console: Console, model: Path | None = None,
    weights: Path | None = None,
) -> Path:  # fmt: skip
    """Train until the last step, from where the run was left. Returns the folder of what the phase exports.

    run: made where it is not there. settings: plain values that say, with the phase's configuration, all about the run;
    a folder whose own differ is refused. model: the folder of the export; None: `model` in the run. weights: a
    checkpoint, or a folder that such a phase exported, whose weights a new run begins with. Raises SettingsError,
    CheckpointError, Diverged, Stopped.
    """
    training = phase.training
    if training.threads:
        torch.set_num_threads(training.threads)
    machine = machine_of(run, training)
    check_batch(training, machine.num_processes)
    if machine.is_main_process:
        claim(run, settings_of(phase, settings, weights))
    machine.wait_for_everyone()
    state = begin(phase, machine)
    if not resume(run / "checkpoints", state, machine.process_index) and weights is not None:
        warm_start(state, phase, weights)
    model = model or run / "model"
    if state.step == training.steps and exported(run, model) == state.step:
        return model
    start_tracker(machine, training.tracker, state.step, settings)
    take_steps(run, phase, state, machine, console)
    machine.wait_for_everyone()
    if machine.is_main_process:
        with averaged(state):
            phase.export(state.networks, model, {"steps": state.step, "settings": dict(settings)})
        write_whole(run / "exported.json", json.dumps({"step": state.step}) + "\n")
    machine.wait_for_everyone()
    for tracker in machine.trackers:
        tracker.finish()
    return model


def take_steps(
    run: Path, phase: Phase, state: State, machine: Accelerator, console: Console
) -> None:
    """All steps that are left, with what happens between them. Raises Diverged, Stopped."""
    training = phase.training
    note = Log(run, state.step, machine)
    progress = Progress(console, training.steps, state.step, training.batch_size)
    with (
        progress,
        stop_signals() as stop,
        closing(batches_of(phase, state.step, machine)) as stream,
    ):
        while state.step < training.steps:
            take_step(state, [next(stream) for _ in range(training.accumulate)], machine, training)
            if due(state.step, training.log, training.steps):
                figures = state.meters.means(machine)
                progress.loss = finite(figures, state.step)
                note(state.step, figures | state.learning_rates)
                state.meters = Meters()
            if phase.validation_items and due(state.step, training.validate, training.steps):
                progress.validation = validate(run, state, phase, note, machine)
            stopped = stop.agreed(machine, state.step)
            if stopped or due(state.step, training.save, training.steps):
                finite(state.meters.means(machine), state.step)
                save(run / "checkpoints", state, training, machine)
            progress.advance(state.step)
            if stopped and state.step < training.steps:
                machine.wait_for_everyone()
                raise Stopped(state.step, training.steps)


def take_step(state: State, batches: list[Batch], machine: Accelerator, training: Training) -> None:
    """One turn of each objective whose turn it is, on the same batches."""
    torch.manual_seed(seed_of(training.seed, state.step, machine.process_index))
    for turn in state.turns:
        if state.step % turn.objective.every == 0:
            take(turn, state, batches, machine, training)
    state.average.step(state.averaged)
    state.step += 1


# ---- the parts -------------------------------------------------------------------------------------------------------


def machine_of(run: Path, training: Training) -> Accelerator:
    """The processes and devices. Raises SettingsError for a way of spreading that is not there."""
    machine = Accelerator(
        mixed_precision=training.precision,
        log_with=None if training.tracker == "none" else training.tracker,
        project_dir=run,
        kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
    )
    sharded = (DistributedType.FSDP, DistributedType.DEEPSPEED, DistributedType.MEGATRON_LM)
    if machine.distributed_type in sharded:
        raise SettingsError(
            f"every rank trains whole networks (DDP), got {machine.distributed_type.value}: configure accelerate for "
            "several GPUs without it"
        )
    return machine


def batches_of(phase: Phase, step: int, machine: Accelerator) -> Generator[Batch]:
    """This rank's batches from a step on, `accumulate` of them for each. Closing it ends the loader's processes, which
    leave signals to this one."""
    training, rank, ranks = phase.training, machine.process_index, machine.num_processes
    size = training.batch_size // (ranks * training.accumulate)
    steps = Steps(phase.batch, Order(training.seed, phase.samples), size, rank, ranks)
    first, stop = (each * training.accumulate for each in (step, training.steps))
    pinned = machine.device.type == "cuda"
    yield from steps.stream(first, stop, workers=training.workers, pinned=pinned)


def take(
    turn: Turn, state: State, batches: list[Batch], machine: Accelerator, training: Training
) -> None:
    """One objective's step: gradients over all batches, clipped, and what was lost, noted."""
    state.only(turn)
    name = state.suffix(turn)
    networks = {**state.networks, **turn.parallel}
    noted: dict[str, Tensor] = {}
    for number, batch in enumerate(batches):
        with turn.synced(machine, last=number + 1 == len(batches)):
            with machine.autocast():
                losses = turn.objective.losses(networks, batch.to(machine.device))
            loss = sum_of(losses)
            parts = {"": loss} | (
                {f"/{n}": v for n, v in losses.items()} if len(losses) > 1 else {}
            )
            machine.backward(loss if len(batches) == 1 else loss / len(batches))
        for part, value in parts.items():
            own = value.detach() if len(batches) == 1 else value.detach() / len(batches)
            noted[part] = noted[part] + own if part in noted else own
    grad_norm = machine.clip_grad_norm_(turn.parameters, training.max_grad_norm)
    turn.optimizer.step()
    turn.schedule.step()
    turn.optimizer.zero_grad(set_to_none=True)
    state.all()
    for part, value in noted.items():
        state.meters.add(f"loss{name}{part}", value)
    state.meters.add(f"grad_norm{name}", grad_norm)


def sum_of(losses: Losses) -> Tensor:
    """The loss of an objective. Raises ValueError where it has none."""
    if not losses:
        raise ValueError("an objective has one loss or more, got 0")
    first, *others = losses.values()
    for other in others:
        first = first + other
    return first


def check_batch(training: Training, ranks: int) -> None:
    """Raises SettingsError where the batch cannot be dealt out evenly."""
    if training.batch_size % (ranks * training.accumulate):
        raise SettingsError(
            f"training.batch_size of {training.batch_size} cannot be dealt out evenly to {ranks} ranks in "
            f"{training.accumulate} parts each"
        )


def settings_of(phase: Phase, settings: Mapping[str, Any], weights: Path | None) -> dict[str, Any]:
    """All that a run depends on, as JSON holds it. weights: of a warm start, which stand there by their hash."""
    whole = {**settings, "phase": phase.name, "config": plain(phase.config)}
    if weights is not None:
        whole["warm_start"] = digest_of(weights)
    return json.loads(json.dumps(whole))


def digest_of(folder: Path) -> str:
    """SHA-256 over the files of a folder, by name, or of one file. Raises SettingsError where there are none."""
    if folder.is_file():
        return sha256_of(folder)
    files = sorted(file for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else []
    if not files:
        raise SettingsError(f"{folder} is no folder with weights")
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(folder)} {sha256_of(file)}\n".encode())
    return digest.hexdigest()


def claim(run: Path, settings: Mapping[str, Any]) -> None:
    """Write the settings of a new run, or see that a begun one has the same. Raises SettingsError."""
    file = run / "settings.json"
    if file.is_file():
        changed = differing(json.loads(file.read_text()), settings)
        names = [name for name in changed if not free(name, settings)]
        if names:
            raise SettingsError(
                f"{run} was begun with another {names[0]}; train into another folder, or remove it"
            )
        return
    run.mkdir(parents=True, exist_ok=True)
    write_whole(file, json.dumps(settings, indent=2) + "\n")


FREE = (
    *("workers", "keep", "milestones", "log", "tracker", "save", "validate", "validation_clips"),
    "previews",
)
"""Settings of training that change no weight: a begun run may go on with others."""


def free(name: str, settings: Mapping[str, Any]) -> bool:
    """Whether a run may differ from its beginning in a setting: it may last longer at a constant rate."""
    above, _, last = name.rpartition(".")
    if above.rpartition(".")[2] != "training":
        return False
    own: Any = settings
    for part in above.split("."):
        own = own[part]
    return last in FREE or (last == "steps" and own["schedule"] == "constant_with_warmup")


def save(folder: Path, state: State, training: Training, machine: Accelerator) -> None:
    """Write a checkpoint: what all ranks have, and of each what it has noted."""
    meters = gather_object([state.meters.saved()])
    if not machine.is_main_process:
        return
    tensors, optimizer, facts = state.saved()
    facts["meters"] = meters
    checkpoint.save(
        folder, state.step, tensors, optimizer, facts, keep=training.keep, milestones=training.milestones
    )  # fmt: skip


def resume(folder: Path, state: State, rank: int) -> bool:
    """Take up the newest checkpoint, the same one on every rank; whether there is one. Raises CheckpointError."""
    newest = [max(checkpoint.steps(folder), default=0)]
    broadcast_object_list(newest)
    if not newest[0]:
        return False
    state.restore(*checkpoint.load(folder / f"step-{newest[0]:08d}"), rank)
    return True


def exported(run: Path, model: Path) -> int | None:
    """The step whose weights the export holds; None where there is none."""
    try:
        step = json.loads((run / "exported.json").read_text())["step"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return step if model.is_dir() else None


def start_tracker(
    machine: Accelerator, tracker: str, step: int, settings: Mapping[str, Any]
) -> None:
    """TensorBoard, or another by name; figures of steps that will come again are cleared."""
    if tracker == "none" or not machine.is_main_process:
        return
    options = {"tensorboard": {"purge_step": step}} if tracker == "tensorboard" else {}
    machine.init_trackers("log" if tracker == "tensorboard" else "cospeech", init_kwargs=options)


class Log:
    """`log.jsonl`, one line of figures per entry, beside the tracker; lines past the resumed step are cut off."""

    def __init__(self, run: Path, step: int, machine: Accelerator) -> None:
        self.file, self.machine = run / "log.jsonl", machine
        if not machine.is_main_process:
            return
        lines = self.file.read_text().splitlines() if self.file.is_file() else []
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
        write_whole(self.file, "".join(line + "\n" for line in kept))

    def __call__(self, step: int, figures: Mapping[str, float]) -> None:
        if self.machine.is_main_process:
            with self.file.open("a") as stream:
                stream.write(json.dumps({"step": step, **figures}) + "\n")
            self.machine.log(dict(figures), step=step)


def validate(
    run: Path, state: State, phase: Phase, note: Log, machine: Accelerator
) -> float | None:
    """The phase's figures with the averaged weights, its items shared out to the ranks; its validation loss, if any.

    The same figures whatever the number of ranks: values are put together in the order of the items.
    """
    for buffer in state.buffers if machine.num_processes > 1 else ():
        broadcast(buffer, from_process=0)  # each rank has seen other batches
    folder = run / "samples" / f"step-{state.step:08d}"
    mine = range(machine.process_index, phase.validation_items, machine.num_processes)
    with averaged(state), machine.autocast():
        found = [(item, phase.validate(state.networks, item, folder)) for item in mine]
    figures = means(gather_object(found))
    note(state.step, figures)
    return figures.get("validation/loss")


def means(found: list[tuple[int, Mapping[str, list[float]]]]) -> dict[str, float]:
    """The mean of each figure's values over all items, in the order of the items."""
    values: dict[str, list[float]] = {}
    for _, figures in sorted(found, key=lambda each: each[0]):
        for name, more in figures.items():
            values.setdefault(name, []).extend(more)
    return {name: math.fsum(each) / len(each) for name, each in values.items() if each}


def due(step: int, every: int, last: int) -> bool:
    """Whether something that happens every so many steps, and at the end, happens now."""
    return step % every == 0 or step == last


def finite(figures: Mapping[str, float], step: int) -> float:
    """The first loss. Raises Diverged where any is NaN or infinite."""
    losses = [value for name, value in figures.items() if name.startswith("loss")]
    for value in losses:
        if not math.isfinite(value):
            raise Diverged(
                f"the loss of step {step} is {value}: lower training.learning_rate, and begin anew"
            )
    return losses[0] if losses else math.nan

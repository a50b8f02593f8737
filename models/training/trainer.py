"""The training loop, read from top to bottom: batch, loss, step, log, save.

A run is a pure function of its settings and its dataset. Each step's batch, noise and dropout are functions of
(seed, step), so a run that was killed and started again ends with the same bits as one that was not.
"""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel
from rich.console import Console
from torch import Tensor, nn

from manifests.errors import UserError
from manifests.files import write_whole
from models.data.batches import Batch, Steps
from models.training import checkpoint
from models.training.progress import Progress
from models.training.settings import SettingsError, Training, differing


class Diverged(UserError):
    """The loss is NaN or infinite."""


@runtime_checkable
class Task(Protocol):
    """What a system brings to the trainer."""

    def network(self) -> nn.Module:
        """A new network; its weights are drawn from the global generator, which the trainer seeds."""
        ...

    def steps(self, rank: int, ranks: int) -> Steps:
        """Batches by step, of one rank."""
        ...

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """The training loss, a scalar."""
        ...

    def validate(self, network: nn.Module, folder: Path) -> dict[str, float]:
        """Figures on clips that are not trained on, and what is to be looked at, into a folder."""
        ...

    def export(self, network: nn.Module, folder: Path, facts: Mapping[str, object]) -> None:
        """All that generating needs."""
        ...


@dataclass(slots=True)
class State:
    """What a step changes."""

    network: nn.Module
    average: EMAModel
    optimizer: torch.optim.Optimizer
    schedule: Any
    step: int = 0
    recent: list[float] = field(default_factory=list[float])


def train(
    run: Path, task: Task, training: Training, settings: Mapping[str, Any], *, console: Console
) -> Path:
    """Train until the last step, from where the run was left. Returns the folder of the exported model.

    run: made where it is not there. settings: plain values that say all about the run; a folder whose own differ is
    refused. Raises SettingsError, CheckpointError.
    """
    if training.threads:
        torch.set_num_threads(training.threads)
    tracker = None if training.tracker == "none" else training.tracker
    machine = Accelerator(mixed_precision=training.precision, log_with=tracker, project_dir=run)
    check_batch(training, machine.num_processes)
    if machine.is_main_process:
        claim(run, settings)
    machine.wait_for_everyone()
    state = begin(task, training, machine)
    resume(run / "checkpoints", state, machine)
    if machine.is_main_process and tracker:
        start_tracker(machine, tracker, state.step, settings)
    network = torch.compile(state.network) if training.compile else state.network
    parallel, state.optimizer = machine.prepare(network, state.optimizer)
    steps = task.steps(machine.process_index, machine.num_processes)
    pinned = machine.device.type == "cuda"
    stream = steps.stream(state.step, training.steps, workers=training.workers, pinned=pinned)
    with Progress(console, training.steps, state.step, training.batch_size) as progress:
        note = Log(run, state.step, machine)
        for batch in stream:
            torch.manual_seed(seed_of(training.seed, state.step, machine.process_index))
            with machine.autocast():
                loss = task.loss(parallel, batch.to(machine.device))
            machine.backward(loss)
            grad_norm = machine.clip_grad_norm_(parallel.parameters(), training.max_grad_norm)
            state.optimizer.step()
            state.schedule.step()
            state.optimizer.zero_grad(set_to_none=True)
            state.average.step(state.network.parameters())
            state.step += 1
            if due(state.step, training.log, training.steps):
                progress.loss = finite(machine.reduce(loss.detach(), "mean"), state.step)
                learning_rate = state.schedule.get_last_lr()[0]
                note(
                    state.step,
                    {
                        "loss": progress.loss,
                        "grad_norm": number(grad_norm),
                        "learning_rate": learning_rate,
                    },
                )
            if machine.is_main_process and due(state.step, training.validate, training.steps):
                progress.validation = validate(run, state, task, note)
            if machine.is_main_process and due(state.step, training.save, training.steps):
                keep(run / "checkpoints", state, training)
            progress.told(state.step)
    machine.wait_for_everyone()
    model = run / "model"
    if machine.is_main_process:
        with averaged(state):
            task.export(state.network, model, {"steps": state.step, "settings": dict(settings)})
    machine.end_training()
    return model


# ---- the parts -------------------------------------------------------------------------------------------------------


def begin(task: Task, training: Training, machine: Accelerator) -> State:
    """Everything as it is before the first step."""
    torch.manual_seed(seed_of(training.seed, -1, 0))
    network = task.network().to(machine.device)
    network.train()
    optimizer = torch.optim.AdamW(
        network.parameters(), training.learning_rate, weight_decay=training.weight_decay
    )
    schedule = get_scheduler(
        training.schedule,
        optimizer,
        num_warmup_steps=training.warmup,
        num_training_steps=training.steps,
    )
    average = EMAModel(
        network.parameters(), decay=training.ema_decay, use_ema_warmup=True, power=0.75
    )
    average.to(machine.device)
    return State(network, average, optimizer, schedule)


def seed_of(seed: int, step: int, rank: int) -> int:
    """What the global generator (weights, dropout) is set to before a step. Distinct below 2^20 steps per rank."""
    return (seed << 40) + (rank << 32) + step + 1


def check_batch(training: Training, ranks: int) -> None:
    """Raises SettingsError where the batch cannot be dealt out evenly."""
    if training.batch_size % ranks:
        raise SettingsError(
            f"training.batch_size of {training.batch_size} cannot be dealt out to {ranks} ranks evenly"
        )


def claim(run: Path, settings: Mapping[str, Any]) -> None:
    """Write the settings of a new run, or see that a begun one has the same. Raises SettingsError."""
    plain: dict[str, Any] = json.loads(json.dumps(settings))
    file = run / "settings.json"
    if file.is_file():
        allowed = free(plain)
        held = differing(json.loads(file.read_text()), plain)
        names = [name for name in held if name not in allowed]
        if names:
            raise SettingsError(
                f"{run} was begun with another {names[0]}; train into another folder, or remove it"
            )
        return
    run.mkdir(parents=True, exist_ok=True)
    temporary = run / ".settings.json"
    temporary.write_text(json.dumps(plain, indent=2) + "\n")
    temporary.rename(file)


FREE = ("workers", "keep", "log", "tracker", "save", "validate", "previews")
"""Settings that change no weight: a begun run may go on with others."""


def free(settings: Mapping[str, Any]) -> set[str]:
    """Names of the settings in which a run may differ from its beginning: it may last longer at a constant rate."""
    constant = settings["config"]["training"]["schedule"] == "constant_with_warmup"
    return {f"config.training.{name}" for name in (*FREE, *(["steps"] if constant else []))}


def keep(folder: Path, state: State, training: Training) -> None:
    """Save a checkpoint."""
    average = state.average.state_dict()
    shadow = {str(number): tensor for number, tensor in enumerate(average.pop("shadow_params"))}
    checkpoint.save(
        folder,
        state.step,
        {"network": state.network.state_dict(), "average": shadow},
        state.optimizer.state_dict(),
        {
            "average_step": average["optimization_step"],
            "schedule": state.schedule.state_dict()["last_epoch"],
        },
        keep=training.keep,
    )


def resume(folder: Path, state: State, machine: Accelerator) -> None:
    """Take up the newest checkpoint, the same one on every rank, if there is one."""
    newest = [max(checkpoint.steps(folder), default=0)]
    broadcast_object_list(newest)
    if not newest[0]:
        return
    tensors, optimizer, facts = checkpoint.load(folder / f"step-{newest[0]:08d}")
    state.network.load_state_dict(tensors["network"])
    shadow = tensors["average"]
    average = state.average.state_dict()
    average["shadow_params"] = [
        shadow[str(number)].to(machine.device) for number in range(len(shadow))
    ]
    average["optimization_step"] = facts["average_step"]
    state.average.load_state_dict(average)
    state.optimizer.load_state_dict(optimizer)
    held = state.schedule.state_dict() | {
        "last_epoch": facts["schedule"],
        "_step_count": facts["schedule"] + 1,
    }
    state.schedule.load_state_dict(held)
    state.step = int(facts["step"])


@contextmanager
def averaged(state: State) -> Iterator[None]:
    """The network with its averaged weights, without dropout, while the block runs."""
    state.average.store(state.network.parameters())
    state.average.copy_to(state.network.parameters())
    state.network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        state.average.restore(state.network.parameters())
        state.network.train()


def start_tracker(
    machine: Accelerator, tracker: str, step: int, settings: Mapping[str, Any]
) -> None:
    """TensorBoard, or another by name; figures of steps that will come again are cleared."""
    options = {"tensorboard": {"purge_step": step}} if tracker == "tensorboard" else {}
    machine.init_trackers("log" if tracker == "tensorboard" else "cospeech", init_kwargs=options)


class Log:
    """`log.jsonl`, one line of figures per entry, beside the tracker; lines past the resumed step are cut off."""

    def __init__(self, run: Path, step: int, machine: Accelerator) -> None:
        self.file, self.machine = run / "log.jsonl", machine
        if not machine.is_main_process:
            return
        held = self.file.read_text().splitlines() if self.file.is_file() else []
        kept = [line for line in held if line.endswith("}") and json.loads(line)["step"] <= step]
        write_whole(self.file, "".join(line + "\n" for line in kept))

    def __call__(self, step: int, figures: Mapping[str, float]) -> None:
        if self.machine.is_main_process:
            with self.file.open("a") as stream:
                stream.write(json.dumps({"step": step, **figures}) + "\n")
            self.machine.log(dict(figures), step=step)


def validate(run: Path, state: State, task: Task, note: Log) -> float | None:
    """The task's figures with the averaged weights; its validation loss, where it has one."""
    with averaged(state):
        figures = task.validate(state.network, run / "samples" / f"step-{state.step:08d}")
    note(state.step, figures)
    return figures.get("validation/loss")


def due(step: int, every: int, last: int) -> bool:
    """Whether something that happens every so many steps, and at the end, happens now."""
    return step % every == 0 or step == last


def finite(loss: object, step: int) -> float:
    """The loss as a number. Raises Diverged."""
    value = number(loss)
    if not math.isfinite(value):
        raise Diverged(
            f"the loss of step {step} is {value}: lower training.learning_rate, and begin anew"
        )
    return value


def number(value: object) -> float:
    """A tensor of one number, or what stands for it, as a float."""
    return float(value.item()) if isinstance(value, Tensor) else math.nan

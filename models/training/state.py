"""What a step changes: networks, averaged weights, optimizers, schedules, and what is noted until the next line."""

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel
from torch import Tensor, nn
from torch.nn.parameter import Parameter

from models.training import checkpoint
from models.training.checkpoint import CheckpointError
from models.training.phase import Objective, Phase
from models.training.settings import SettingsError, Training

Saved = tuple[dict[str, dict[str, Tensor]], dict[str, Any], dict[str, Any]]
"""(tensors by file, states of the optimizers, facts) of a checkpoint."""


@dataclass(slots=True)
class Turn:
    """An objective with what trains its parameters. parallel: its networks as they are called, by name."""

    objective: Objective
    parameters: list[Parameter]
    optimizer: Any
    schedule: Any
    parallel: dict[str, nn.Module]

    def synced(self, machine: Accelerator, *, last: bool) -> AbstractContextManager[object]:
        """Gradients are averaged over ranks only with the last of several batches."""
        stack = ExitStack()
        if not last:
            for network in self.parallel.values():
                stack.enter_context(machine.no_sync(network))
        return stack


@dataclass(slots=True)
class Meters:
    """Sums and counts of figures by name since the last line of the log, in float64."""

    sums: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    counts: dict[str, int] = field(default_factory=dict[str, int])

    def add(self, name: str, value: Tensor | float | None) -> None:
        """One value of a figure; None counts as NaN."""
        value = torch.as_tensor(torch.nan if value is None else value).detach()
        value = value.to(torch.float32 if value.device.type == "mps" else torch.float64)
        self.sums[name] = self.sums[name].to(value.device) + value if name in self.sums else value
        self.counts[name] = self.counts.get(name, 0) + 1

    def means(self, machine: Accelerator) -> dict[str, float]:
        """The mean of each since the last line, over ranks."""
        if not self.sums:
            return {}
        values = torch.stack([each.to(machine.device) for each in self.sums.values()])
        values = machine.reduce(values, "mean")
        assert isinstance(values, Tensor)
        counts = self.counts.values()
        return {
            name: value / count
            for name, value, count in zip(self.sums, values.tolist(), counts, strict=True)
        }

    def saved(self) -> dict[str, list[float]]:
        """By name (sum, count), as JSON holds it to the bit."""
        return {name: [float(value), self.counts[name]] for name, value in self.sums.items()}

    @classmethod
    def restored(cls, saved: Mapping[str, list[float]]) -> "Meters":
        """As `saved` left them."""
        sums = {
            name: torch.tensor(total, dtype=torch.float64) for name, (total, _) in saved.items()
        }
        return cls(sums, {name: int(count) for name, (_, count) in saved.items()})


@dataclass(slots=True)
class State:
    """All that a checkpoint holds. averaged: what `average` averages: trained parameters, and buffers, which are
    taken as they last were."""

    networks: dict[str, nn.Module]
    turns: list[Turn]
    averaged: list[
        Any
    ]  # parameters and buffers; EMAModel is typed for parameters alone and takes both
    names: list[str]
    average: EMAModel
    step: int = 0
    meters: Meters = field(default_factory=Meters)

    def suffix(self, turn: Turn) -> str:
        """What the names of an objective's figures end with: nothing where there is only one."""
        return "" if len(self.turns) == 1 else f"/{turn.objective.name}"

    @property
    def buffers(self) -> list[Tensor]:
        """Of the networks that are trained."""
        return [each for each in self.averaged if not isinstance(each, Parameter)]

    @property
    def learning_rates(self) -> dict[str, float]:
        """Of each objective's first group, for the step to come."""
        return {
            f"learning_rate{self.suffix(turn)}": float(turn.optimizer.param_groups[0]["lr"])
            for turn in self.turns
        }

    def only(self, turn: Turn) -> None:
        """Gradients for one objective's parameters and no others."""
        if len(self.turns) > 1:
            for each in self.turns:
                for parameter in each.parameters:
                    parameter.requires_grad_(each is turn)

    def all(self) -> None:
        """Gradients for all parameters that are trained."""
        if len(self.turns) > 1:
            for each in self.turns:
                for parameter in each.parameters:
                    parameter.requires_grad_(True)

    def saved(self) -> Saved:
        """What a checkpoint holds, but the meters, of which each rank has its own."""
        average = self.average.state_dict()
        tensors = {
            "networks": dict(zip(self.names, self.averaged, strict=True)),
            "average": dict(zip(self.names, average["shadow_params"], strict=True)),
        }
        optimizer = {turn.objective.name: turn.optimizer.state_dict() for turn in self.turns}
        schedules = {
            turn.objective.name: turn.schedule.state_dict()["last_epoch"] for turn in self.turns
        }
        facts = {
            "average_step": average["optimization_step"],
            "schedules": schedules,
        }
        return tensors, optimizer, facts

    def restore(
        self,
        tensors: Mapping[str, Mapping[str, Tensor]],
        optimizer: Mapping[str, Any],
        facts: Mapping[str, Any],
        rank: int,
    ) -> None:
        """As `saved` left it. Raises CheckpointError for a checkpoint of other networks."""
        for file in ("networks", "average"):
            if (saved := set(tensors.get(file, {}))) != set(self.names):
                other = min(saved ^ set(self.names))
                raise CheckpointError(
                    f"a checkpoint of other networks: {other!r} is only in one of the two"
                )
        with torch.no_grad():
            for name, tensor in zip(self.names, self.averaged, strict=True):
                tensor.copy_(tensors["networks"][name])
        average = self.average.state_dict()
        average["shadow_params"] = [
            tensors["average"][name].to(own.device)
            for name, own in zip(self.names, self.averaged, strict=True)
        ]
        average["optimization_step"] = facts["average_step"]
        self.average.load_state_dict(average)
        for turn in self.turns:
            done = facts["schedules"][turn.objective.name]
            turn.optimizer.load_state_dict(optimizer[turn.objective.name])
            turn.schedule.load_state_dict(
                turn.schedule.state_dict() | {"last_epoch": done, "_step_count": done + 1}
            )
        meters = facts["meters"]
        self.meters = Meters.restored(meters[rank % len(meters)])
        self.step = int(facts["step"])


# ---- the beginning ---------------------------------------------------------------------------------------------------


def begin(phase: Phase, machine: Accelerator) -> State:
    """Everything as it is before the first step. Raises SettingsError, ValueError."""
    training = phase.training
    torch.manual_seed(seed_of(training.seed, -1, 0))
    networks = {name: network.to(machine.device) for name, network in phase.networks().items()}
    objectives = list(phase.objectives())
    owned = owners(networks, objectives)
    for network_name, network in networks.items():
        trained = {name for owner, name in owned if owner == network_name}
        network.train(bool(trained))
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name in trained)
    turns = [turn_of(objective, networks, owned, training, machine) for objective in objectives]
    names, tensors = [], []
    for network_name, network in networks.items():
        mine = {name for owner, name in owned if owner == network_name}
        kept = network.state_dict(keep_vars=True) if mine else {}
        own = [name for name, _ in network.named_parameters() if name in mine]
        own += [name for name, _ in network.named_buffers() if name in kept]
        names += [f"{network_name}.{name}" for name in own]
        tensors += [kept[name] for name in own]
    average = EMAModel(tensors, decay=training.ema_decay, use_ema_warmup=True, power=0.75)
    average.to(machine.device)
    return State(networks, turns, tensors, names, average)


Owned = dict[tuple[str, str], tuple[Objective, int]]
"""(network, parameter) to the objective that trains it and the number of its group."""


def owners(networks: Mapping[str, nn.Module], objectives: list[Objective]) -> Owned:
    """Who trains what. Raises ValueError for a group of nothing and for a parameter with two owners."""
    owned: Owned = {}
    for objective in objectives:
        for number, group in enumerate(objective.groups):
            names = [
                name
                for name, _ in networks[group.network].named_parameters()
                if name.startswith(group.prefix)
            ]
            if not names:
                raise ValueError(f"{group.network} has no parameter {group.prefix!r}")
            for name in names:
                if (group.network, name) in owned:
                    raise ValueError(f"{group.network}.{name} is trained twice")
                owned[group.network, name] = (objective, number)
    if not owned:
        raise ValueError("a phase trains one parameter or more, got 0")
    return owned


def turn_of(
    objective: Objective, networks: Mapping[str, nn.Module], owned: Owned, training: Training, machine: Accelerator,
) -> Turn:  # fmt: skip
    """An objective's optimizer and schedule, and its networks for several ranks. Raises SettingsError."""
    groups: list[dict[str, Any]] = []
    for number, group in enumerate(objective.groups):
        parameters = [
            parameter
            for name, parameter in networks[group.network].named_parameters()
            if owned.get((group.network, name)) == (objective, number)
        ]
        rate, decay = group.learning_rate, group.weight_decay
        groups.append({
            "params": parameters,
            "lr": training.learning_rate if rate is None else rate,
            "weight_decay": training.weight_decay if decay is None else decay,
        })  # fmt: skip
    optimizer = torch.optim.AdamW(groups, training.learning_rate, betas=objective.betas)
    schedule = get_scheduler(
        training.schedule,
        optimizer,
        num_warmup_steps=training.warmup,
        num_training_steps=-(-training.steps // objective.every),
    )
    parallel: dict[str, nn.Module] = {}
    for name in dict.fromkeys(group.network for group in objective.groups):
        theirs = {owner.name for (network, _), (owner, _) in owned.items() if network == name}
        if machine.num_processes > 1 and len(theirs) > 1:
            raise SettingsError(
                f"several ranks cannot share {name}, which {', '.join(theirs)} train"
            )
        network = torch.compile(networks[name]) if training.compile else networks[name]
        parallel[name] = machine.prepare(network)
    parameters = [parameter for group in groups for parameter in group["params"]]
    return Turn(objective, parameters, machine.prepare(optimizer), schedule, parallel)


def seed_of(seed: int, step: int, rank: int) -> int:
    """What the global generator (weights, dropout) is set to before a step. Distinct below 2^20 steps per rank."""
    return (seed << 40) + (rank << 32) + step + 1


def warm_start(state: State, phase: Phase, folder: Path) -> None:
    """Weights of a checkpoint, its averaged ones, or of an export, for what is trained. Raises CheckpointError."""
    if re.fullmatch(checkpoint.NAME, folder.name):
        given = checkpoint.load(folder)[0].get("average", {})
    else:
        exported = phase.pretrained(folder)
        given = {
            f"{network}.{name}": t
            for network, tensors in exported.items()
            for name, t in tensors.items()
        }
    with torch.no_grad():
        for name, tensor in zip(state.names, state.averaged, strict=True):
            if name not in given:
                raise CheckpointError(f"{folder} lacks {name!r}, which is trained here")
            if given[name].shape != tensor.shape:
                raise CheckpointError(
                    f"{folder}: {name} is {tuple(given[name].shape)}, needed {tuple(tensor.shape)}"
                )
            tensor.copy_(given[name])
    average = state.average.state_dict()
    average["shadow_params"] = [tensor.detach().clone() for tensor in state.averaged]
    state.average.load_state_dict(average)


@contextmanager
def averaged(state: State) -> Iterator[None]:
    """The networks with their averaged weights, without dropout and gradients, while the block runs."""
    training = {name: network.training for name, network in state.networks.items()}
    state.average.store(state.averaged)
    state.average.copy_to(state.averaged)
    for network in state.networks.values():
        network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        state.average.restore(state.averaged)
        for name, network in state.networks.items():
            network.train(training[name])

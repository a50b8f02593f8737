"""What the trainer runs: a phase, its objectives, and the parameters that each of them trains."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from models.data.order import Place
from models.training.settings import Training

Networks = Mapping[str, nn.Module]
Losses = Mapping[str, Tensor]
"""Named scalars that are minimised together: their sum is the objective's loss. Weights are already multiplied in."""


@runtime_checkable
class Batch(Protocol):
    """What one step trains on: each phase has its own dataclass (`models.data.batches.TensorBatch` does the moving)."""

    def to(self, device: torch.device | str, /) -> "Batch":
        """The same on a device."""
        ...


@dataclass(frozen=True, slots=True)
class Group:
    """Parameters with one learning rate: those of a network whose names begin with a prefix.

    network: its name in `Phase.networks`. learning_rate, weight_decay: None for those of the phase's settings.
    """

    network: str
    prefix: str = ""
    learning_rate: float | None = None
    weight_decay: float | None = None


@dataclass(frozen=True, slots=True)
class Objective:
    """What one optimizer (AdamW) minimises, over its own groups of parameters.

    losses: of (networks, batch). A network whose parameters these groups hold is called through its forward, which is
    where gradients are averaged over ranks; every other network stands still. every: of how many steps it takes one; an
    adversarial pair are two objectives, which take their turns in their order within a step, on the same batch.
    """

    name: str
    groups: tuple[Group, ...]
    losses: Callable[[Networks, Any], Losses]
    betas: tuple[float, float] = (0.9, 0.999)
    every: int = 1


@runtime_checkable
class Phase(Protocol):
    """One training of a system, from new networks to what it exports.

    Parameters that no objective trains are frozen: they are not in checkpoints, nor averaged.
    """

    @property
    def name(self) -> str:
        """Of the folder of its run."""
        ...

    @property
    def config(self) -> Any:
        """The nested dataclass that all of the phase depends on; a run that was begun with another is refused."""
        ...

    @property
    def training(self) -> Training:
        """How long, how fast and how exactly."""
        ...

    @property
    def samples(self) -> int:
        """Clips that are trained on."""
        ...

    def networks(self) -> dict[str, nn.Module]:
        """New networks by name; weights are drawn from the global generator, which the trainer seeds."""
        ...

    def objectives(self) -> Sequence[Objective]:
        """Their turns, in this order."""
        ...

    def batch(self, places: Sequence[Place]) -> Batch:
        """The batch of these samples, a pure function of them: whatever is drawn comes from `sample_rng`."""
        ...

    @property
    def validation_items(self) -> int:
        """Pieces that validation falls into, which ranks share out; 0 where there is nothing to validate on."""
        ...

    def validate(self, networks: Networks, item: int, folder: Path) -> Mapping[str, list[float]]:
        """One piece: values by the name of a figure, each figure being the mean of its values over all pieces.

        networks: with averaged weights, without gradients, in the training's precision. folder: for what is to be
        looked at. The figure `validation/loss` is shown while training.
        """
        ...

    def export(self, networks: Networks, folder: Path, facts: Mapping[str, Any]) -> None:
        """All that a later phase, or generating, needs, into a folder, whole or not at all."""
        ...

    def pretrained(self, folder: Path) -> Mapping[str, Mapping[str, Tensor]]:
        """The states of the networks in a folder of `export`, for a warm start. Raises UserError."""
        ...

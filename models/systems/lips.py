"""What the systems share that learn whether a face and a voice belong together: reading, validation, the export.

model/
  <system>.model        the network's state dict in the layout of the published file
  <system>.model.json   its SHA-256, by which the filter knows it: csg-data build --set sync.weights=model
  system.json README.md
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from models.data.dataset import Dataset
from models.data.features import Features, Recipe
from models.data.index import Entry
from models.data.lips import cepstra, sound_offset
from models.data.order import Order, Place
from models.evaluation.matching import CHANCE, MEANING, Match, intervals
from models.systems.folder import ModelError, model_folder, write_model
from models.training.phase import Losses, Networks
from models.training.settings import SettingsError, Training, plain
from pipeline.perception.sync import SyncError
from pipeline.perception.sync.checkpoint import read, save
from pipeline.perception.sync.interface import REACH
from pipeline.perception.sync.weights_file import own_file

NETWORK = "network"
"""The name of the one network."""
NAME = "lips"
"""Of the one phase."""
MOMENT = 5
"""Frames between the moments of a clip that validation looks at; what SyncNet sees at one of them does not overlap."""
VOICES = 4
"""Other people's voices that each validated face is compared with."""


class Config(Protocol):
    """What each of these systems is configured by. validation_frames: of each clip's middle, at most. calibration:
    batches from which batch norm's statistics are taken before networks are measured and exported."""

    @property
    def training(self) -> Training: ...

    @property
    def validation_frames(self) -> int: ...

    @property
    def calibration(self) -> int: ...


@dataclass(frozen=True)
class LipPhase(ABC):
    """The one phase of such a system, on a dataset whose families are prepared. system: its name, and its backend's."""

    system: str
    config: Any
    dataset: Dataset
    faces: Features
    cepstra: Features
    offsets: Features
    calibrated: list[Path] = field(default_factory=list[Path], init=False, repr=False)

    @property
    def name(self) -> str:
        """Of the run's folder."""
        return NAME

    @property
    def training(self) -> Training:
        """Of the configuration."""
        return self.config.training

    @property
    def samples(self) -> int:
        """Clips that are trained on."""
        return len(self.dataset.training)

    @abstractmethod
    def networks(self) -> dict[str, nn.Module]:
        """The one network."""

    @abstractmethod
    def batch(self, places: Sequence[Place]) -> Any:
        """Of training clips."""

    @abstractmethod
    def losses(self, networks: Networks, batch: Any) -> Losses:
        """Of a batch."""

    @abstractmethod
    def match(
        self, network: nn.Module, entry: Entry, stretch: range, voices: Sequence[Entry]
    ) -> Match:
        """How well the own voice and others fit a clip's face. stretch: of its frames."""

    def offset(self, entry: Entry) -> int:
        """Frames by which a clip's stored sound is late, as far as that is known."""
        return int(self.offsets.rows(entry)[0, 0])

    # ---- validation --------------------------------------------------------------------------------------------------

    @cached_property
    def validated(self) -> list[Entry]:
        """Clips that are long enough to be heard at every offset; their ids are hashes, so the first are any."""
        least = 2 * REACH + 2 * MOMENT
        found = [each for each in self.dataset.validation.entries if each.frames >= least]
        return found[: self.training.validation_clips]

    @property
    def validation_items(self) -> int:
        """One clip each."""
        return len(self.validated)

    def validate(self, networks: Networks, item: int, folder: Path) -> Mapping[str, list[float]]:
        """The figures of `models.evaluation.matching` of one clip, and the loss among its offsets."""
        if self.calibrated != [folder]:  # once for all clips that are validated at this step
            self.calibrate(networks)
            self.calibrated[:] = [folder]
        found = self.matched(networks[NETWORK], self.validated[item])
        figures = {f"validation/{name}": [value] for name, value in found.figures().items()}
        return {"validation/loss": [found.loss()], **figures}

    def calibrate(self, networks: Networks) -> None:
        """Take batch norm's statistics anew, over some training batches with the weights as they are.

        The running ones lag behind weights that still move, layer upon layer (Wu & Johnson 2021, Rethinking "Batch" in
        BatchNorm, arXiv:2105.07576): 60 steps on four clips told 0.59 of the shifted voices with them and 0.98 without.
        """
        network, training = networks[NETWORK], self.training
        norms = [each for each in network.modules() if isinstance(each, _BatchNorm)]
        momenta = [each.momentum for each in norms]
        if not self.config.calibration:
            return
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean over all batches
        network.train()
        order = Order(training.seed, self.samples)
        with torch.no_grad():
            for number in range(self.config.calibration):
                places = order.batch(number, training.batch_size // training.accumulate)
                self.losses(networks, self.batch(places).to(device_of(network)))
        network.eval()
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum

    def matched(self, network: nn.Module, entry: Entry) -> Match:
        """A clip's face with its own voice and with other people's."""
        frames = min(entry.frames, self.config.validation_frames)
        first = (entry.frames - frames) // 2
        return self.match(network, entry, range(first, first + frames), self.others(entry))

    def others(self, entry: Entry) -> list[Entry]:
        """Clips of other people, of those that are validated on first; each clip has its own choice of them."""
        pool = [*self.validated, *self.dataset.training.entries]
        start = next((n for n, each in enumerate(pool) if each.id == entry.id), 0)
        turned = [*pool[start + 1 :], *pool[:start]]
        return [each for each in turned if each.identity != entry.identity][:VOICES]

    # ---- export ------------------------------------------------------------------------------------------------------

    def export(self, networks: Networks, folder: Path, facts: Mapping[str, Any]) -> None:
        """The weights in the published layout with their hash, and what they are worth on the validation clips."""
        self.calibrate(networks)
        network, clips = networks[NETWORK], self.validated
        found = [self.matched(network, each).figures() for each in clips]
        people = [each.identity for each in clips]
        figures = intervals(found, people, seed=self.training.seed)
        stated = {
            "system": self.system,
            "config": plain(self.config),
            "facts": {
                **facts, **self.dataset.facts, "validation": {n: asdict(i) for n, i in figures.items()},
                "validated": {"clips": len(clips), "people": len(set(people))},
            },
        }  # fmt: skip

        def write(temporary: Path) -> None:
            save(network, temporary / own_file(self.system), name=self.system)

        write_model(folder, stated, card(self.system, stated), write)

    def pretrained(self, folder: Path) -> Mapping[str, Mapping[str, Tensor]]:
        """Of a trained folder, or of a published file in this layout. Raises ModelError."""
        file = folder if folder.is_file() else model_folder(folder).path / own_file(self.system)
        (network,) = self.networks().values()
        try:
            read(network, file)
        except SyncError as error:
            raise ModelError(str(error)) from error
        return {NETWORK: network.state_dict()}


def shared_recipes() -> tuple[Recipe, Recipe]:
    """Families that both systems read beside their faces: cepstra, and how late the sound is."""
    return cepstra(), sound_offset()


def range_checked(name: str, value: float, least: float) -> None:
    """Raises SettingsError for a setting below its least value."""
    if not value >= least:
        raise SettingsError(f"{name} is {least:g} or more, got {value:g}")


def sound_rows(features: Features, entry: Entry, frame: int, frames: int) -> np.ndarray:
    """Cepstra (4 · frames, 13) from a frame on; zeros where the clip has none."""
    first, last = features.family.row_of(frame), features.family.row_of(frame + frames)
    count = features.family.row_of(entry.frames)
    begin, end = min(max(first, 0), count), max(min(last, count), 0)
    rows = np.zeros((last - first, *features.family.shape), features.family.dtype)
    if end > begin:
        rows[begin - first : end - first] = features.rows(entry, begin, end - begin)
    return rows


def middle_voice(features: Features, entry: Entry, frames: int) -> np.ndarray:
    """Cepstra of the middle of a clip; one that is shorter is heard over and over."""
    if entry.frames >= frames:
        return sound_rows(features, entry, (entry.frames - frames) // 2, frames)
    return np.resize(features.rows(entry), (features.family.row_of(frames), *features.family.shape))


def device_of(network: nn.Module) -> torch.device:
    """Where a network's parameters are."""
    return next(network.parameters()).device


def card(system: str, stated: Mapping[str, Any]) -> str:
    """The model card: what it is for, what it was trained on, how well it does, with chance beside."""
    facts, training = stated["facts"], stated["config"]["training"]
    validated = facts["validated"]
    rows = "\n".join(
        f"| {MEANING[name]} | {one['mean']:.3f} ({one['low']:.3f} to {one['high']:.3f}) | {CHANCE[name]:.3f} |"
        for name, one in facts["validation"].items()
    )
    measured = f"""{validated["clips"]} clips of {validated["people"]} people, 95 % interval over people:

| figure | value | chance |
|---|---|---|
{rows}""" if rows else "On nothing: the dataset has no clip to validate on."  # fmt: skip
    return f"""---
tags: [lip-sync, active-speaker]
license: other
---

# {system}: weights trained on own clips

For the filter `sync` of `csg-data build`, which reads this folder and names the weights by their SHA-256
(`{own_file(system)}.json`) in the dataset it makes. No threshold and no filter was shown to be right with them.

    csg-data build … --set sync.backend={system} --set sync.weights=.

Made by `csg-model train {system}` in {facts.get("steps", training["steps"])} steps of {training["batch_size"]} clips,
on {facts["clips"]} clips of {facts["people"]} people of the dataset `{facts["dataset"]}`.
Every setting is in `system.json`.

## Measured

{measured}

The licence of the weights follows from the videos they were trained on, which `sources.parquet` of the dataset lists.
"""

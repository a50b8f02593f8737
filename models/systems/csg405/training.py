"""The system as the trainer sees it: network, batches, loss, validation, export."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from manifests import keypoints as kp
from models.data.audio import Encoder, encoder_of
from models.data.batches import Batch, Steps, Windows, statistics_of
from models.data.features import Features, audio_features, pose_features, prepare
from models.data.files import DatasetError
from models.data.index import Entry, Motions
from models.data.order import Order, Place
from models.data.statistics import Statistics
from models.diffusion.schedule import Schedule
from models.infer.video import write_skeleton_video
from models.systems.csg405.condition import Sampling, denoising_error
from models.systems.csg405.configs import Config
from models.systems.csg405.guidance import measured_guidance
from models.systems.csg405.trained import Trained

NOISINGS = 4
"""Times that each validation clip is noised, at steps spread over the schedule."""


@dataclass(frozen=True)
class Task:
    """One configuration on one dataset. training, validation: the clips of each."""

    config: Config
    training: Motions
    validation: Motions
    pose_features: Features
    audio_features: Features
    encoder: Encoder
    statistics: Statistics
    without: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, config: Config, folder: Path, *, without: tuple[str, ...] = (), features: Path | None = None,
        device: str = "cpu", on_progress: Callable[[int, int], None] = lambda done, of: None,
    ) -> "Task":  # fmt: skip
        """Features are computed where they are not there yet. without: identities that are left out of training and
        looked at instead; else the clips of `val` are, or those of `test` in a dataset that has none. Raises
        DatasetError, EncoderError."""
        whole = Motions.open(folder)
        if unknown := set(without) - {entry.identity for entry in whole.entries}:
            raise DatasetError(f"{folder} has no identity {min(unknown)!r}")
        training, held = divided(whole, without)
        if not len(training):
            raise DatasetError(f"{folder} has no clip to train on")
        encoder = encoder_of(config.encoder, device=device)
        values = prepare(whole, pose_features(config.skeleton), features, on_progress=on_progress)
        voices = prepare(whole, audio_features(encoder), features, on_progress=on_progress)
        statistics = statistics_of(training, values)
        return cls(config, training, held, values, voices, encoder, statistics, without)

    def windows(self, motions: Motions) -> Windows:
        """Windows of these clips, normalised by what is trained on."""
        config = self.config
        return Windows(
            motions, self.pose_features, self.audio_features, self.statistics, config.training.seed, config.frames,
            config.reference,
        )  # fmt: skip

    def network(self) -> nn.Module:
        return self.config.build(self.encoder.size)

    def steps(self, rank: int, ranks: int) -> Steps:
        training = self.config.training
        order = Order(training.seed, len(self.training))
        return Steps(self.windows(self.training), order, training.batch_size // ranks, rank, ranks)

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        noise = self.config.noise
        return denoising_error(
            network, batch, noise, self.schedule, self.weights(batch.values.device)
        )

    @cached_property
    def schedule(self) -> Schedule:
        return self.config.noise.schedule

    def weights(self, device: torch.device) -> Tensor | None:
        """What each value's squared error is multiplied by; None where that is 1."""
        if self.config.noise.mouth_weight == 1.0:
            return None
        joints = np.asarray(self.config.skeleton.joints)
        mouth = (joints >= kp.MOUTH.start) & (joints < kp.MOUTH.stop)
        weights = np.ones(self.config.skeleton.size, np.float32)
        weights[: 2 * len(joints)] = np.where(mouth, self.config.noise.mouth_weight, 1.0).repeat(2)
        return torch.from_numpy(weights).to(device)

    def validate(self, network: nn.Module, folder: Path) -> dict[str, float]:
        """The loss on held clips at fixed steps and noise, and what the model makes of the first of them, drawn."""
        if not len(self.validation):
            return {}
        trained = self.trained(network, {})
        figures = {"validation/loss": self.validation_loss(network)}
        for number in range(min(self.config.training.previews, len(self.validation))):
            preview(trained, self.validation, self.audio_features, number, folder)
        return figures

    @torch.no_grad()
    def validation_loss(self, network: nn.Module) -> float:
        """Mean over held clips and steps; the same noise at every call."""
        windows, device = self.windows(self.validation), next(network.parameters()).device
        losses: list[float] = []
        for number in range(len(self.validation)):
            for noising in range(NOISINGS):
                batch = windows.batch([Place(noising, number)])
                batch.uniforms[:, 0] = (noising + 0.5) / NOISINGS
                batch.uniforms[:, 1] = 1.0  # never silent
                losses.append(float(self.loss(network, batch.to(device))))
        return float(np.mean(losses))

    def trained(self, network: nn.Module, facts: Mapping[str, Any]) -> Trained:
        return Trained(self.config, network, self.statistics, self.encoder, facts)  # type: ignore[arg-type]

    def export(self, network: nn.Module, folder: Path, facts: Mapping[str, object]) -> None:
        card_facts = {
            **facts,
            "dataset": self.training.root,
            "pose_backend": self.training.pose_backend,
            "clips": len(self.training),
            "people": len({entry.identity for entry in self.training.entries}),
            "without": list(self.without),
            "validation": {"validation/loss": self.validation_loss(network)}
            if len(self.validation)
            else {},
        }
        card_facts["guidance"] = asdict(
            measured_guidance(self.trained(network, {}), self.validation, self.audio_features)
        )
        self.trained(network, card_facts).save(folder)


def divided(whole: Motions, without: tuple[str, ...]) -> tuple[Motions, Motions]:
    """(clips to learn from, clips to look at): by split, or, where people are left out, by person."""
    if without:
        return (
            whole.where(lambda entry: entry.identity not in without),
            whole.where(lambda entry: entry.identity in without),
        )

    def of(split: str) -> Callable[[Entry], bool]:
        return lambda entry: entry.split == split

    held = whole.where(of("val"))
    return whole.where(of("train")), held if len(held) else whole.where(of("test"))


def evaluated(trained: Trained, folder: Path, split: str | None) -> tuple[Motions, Motions]:
    """(clips the model learned from, clips to measure it on). split: `test`, `val`, `all`; None: the people that were
    left out of training, else the clips of `test`, else of `val`. Raises DatasetError where there are none."""
    whole, without = Motions.open(folder), tuple(trained.facts.get("without", ()))
    training, held = divided(whole, without)
    if split == "all":
        held = whole
    elif split is not None:
        held = whole.where(lambda entry: entry.split == split)
    elif not without:
        tested = whole.where(lambda entry: entry.split == "test")
        held = tested if len(tested) else held
    if not len(held):
        raise DatasetError(f"{folder} has no clip to evaluate on in {split or 'test or val'}")
    return training, held


def preview(
    trained: Trained, motions: Motions, voices: Features, number: int, folder: Path
) -> None:
    """A clip's voice and middle pose through the model, beside the truth, as a video."""
    entry, pose = motions.entries[number], motions.pose(number)
    how = Sampling(steps=min(Sampling().steps, trained.config.noise.steps))
    made = trained.generate(voices.rows(entry), pose[len(pose) // 2], seed=number, how=how)
    folder.mkdir(parents=True, exist_ok=True)
    write_skeleton_video(folder / f"{entry.id}.mp4", made, sound=motions.sound(number), beside=pose)

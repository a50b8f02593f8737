"""The system as the trainer sees it: one phase, with its network, batches, loss, validation and export."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor, nn

from manifests import keypoints as kp
from models.data.audio import Encoder, encoder_of
from models.data.dataset import Dataset
from models.data.features import Features, audio_features, pose_features
from models.data.index import Motions
from models.data.order import Place
from models.data.statistics import Statistics, statistics_of
from models.diffusion.loss import masked_error
from models.diffusion.schedule import Schedule
from models.evaluation.guidance import measured_guidance
from models.evaluation.metrics.table import METRICS, Item
from models.infer.previews import preview
from models.systems.csg405.batches import Batch, Windows
from models.systems.csg405.condition import denoising_error, predicted_x0, steps_of
from models.systems.csg405.configs import Config, Network
from models.systems.csg405.generator import GenerationSettings, SkeletonGenerator
from models.training.phase import Group, Losses, Networks, Objective
from models.training.settings import Training

NAME = "motion"
"""Of the phase, and of its network."""
NOISINGS = 4
"""Times that each validation clip is noised, at steps spread over the schedule."""
MOTION = ("mean_error", "speed", "jitter", "lips_truth")
"""What generated validation clips are measured by; of those that the truth has too, its own stand beside them."""
PARTS = {
    "body": range(kp.BODY.start, kp.FEET.stop),
    "face": range(kp.FACE.start, kp.MOUTH.start),
    "mouth": range(kp.MOUTH.start, kp.MOUTH.stop),
    "hands": range(kp.LEFT_HAND.start, kp.RIGHT_HAND.stop),
}
"""Joints by part of the body."""


@dataclass(frozen=True)
class MotionPhase:
    """One configuration on one dataset whose families are prepared."""

    config: Config
    dataset: Dataset
    pose_features: Features
    audio_features: Features
    encoder: Encoder
    statistics: Statistics

    @classmethod
    def of(cls, config: Config, dataset: Dataset, device: str = "cpu") -> "MotionPhase":
        """Raises NotPrepared where features are not computed, EncoderError."""
        encoder = encoder_of(config.encoder, device=device)
        values = dataset.family(pose_features(config.skeleton))
        voices = dataset.family(audio_features(encoder))
        return cls(
            config, dataset, values, voices, encoder, statistics_of(dataset.training, values)
        )

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

    def networks(self) -> dict[str, nn.Module]:
        """The transformer."""
        return {NAME: self.config.build(self.encoder.size)}

    def objectives(self) -> Sequence[Objective]:
        """The denoising error."""
        return [Objective(NAME, (Group(NAME),), self.losses)]

    def batch(self, places: Sequence[Place]) -> Batch:
        """Windows of training clips."""
        return self.windows(self.dataset.training).batch(places)

    def windows(self, motions: Motions) -> Windows:
        """Windows of these clips, normalised by what is trained on."""
        config = self.config
        return Windows(
            motions, self.pose_features, self.audio_features, self.statistics, config.training.seed, config.frames,
            config.reference,
        )  # fmt: skip

    def losses(self, networks: Networks, batch: Batch) -> Losses:
        """How far x0 is from the data."""
        noise = self.config.noise
        weights = self.weights(batch.values.device)
        return {"denoising": denoising_error(networks[NAME], batch, noise, self.schedule, weights)}

    @cached_property
    def schedule(self) -> Schedule:
        """Of the noise."""
        return self.config.noise.schedule

    def weights(self, device: torch.device) -> Tensor | None:
        """What each value's squared error is multiplied by; None where that is 1."""
        if self.config.noise.mouth_weight == 1.0:
            return None
        mouth = self.columns(PARTS["mouth"])
        return torch.from_numpy(
            np.where(mouth, np.float32(self.config.noise.mouth_weight), np.float32(1.0))
        ).to(device)

    def columns(self, joints: range) -> np.ndarray:
        """Which numbers of a frame are x or y of these joints, (size,) bool."""
        found = np.zeros(self.config.skeleton.size, np.bool_)
        own = np.isin(np.asarray(self.config.skeleton.joints), np.asarray(joints)).repeat(2)
        found[: len(own)] = own
        return found

    # ---- validation --------------------------------------------------------------------------------------------------

    @property
    def validated(self) -> int:
        """Clips that the loss is validated on. Their ids are hashes, so the first are as good as any."""
        return min(len(self.dataset.validation), self.training.validation_clips)

    @property
    def previews(self) -> int:
        """Clips that motion is generated for."""
        return min(self.validated, self.training.previews)

    @property
    def places(self) -> list[Place]:
        """What is noised: the time round says the step."""
        return [Place(n, clip) for clip in range(self.validated) for n in range(NOISINGS)]

    @property
    def validation_items(self) -> int:
        """Batches of noised clips, then clips that motion is generated for."""
        return -(-len(self.places) // self.training.batch_size) + self.previews

    def validate(self, networks: Networks, item: int, folder: Path) -> Mapping[str, list[float]]:
        """The loss at fixed steps and noise, by step and by part of the body; or what the model makes of a clip."""
        batches = self.validation_items - self.previews
        if item < batches:
            first = item * self.training.batch_size
            return self.denoised(
                networks[NAME], self.places[first : first + self.training.batch_size]
            )
        return self.generated(networks[NAME], item - batches, folder)

    def denoised(self, network: nn.Module, places: Sequence[Place]) -> dict[str, list[float]]:
        """The loss of each of these clips and steps."""
        batch = self.windows(self.dataset.validation).batch(places)
        batch.uniforms[:, 0] = torch.tensor([(p.epoch + 0.5) / NOISINGS for p in places])
        batch.uniforms[:, 1] = 1.0  # never silent
        batch = batch.to(next(network.parameters()).device)
        x0 = predicted_x0(network, batch, self.config.noise, self.schedule)
        weights = self.weights(x0.device)
        masks = {part: torch.from_numpy(self.columns(joints)) for part, joints in PARTS.items()}
        figures: dict[str, list[float]] = {}
        for row, step in enumerate(steps_of(batch, self.schedule).tolist()):
            one = slice(row, row + 1)
            true, known = batch.values[one], batch.joint_mask[one]
            loss = float(masked_error(x0[one], true, known, weights))
            for name in ("validation/loss", f"validation/loss_by_step/{step:04d}"):
                figures.setdefault(name, []).append(loss)
            for part, mask in masks.items():
                own = known & mask.to(known.device)
                if own.any():
                    figures.setdefault(f"validation/loss_by_part/{part}", []).append(
                        float(masked_error(x0[one], true, own))
                    )
        return figures

    def generated(self, network: nn.Module, number: int, folder: Path) -> dict[str, list[float]]:
        """What the model makes of a clip, as a video, and how it moves."""
        motions = self.dataset.validation
        made = preview(self.generator(network, {}), motions, self.audio_features, number, folder)
        truth, sound = motions.pose(number), motions.sound(number)
        figures: dict[str, list[float]] = {}
        for name in MOTION:
            for whose, pose in (("motion", made), ("truth", truth)):
                if whose == "truth" and METRICS[name].paired:
                    continue
                if (value := METRICS[name].compute(Item(pose, truth, sound))) is not None:
                    figures[f"validation/{whose}/{name}"] = [value]
        return figures

    # ---- export ------------------------------------------------------------------------------------------------------

    def generator(self, network: nn.Module, facts: Mapping[str, Any]) -> SkeletonGenerator:
        """A network as a generator, with few enough steps for any schedule."""
        wanted = GenerationSettings(steps=min(GenerationSettings().steps, self.config.noise.steps))
        return SkeletonGenerator(
            self.config, cast("Network", network), self.statistics, self.encoder, facts, wanted
        )

    def export(self, networks: Networks, folder: Path, facts: Mapping[str, Any]) -> None:
        """The trained folder, with the scale of guidance that fits validation clips best."""
        network = networks[NAME]
        losses = [
            value
            for item in range(self.validation_items - self.previews)
            for value in self.validate(networks, item, folder)["validation/loss"]
        ]
        generator, motions = self.generator(network, {}), self.dataset.validation

        def generate(number: int, frames: int, scale: float) -> Float32[np.ndarray, "time 133 3"]:
            voice = self.audio_features.rows(motions.entries[number], 0, frames)
            middle = motions.pose(number)[frames // 2]
            how = replace(generator.wanted, scale=scale)
            return generator.pose(voice, middle, seed=number, how=how)

        stated = {
            **facts,
            **self.dataset.facts,
            "validation": {"validation/loss": float(np.mean(losses))} if losses else {},
            "guidance": asdict(measured_guidance(generate, motions)),
        }
        self.generator(network, stated).save(folder)

    def pretrained(self, folder: Path) -> Mapping[str, Mapping[str, Tensor]]:
        """Of a trained folder, imported ones among them. Raises ModelError."""
        return {
            NAME: SkeletonGenerator.load(
                folder, GenerationSettings(encoder=self.config.encoder)
            ).network.state_dict()
        }

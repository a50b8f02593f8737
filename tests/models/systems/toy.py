"""A system that has nothing in common with a diffusion model, to see that nothing but its own file knows it.

Two phases: a codec of poses (batch norm, so buffers; a frozen network that looks at what it makes), then a generator
from audio to codes and frames with a discriminator, trained in turns, on the codec that the first phase exported.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from models.data import features
from models.data.audio import LogMel
from models.data.batches import TensorBatch
from models.data.dataset import Dataset
from models.data.features import Features, Recipe, family, pose_features
from models.data.index import Motions
from models.data.order import Place, sample_rng
from models.data.skeleton import Skeleton
from models.systems import SYSTEMS, Listing
from models.systems.base import Group, Losses, Motion, Networks, Objective, Person, Phase
from models.systems.folder import model_folder, write_model
from models.training.settings import Training, plain

FRAMES, CODE, SIDE = 20, 8, 16
SKELETON = Skeleton(smoothing=None)
POSES, VOICES = pose_features(SKELETON), features.audio_features(LogMel())


def thumbnails(motions: Motions, number: int) -> UInt8[np.ndarray, "rows 16 16 3"]:
    """Every second frame, drawn: a spot for each joint."""
    pose = motions.pose(number)[::2]
    pictures = np.zeros((len(pose), SIDE, SIDE, 3), np.uint8)
    at = np.clip(pose[..., :2] * SIDE / 512.0, 0, SIDE - 1).astype(int)
    for picture, places in zip(pictures, at, strict=True):
        picture[places[:, 1], places[:, 0]] = (255, 200, 150)
    return pictures


def onsets(motions: Motions, number: int) -> Float[np.ndarray, "rows 1"]:
    """The frames at which the voice grows loud, as many as there are."""
    loud = np.abs(motions.sound(number).astype(np.float32)).reshape(-1, 640).mean(axis=1)
    return np.flatnonzero(np.diff(loud) > loud.std()).astype(np.float32)[:, None]


THUMBNAILS = Recipe(
    family("thumbnails-1", "drawn", (SIDE, SIDE, 3), np.uint8, rate=12.5), thumbnails
)
ONSETS = Recipe(family("onsets-1", "loud", 1, np.float32, rate=None), onsets)


@dataclass(frozen=True, slots=True)
class Config:
    """Of both phases."""

    width: int = 16
    codec: Training = field(default_factory=Training)
    animation: Training = field(default_factory=Training)


def small() -> Config:
    """Seconds on a processor."""
    training = Training(
        steps=12, batch_size=4, learning_rate=1e-3, warmup=2, save=4, validate=6, log=3, threads=1, tracker="none",
        previews=0,
    )  # fmt: skip
    return Config(codec=training, animation=replace(training, steps=16, accumulate=2))


@dataclass(frozen=True, slots=True)
class Poses(TensorBatch):
    """Of the first phase."""

    pose: Float[Tensor, "batch time size"]
    mask: Tensor


@dataclass(frozen=True, slots=True)
class Scenes(TensorBatch):
    """Of the second phase. loud: how many onsets a clip has."""

    pose: Float[Tensor, "batch time size"]
    audio: Tensor
    frames: Tensor
    loud: Tensor
    noise: Tensor


class Codec(nn.Module):
    """Poses to codes and back."""

    def __init__(self, width: int) -> None:
        super().__init__()
        size = SKELETON.size
        self.down = nn.Sequential(
            nn.Linear(size, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, CODE)
        )
        self.up = nn.Sequential(
            nn.Linear(CODE, width), nn.ReLU(), nn.Dropout(0.1), nn.Linear(width, size)
        )

    def forward(self, pose: Tensor) -> tuple[Tensor, Tensor]:
        code = self.down(pose.flatten(0, 1)).unflatten(0, pose.shape[:2])
        return code, self.up(code)


class Animator(nn.Module):
    """Audio and noise to codes and small frames."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(160 + 1 + CODE, width), nn.ReLU(), nn.Linear(width, CODE)
        )
        self.paint = nn.Linear(CODE, 3 * SIDE * SIDE)

    def forward(self, audio: Tensor, loud: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        inputs = torch.cat([audio, loud[:, None, None].expand(*audio.shape[:2], 1), noise], dim=-1)
        code = self.body(inputs)
        return code, self.paint(code[:, ::2]).sigmoid().unflatten(-1, (SIDE, SIDE, 3))


def drawn(dataset: Dataset, place: Place, seed: int) -> tuple[Any, np.random.Generator, int]:
    """(clip, its generator, an even first frame)."""
    entry = dataset.training.entries[place.clip]
    random = sample_rng(seed, entry.id, place.epoch)
    return entry, random, 2 * int(random.integers(0, (entry.frames - FRAMES) // 2 + 1))


@dataclass(frozen=True)
class Base:
    """What both phases share."""

    config: Config
    dataset: Dataset
    exports: Mapping[str, Path]

    @property
    def samples(self) -> int:
        return len(self.dataset.training)

    @property
    def validation_items(self) -> int:
        return len(self.dataset.validation)

    def features(self, recipe: Recipe) -> Features:
        return self.dataset.family(recipe)

    def poses(self, entry: Any, first: int) -> tuple[np.ndarray, np.ndarray]:
        return self.features(POSES).window(entry, first, FRAMES)


class CodecPhase(Base):
    """The first."""

    name = "codec"

    @property
    def training(self) -> Training:
        return self.config.codec

    def networks(self) -> dict[str, nn.Module]:
        return {"codec": Codec(self.config.width), "look": nn.Linear(SKELETON.size, 4)}

    def objectives(self) -> Sequence[Objective]:
        up = Group("codec", "up.", learning_rate=5e-4)
        return [Objective("codec", (Group("codec", "down."), up), self.losses)]

    def batch(self, places: Sequence[Place]) -> Poses:
        rows = []
        for place in places:
            entry, _, first = drawn(self.dataset, place, 1)
            rows.append(self.poses(entry, first))
        return Poses(*(torch.from_numpy(np.stack(part)) for part in zip(*rows, strict=True)))

    def losses(self, networks: Networks, batch: Poses) -> Losses:
        code, back = networks["codec"](batch.pose)
        apart = (back - batch.pose) * batch.mask
        seen = networks["look"](back) - networks["look"](batch.pose)
        return {
            "reconstruction": (apart**2).mean(),
            "look": 0.1 * (seen**2).mean(),
            "code": 1e-3 * (code**2).mean(),
        }

    def validate(self, networks: Networks, item: int, folder: Path) -> dict[str, list[float]]:
        pose, _ = self.poses(self.dataset.validation.entries[item], 0)
        with torch.no_grad():
            _, back = networks["codec"](torch.from_numpy(pose)[None])
        return {"validation/loss": [float(((back - torch.from_numpy(pose)) ** 2).mean())]}

    def export(self, networks: Networks, folder: Path, facts: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(networks["codec"].state_dict(), folder / "codec.safetensors")

    def pretrained(self, folder: Path) -> dict[str, dict[str, Tensor]]:
        return {"codec": load_file(folder / "codec.safetensors")}


class AnimationPhase(Base):
    """The second."""

    name = "animation"

    @property
    def training(self) -> Training:
        return self.config.animation

    def networks(self) -> dict[str, nn.Module]:
        codec = Codec(self.config.width)
        codec.load_state_dict(load_file(self.exports["codec"] / "codec.safetensors"))
        critic = nn.Sequential(nn.Linear(SKELETON.size, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
        return {"animator": Animator(self.config.width), "critic": critic, "codec": codec}

    def objectives(self) -> Sequence[Objective]:
        betas = (0.5, 0.9)
        return [
            Objective("critic", (Group("critic", learning_rate=2e-3),), self.critic, betas),
            Objective("animator", (Group("animator"),), self.animator, betas, every=2),
        ]

    def batch(self, places: Sequence[Place]) -> Scenes:
        rows = []
        for place in places:
            entry, random, first = drawn(self.dataset, place, 2)
            audio, _ = self.features(VOICES).window(entry, first, FRAMES)
            frames, _ = self.features(THUMBNAILS).window(entry, first, FRAMES)
            loud = np.float32(len(self.features(ONSETS).rows(entry)))
            noise = random.standard_normal((FRAMES, CODE), dtype=np.float32)
            rows.append(
                (self.poses(entry, first)[0], audio.astype(np.float32), frames, loud, noise)
            )
        return Scenes(*(torch.from_numpy(np.stack(part)) for part in zip(*rows, strict=True)))

    def critic(self, networks: Networks, batch: Scenes) -> Losses:
        code, _ = networks["animator"](batch.audio, batch.loud, batch.noise)
        both = networks["critic"](torch.cat([batch.pose, networks["codec"].up(code)]))
        real, made = both.chunk(2)
        return {"hinge": functional.relu(1.0 - real).mean() + functional.relu(1.0 + made).mean()}

    def animator(self, networks: Networks, batch: Scenes) -> Losses:
        code, frames = networks["animator"](batch.audio, batch.loud, batch.noise)
        pose = networks["codec"].up(code)
        return {
            "pose": ((pose - batch.pose) ** 2).mean(),
            "frames": ((frames - batch.frames / 255.0) ** 2).mean(),
            "critic": -0.1 * networks["critic"](pose).mean(),
        }

    def validate(self, networks: Networks, item: int, folder: Path) -> dict[str, list[float]]:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{item}.txt").write_text("looked at")
        entry = self.dataset.validation.entries[item]
        audio, _ = self.features(VOICES).window(entry, 0, FRAMES)
        noise = torch.zeros(1, FRAMES, CODE)
        code, _ = networks["animator"](torch.from_numpy(audio).float()[None], torch.ones(1), noise)
        pose, _ = self.poses(entry, 0)
        apart = networks["codec"].up(code)[0] - torch.from_numpy(pose)
        return {"validation/loss": [float((apart**2).mean())]}

    def export(self, networks: Networks, folder: Path, facts: Mapping[str, Any]) -> None:
        stated = {
            "system": "toy", "config": plain(self.config), "facts": {**facts, **self.dataset.facts},
        }  # fmt: skip

        def write(temporary: Path) -> None:
            for name in ("animator", "codec"):
                save_file(networks[name].state_dict(), temporary / f"{name}.safetensors")

        write_model(folder, json.loads(json.dumps(stated)), "# A toy\n", write)

    def pretrained(self, folder: Path) -> dict[str, dict[str, Tensor]]:
        return {"animator": load_file(folder / "animator.safetensors"), "critic": {}}


@dataclass(frozen=True, slots=True)
class GenerationSettings:
    """liveliness: how large the noise is."""

    liveliness: float = 1.0
    device: str = "cpu"


@dataclass(frozen=True)
class ToyGenerator:
    """Both networks."""

    animator: Animator
    codec: Codec
    facts: Mapping[str, Any]
    generation: GenerationSettings
    audio_recipe: Recipe = VOICES

    def encode_audio(self, sound: np.ndarray) -> np.ndarray:
        return LogMel()(sound)

    @torch.no_grad()
    def generate(self, audio_features: np.ndarray, person: Person, *, seed: int) -> Motion:
        noise = torch.randn(
            1, len(audio_features), CODE, generator=torch.Generator().manual_seed(seed)
        )
        audio = torch.from_numpy(np.asarray(audio_features, np.float32))[None]
        code, small = self.animator(audio, torch.ones(1), self.generation.liveliness * noise)
        pose = SKELETON.decode(self.codec.up(code)[0].numpy())
        pictures = (255 * small[0]).byte().numpy().repeat(2, axis=0)[: len(pose)]
        return Motion(pose, pictures.repeat(4, axis=1).repeat(4, axis=2))


@dataclass(frozen=True, slots=True)
class Toy:
    """The system."""

    configs: Mapping[str, Any] = field(default_factory=lambda: {"small": small})
    generation: type[GenerationSettings] = GenerationSettings

    def phases(self, config: Config) -> tuple[str, ...]:
        return ("codec", "animation")

    def recipes(
        self, phase: str, config: Config, exports: Mapping[str, Path], device: str
    ) -> Sequence[Recipe]:
        return (POSES,) if phase == "codec" else (POSES, VOICES, THUMBNAILS, ONSETS)

    def phase(
        self, phase: str, config: Config, dataset: Dataset, exports: Mapping[str, Path], device: str
    ) -> Phase:
        made = {"codec": CodecPhase, "animation": AnimationPhase}[phase](config, dataset, exports)
        for recipe in self.recipes(phase, config, exports, device):
            made.features(recipe)
        return made

    def load(self, folder: Path, generation: GenerationSettings) -> ToyGenerator:
        held = model_folder(folder)
        width = held.stated["config"]["width"]
        animator, codec = Animator(width).eval(), Codec(width).eval()
        animator.load_state_dict(load_file(held.path / "animator.safetensors"))
        codec.load_state_dict(load_file(held.path / "codec.safetensors"))
        return ToyGenerator(animator, codec, held.facts, generation)


SYSTEM = Toy()


def register() -> None:
    """The row of the table."""
    SYSTEMS["toy"] = Listing(
        "tests.models.systems.toy:SYSTEM", "audio to codes and frames", "nobody"
    )


register()

if __name__ == "__main__":
    from models.__main__ import main

    main()

"""The system's configurations, from minutes on a laptop to the published numbers."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from models.data.skeleton import LEGS, Skeleton
from models.diffusion.schedule import Prediction, Schedule, cosine
from models.systems.csg405.batches import Reference
from models.systems.csg405.model import SkeletonTransformer
from models.systems.csg405.published import PublishedTransformer
from models.training.settings import SettingsError, Training

Network = SkeletonTransformer | PublishedTransformer


@dataclass(frozen=True, slots=True)
class Size:
    """Of a transformer: width and hidden in numbers per token."""

    width: int = 128
    depth: int = 4
    heads: int = 4
    hidden: int = 512

    def __post_init__(self) -> None:
        """Refuse what cannot be built."""
        for name in ("width", "depth", "heads", "hidden"):
            if getattr(self, name) < 1:
                raise SettingsError(f"size.{name} is 1 or more, got {getattr(self, name)}")
        if self.width % self.heads or self.width % 2:
            raise SettingsError(
                f"size.width is even and a multiple of size.heads ({self.heads}), got {self.width}"
            )


@dataclass(frozen=True, slots=True)
class Noise:
    """The schedule, what the network predicts, and how often the voice is left out in training (guidance).

    mouth: what the squared error of the 20 joints of the mouth is multiplied by; all other joints keep theirs, and the
    sum is divided by the number of joints, as with `extra_mouth` of the released code, which is 2.
    """

    steps: int = 1000
    power: int = 2
    prediction_type: Prediction = "x0"
    audio_dropout: float = 0.1
    mouth_weight: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what is no schedule, and no probability."""
        for name in ("steps", "power"):
            if getattr(self, name) < 1:
                raise SettingsError(f"noise.{name} is 1 or more, got {getattr(self, name)}")
        if not 0.0 <= self.audio_dropout <= 1.0:
            raise SettingsError(f"noise.audio_dropout is 0 to 1, got {self.audio_dropout}")
        if not 0.0 <= self.mouth_weight < math.inf:
            raise SettingsError(f"noise.mouth_weight is 0 or more, got {self.mouth_weight}")

    @property
    def schedule(self) -> Schedule:
        return cosine(self.steps, power=self.power)


@dataclass(frozen=True, slots=True)
class Config:
    """One configuration. network: the paper's, or the released code's.

    audio_conditioning, use_reference: the paper's ablations.

    skeleton: what the network sees of a pose. encoder: `logmel`, or `wav2vec2=FOLDER`. frames: of a window at 25 FPS.
    """

    network: Literal["paper", "released"] = "paper"
    size: Size = field(default_factory=Size)
    audio_conditioning: Literal["features", "cross"] = "features"
    use_reference: bool = True
    skeleton: Skeleton = field(default_factory=Skeleton)
    encoder: str = "logmel"
    frames: int = 250
    reference: Reference = field(default_factory=Reference)
    noise: Noise = field(default_factory=Noise)
    training: Training = field(default_factory=Training)

    def __post_init__(self) -> None:
        """Refuse windows of nothing."""
        if self.frames < 1:
            raise SettingsError(f"frames is 1 or more, got {self.frames}")

    def build(self, audio: int) -> Network:
        """A new network. audio: numbers per frame of the encoder."""
        size = self.size
        if self.network == "released":
            return PublishedTransformer(
                self.skeleton.size, audio, size.width, size.depth, size.heads, size.hidden
            )
        return SkeletonTransformer(
            self.skeleton.size,
            audio,
            size.width,
            size.depth,
            size.heads,
            size.hidden,
            audio_conditioning=self.audio_conditioning,
            reference=self.use_reference,
        )


def tiny() -> Config:
    """Trains on a CPU in minutes."""
    return Config(
        training=Training(
            steps=600, batch_size=8, learning_rate=5e-4, warmup=50, ema_decay=0.99, validate=300
        )
    )


def small() -> Config:
    """DiT-S: 12 layers of 384 (Peebles & Xie 2023)."""
    training = Training(
        steps=20_000, batch_size=32, learning_rate=1e-4, warmup=500, save=1_000, validate=1_000
    )
    return Config(size=Size(384, 12, 6, 1536), training=training)


def paper() -> Config:
    """Yang et al. 2025, sections 3.1 and 4: its method, batch size, learning rate and steps.

    Differs from the paper: it states no size, so the released code's is taken (16 layers of 1024); bf16, warm-up and
    averaged weights, on which it is silent; AdamW without decay, which is its Adam.
    """
    training = Training(
        steps=2_000_000, batch_size=128, learning_rate=5e-5, warmup=1_000, ema_decay=0.9999, precision="bf16",
        compile=True, workers=8, save=5_000, validate=10_000,
    )  # fmt: skip
    return Config(size=Size(1024, 16, 16, 4096), encoder="wav2vec2", training=training)


def released() -> Config:
    """The released code, as far as it is known (MPI-Lab/Democratizing-CSG at 1bb12bf).

    Its network, 123 joints without legs and neck, the face from the body's nose, 25 frames before, 100 steps.
    """
    kept = tuple(joint for joint in range(133) if joint not in LEGS)
    return replace(
        paper(),
        network="released",
        skeleton=Skeleton(
            joints=kept, neck=False, smoothing="released", valid_from=0.7, face_root="nose"
        ),
        reference=Reference(frames=25, repeated=0.3),
        noise=Noise(steps=100, power=4),
    )


CONFIGS: Mapping[str, Callable[[], Config]] = {
    "tiny": tiny,
    "small": small,
    "paper": paper,
    "released": released,
}

"""From a place in the order to tensors: a window of a clip, its voice and reference, and what is drawn for it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.data.batches import TensorBatch
from models.data.features import Features
from models.data.index import Entry, Motions
from models.data.order import Place, sample_rng
from models.data.statistics import Statistics


@dataclass(frozen=True, slots=True)
class Batch(TensorBatch):
    """What one step trains on; values and reference are normalised, and 0 where they are not known.

    noise and uniforms (two numbers in [0, 1) each) come from (seed, clip, epoch) too: whatever a step draws, it draws
    the same on any machine, with any number of workers and ranks.
    """

    clips: tuple[str, ...]
    values: Float[Tensor, "batch time size"]
    joint_mask: Bool[Tensor, "batch time size"]
    frame_mask: Bool[Tensor, "batch time"]
    audio: Float[Tensor, "batch time audio"]
    reference: Float[Tensor, "batch before size"]
    noise: Float[Tensor, "batch time size"]
    uniforms: Float[Tensor, "batch 2"]


@dataclass(frozen=True, slots=True)
class Reference:
    """What stands before the frames to be made. one: a single frame from anywhere in the clip (Yang et al. 2025).

    Else the `frames` true ones that come before the window, as the released code has it (25), and with the
    probability `repeated` (0.3 there) the last of them over and over, which is how a first chunk begins.
    """

    frames: int = 1
    repeated: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        if self.frames < 1 or not 0.0 <= self.repeated <= 1.0:
            raise ValueError(
                "a reference has 1 frame or more, repeated with a probability of 0 to 1, got "
                f"{self.frames}, {self.repeated}"
            )

    @property
    def one(self) -> bool:
        return self.frames == 1


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of a dataset's clips. frames: of a window; a shorter clip is padded at its end.

    Which window, which reference and which noise is drawn from (seed, clip, epoch) alone. Raises ValueError where
    features and statistics are of two layouts.
    """

    motions: Motions
    pose_features: Features
    audio_features: Features
    statistics: Statistics
    seed: int
    frames: int = 250
    reference: Reference = field(default_factory=Reference)

    def __post_init__(self) -> None:
        """Refuse statistics of something else."""
        if len(self.statistics.mean) != self.pose_features.family.size:
            raise ValueError(
                f"statistics of {len(self.statistics.mean)} numbers do not fit features of "
                f"{self.pose_features.family.size}"
            )

    def batch(self, places: Sequence[Place]) -> Batch:
        """Samples side by side, padded with zeros to the window's length."""
        count, size = len(places), self.pose_features.family.size
        values = np.full((count, self.frames, size), np.nan, np.float32)
        before = np.full((count, self.reference.frames, size), np.nan, np.float32)
        audio = np.zeros(
            (count, self.frames, self.audio_features.family.size), self.audio_features.family.dtype
        )
        noise = np.empty((count, self.frames, size), np.float32)
        uniforms = np.empty((count, 2), np.float32)
        frame_mask = np.zeros((count, self.frames), np.bool_)
        for row, place in enumerate(places):
            entry = self.motions.entries[place.clip]
            random = sample_rng(self.seed, entry.id, place.epoch)
            length = min(entry.frames, self.frames)
            first = int(random.integers(0, entry.frames - length + 1))
            self.pose_features.read_into(entry, first, values[row, :length])
            self.audio_features.read_into(entry, first, audio[row, :length])
            self._before(entry, first, random, before[row])
            random.random(dtype=np.float32, out=uniforms[row])
            random.standard_normal(dtype=np.float32, out=noise[row])
            frame_mask[row, :length] = True
        known = ~np.isnan(values)
        return Batch(
            clips=tuple(self.motions.entries[place.clip].id for place in places),
            values=self._normalised(values),
            joint_mask=torch.from_numpy(known),
            frame_mask=torch.from_numpy(frame_mask),
            audio=torch.from_numpy(audio),
            reference=self._normalised(before),
            noise=torch.from_numpy(noise),
            uniforms=torch.from_numpy(uniforms),
        )

    def _before(
        self, entry: Entry, first: int, random: np.random.Generator, out: np.ndarray
    ) -> None:
        if self.reference.one:
            at = int(random.integers(0, entry.frames))
            self.pose_features.read_into(entry, at, out)
            return
        before_it = min(first, len(out))
        if before_it:
            self.pose_features.read_into(entry, first - before_it, out[len(out) - before_it :])
        else:
            self.pose_features.read_into(entry, first, out[-1:])
            before_it = 1
        out[: len(out) - before_it] = out[len(out) - before_it]
        if random.random() < self.reference.repeated:
            out[:] = out[-1]

    def _normalised(self, values: np.ndarray) -> Tensor:
        values -= self.statistics.mean
        values /= self.statistics.std
        return torch.from_numpy(np.nan_to_num(values, copy=False, nan=0.0))

"""From a place in the order to tensors: a window of a clip, its voice and its reference, padded and masked."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.data.audio import LogMel
from models.data.index import Motions
from models.data.order import Place, sample_rng
from models.data.skeleton import Skeleton
from models.data.statistics import Statistics


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step trains on; values are normalised, and 0 where they are not known."""

    clips: tuple[str, ...]
    values: Float[Tensor, "batch time size"]
    known: Bool[Tensor, "batch time size"]
    there: Bool[Tensor, "batch time"]
    audio: Float[Tensor, "batch time audio"]
    reference: Float[Tensor, "batch 1 size"]


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of a dataset's clips. frames: of a window; a shorter clip is padded at its end.

    Which window and which reference frame is drawn from (seed, clip, epoch) alone: the same whichever rank, worker or
    resumed run loads it.
    """

    motions: Motions
    skeleton: Skeleton
    statistics: Statistics
    seed: int
    frames: int = 250
    encoder: LogMel = field(default_factory=LogMel)

    def load(self, place: Place) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(values, known, audio, reference) of one sample, not padded."""
        entry = self.motions.entries[place.clip]
        random = sample_rng(self.seed, entry.id, place.epoch)
        length = min(entry.frames, self.frames)
        first = int(random.integers(0, entry.frames - length + 1))
        at = int(random.integers(0, entry.frames))
        values, known = self.skeleton.encode(self.motions.pose(place.clip))
        values = np.where(known, self.statistics.apply(values), 0.0).astype(np.float32)
        audio = self.encoder(self.motions.sound(place.clip))
        window = slice(first, first + length)
        return values[window], known[window], audio[window], values[at : at + 1]

    def batch(self, places: Sequence[Place]) -> Batch:
        """Samples side by side, padded with zeros to the window's length."""
        loaded = [self.load(place) for place in places]
        shape = (len(loaded), self.frames)
        values = torch.zeros(*shape, self.skeleton.size)
        known = torch.zeros(*shape, self.skeleton.size, dtype=torch.bool)
        audio = torch.zeros(*shape, self.encoder.size)
        there = torch.zeros(shape, dtype=torch.bool)
        for row, (own, sure, heard, _) in enumerate(loaded):
            values[row, : len(own)] = torch.from_numpy(own)
            known[row, : len(own)] = torch.from_numpy(sure)
            audio[row, : len(own)] = torch.from_numpy(heard)
            there[row, : len(own)] = True
        return Batch(
            clips=tuple(self.motions.entries[place.clip].id for place in places),
            values=values,
            known=known,
            there=there,
            audio=audio,
            reference=torch.from_numpy(np.stack([reference for *_, reference in loaded])),
        )


def statistics_of(motions: Motions, skeleton: Skeleton) -> Statistics:
    """Mean and spread over all clips of an index, in the order of their ids."""
    clips = (skeleton.encode(motions.pose(number)) for number in range(len(motions)))
    return Statistics.of(clips, skeleton.size)

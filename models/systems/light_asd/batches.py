"""From a place in the order to tensors: a stretch of a clip's faces, a voice laid over it, and who speaks when."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor

from models.data.batches import TensorBatch
from models.data.features import Features
from models.data.index import Entry, Motions
from models.data.order import Place, sample_rng
from models.systems.light_asd.configs import Mixture
from models.systems.lips import sound_rows

OWN, SHIFTED, FOREIGN, STILL = range(4)


@dataclass(frozen=True, slots=True)
class Batch(TensorBatch):
    """What one step trains on. faces: grey.

    speaks: 1 on frames where this face speaks this sound; moves: where it speaks, whatever is heard. epochs: how often
    each clip was there before.
    """

    faces: UInt8[Tensor, "batch time size size"]
    cepstra: Float32[Tensor, "batch step 13"]
    speaks: Int64[Tensor, "batch time"]
    moves: Int64[Tensor, "batch time"]
    epochs: Int64[Tensor, " batch"]


@dataclass(frozen=True, slots=True)
class Stretches:
    """Stretches of a dataset's clips with a voice. Which ones is drawn from (seed, clip, epoch) alone."""

    motions: Motions
    faces: Features
    cepstra: Features
    offsets: Features
    voiced: Features
    seed: int
    frames: int
    shift: int
    mixture: Mixture

    def batch(self, places: Sequence[Place]) -> Batch:
        """One stretch of each of these clips."""
        rows = [self.stretch(place) for place in places]
        faces, heard, speaks, moves = (np.stack(part) for part in zip(*rows, strict=True))
        epochs = np.array([place.epoch for place in places], np.int64)
        return Batch(*(torch.from_numpy(part) for part in (faces, heard, speaks, moves, epochs)))

    def stretch(self, place: Place) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(faces, cepstra, speaks, moves) of one clip."""
        entry = self.motions.entries[place.clip]
        random = sample_rng(self.seed, entry.id, place.epoch)
        first = int(random.integers(0, entry.frames - self.frames + 1))
        parts = np.array(self.mixture.parts)
        kind = int(random.choice(4, p=parts / parts.sum()))
        late = int(self.offsets.rows(entry)[0, 0])
        faces = self.faces.rows(entry, first, self.frames)
        moves = self.voice(entry, first + late)
        whose, begin = self.heard(entry, first, kind, random)
        if kind == STILL:
            faces = np.repeat(faces[:1], self.frames, axis=0)
            moves = np.zeros_like(moves)
        if random.random() < 0.5:
            faces = faces[..., ::-1].copy()
        heard = sound_rows(
            self.cepstra, whose, begin + (late if whose is entry else 0), self.frames
        )
        return faces, heard, moves if kind == OWN else np.zeros_like(moves), moves

    def heard(
        self, entry: Entry, first: int, kind: int, random: np.random.Generator
    ) -> tuple[Entry, int]:
        """(whose voice is laid over the faces, from which of its frames on)."""
        if kind in (OWN, STILL):
            return entry, first
        if kind == FOREIGN:
            start = int(random.integers(len(self.motions)))
            for number in range(len(self.motions)):
                other = self.motions.entries[(start + number) % len(self.motions)]
                if other.identity != entry.identity:
                    return other, int(random.integers(0, other.frames - self.frames + 1))
        begins = np.arange(entry.frames - self.frames + 1)
        begins = begins[np.abs(begins - first) >= self.shift]
        if not len(
            begins
        ):  # a clip hardly longer than the stretch: its sound ends early or begins late
            begins = np.array([first - self.shift, first + self.shift])
        return entry, int(random.choice(begins))

    def voice(self, entry: Entry, first: int) -> Int64[np.ndarray, " time"]:
        """1 on frames in which the clip's own voice is heard, from a frame of its sound on."""
        return sound_rows(self.voiced, entry, first, self.frames)[:, 0].astype(np.int64)

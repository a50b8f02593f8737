"""From a place in the order to tensors: windows of five faces of a clip, and the sound of each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor

from models.data.batches import TensorBatch
from models.data.features import Features
from models.data.index import Motions
from models.data.order import Place, sample_rng
from models.systems.lips import sound_rows
from pipeline.perception.sync.syncnet import WINDOW


@dataclass(frozen=True, slots=True)
class Batch(TensorBatch):
    """What one step trains on. faces: RGB. cepstra: of the same fifth of a second. clips, frames: which clip each
    window is of, and its first frame."""

    faces: UInt8[Tensor, "window 5 size size 3"]
    cepstra: Float32[Tensor, "window 1 13 20"]
    clips: Int64[Tensor, " window"]
    frames: Int64[Tensor, " window"]


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of a dataset's clips: `count` of each, whose first frames differ by 2 · reach at most.

    Which ones, and whether the faces are mirrored, is drawn from (seed, clip, epoch) alone.
    """

    motions: Motions
    faces: Features
    cepstra: Features
    offsets: Features
    seed: int
    count: int
    reach: int

    def batch(self, places: Sequence[Place]) -> Batch:
        """All windows of these clips, one clip after the other."""
        rows = [self.windows(place) for place in places]
        faces, heard, frames = (np.concatenate(part) for part in zip(*rows, strict=True))
        clips = np.repeat([place.clip for place in places], self.count)
        parts = (faces, heard, clips.astype(np.int64), frames)
        return Batch(*(torch.from_numpy(np.ascontiguousarray(part)) for part in parts))

    def windows(self, place: Place) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(faces, cepstra, first frames) of one clip."""
        entry = self.motions.entries[place.clip]
        random = sample_rng(self.seed, entry.id, place.epoch)
        late = int(self.offsets.rows(entry)[0, 0])
        first, last = max(0, -late), entry.frames - WINDOW - max(0, late)
        if last < first:  # an offset longer than the clip is none
            late, first, last = 0, 0, entry.frames - WINDOW
        span = min(last - first, 2 * self.reach)
        begin = int(random.integers(first, last - span + 1))
        starts = begin + random.choice(span + 1, self.count, replace=span + 1 < self.count)
        mirrored = random.random() < 0.5
        shown = self.faces.rows(entry, begin, span + WINDOW)
        heard = sound_rows(self.cepstra, entry, begin + late, span + WINDOW)
        at = [int(start) - begin for start in starts]
        faces = np.stack([shown[each : each + WINDOW] for each in at])
        sounds = np.stack([sound_window(heard, each) for each in at])
        return faces[:, :, :, ::-1] if mirrored else faces, sounds, starts.astype(np.int64)


def sound_window(
    cepstra: Float32[np.ndarray, "step 13"], frame: int
) -> Float32[np.ndarray, "1 13 20"]:
    """What is heard during the five frames from one on."""
    return cepstra[4 * frame : 4 * (frame + WINDOW)].T[None]

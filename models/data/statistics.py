"""Mean and standard deviation of what a network sees, over one dataset's training clips: an artefact of the dataset."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Float32

from manifests.files import write_whole
from models.data.features import Features, NotPrepared, writing
from models.data.index import Motions

LEAST_STD = 1e-3
"""In half crops, a quarter of a pixel: what hardly moves is not blown up."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """mean, std, known_fraction: one number per value of a frame; a value that was never known has 0, 1 and 0.

    known_fraction: of the frames in which it was known.
    """

    mean: Float32[np.ndarray, " size"]
    std: Float32[np.ndarray, " size"]
    known_fraction: Float32[np.ndarray, " size"]

    @classmethod
    def of(
        cls,
        clips: Iterable[tuple[Float[np.ndarray, "_time size"], Bool[np.ndarray, "_time size"]]],
        size: int,
    ) -> "Statistics":
        """Over the known values of all frames, in one pass, in float64 (Chan et al. 1979)."""
        count, mean, squares, frames = np.zeros(size), np.zeros(size), np.zeros(size), 0
        for values, known in clips:
            here = known.sum(axis=0)
            frames += len(known)
            local = np.where(known, values, 0.0).sum(axis=0, dtype=np.float64) / np.maximum(here, 1)
            around = np.where(known, values - local, 0.0)
            total, apart = count + here, local - mean
            squares += (around**2).sum(axis=0) + apart**2 * count * here / np.maximum(total, 1)
            mean += apart * here / np.maximum(total, 1)
            count = total
        std = np.sqrt(squares / np.maximum(count, 1))
        std = np.where(count > 0, np.maximum(std, LEAST_STD), 1.0)
        known_fraction = count / max(frames, 1)
        return cls(
            mean.astype(np.float32), std.astype(np.float32), known_fraction.astype(np.float32)
        )

    @classmethod
    def read(cls, file: Path) -> "Statistics":
        """As `write` left them."""
        return cls.parsed(file.read_bytes())

    @classmethod
    def parsed(cls, content: bytes) -> "Statistics":
        """The content of a file that `write` wrote."""
        stated = json.loads(content)
        return cls(
            *(np.array(stated[name], np.float32) for name in ("mean", "std", "known_fraction"))
        )

    def write(self, file: Path) -> None:
        """As JSON, under a temporary name first. Nine digits say a float32 exactly."""
        content = {
            name: [float(f"{value:.9g}") for value in getattr(self, name)]
            for name in ("mean", "std", "known_fraction")
        }
        write_whole(file, json.dumps(content) + "\n")

    def apply(self, values: Float32[np.ndarray, "*time size"]) -> Float32[np.ndarray, "*time size"]:
        """Values brought to mean 0 and standard deviation 1."""
        return (values - self.mean) / self.std

    def undo(self, values: Float32[np.ndarray, "*time size"]) -> Float32[np.ndarray, "*time size"]:
        """The inverse of `apply`."""
        return values * self.std + self.mean


def statistics_of(motions: Motions, pose_features: Features) -> Statistics:
    """Mean and standard deviation over all clips of an index, kept beside the features under a hash of the clips.

    Raises DatasetError where they cannot be kept.
    """
    folder, name = pose_features.folder, statistics_name(motions)
    if folder.has(name):
        return Statistics.parsed(folder.read(name))
    if (here := folder.local) is None:
        raise NotPrepared(
            f"{folder / name} is not computed: csg-model prepare computes it where it can write"
        )

    def parts() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for entry in motions.entries:
            rows = pose_features.rows(entry)
            known = ~np.isnan(rows)
            yield np.where(known, rows, np.float32(0.0)), known

    statistics = Statistics.of(parts(), pose_features.family.size)
    with writing(here):
        statistics.write(here / name)
    return statistics


def statistics_name(motions: Motions) -> str:
    """Of the file with the statistics of these clips."""
    clips = hashlib.sha256("".join(f"{e.id}{e.revision}" for e in motions.entries).encode())
    return f"statistics-{clips.hexdigest()[:12]}.json"

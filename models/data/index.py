"""Random access to the clips of a dataset: an index over its `motion/` shards, read once, and one read per clip."""

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import soundfile
from jaxtyping import Float32, Int16

from manifests.geometry import SAMPLE_RATE, SAMPLES_PER_FRAME

COLUMNS = (
    *("id", "split", "identity", "frames", "motion_shard"),
    *("pose_offset", "pose_size", "flac_offset", "flac_size"),
)


class DatasetError(ValueError):
    """A folder that is no dataset, or a shard that does not hold what the index says."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one clip lies."""

    id: str
    split: str
    identity: str
    frames: int
    shard: str
    pose: tuple[int, int]  # offset and size in bytes
    flac: tuple[int, int]


@dataclass(slots=True)
class Motions:
    """The clips of a dataset in the order of their ids. Picklable; files are opened where they are read.

    folder: as `csg-data build` wrote it.
    """

    folder: Path
    entries: Sequence[Entry]
    _files: dict[str, int] = field(default_factory=dict[str, int], repr=False)

    @classmethod
    def open(cls, folder: Path, *splits: str) -> "Motions":
        """The clips of these splits, or all. Raises DatasetError."""
        table = folder / "clips.parquet"
        if not table.is_file():
            raise DatasetError(f"{folder} is no dataset: it has no clips.parquet")
        wanted = [("split", "in", list(splits))] if splits else None
        rows = pq.read_table(table, columns=list(COLUMNS), filters=wanted)
        entries = [
            Entry(
                row["id"],
                row["split"],
                row["identity"],
                row["frames"],
                row["motion_shard"],
                (row["pose_offset"], row["pose_size"]),
                (row["flac_offset"], row["flac_size"]),
            )
            for row in rows.sort_by("id").to_pylist()
        ]
        return cls(folder, entries)

    def __len__(self) -> int:
        return len(self.entries)

    def pose(self, number: int) -> Float32[np.ndarray, "frames 133 3"]:
        """x, y in pixels of the 512 crop, and confidence, of one clip. Raises DatasetError."""
        entry = self.entries[number]
        try:
            pose = np.load(io.BytesIO(self._read(entry.shard, entry.pose)), allow_pickle=False)
        except ValueError as error:
            raise DatasetError(f"{entry.shard}: {entry.id}.pose.npy: {error}") from error
        if pose.shape != (entry.frames, 133, 3) or pose.dtype != np.float32:
            raise DatasetError(
                f"{entry.shard}: {entry.id}.pose.npy is {pose.dtype} {pose.shape}, "
                f"needed float32 ({entry.frames}, 133, 3)"
            )
        return pose

    def sound(self, number: int) -> Int16[np.ndarray, " samples"]:
        """16 kHz mono of one clip, 640 samples per frame. Raises DatasetError."""
        entry = self.entries[number]
        try:
            samples, rate = soundfile.read(
                io.BytesIO(self._read(entry.shard, entry.flac)), dtype="int16"
            )
        except soundfile.LibsndfileError as error:
            raise DatasetError(f"{entry.shard}: {entry.id}.flac: {error}") from error
        if rate != SAMPLE_RATE or samples.shape != (entry.frames * SAMPLES_PER_FRAME,):
            raise DatasetError(
                f"{entry.shard}: {entry.id}.flac has {samples.shape} samples at {rate} Hz, "
                f"needed {entry.frames * SAMPLES_PER_FRAME} at {SAMPLE_RATE}"
            )
        return samples

    def close(self) -> None:
        """Close the shards that were read."""
        while self._files:
            os.close(self._files.popitem()[1])

    def __getstate__(self) -> tuple[Path, Sequence[Entry]]:
        return self.folder, self.entries

    def __setstate__(self, state: tuple[Path, Sequence[Entry]]) -> None:
        self.folder, self.entries = state
        self._files = {}

    def _read(self, shard: str, part: tuple[int, int]) -> bytes:
        if shard not in self._files:
            try:
                self._files[shard] = os.open(self.folder / shard, os.O_RDONLY)
            except OSError as error:
                raise DatasetError(f"{self.folder / shard}: {error.strerror}") from error
        content = os.pread(self._files[shard], part[1], part[0])
        if len(content) != part[1]:
            raise DatasetError(
                f"{shard} ends at byte {part[0] + len(content)}, a member reaches to {sum(part)}"
            )
        return content

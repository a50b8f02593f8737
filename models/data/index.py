"""Random access to the clips of a dataset: an index over its `motion/` shards, read once, and one read per clip."""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
from av.error import FFmpegError
from jaxtyping import Float32, Int16, UInt8

from manifests.geometry import SAMPLE_RATE, SAMPLES_PER_FRAME
from models.data.files import DatasetError, Files, array_in

COLUMNS = (
    *("id", "revision", "split", "identity", "locator", "frames", "motion_shard"),
    *("pose_offset", "pose_size", "flac_offset", "flac_size"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one clip lies, and what it is split by."""

    id: str
    revision: str
    split: str
    identity: str
    locator: str
    frames: int
    shard: str
    pose: tuple[int, int]  # offset and size in bytes
    flac: tuple[int, int]


@dataclass(frozen=True)
class Motions:
    """The clips of a dataset in the order of their ids. Picklable; files are opened where they are read.

    folder: as `csg-data build` wrote it.
    """

    folder: Path
    entries: Sequence[Entry]
    files: Files

    @classmethod
    def open(cls, folder: Path, *splits: str) -> "Motions":
        """The clips of these splits, or all. Raises DatasetError."""
        table = folder / "clips.parquet"
        if not table.is_file():
            raise DatasetError(f"{folder} is no dataset: it has no clips.parquet")
        wanted = [("split", "in", list(splits))] if splits else None
        try:
            if lacking := set(COLUMNS) - set(pq.read_schema(table).names):
                raise DatasetError(f"{table} has no column {min(lacking)!r}")
            rows = pq.read_table(table, columns=list(COLUMNS), filters=wanted)
        except (pa.ArrowException, OSError) as error:
            raise DatasetError(f"{table} cannot be read: {one_line(error)}") from error
        entries = [
            Entry(
                row["id"],
                row["revision"],
                row["split"],
                row["identity"],
                row["locator"],
                row["frames"],
                row["motion_shard"],
                (row["pose_offset"], row["pose_size"]),
                (row["flac_offset"], row["flac_size"]),
            )
            for row in rows.sort_by("id").to_pylist()
        ]
        return cls(folder, entries, Files(folder))

    def __len__(self) -> int:
        return len(self.entries)

    def where(self, keep: Callable[[Entry], bool]) -> "Motions":
        """The clips that fulfil a condition, in the same order."""
        return replace(self, entries=[entry for entry in self.entries if keep(entry)])

    def number(self, clip: str) -> int:
        """The place of a clip, by its id, by digits that only its id begins with, or as `test:0`, the first of a split.

        Raises DatasetError.
        """
        split, _, place = clip.partition(":")
        if place.isdigit():
            found = [n for n, entry in enumerate(self.entries) if entry.split == split]
            if int(place) >= len(found):
                raise DatasetError(
                    f"{self.folder} has {len(found)} clips in {split!r}, asked {clip}"
                )
            return found[int(place)]
        found = [n for n, entry in enumerate(self.entries) if entry.id.startswith(clip)]
        if len(found) != 1 or not clip:
            raise DatasetError(
                f"{self.folder} has {len(found)} clips whose id begins with {clip!r}"
            )
        return found[0]

    @cached_property
    def root(self) -> str:
        """The dataset's root hash. Raises DatasetError."""
        try:
            return str(json.loads((self.folder / "dataset.json").read_text())["root"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DatasetError(f"{self.folder}/dataset.json has no root hash: {error}") from error

    @cached_property
    def pose_backend(self) -> str:
        """Which backend the poses are of: the first clip's. Raises DatasetError for an empty dataset."""
        if not self.entries:
            raise DatasetError(f"{self.folder} has no clips")
        entry = self.entries[0]
        rows = pq.read_table(
            self.folder / "clips.parquet",
            columns=["json_offset", "json_size"],
            filters=[("id", "=", entry.id)],
        ).to_pylist()
        held = self.files.read(entry.shard, rows[0]["json_offset"], rows[0]["json_size"])
        try:
            return str(json.loads(held)["pose"]["backend"]["name"])
        except (ValueError, KeyError, TypeError) as error:
            raise DatasetError(
                f"{entry.shard}: {entry.id}.json names no pose backend: {error!r}"
            ) from error

    def picture(self, number: int, frame: int) -> UInt8[np.ndarray, "512 512 3"] | None:
        """One RGB frame of a clip's video; None where the dataset has no `video/` shards. Raises DatasetError."""
        columns = ["video_shard", "mp4_offset", "mp4_size"]
        found = [("id", "=", self.entries[number].id)]
        row = pq.read_table(
            self.folder / "clips.parquet", columns=columns, filters=found
        ).to_pylist()[0]
        if not row["video_shard"] or not (self.folder / row["video_shard"]).is_file():
            return None
        movie = self.files.read(row["video_shard"], row["mp4_offset"], row["mp4_size"])
        try:
            with av.open(io.BytesIO(movie), "r", format="mp4") as container:
                for at, shown in enumerate(container.decode(video=0)):
                    if at == frame:
                        return shown.to_ndarray(format="rgb24")
        except (FFmpegError, IndexError) as error:
            raise DatasetError(
                f"{row['video_shard']}: {self.entries[number].id}.mp4: {error}"
            ) from error
        raise DatasetError(
            f"{row['video_shard']}: {self.entries[number].id}.mp4 has no frame {frame}"
        )

    def pose(self, number: int) -> Float32[np.ndarray, "frames 133 3"]:
        """x, y in pixels of the 512 crop, and confidence, of one clip. Raises DatasetError."""
        entry = self.entries[number]
        offset, size = entry.pose
        content = self.files.read(entry.shard, offset, size)
        try:
            pose = array_in(io.BytesIO(content))
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
        offset, size = entry.flac
        content = self.files.read(entry.shard, offset, size)
        try:
            samples, rate = soundfile.read(io.BytesIO(content), dtype="int16")
        except soundfile.LibsndfileError as error:
            raise DatasetError(f"{entry.shard}: {entry.id}.flac: {error}") from error
        if rate != SAMPLE_RATE or samples.shape != (entry.frames * SAMPLES_PER_FRAME,):
            raise DatasetError(
                f"{entry.shard}: {entry.id}.flac has {samples.shape} samples at {rate} Hz, "
                f"needed {entry.frames * SAMPLES_PER_FRAME} at {SAMPLE_RATE}"
            )
        return samples


def one_line(error: Exception) -> str:
    """The first line of what a library says."""
    return str(error).partition("\n")[0]

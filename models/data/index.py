"""Random access to the clips of a dataset: an index over its `motion/` shards, read once, and one read per clip.

Poses come in pixels of a 512 crop, whatever size the dataset's crops have.
"""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
from av.error import FFmpegError
from jaxtyping import Float32, Int16, UInt8
from pydantic import ValidationError

from manifests.geometry import SAMPLE_RATE, SAMPLES_PER_FRAME
from manifests.record import Clip
from manifests.shards import ShardError, from_json
from models.data.files import DatasetError, Files, Folder, array_in

COLUMNS = (
    *("id", "revision", "split", "identity", "locator", "frames", "motion_shard"),
    *("pose_offset", "pose_size", "flac_offset", "flac_size"),
)

LATER = ("use", "synthetic")
"""Columns that datasets of before do not have: all their clips serve for all, and none is marked."""

SIDE = 512
"""Pixels of the crop that poses are measured in here: Yang et al. 2025, section 3.2."""


@dataclass(frozen=True, slots=True)
class Crop:
    """How a dataset's clips were cut out. size: pixels of a side. margin: of the person's longer side, on each side."""

    size: int = SIDE
    margin: float = 0.08


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
    use: str = "all"
    synthetic: str | None = None  # dubbed or generated

    @property
    def measured_on(self) -> bool:
        """Whether models may be measured on it; else it is for training only."""
        return self.use != "train"


@dataclass(frozen=True)
class Motions:
    """The clips of a dataset in the order of their ids. Picklable; files are opened where they are read.

    folder: as `csg-data build` wrote it.
    """

    folder: Folder
    entries: Sequence[Entry]
    files: Files

    @classmethod
    def open(
        cls, folder: Path | str | Folder, *splits: str, use: Literal["all", "any"] | None = None
    ) -> "Motions":
        """The clips of these splits, or of the whole dataset. folder: a path or a URL. Raises DatasetError.

        use: `all`, without those that are for training only; `any`, with them; None: without them of `val` and `test`
        where these are named.
        """
        place = Folder.of(folder)
        if not place.has("clips.parquet"):
            raise DatasetError(f"{place} is no dataset: it has no clips.parquet")
        wanted = [("split", "in", list(splits))] if splits else None
        table = place / "clips.parquet"
        try:
            there = pq.read_schema(place.source("clips.parquet")).names
            if lacking := set(COLUMNS) - set(there):
                raise DatasetError(f"{table} has no column {min(lacking)!r}")
            columns = [*COLUMNS, *(name for name in LATER if name in there)]
            source = place.source("clips.parquet")
            rows = pq.read_table(source, columns=columns, filters=wanted).sort_by("id")
        except (pa.ArrowException, OSError) as error:
            raise DatasetError(f"{table} cannot be read: {one_line(error)}") from error
        whole = cls(place, entries_of(rows), Files(place))
        if use is None:
            return whole.where(lambda e: e.measured_on or e.split == "train" or not splits)
        return whole if use == "any" else whole.where(lambda entry: entry.measured_on)

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

    @property
    def identities(self) -> set[str]:
        """Whose clips they are."""
        return {entry.identity for entry in self.entries}

    @cached_property
    def _about(self) -> dict[str, Any]:
        try:
            about = json.loads(self.folder.read("dataset.json"))
        except (OSError, ValueError) as error:
            raise DatasetError(f"{self.folder}/dataset.json cannot be read: {error}") from error
        return about if isinstance(about, dict) else {}

    @cached_property
    def root(self) -> str:
        """The dataset's root hash. Raises DatasetError."""
        if not (root := self._about.get("root")):
            raise DatasetError(f"{self.folder}/dataset.json has no root hash")
        return str(root)

    @cached_property
    def crop(self) -> Crop:
        """How its clips were cut out, as its settings say; what they leave out is the default. Raises DatasetError."""
        settings = self._about.get("settings", {})
        crop = settings.get("crop", {}) if isinstance(settings, dict) else {}
        try:
            crop = Crop(int(crop.get("size", SIDE)), float(crop.get("margin", Crop().margin)))
        except (AttributeError, TypeError, ValueError) as error:
            raise DatasetError(f"{self.folder}/dataset.json has no crop: {error}") from error
        if crop.size < 2 or not 0.0 <= crop.margin < 10.0:
            raise DatasetError(
                f"{self.folder}/dataset.json has a crop of {crop.size} pixels with a margin of {crop.margin:g}, needed "
                "2 and more, and 0 to 10"
            )
        return crop

    @cached_property
    def pose_backend(self) -> str:
        """Which backend the poses are of: the first clip's. Raises DatasetError for an empty dataset."""
        if not self.entries:
            raise DatasetError(f"{self.folder} has no clips")
        entry = self.entries[0]
        try:
            return str(json.loads(self._json(0))["pose"]["backend"]["name"])
        except (ValueError, KeyError, TypeError) as error:
            raise DatasetError(
                f"{entry.shard}: {entry.id}.json names no pose backend: {error!r}"
            ) from error

    def record(self, number: int) -> Clip:
        """All that is on record of one clip. Raises DatasetError."""
        try:
            return from_json(self._json(number))
        except (ShardError, ValidationError) as error:
            entry = self.entries[number]
            if isinstance(error, ShardError):
                raise DatasetError(f"{entry.shard}: {entry.id}.json: {error}") from error
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise DatasetError(
                f"{entry.shard}: {entry.id}.json is no record of a clip: {where}: {first['msg']}"
            ) from error

    def _json(self, number: int) -> bytes:
        entry = self.entries[number]
        return self.files.read(entry.shard, *self._records[entry.id])

    @cached_property
    def _records(self) -> dict[str, tuple[int, int]]:
        """Clip to (offset, size) of its record in its motion shard; read once."""
        columns = ["id", "json_offset", "json_size"]
        rows = pq.read_table(self.folder.source("clips.parquet"), columns=columns)
        lists = (rows[name].to_pylist() for name in columns)
        return {clip: (offset, size) for clip, offset, size in zip(*lists, strict=True)}

    def picture(self, number: int, frame: int) -> UInt8[np.ndarray, "side side 3"] | None:
        """One RGB frame of a clip's video, of the dataset's crop; None where it has no `video/` shards. Raises
        DatasetError."""
        frames = self.frames(number)
        if frames is None:
            return None
        for at, shown in enumerate(frames):
            if at == frame:
                return shown
        raise DatasetError(f"{self.folder}: {self.entries[number].id}.mp4 has no frame {frame}")

    def frames(self, number: int) -> Iterator[UInt8[np.ndarray, "side side 3"]] | None:
        """The RGB frames of a clip's video, decoded one by one; None where the dataset has no `video/` shards. Raises
        DatasetError, also while decoding."""
        clip = self.entries[number].id
        if clip not in self._videos:
            return None
        shard, offset, size = self._videos[clip]
        return decoded_frames(self.files.read(shard, offset, size), f"{shard}: {clip}.mp4")

    @cached_property
    def _videos(self) -> dict[str, tuple[str, int, int]]:
        """Clip to (shard, offset, size) of its video, of those that are there; read once."""
        columns, table = ["id", "video_shard", "mp4_offset", "mp4_size"], "clips.parquet"
        if set(columns) - set(pq.read_schema(self.folder.source(table)).names):
            return {}
        rows = pq.read_table(self.folder.source(table), columns=columns)
        shards = {str(each) for each in rows["video_shard"].unique().to_pylist() if each}
        there, own = (
            {each for each in shards if self.folder.has(each)},
            {e.id for e in self.entries},
        )
        if not there:
            return {}
        return {
            clip: (shard, offset, size)
            for clip, shard, offset, size in zip(
                *(rows[n].to_pylist() for n in columns), strict=True
            )
            if clip in own and shard in there
        }

    def pose(self, number: int) -> Float32[np.ndarray, "frames 133 3"]:
        """x, y in pixels of a 512 crop, and confidence, of one clip. Raises DatasetError."""
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
        return in_crop(pose, self.crop.size) if self.crop.size != SIDE else pose

    def sound(self, number: int) -> Int16[np.ndarray, " samples"]:
        """16 kHz mono of one clip, 640 samples per frame. Raises DatasetError."""
        entry = self.entries[number]
        offset, size = entry.flac
        content = self.files.read(entry.shard, offset, size)
        try:
            samples, sample_rate = soundfile.read(io.BytesIO(content), dtype="int16")
        except soundfile.LibsndfileError as error:
            raise DatasetError(f"{entry.shard}: {entry.id}.flac: {error}") from error
        if sample_rate != SAMPLE_RATE or samples.shape != (entry.frames * SAMPLES_PER_FRAME,):
            raise DatasetError(
                f"{entry.shard}: {entry.id}.flac has {samples.shape} samples at {sample_rate} Hz, "
                f"needed {entry.frames * SAMPLES_PER_FRAME} at {SAMPLE_RATE}"
            )
        return samples


def entries_of(rows: pa.Table) -> list[Entry]:
    """The rows of clips.parquet."""
    columns = [rows[name].to_pylist() for name in COLUMNS]
    none = [None] * len(rows)
    later = [rows[name].to_pylist() if name in rows.column_names else none for name in LATER]
    return [
        Entry(
            clip, revision, split, identity, locator, frames, shard, (pose, size), (flac, flac_size),
            use or "all", synthetic,
        )
        for clip, revision, split, identity, locator, frames, shard, pose, size, flac, flac_size, use, synthetic in zip(
            *columns, *later, strict=True
        )
    ]  # fmt: skip


def decoded_frames(movie: bytes, what: str) -> Iterator[UInt8[np.ndarray, "side side 3"]]:
    """The RGB frames of a video. what: for messages. Raises DatasetError."""
    try:
        with av.open(io.BytesIO(movie), "r", format="mp4") as container:
            for shown in container.decode(video=0):
                yield shown.to_ndarray(format="rgb24")
    except (FFmpegError, IndexError) as error:
        raise DatasetError(f"{what}: {error}") from error


def in_crop(
    pose: Float32[np.ndarray, "frames 133 3"], size: int
) -> Float32[np.ndarray, "frames 133 3"]:
    """A pose in pixels of a crop of this size as one of the 512 crop; pixel centres lie at integers in both."""
    scaled = pose.copy()
    scaled[..., :2] = (pose[..., :2] + 0.5) * (SIDE / size) - 0.5
    return np.where(pose[..., 2:] > 0.0, scaled, np.float32(0.0))


def one_line(error: Exception) -> str:
    """The first line of what a library says."""
    return str(error).partition("\n")[0]

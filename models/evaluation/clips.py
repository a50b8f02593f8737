"""The clips that are evaluated on, read one at a time."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow.parquet as pq
from jaxtyping import Float32, Int16, UInt8

from models.data.index import Motions, decoded_frames
from models.evaluation.metrics.pictures import Film
from models.infer.generator import Person


@dataclass(frozen=True, slots=True)
class EvalClip:
    """A clip that is evaluated on. person: whom a generator is to move, by the clip's first frame. film: its video."""

    id: str
    pose: Float32[np.ndarray, "_time 133 3"]
    sound: Int16[np.ndarray, " _samples"]
    person: Person
    film: Film | None


@dataclass(frozen=True)
class Videos:
    """Where the videos of some clips lie. at: clip to (shard, offset, size)."""

    motions: Motions
    at: Mapping[str, tuple[str, int, int]]

    @classmethod
    def of(cls, motions: Motions) -> "Videos":
        """Those that are there: a dataset may come without its `video/` shards."""
        columns = ["id", "video_shard", "mp4_offset", "mp4_size"]
        table = "clips.parquet"
        if set(columns) - set(pq.read_schema(motions.folder.source(table)).names):
            return cls(motions, {})
        rows = pq.read_table(motions.folder.source(table), columns=columns)
        wanted = {entry.id for entry in motions.entries}
        shards = {str(each) for each in rows["video_shard"].unique().to_pylist() if each}
        there = {each for each in shards if motions.folder.has(each)}
        if not there:
            return cls(motions, {})
        return cls(
            motions,
            {
                row["id"]: (row["video_shard"], row["mp4_offset"], row["mp4_size"])
                for row in rows.to_pylist()
                if row["id"] in wanted and row["video_shard"] in there
            },
        )

    def film(self, clip: str) -> Film | None:
        """A clip's pictures in RGB, decoded at each call; None where it has no video."""
        return partial(self._pictures, clip) if clip in self.at else None

    def _pictures(self, clip: str) -> Iterator[UInt8[np.ndarray, "_height _width 3"]]:
        shard, offset, size = self.at[clip]
        movie = self.motions.files.read(shard, offset, size)
        return decoded_frames(movie, f"{shard}: {clip}.mp4")


def reader(motions: Motions) -> Callable[[int], EvalClip]:
    """Reads a clip by its number."""
    videos = Videos.of(motions)

    def read(number: int) -> EvalClip:
        entry = motions.entries[number]
        pose, film = motions.pose(number), videos.film(entry.id)
        picture = None if film is None else next(iter(film()), None)
        person = Person(pose[0], picture, f"clip {entry.id}, frame 0")
        return EvalClip(entry.id, pose, motions.sound(number), person, film)

    return read

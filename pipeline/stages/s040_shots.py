"""Shots: where the picture is cut, and how much the camera moves, watched on the survey decode."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from manifests.geometry import grid_to_source
from manifests.record import Backend, Interval, Media, Shot, Shots, Source
from pipeline.perception.shots import Kind, ShotDetector, ShotWatcher
from pipeline.stage import need
from pipeline.store import Store

if TYPE_CHECKING:
    from pipeline.media.picture import Picture


@dataclass(frozen=True, slots=True)
class FindShots:
    """Shot boundaries, sudden and gradual (Yang et al. 2025, section 3.2: sudden changes of camera or colour)."""

    name: ClassVar = "shots"
    version: ClassVar = 5
    reads: ClassVar = frozenset({"media"})
    writes: ClassVar = "shots"

    detector: ShotDetector = field(default_factory=ShotDetector)

    def watch(self, source: Source, store: Store, /) -> "ShotsWatcher":
        media = need(source.media, "media")
        timeline = store.read_timeline(media)
        return ShotsWatcher(
            detector=self.detector,
            watcher=self.detector.start(media.rate, timeline * float(media.time_base)),
            size=small_size(media.upright_size, self.detector.long_side),
            to_grid=grid_starts(media, timeline),
        )


@dataclass(slots=True)
class ShotsWatcher:
    """One source being watched for shots."""

    detector: ShotDetector
    watcher: ShotWatcher
    size: tuple[int, int]
    to_grid: NDArray[np.int64]
    last: int = -1
    missed: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def add(self, picture: "Picture", /) -> None:
        look = picture.small if self.detector.coloured else picture.grey
        self.watcher.add(picture.index, look(self.size))
        if picture.index > self.last + 1:
            self.missed.append((self.last + 1, picture.index))
        self.last = picture.index

    def finish(self, source: Source, /) -> Source:
        media = need(source.media, "media")
        until = int(self.to_grid[self.last + 1]) if self.last >= 0 else 0
        found = [
            Shot(
                start=int(self.to_grid[part.first]),
                stop=int(self.to_grid[part.stop]),
                camera_motion=part.camera_motion,
                change=part.change,
                new_pictures=part.new_pictures,
            )
            for part in self.watcher.finish()
            if part.kind is Kind.SHOT
        ]
        backend = Backend(
            name=self.detector.name, version=self.detector.version, weights=self.detector.weights
        )
        shots = Shots(
            backend=backend,
            shots=tuple(shot for shot in found if shot.stop > shot.start),
            decoded_until=min(until, media.grid_frames),
            undecodable=self.holes(),
        )
        return source.model_copy(update={"shots": shots})

    def holes(self) -> tuple[Interval, ...]:
        """Where the grid shows source frames that did not come, though later ones did."""
        edges = [(int(self.to_grid[a]), int(self.to_grid[b])) for a, b in self.missed]
        return tuple(Interval(start=start, stop=stop) for start, stop in edges if stop > start)


def small_size(size: tuple[int, int], long_side: int) -> tuple[int, int]:
    """(width, height) of a picture shrunk to a longer side; never enlarged."""
    scale = min(1.0, long_side / max(size))
    return max(2, round(size[0] * scale)), max(2, round(size[1] * scale))


def grid_starts(media: Media, timeline: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each source frame, and one past the last, the first grid frame that shows it or a later one."""
    shown = grid_to_source(timeline, time_base=media.time_base, start=0, stop=media.grid_frames)
    return np.searchsorted(shown, np.arange(media.source_frames + 1), side="left")

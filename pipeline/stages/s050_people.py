"""People: who is in view, where and how large, looked for sparsely in the same decode as the shots."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from manifests.geometry import grid_to_source
from manifests.record import Backend, Media, People, Source
from pipeline.perception.faces import Face, FaceDetector, FaceFinder, FaceWatcher, Sampling, follow
from pipeline.stage import need
from pipeline.store import Store

if TYPE_CHECKING:
    from pipeline.media.picture import Picture


@dataclass(frozen=True, slots=True)
class FindPeople:
    """Faces every second, followed through each shot.

    longest_side: pixels of the picture that is looked at, at most; its tiles show the small figures.
    """

    name: ClassVar = "people"
    version: ClassVar = 6
    reads: ClassVar = frozenset({"media", "shots"})
    writes: ClassVar = "people"

    detector: FaceDetector = field(default_factory=FaceDetector)
    sampling: Sampling = field(default_factory=Sampling)
    longest_side: int = 1280

    def watch(self, source: Source, store: Store, /) -> "PeopleWatcher":
        media = need(source.media, "media")
        shown = shown_at(media, store)
        scale = min(1.0, self.longest_side / max(media.upright_size))
        return PeopleWatcher(
            detector=self.detector,
            watcher=FaceWatcher(finder(self.detector), shown, self.sampling),
            size=(
                max(2, round(media.upright_size[0] * scale)),
                max(2, round(media.upright_size[1] * scale)),
            ),
            shown=shown,
        )


@lru_cache(maxsize=2)
def finder(detector: FaceDetector) -> FaceFinder:
    """The face network, loaded once per worker; it keeps no state between pictures."""
    return detector.load()


@dataclass(slots=True)
class PeopleWatcher:
    """One source being looked at for faces."""

    detector: FaceDetector
    watcher: FaceWatcher
    size: tuple[int, int]
    shown: NDArray[np.int64]  # the source frame at each grid frame

    def add(self, picture: "Picture", /) -> None:
        if self.watcher.wants(picture.index):
            self.watcher.add(picture.index, picture.rgb(self.size))

    def finish(self, source: Source, /) -> Source:
        media = need(source.media, "media")
        x, y = (full / seen for full, seen in zip(media.upright_size, self.size, strict=True))
        samples: dict[int, list[Face]] = {}
        for index, faces in self.watcher.finish():
            # The first grid frame that shows this picture or a later one.
            frame = int(np.searchsorted(self.shown, index))
            if frame < media.grid_frames:
                samples.setdefault(frame, [face.scaled(x, y) for face in faces])
        shots = [(shot.start, shot.stop) for shot in need(source.shots, "shots").shots]
        people = People(
            backend=Backend(
                name=self.detector.name,
                version=self.detector.version,
                weights=self.detector.weights,
            ),
            sampled=tuple(samples),
            tracks=follow(tuple(samples.items()), shots),
        )
        return source.model_copy(update={"people": people})


def shown_at(media: Media, store: Store) -> NDArray[np.int64]:
    """For each grid frame the source frame that it shows."""
    timeline = store.read_timeline(media)
    return grid_to_source(timeline, time_base=media.time_base, start=0, stop=media.grid_frames)

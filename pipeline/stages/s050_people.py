"""People: who is in view, where and how large, looked for sparsely in the same decode as the shots."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from manifests.geometry import FPS, grid_to_source
from manifests.record import Backend, People, Source
from pipeline.media.decode import Picture
from pipeline.perception.faces import Face, FaceDetector, follow
from pipeline.run.store import Store
from pipeline.stage import Needs, Scope, need


@dataclass(frozen=True, slots=True)
class FindPeople:
    """Faces every half second, followed through each shot.

    every: seconds between two looks; longest_side: pixels of the picture that is looked at.
    """

    name: ClassVar = "people"
    version: ClassVar = 1
    scope: ClassVar = Scope.SURVEY
    reads: ClassVar = frozenset({"media", "shots"})
    writes: ClassVar = "people"
    needs: ClassVar = Needs(ram_gib=0.5)

    detector: FaceDetector = field(default_factory=FaceDetector)
    every: float = 0.5
    longest_side: int = 640

    def watch(self, source: Source, store: Store, /) -> "Looking":
        media = need(source.media, "media")
        timeline = store.read_array(media.timeline)
        step = max(1, round(self.every * FPS))
        looks = np.arange(step // 2, media.grid_frames, step)
        shown = grid_to_source(timeline, time_base=media.time_base, start=0, stop=media.grid_frames)
        scale = min(1.0, self.longest_side / max(media.upright_size))
        size = (max(2, round(media.upright_size[0] * scale)), max(2, round(media.upright_size[1] * scale)))
        return Looking(
            detector=self.detector,
            detect=self.detector.load(),
            size=size,
            to_upright=(media.upright_size[0] / size[0], media.upright_size[1] / size[1]),
            looks={int(shown[frame]): int(frame) for frame in looks},
        )


@dataclass(slots=True)
class Looking:
    """One source being looked at for faces."""

    detector: FaceDetector
    detect: Callable[[NDArray[np.uint8]], Sequence[Face]]
    size: tuple[int, int]
    to_upright: tuple[float, float]
    looks: dict[int, int]
    samples: list[tuple[int, list[Face]]] = field(default_factory=list)

    def see(self, picture: Picture, /) -> None:
        frame = self.looks.get(picture.index)
        if frame is None:
            return
        faces = self.detect(picture.rgb(self.size))
        self.samples.append((frame, [face.scaled(*self.to_upright) for face in faces]))

    def finish(self, source: Source, /) -> Source:
        shots = [(shot.start, shot.stop) for shot in need(source.shots, "shots").shots]
        people = People(
            backend=Backend(
                name=self.detector.name, version=self.detector.version, weights=self.detector.weights
            ),
            sampled=tuple(frame for frame, _ in self.samples),
            tracks=follow(self.samples, shots),
        )
        return source.model_copy(update={"people": people})

"""One video through the stages that look at pictures, without the sound: every candidate measured by every stage."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from manifests.record import (
    Backend,
    Blob,
    Clip,
    Fetched,
    Interval,
    Origin,
    Posture,
    Source,
    Speech,
    Turn,
)
from pipeline.config import Run
from pipeline.flow import Flow, build
from pipeline.media.decode import Count
from pipeline.perception import posture
from pipeline.perception.faces import Sampling
from pipeline.run.frames import SpanFrames
from pipeline.run.step import watched
from pipeline.stage import need
from pipeline.stages.s040_shots import FindShots
from pipeline.stages.s050_people import FindPeople
from pipeline.stages.s060_spans import Spans
from pipeline.stages.s070_pose import EstimatePose
from pipeline.stages.s080_posture import MeasurePosture, posture_of
from pipeline.store import Store
from pipeline.validation.faults import RGB, write

NOT_HEARD = Backend(name="none", version="1")
NO_SOUND = Blob(sha256="0" * 64, suffix=".npy", bytes=0)


@dataclass(frozen=True)
class PictureStages:
    """The flow's picture stages with a store of their own. Looks at faces every `every` seconds."""

    flow: Flow
    store: Store
    every: float = 0.4

    @classmethod
    def open(cls, work: Path, *, every: float = 0.4) -> "PictureStages":
        """The default flow; work: a folder for what is measured."""
        run = Run(work=work)
        return cls(build(run), Store(work), every)

    def written(self, pictures: Iterable[RGB], *, crf: int = 23) -> Path:
        """A file of these pictures among those of the store."""
        folder = self.store.media
        folder.mkdir(parents=True, exist_ok=True)
        return write(pictures, folder / f"{len(list(folder.iterdir()))}.mp4", crf=crf)

    def source(self, file: Path) -> Source:
        """Probed and surveyed, with a voice that is said to speak all the time."""
        source = Source(
            origin=Origin(locator=file.name),
            fetched=Fetched(sha256=str(file), bytes=file.stat().st_size, path=str(file)),
        )
        source = self.flow.on_source[0](source, self.store)
        frames = need(source.media, "media").grid_frames
        speech = Speech(
            backend=NOT_HEARD, sound=NO_SOUND, sound_start=0, sound_samples=frames * 640,
            voiced=(Interval(start=0, stop=frames),), turns=(Turn(start=0, stop=frames, speaker=0),),
            overlaps=None, music=None, voices=None,
        )  # fmt: skip
        media = need(source.media, "media").model_copy(update={"audible": (0, frames)})
        source = source.model_copy(update={"speech": speech, "media": media})
        return watched(source, self.watchers, self.store, Count())

    @property
    def watchers(self) -> tuple[FindShots, FindPeople]:
        shots, people = self.flow.on_survey
        if not isinstance(shots, FindShots) or not isinstance(people, FindPeople):
            raise TypeError("the survey looks for shots and people")
        return shots, replace(people, sampling=Sampling(every=self.every, closer_every=2.0))

    def candidates(self, source: Source) -> tuple[Clip, ...]:
        """Candidates from one second on, none cut."""
        return Spans(shortest=1.0, longest=60.0, target=30.0)(source)

    def posed(self, source: Source, clip: Clip, *, film: Source | None = None) -> Clip:
        """A candidate with pose and posture. film: whose pictures are looked at instead of the source's own."""
        frames = SpanFrames(film or source, clip, self.store)
        pose = next(stage for stage in self.flow.on_clip if isinstance(stage, EstimatePose))
        return MeasurePosture()(pose(clip, frames), frames)

    def pose(self, clip: Clip) -> Float32[np.ndarray, "time 133 3"]:
        """The stored pose of a posed candidate, in pixels of the source."""
        return self.store.read_array(need(need(clip.pose, "pose").array, "array")).astype(
            np.float32
        )


def posture_within(clip: Clip, pose: Float32[np.ndarray, "time 133 3"]) -> tuple[Posture, float]:
    """(posture, fraction of frames with a body) of a part of a candidate, by the stage's own arithmetic."""
    section = need(clip.pose, "pose")
    measured = posture_of(pose, clip.media.upright_size, section.valid_from, section.backend)
    return measured, posture.body_found(pose)

"""A candidate of a real small video, for the tests of the stages that are called on candidates."""

from pathlib import Path

import numpy as np

from manifests.geometry import SAMPLES_PER_FRAME
from manifests.record import Box, Clip, Fetched, Origin, Source, Span
from pipeline.run.frames import SpanFrames
from pipeline.stage import need
from pipeline.stages.s020_probe import Probe
from pipeline.store import Store
from tests.examples import clip, source
from tests.video import make_video


def of_video(folder: Path, *, start: int, frames: int, region: Box) -> tuple[Clip, SpanFrames]:
    """A span of a video of 60 frames of 320 x 240; its sound counts the grid's frames."""
    store, path = Store(folder / "work"), folder / "talk.mp4"
    if not path.exists():
        make_video(path, frames=60)
    fetched = Fetched(sha256="ee" * 32, bytes=1, path=str(path))
    probed = Probe()(Source(origin=Origin(locator=path.name), fetched=fetched), store)
    heard = need(source(60, turns=((0, 60),)).speech, "speech")
    track = np.repeat(np.arange(60, dtype=np.int16), SAMPLES_PER_FRAME)
    heard = heard.model_copy(
        update={"sound": store.put_array(track), "sound_samples": len(track), "sound_start": 0}
    )
    whole = probed.model_copy(update={"speech": heard})
    some = clip(start=start, frames=frames)
    some = some.model_copy(
        update={
            "span": Span(start=start, stop=start + frames),
            "person": some.person.model_copy(update={"region": region}),
            "media": some.media.model_copy(update={"upright_size": (320, 240)}),
        }
    )
    return some, SpanFrames(whole, some, store)


def posed(some: Clip, store: Store, pose: np.ndarray) -> Clip:
    """The clip with a pose (F, 133, 3)."""
    section = need(some.pose, "pose").model_copy(update={"array": store.put_array(pose)})
    return some.model_copy(update={"pose": section})

"""The flow with cheap stages: real fetching, spans, rules, identity, split and packing, and measurements that cost
milliseconds, are a function of the source's bytes, and obey the harness.
"""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from manifests.geometry import SAMPLES_PER_FRAME
from manifests.record import (
    Backend,
    Clip,
    Crop,
    FaceSample,
    Framing,
    Interval,
    People,
    Pose,
    Posture,
    Shot,
    Shots,
    Source,
    Speech,
    Sync,
    Track,
    Turn,
)
from pipeline.config import Run
from pipeline.flow import Flow
from pipeline.rules import CLIP_RULES, SOURCE_RULES, with_thresholds, with_training_only
from pipeline.stage import Frames, need
from pipeline.stages.s010_fetch import FetchSource
from pipeline.stages.s020_probe import Probe
from pipeline.stages.s060_spans import Spans
from pipeline.stages.s120_identity import Identify
from pipeline.stages.s130_split import Splitting
from pipeline.stages.s140_pack import Packing
from pipeline.store import Store
from tests.faults.orders import begun, obey

if TYPE_CHECKING:
    from pipeline.media.picture import Picture

CHEAP = Backend(name="cheap", version="1")
SMALL = {"too_short": 25.0, "frame_too_small": 32.0}
"""Thresholds that let small sources through."""
VOICES = 2  # of each source, one after the other
VIDEO_BYTES = 20_000


def flow(run: Run) -> Flow:
    """The cheap flow of a run's settings; `crop.margin` makes other crops."""
    return Flow(
        fetch=FetchSource(run.fetch, run.lock_file, update=run.update_lock),
        on_source=(CheapProbe(), CheapSpeech()),
        on_survey=(CheapShots(), CheapPeople()),
        spans=Spans(shortest=1.0, longest=4.0, target=2.0),
        on_clip=(
            CheapPose(),
            CheapPosture(),
            CheapSync(),
            CheapFraming(run.crop.margin),
            CheapCrop(),
        ),
        identity=Identify(similarity=0.9, encoder=CHEAP),
        split=Splitting(salt=run.split.salt, mode=run.split.mode),
        pack=Packing(shard_mib=1),
        source_rules=with_thresholds(SOURCE_RULES, SMALL),
        clip_rules=with_training_only(with_thresholds(CLIP_RULES, run.rules), run.training_only),
        face_size=None,
        face_margin=0.0,
    )


def draw(*facts: object) -> np.random.Generator:
    """Numbers that depend on some facts alone."""
    text = " ".join(map(str, facts))
    return np.random.default_rng(list(hashlib.sha256(text.encode()).digest()))


# ---- on sources ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CheapProbe(Probe):
    """The real probe, which is cheap, as an obedient stage."""

    def __call__(self, source: Source, store: Store, /) -> Source:
        begun(self.name, source.origin.locator)
        return Probe.__call__(self, source, store)


@dataclass(frozen=True, slots=True)
class CheapSpeech:
    """Two voices, one after the other, heard as noise."""

    name: ClassVar = "speech"
    version: ClassVar = 1
    reads: ClassVar = frozenset({"media"})
    writes: ClassVar = "speech"

    def __call__(self, source: Source, store: Store, /) -> Source:
        begun(self.name, source.origin.locator)
        media, sha256 = need(source.media, "media"), need(source.fetched, "fetched").sha256
        frames, numbers = media.grid_frames, draw("speech", sha256)
        voices = numbers.normal(size=(VOICES, 16)).astype(np.float32)
        edges = [frames * part // VOICES for part in range(VOICES + 1)]
        turns = [
            Turn(start=edges[voice], stop=edges[voice + 1], speaker=voice)
            for voice in range(VOICES)
        ]
        speech = Speech(
            backend=CHEAP,
            sound=store.put_array(
                numbers.integers(-999, 999, frames * SAMPLES_PER_FRAME, dtype=np.int16)
            ),
            sound_start=0,
            sound_samples=frames * SAMPLES_PER_FRAME,
            voiced=tuple(Interval(start=turn.start, stop=turn.stop) for turn in turns),
            turns=tuple(turns),
            overlaps=None,
            music=None,
            voices=store.put_array(voices / np.linalg.norm(voices, axis=1, keepdims=True)),
        )
        return source.model_copy(update={"speech": speech})


# ---- on the survey ---------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Counting:
    """Counts the survey's pictures."""

    stage: "CheapShots | CheapPeople"
    pictures: int = 0

    def add(self, picture: "Picture", /) -> None:
        self.pictures += 1

    def finish(self, source: Source, /) -> Source:
        return self.stage.seen(source, self.pictures)


@dataclass(frozen=True, slots=True)
class CheapShots:
    """One shot."""

    name: ClassVar = "shots"
    version: ClassVar = 1
    reads: ClassVar = frozenset({"media"})
    writes: ClassVar = "shots"

    def watch(self, source: Source, store: Store, /) -> Counting:
        begun(self.name, source.origin.locator)
        return Counting(self)

    def seen(self, source: Source, pictures: int) -> Source:
        media = need(source.media, "media")
        frames = media.grid_frames if pictures == media.source_frames else pictures
        shot = Shot(start=0, stop=media.grid_frames, camera_motion=0.0, change=9.0)
        shots = Shots(backend=CHEAP, shots=(shot,), decoded_until=frames)
        return source.model_copy(update={"shots": shots})


@dataclass(frozen=True, slots=True)
class CheapPeople:
    """One person, looked at every second."""

    name: ClassVar = "people"
    version: ClassVar = 1
    reads: ClassVar = frozenset({"media", "shots"})
    writes: ClassVar = "people"

    def watch(self, source: Source, store: Store, /) -> Counting:
        begun(self.name, source.origin.locator)
        return Counting(self)

    def seen(self, source: Source, pictures: int) -> Source:
        media = need(source.media, "media")
        width, height = media.upright_size
        face = (width * 0.4, height * 0.2, width * 0.15, height * 0.2)
        looks = tuple(range(0, media.grid_frames, 25))
        samples = tuple(FaceSample(frame=at, box=face, score=0.9, facing=1.0) for at in looks)
        people = People(backend=CHEAP, sampled=looks, tracks=(Track(person=0, samples=samples),))
        return source.model_copy(update={"people": people})


# ---- on candidates ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CheapPose:
    """Random joints, the same for the same candidate."""

    name: ClassVar = "pose"
    version: ClassVar = 1
    reads: ClassVar = frozenset({"media", "span", "person"})
    writes: ClassVar = "pose"

    def __call__(self, clip: Clip, frames: Frames, /) -> Clip:
        begun(self.name, clip.id)
        joints = draw("pose", clip.id).random((clip.span.frames, 133, 3), dtype=np.float32)
        pose = Pose(backend=CHEAP, array=frames.store.put_array(joints), valid_from=0.1, found=1.0)
        return clip.model_copy(update={"pose": pose})


@dataclass(frozen=True, slots=True)
class CheapPosture:
    """A posture that no rule minds, after the pose was read back."""

    name: ClassVar = "posture"
    version: ClassVar = 1
    reads: ClassVar = frozenset({"pose", "media"})
    writes: ClassVar = "posture"

    def __call__(self, clip: Clip, frames: Frames, /) -> Clip:
        begun(self.name, clip.id)
        posture = Posture(
            backend=CHEAP,
            upper_body=float(joints_of(clip, frames)[..., 2].mean()),
            shoulder_width=0.3,
            facing=1.0,
            shoulder_facing=1.0,
            face_seen=1.0,
            stillness=1.0,
            hands=1.0,
        )
        return clip.model_copy(update={"posture": posture})


@dataclass(frozen=True, slots=True)
class CheapSync:
    """Lips that fit, after the sound was read back."""

    name: ClassVar = "sync"
    version: ClassVar = 1
    reads: ClassVar = frozenset({"media", "span", "person", "pose"})
    writes: ClassVar = "sync"

    def __call__(self, clip: Clip, frames: Frames, /) -> Clip:
        begun(self.name, clip.id)
        loud = float(np.abs(frames.sound()).mean())
        sync = Sync(backend=CHEAP, offset=0, confidence=loud, speaking=1.0, shifted=0)
        return clip.model_copy(update={"sync": sync})


@dataclass(frozen=True, slots=True)
class CheapFraming:
    """A square that depends on the margin; one candidate in sixteen reaches too far outside for the rule."""

    name: ClassVar = "framing"
    version: ClassVar = 1
    reads: ClassVar = frozenset({"media", "person", "pose"})
    writes: ClassVar = "framing"

    margin: float

    def __call__(self, clip: Clip, frames: Frames, /) -> Clip:
        begun(self.name, clip.id)
        framing = Framing(
            box=(0.0, 0.0, 64.0 + self.margin, 64.0 + self.margin),
            outside=0.9 if clip.id[3] == "c" else 0.1,
            enlarged=1.0,
            size=(64, 64),
            affine=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
        )
        return clip.model_copy(update={"framing": framing})


@dataclass(frozen=True, slots=True)
class CheapCrop:
    """Files of the right kinds, written as the real stage writes them."""

    name: ClassVar = "crop"
    version: ClassVar = 1
    reads: ClassVar = frozenset({"media", "span", "pose", "sync", "framing"})
    writes: ClassVar = "crop"

    def __call__(self, clip: Clip, frames: Frames, /) -> Clip:
        begun(self.name, clip.id)
        import soundfile

        framing = need(clip.framing, "framing")
        with frames.store.scratch() as folder:
            video, audio = folder / "clip.mp4", folder / "clip.flac"
            video.write_bytes(draw("crop", clip.id, framing.box).bytes(VIDEO_BYTES))
            soundfile.write(audio, frames.sound(), 16_000, subtype="PCM_16")
            obey("stored", clip.id)
            crop = Crop(
                video=frames.store.put_file(video),
                audio=frames.store.put_file(audio),
                pose=frames.store.put_array(joints_of(clip, frames) + np.float32(framing.box[2])),
            )
        return clip.model_copy(update={"crop": crop})


def joints_of(clip: Clip, frames: Frames) -> NDArray[np.float32]:
    """The pose (F, 133, 3) of a candidate, read from the store."""
    pose = need(clip.pose, "pose")
    return frames.store.read_array(need(pose.array, "pose.array")).astype(np.float32)

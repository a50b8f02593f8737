"""The dataset as an ordered row of stages. Read this first; then `rules.py`, which says what each of them drops.

    source list
        |  fetch     the bytes, hashed and pinned                         one source at a time
        |  probe     streams, size, time base, timeline
        |  speech    who speaks when                                      (cheapest first: sound before picture)
        |  shots     \\  one low-resolution decode of the source,
        |  people    /  watched by both
        v  spans     candidates: one shot, one voice, one person, 5-15 s
        |  pose      133 keypoints per frame                              one decode of the candidate,
        |  posture   what the pose says about the clip's use              one candidate at a time,
        |  sync      do these lips fit this voice                          until a rule drops it
        |  framing   the square around the speaker
        |  crop      512x512 video, 16 kHz sound                          a second decode, survivors only
        v  identity  speaker groups over the whole set                    all clips together
        |  split     train, val, test by identity
        v  pack      shards, manifests, card, root hash

To add a stage: write one file in `stages/`, put it in the row here, and its rules in `rules.py` (CONTRIBUTING.md).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from manifests.record import Backend, Clip, ClipOrigin, Decision, Source, Synthetic
from pipeline.config import Pose, Run, Speech
from pipeline.media.encoding import Encoding
from pipeline.perception import pose, shots, speech, sync
from pipeline.perception.faces import Sampling
from pipeline.rules import CLIP_RULES, SOURCE_RULES, Rule, with_thresholds, with_training_only
from pipeline.stage import Named, SourceStage, SpanStage, SurveyStage
from pipeline.stages.s010_fetch import FetchSource
from pipeline.stages.s020_probe import Probe
from pipeline.stages.s030_speech import HearSpeech
from pipeline.stages.s040_shots import FindShots
from pipeline.stages.s050_people import FindPeople
from pipeline.stages.s060_spans import Spans
from pipeline.stages.s070_pose import EstimatePose
from pipeline.stages.s080_posture import MeasurePosture
from pipeline.stages.s090_sync import MeasureSync
from pipeline.stages.s100_framing import FrameSpeaker
from pipeline.stages.s110_crop import CropClip
from pipeline.stages.s120_identity import Identify
from pipeline.stages.s130_split import Splitting
from pipeline.stages.s140_pack import Packing
from pipeline.verdict import decide, synthetic_row

Made = TypeVar("Made")
SURVEY = "survey"
"""The name of the one decode that the survey's stages share."""
RUN = "run"
"""Stands for a stage where the run itself failed."""


@dataclass(frozen=True, slots=True)
class Flow:
    """The stages of one run in their order, grouped by what they are called on, and the rules between them."""

    fetch: FetchSource
    on_source: tuple[SourceStage, ...]
    on_survey: tuple[SurveyStage, ...]
    spans: Spans
    on_clip: tuple[SpanStage, ...]
    identity: Identify
    split: Splitting
    pack: Packing
    source_rules: tuple[Rule, ...]
    clip_rules: tuple[Rule, ...]
    face_size: int | None
    face_margin: float

    @property
    def stages(self) -> tuple[Named, ...]:
        """Every stage, in the order of the flow."""
        return (
            self.fetch,
            *self.on_source,
            *self.on_survey,
            self.spans,
            *self.on_clip,
            self.identity,
            self.split,
            self.pack,
        )

    @property
    def versions(self) -> dict[str, int]:
        """The version of each stage by its name; the survey, one decode for its stages, is that of the first."""
        versions = {stage.name: stage.version for stage in self.stages}
        return {**versions, SURVEY: self.on_survey[0].version, RUN: 1}

    def candidates(self, subject: Source | Clip) -> tuple[Clip, ...]:
        """The candidates of a measured source; none of a clip, or where nobody was looked for."""
        if isinstance(subject, Clip) or subject.people is None:
            return ()
        return tuple(
            clip.model_copy(update={"origin": marked(clip.origin, subject.origin.synthetic)})
            for clip in self.spans(subject)
        )

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps of a run in order, up to crop; the survey's stages are one step, since they share one decode."""
        sources = (self.fetch.name, *(stage.name for stage in self.on_source), SURVEY)
        return (*sources, *(stage.name for stage in self.on_clip))

    def decide(self, subject: Source | Clip) -> tuple[Decision, ...]:
        """Every rule whose measurement the subject carries, in the order of the rules, and what its list says."""
        if isinstance(subject, Source):
            return decide(subject, self.source_rules, self.versions)
        listed = synthetic_row(subject, stage=(self.fetch.name, self.fetch.version))
        return (*decide(subject, self.clip_rules, self.versions), *listed)


def marked(origin: ClipOrigin, synthetic: Synthetic | None) -> ClipOrigin:
    """Where a clip comes from, with what its list says of how it was made."""
    return origin.model_copy(update={"synthetic": synthetic})


def build(run: Run) -> Flow:
    """The flow of a run's settings; `auto` is what it stands for on this machine. Raises WeightsError."""
    return _build(run.with_backends().model_dump_json())


@lru_cache(maxsize=8)
def _build(settings: str) -> Flow:
    run = Run.model_validate_json(settings)
    speech_backend = chosen(speech.BACKENDS, run.speech)
    pose_backend = chosen(pose.BACKENDS, run.pose)
    sync_backend = sync.BACKENDS[run.sync.backend](weights=run.sync.weights)
    return Flow(
        fetch=FetchSource(run.fetch, run.lock_file, update=run.update_lock),
        on_source=(
            Probe(),
            HearSpeech(speech_backend),
        ),
        on_survey=(
            FindShots(shots.BACKENDS[run.shots.backend]()),
            FindPeople(sampling=Sampling(every=run.survey.faces_every)),
        ),
        spans=Spans(
            shortest=run.spans.shortest,
            longest=run.spans.longest,
            target=run.spans.target,
            pause=run.spans.pause,
            silence=run.spans.silence,
        ),
        on_clip=(
            EstimatePose(pose_backend, run.pose.longest_side),
            MeasurePosture(),
            MeasureSync(sync_backend),
            FrameSpeaker(size=run.crop.size, margin=run.crop.margin),
            CropClip(
                Encoding(
                    size=(run.crop.size, run.crop.size), crf=run.crop.crf, preset=run.crop.preset
                )
            ),
        ),
        identity=Identify(
            similarity=run.identity.similarity or speech_backend.same_voice,
            encoder=Backend(
                name=speech_backend.name,
                version=speech_backend.version,
                weights=speech_backend.weights,
            ),
        ),
        split=Splitting(
            salt=run.split.salt, val=run.split.val, test=run.split.test, mode=run.split.mode
        ),
        pack=Packing(shard_mib=run.pack.shard_mib),
        source_rules=with_thresholds(SOURCE_RULES, run.rules),
        clip_rules=with_training_only(with_thresholds(CLIP_RULES, run.rules), run.training_only),
        face_size=sync_backend.face_size,
        face_margin=sync_backend.face_margin,
    )


def measuring(run: Run) -> dict[str, str]:
    """The chosen backend by the section of a record that it measures; other sections have no choice of backends."""
    run = run.with_backends()
    return {
        "speech": run.speech.backend,
        "shot": run.shots.backend,
        "pose": run.pose.backend,
        "posture": run.pose.backend,
        "sync": run.sync.backend,
    }


def lacking(run: Run) -> list[str]:
    """What the chosen backends lack on this machine, one sentence each; nothing where the run can begin."""
    run = run.with_backends()
    made = {
        "shots": (run.shots.backend, shots.BACKENDS[run.shots.backend]()),
        "speech": (run.speech.backend, chosen(speech.BACKENDS, run.speech)),
        "pose": (run.pose.backend, chosen(pose.BACKENDS, run.pose)),
        "sync": (run.sync.backend, sync.BACKENDS[run.sync.backend](weights=run.sync.weights)),
    }
    return [
        f"{kind}.backend: {name} cannot run: {missing}"
        for kind, (name, backend) in made.items()
        if (missing := backend.missing()) is not None
    ]


def chosen(backends: Mapping[str, Callable[..., Made]], settings: Speech | Pose) -> Made:
    """The backend that the settings name; the file or folder of weights is its first parameter."""
    make = backends[settings.backend]
    if isinstance(settings, Pose) and settings.backend != "mediapipe":
        return make(settings.weights, settings.detector, settings.device)
    return make() if settings.weights is None else make(settings.weights)

"""The one walk over the flow: a source to its candidates, a candidate to its clip, each until a rule drops it.

The run, its plan and its workers all use it. They differ in where sections come from, their `SectionProvider`:
the ledger (`pipeline.run.recorded`), or a measurement on the spot (`pipeline.run.step`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from manifests.record import Blob, Clip, Decision, Source
from pipeline.flow import SURVEY, Flow
from pipeline.run.entry import Entry
from pipeline.sources.locators import Located
from pipeline.stage import SourceStage, SpanStage, StageFacts
from pipeline.verdict import Failed, Refusal, StageVersion, dropped, refused


@dataclass(slots=True)
class Costs:
    """What a step cost, by stage: seconds, and decoded frames. No part of any key or of the root hash."""

    seconds: dict[str, float] = field(default_factory=dict[str, float])
    decoded: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for one subject: the record as far as it was measured, the decisions, and the error if there was one.

    failure: an error of this subject alone. outage: something that the whole run needs is gone, in one sentence.
    damaged: blobs of the store that are not what the ledger says, so that what made them must run again. entries: what
    was measured, by key, for the ledger. fetched_only: the source's bytes are here, and what is on record of them may
    be used before more is measured.
    """

    subject: Source | Clip
    decisions: tuple[Decision, ...] = ()
    failure: Failed | None = None
    outage: str | None = None
    damaged: tuple[Blob, ...] = ()
    costs: Costs = field(default_factory=Costs)
    entries: tuple[tuple[str, Entry], ...] = ()
    fetched_only: bool = False

    @property
    def drop(self) -> Decision | None:
        return dropped(self.decisions)

    @property
    def alive(self) -> bool:
        """Whether every stage has measured the subject and no rule dropped it."""
        return self.failure is None and self.drop is None


class NotYet(Exception):
    """A section is not on record: its stage, and the subject as far as it is."""

    def __init__(self, stage: str, reached: Source | Clip) -> None:
        super().__init__(stage)
        self.stage = stage
        self.reached = reached


@runtime_checkable
class SectionProvider(Protocol):
    """Where sections come from. Each method returns the subject with the section; raises Refusal or NotYet."""

    def fetch(self, located: Located, source: Source, /) -> Source: ...

    def measure_source(self, stage: SourceStage, source: Source, /) -> Source: ...

    def survey(self, source: Source, /) -> Source: ...

    def measure_clip(self, stage: SpanStage, clip: Clip, /) -> Clip: ...


def walk_source(flow: Flow, located: Located, source: Source, provider: SectionProvider) -> Outcome:
    """The source half of the flow: fetch, the source stages, and the survey if anybody speaks long enough.

    source: as far as it is known already; sections that it has are not asked for.
    """
    for stage, step in source_steps(flow, located, provider):
        try:
            source = step(source)
        except Refusal as refusal:
            return refusal_of(flow, source, refusal, stage)
        if dropped(flow.decide(source)):
            break
    return Outcome(source, flow.decide(source))


SourceStep = Callable[[Source], Source]


def source_steps(
    flow: Flow, located: Located, provider: SectionProvider
) -> list[tuple[StageVersion, SourceStep]]:
    """Name and version of each step with what it does, in the order of the flow."""

    def fetch(source: Source) -> Source:
        return provider.fetch(located, source) if source.fetched is None else source

    def measure(stage: SourceStage) -> SourceStep:
        return lambda source: (
            provider.measure_source(stage, source) if lacks(source, stage) else source
        )

    def survey(source: Source) -> Source:
        done = not any(lacks(source, stage) for stage in flow.on_survey)
        return source if done or not flow.spans.has_long_turn(source) else provider.survey(source)

    return [
        ((flow.fetch.name, flow.fetch.version), fetch),
        *(((stage.name, stage.version), measure(stage)) for stage in flow.on_source),
        ((SURVEY, flow.versions[SURVEY]), survey),
    ]


def walk_clip(
    flow: Flow, clip: Clip, provider: SectionProvider, *, cascade: bool = True
) -> Outcome:
    """The candidate half of the flow: each stage only while no rule drops (DESIGN rule 2).

    clip: as far as it is known already. cascade: False measures everything on everything, for comparing the keep-sets.
    """
    for stage in flow.on_clip:
        if cascade and dropped(flow.decide(clip)):
            break
        if not lacks(clip, stage):
            continue
        try:
            clip = provider.measure_clip(stage, clip)
        except Refusal as refusal:
            return refusal_of(flow, clip, refusal, (stage.name, stage.version))
    return Outcome(clip, flow.decide(clip))


def lacks(subject: Source | Clip, stage: StageFacts) -> bool:
    """Whether the section that a stage writes is not there yet."""
    return getattr(subject, stage.writes) is None


def refusal_of(
    flow: Flow, subject: Source | Clip, refusal: Refusal, stage: StageVersion
) -> Outcome:
    """What comes of a subject that a stage could not measure."""
    return Outcome(subject, (*flow.decide(subject), refused(subject, refusal, stage=stage)))

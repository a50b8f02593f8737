"""Verdicts: the refusal that a stage may raise, and the pure function that applies the rules."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel

from manifests.record import Backend, Clip, Decision, Source, Verdict, Why
from pipeline.rules import Rule

Subject = TypeVar("Subject", Source, Clip)
StageVersion = tuple[str, int]
"""Name of a stage and its version."""


class Refusal(Exception):
    """A stage cannot measure its subject, for a reason that is a fact about the subject.

    Not a failure: it is never retried, and it drops the subject with its reason.
    """

    def __init__(self, why: Why, detail: str) -> None:
        super().__init__(detail)
        self.why = why
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Failed:
    """An unexpected error: the subject, the stage at work, and the exception as text."""

    subject: str
    stage: str
    error: str
    traceback: str
    why: Why = Why.FAILED


def decide(
    subject: Source | Clip, rules: Iterable[Rule], versions: Mapping[str, int]
) -> tuple[Decision, ...]:
    """Apply every rule whose measurement the subject carries, in the order of the rules.

    Pure: the same record and rules give the same decisions. A rule not proven for the backend that measured says
    `unknown` and acts on nothing (DESIGN rule 5). versions: of the stages by name.
    """
    return tuple(
        judge(subject, rule, section, version=versions[rule.stage])
        for rule in rules
        if (section := section_of(subject, rule)) is not None
    )


def first_drop(subject: Source | Clip, rules: Iterable[Rule]) -> Rule | None:
    """The rule of the first row of `decide` that drops, or None, without making the rows: asked after every stage."""
    for rule in rules:
        section = section_of(subject, rule)
        if section is None:
            continue
        if verdict_of(rule, backend_of(section), rule.value(section)) is Verdict.DROPPED:
            return rule
    return None


def verdict_of(rule: Rule, backend: Backend, value: float | None) -> Verdict:
    """The verdict of a rule on a value that a backend measured."""
    if not rule.proven_for(backend.name, backend.weights):
        return Verdict.UNKNOWN
    if rule.passes(value):
        return Verdict.KEPT
    return Verdict.TRAINING_ONLY if rule.training_only else Verdict.DROPPED


def backend_of(section: BaseModel) -> Backend:
    """The backend that measured a section; our own code where none is named."""
    backend = getattr(section, "backend", None)
    return backend if isinstance(backend, Backend) else OWN


def judge(subject: Source | Clip, rule: Rule, section: BaseModel, *, version: int) -> Decision:
    """One rule on one subject."""
    value, backend = rule.value(section), backend_of(section)
    verdict = verdict_of(rule, backend, value)
    return decision(
        subject,
        stage=(rule.stage, version),
        backend=backend,
        measurement=rule.measurement,
        value=value,
        unit=rule.unit,
        comparator=rule.comparator,
        threshold=rule.threshold,
        verdict=verdict,
        reason=rule.why if verdict in (Verdict.DROPPED, Verdict.TRAINING_ONLY) else None,
    )


def refused(subject: Source | Clip, refusal: Refusal, *, stage: StageVersion) -> Decision:
    """The row of a subject that a stage could not measure."""
    return decision(
        subject,
        stage=stage,
        backend=OWN,
        measurement=f"{stage[0]}.possible",
        value=None,
        unit="",
        comparator="",
        threshold=None,
        verdict=Verdict.DROPPED,
        reason=refusal.why,
        detail=refusal.detail,
    )


def failed(subject: Source | Clip, failure: Failed, *, version: int) -> Decision:
    """The row of a subject on which the run itself failed."""
    return decision(
        subject,
        stage=(failure.stage, version),
        backend=OWN,
        measurement=f"{failure.stage}.possible",
        value=None,
        unit="",
        comparator="",
        threshold=None,
        verdict=Verdict.FAILED,
        reason=failure.why,
        detail=failure.error,
    )


def section_of(subject: Source | Clip, rule: Rule) -> BaseModel | None:
    """The section a rule reads, or None where no stage has written it."""
    section = getattr(subject, rule.section, None)
    return section if isinstance(section, BaseModel) else None


def dropped(decisions: Sequence[Decision]) -> Decision | None:
    """The first decision that drops, or None: what a subject is dropped for."""
    return next((d for d in decisions if d.verdict in (Verdict.DROPPED, Verdict.FAILED)), None)


def synthetic_row(clip: Clip, *, stage: StageVersion) -> tuple[Decision, ...]:
    """The row of a clip that its list calls dubbed or generated, which is no truth to measure by; none of any other."""
    if clip.origin.synthetic is None:
        return ()
    row = decision(
        clip,
        stage=stage,
        backend=OWN,
        measurement="origin.synthetic",
        value=None,
        unit="",
        comparator="",
        threshold=None,
        verdict=Verdict.TRAINING_ONLY,
        reason=Why.SYNTHETIC,
        detail=clip.origin.synthetic,
    )
    return (row,)


def for_training_only(decisions: Iterable[Decision]) -> bool:
    """Whether a subject is kept for training only."""
    return any(d.verdict is Verdict.TRAINING_ONLY for d in decisions)


OWN = Backend(name="cospeech", version="1")


def decision(  # noqa: PLR0913 - one parameter for each column of the row
    subject: Source | Clip,
    *,
    stage: StageVersion,
    backend: Backend,
    measurement: str,
    value: float | None,
    unit: str,
    comparator: str,
    threshold: float | None,
    verdict: Verdict,
    reason: Why | None,
    detail: str | None = None,
) -> Decision:
    """A decision row with the place of its subject filled in."""
    if isinstance(subject, Clip):
        name, start, stop = subject.id, subject.span.start, subject.span.stop
        person: int | None = subject.person.number
    else:
        name, start, person = subject.origin.locator, 0, None
        stop = subject.media.grid_frames if subject.media else 0
    return Decision(
        subject=name,
        source=subject.origin.locator,
        start=start,
        stop=stop,
        person=person,
        stage=stage[0],
        version=stage[1],
        backend=backend.name,
        backend_version=backend.version,
        weights=backend.weights,
        measurement=measurement,
        value=value,
        unit=unit,
        comparator=comparator,
        threshold=threshold,
        verdict=verdict,
        reason=reason,
        detail=detail,
    )

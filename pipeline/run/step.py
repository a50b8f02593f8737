"""One step of the run: the stages of one source, or of one candidate, in order, stopping at the first drop.

This file holds the one place where an exception becomes a record.
"""

import faulthandler
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, get_args

import cv2
from pydantic import BaseModel

from manifests.record import Blob, Clip, Decision, Source, Why
from pipeline.config import Run
from pipeline.fetching import FetchError
from pipeline.flow import Flow, build
from pipeline.media.decode import Count
from pipeline.run.frames import SpanFrames
from pipeline.run.ledger import Ledger
from pipeline.run.survey import survey
from pipeline.sources.locators import Located
from pipeline.stage import StageFacts, digest, fingerprint
from pipeline.store import Store
from pipeline.verdict import Failed, Refusal, dropped, refused

Subject = TypeVar("Subject", Source, Clip)

cv2.setNumThreads(1)  # a worker has one core; Dask has the others


@dataclass(slots=True)
class Books:
    """What a step cost, by stage; outside of every key and of the root hash."""

    seconds: dict[str, float] = field(default_factory=dict[str, float])
    decoded: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a step: the record as far as it got, the decisions, and the failure if there was one."""

    subject: Source | Clip
    decisions: tuple[Decision, ...] = ()
    failure: Failed | None = None
    books: Books = field(default_factory=Books)

    @property
    def drop(self) -> Decision | None:
        return dropped(self.decisions)


@dataclass(slots=True)
class Bench:
    """Where a step works: its settings, the flow, the store, the ledger, and what it is doing right now."""

    run: Run
    flow: Flow
    store: Store
    ledger: Ledger
    books: Books = field(default_factory=Books)
    doing: str = "run"
    reached: Source | Clip | None = (
        None  # the subject as far as it was measured, for a step that fails
    )

    @classmethod
    def open(cls, run: Run) -> "Bench":
        return cls(run, build(run), Store(run.work_folder), Ledger(run.work_folder))

    @contextmanager
    def timed(self, stage: str, count: Count) -> Iterator[None]:
        """Book what the block costs under a stage's name."""
        self.doing = stage
        began, before = time.perf_counter(), count.decoded
        try:
            yield
        finally:
            seconds = time.perf_counter() - began
            self.books.seconds[stage] = self.books.seconds.get(stage, 0.0) + seconds
            self.books.decoded[stage] = self.books.decoded.get(stage, 0) + count.decoded - before


# ---- the two steps ---------------------------------------------------------------------------------------------------


def source_step(run: Run, run_id: str, located: Located) -> Outcome:
    """Measure one source: fetch, probe, speech, and the survey if anybody speaks long enough."""
    bench = Bench.open(run)
    subject = Source(origin=located.origin)
    return guarded(
        bench, run_id, subject, located.origin.locator, lambda: measure_source(bench, located)
    )


def clip_step(run: Run, run_id: str, source: Source, clip: Clip) -> Outcome:
    """Measure one candidate as far as its rules let it, and store it if they all do."""
    bench = Bench.open(run)
    return guarded(bench, run_id, clip, clip.id, lambda: measure_clip(bench, source, clip))


def guarded(
    bench: Bench, run_id: str, subject: Source | Clip, name: str, work: Callable[[], Outcome]
) -> Outcome:
    """Run a step; what it raises becomes one `Failed`, and a step that kills its process is not tried for ever.

    Native code cannot be interrupted, so a step over its time takes its process with it (faulthandler's own thread ends
    it even while a decoder hangs); the mark it left tells the next try that it died.
    """
    deaths, stack = bench.ledger.begin(run_id, name), bench.ledger.stack(run_id, name)
    if deaths > bench.run.retries:
        bench.ledger.end(run_id, name)
        error = f"its worker died or ran over {bench.run.step_minutes:g} minutes, {deaths} times"
        doing = stack.read_text() if stack.is_file() else ""
        return Outcome(subject, failure=Failed(name, "run", error, doing))
    try:
        with time_limit(bench.run.step_minutes * 60.0, stack):
            outcome = work()
    except Exception as error:  # noqa: BLE001 - the one place where a surprise becomes a record (DESIGN rule 10)
        words = f"{type(error).__name__}: {error}"
        why = error.why if isinstance(error, FetchError) else Why.FAILED
        failure = Failed(name, bench.doing, words, traceback.format_exc(limit=20), why)
        outcome = Outcome(bench.reached or subject, failure=failure, books=bench.books)
    bench.ledger.end(run_id, name)
    return outcome


@contextmanager
def time_limit(seconds: float, stack: Path) -> Iterator[None]:
    """End this process, and write to `stack` what it was doing, if the block takes longer; else leave no file."""
    with stack.open("w") as file:
        faulthandler.dump_traceback_later(seconds, exit=True, file=file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
    stack.unlink(missing_ok=True)


def measure_source(bench: Bench, located: Located) -> Outcome:
    """The source half of the flow."""
    flow, source, count = bench.flow, Source(origin=located.origin), Count()
    try:
        with bench.timed(flow.fetch.name, count):
            source = flow.fetch(located, bench.store)
        for stage in flow.on_source:
            with bench.timed(stage.name, count):
                source = measured(
                    bench, stage, source, lambda s, stage=stage: stage(s, bench.store)
                )
            bench.reached = source
            decisions = flow.decide(source)
            if dropped(decisions):
                return Outcome(source, decisions, books=bench.books)
        if flow.spans.worth_a_look(source):
            with bench.timed("survey", count):
                source = survey(source, flow.on_survey, bench.store, bench.ledger, count)
        return Outcome(source, flow.decide(source), books=bench.books)
    except Refusal as refusal:
        rows = (
            *flow.decide(source),
            refused(source, refusal, stage=(bench.doing, flow.versions[bench.doing])),
        )
        return Outcome(source, rows, books=bench.books)


def measure_clip(bench: Bench, source: Source, clip: Clip, *, cascade: bool = True) -> Outcome:
    """The candidate half of the flow: each stage only while no rule drops (DESIGN rule 2).

    cascade: False measures everything on everything, for comparing the two keep-sets.
    """
    flow = bench.flow
    frames = SpanFrames(
        source, clip, bench.store, face_size=flow.face_size, face_margin=flow.face_margin
    )
    decisions = flow.decide(clip)
    for stage in flow.on_clip:
        if cascade and dropped(decisions):
            break
        try:
            with bench.timed(stage.name, frames.count):
                clip = measured(bench, stage, clip, lambda c, stage=stage: stage(c, frames))
        except Refusal as refusal:
            return Outcome(
                clip,
                (*decisions, refused(clip, refusal, stage=(stage.name, stage.version))),
                books=bench.books,
            )
        decisions = flow.decide(clip)
    return Outcome(clip, decisions, books=bench.books)


# ---- measured once ---------------------------------------------------------------------------------------------------


def measured(
    bench: Bench, stage: StageFacts, subject: Subject, compute: Callable[[Subject], Subject]
) -> Subject:
    """The subject with the stage's section, from the ledger if it was measured before on the same content."""
    key = key_of(stage, subject)
    entry = bench.ledger.get(key)
    if entry is not None and entry.refusal is not None:
        raise Refusal(*entry.refusal)
    if entry is not None and entry.section is not None:
        section = section_type(subject, stage.writes).model_validate(entry.section)
        if all(bench.store.has(blob) for blob in blobs(section)):
            return subject.model_copy(update={stage.writes: section})
    try:
        subject = compute(subject)
    except Refusal as refusal:
        bench.ledger.put(key, section=None, refusal=refusal)
        raise
    bench.ledger.put(key, section=getattr(subject, stage.writes), refusal=None)
    return subject


def key_of(stage: StageFacts, subject: Source | Clip) -> str:
    """Hash of everything a stage's result depends on: the bytes, the sections it reads, and the stage itself."""
    reads = {
        name: section.model_dump(mode="json")
        for name in sorted(stage.reads - {"fetched"})
        if isinstance(section := getattr(subject, name), BaseModel)
    }
    return digest({"content": content_of(subject), "stage": fingerprint(stage), "reads": reads})


def content_of(subject: Source | Clip) -> str:
    """SHA-256 of the media bytes behind a subject."""
    if isinstance(subject, Clip):
        return subject.origin.sha256
    return subject.fetched.sha256 if subject.fetched else ""


def section_type(subject: Source | Clip, name: str) -> type[BaseModel]:
    """The model class of a section: the `X` of `X | None`."""
    annotation = type(subject).model_fields[name].annotation
    return next(kind for kind in get_args(annotation) if issubclass(kind, BaseModel))


def blobs(section: BaseModel) -> Iterator[Blob]:
    """Every blob a section refers to, at any depth of nested records."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Blob):
            yield value
        elif isinstance(value, BaseModel):
            yield from blobs(value)

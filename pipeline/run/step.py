"""One step of the run, in a worker: the stages of one source, or of one candidate, until a rule drops it.

This file holds the one place where an exception becomes a record.
"""

import faulthandler
import time
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import cv2

from manifests.record import Clip, Source, Why
from pipeline.fetching.errors import FetchError
from pipeline.flow import RUN, SURVEY
from pipeline.media.decode import Count
from pipeline.media.decode import survey as decode
from pipeline.media.probe import MediaError
from pipeline.run.entry import Entry
from pipeline.run.frames import SpanFrames
from pipeline.run.job import Job
from pipeline.run.journal import Journal
from pipeline.run.keys import key_of, survey_keys
from pipeline.run.marks import Marks
from pipeline.run.outage import broken_place, outage_in
from pipeline.run.reread import confirmed
from pipeline.run.walk import Costs, Outcome, refusal_of, walk_clip, walk_source
from pipeline.sources.locators import Located
from pipeline.stage import SourceStage, SpanStage, SurveyStage, need
from pipeline.store import CorruptBlob, Store
from pipeline.verdict import Failed, Refusal

Subject = TypeVar("Subject", Source, Clip)

cv2.setNumThreads(1)  # a worker has one core; Dask has the others


# ---- the two steps ---------------------------------------------------------------------------------------------------


def run_source(job: Job, located: Located, source: Source) -> Outcome:
    """Measure what a source lacks. source: as far as it is on record."""
    provider = source_provider(job, located.origin.locator)
    if source.fetched is None:
        return guarded(provider, source, lambda: fetched(job, located, source, provider))
    return guarded(provider, source, lambda: walk_source(job.flow, located, source, provider))


def fetched(job: Job, located: Located, source: Source, provider: "Measuring") -> Outcome:
    """The source with its bytes and nothing more: by their hash the driver knows what is on record already."""
    try:
        return Outcome(provider.fetch(located, source), fetched_only=True)
    except Refusal as refusal:
        return refusal_of(job.flow, source, refusal, (job.flow.fetch.name, job.flow.fetch.version))


def run_clip(job: Job, source: Source, clip: Clip) -> Outcome:
    """Measure what a candidate lacks, and store it if no rule drops it."""
    provider = clip_provider(job, source, clip)
    return guarded(provider, clip, lambda: walk_clip(job.flow, clip, provider))


def source_provider(job: Job, locator: str) -> "Measuring":
    """Measures one source in this process."""
    return Measuring(job, Store(job.work), journal(job.work, job.run_id), locator)


def clip_provider(job: Job, source: Source, clip: Clip) -> "Measuring":
    """Measures one candidate in this process, with its frames."""
    flow, store = job.flow, Store(job.work)
    frames = SpanFrames(source, clip, store, face_size=flow.face_size, face_margin=flow.face_margin)
    return Measuring(job, store, journal(job.work, job.run_id), clip.id, frames)


@lru_cache(maxsize=1)
def journal(work: Path, run_id: str) -> Journal:
    """This process's journal of a run."""
    return Journal(work, run_id)


def guarded(provider: "Measuring", subject: Source | Clip, work: Callable[[], Outcome]) -> Outcome:
    """Run a step; what it raises becomes one `Failed`, and a step that kills its process is not tried for ever.

    Native code cannot be interrupted, so a step over its time takes its process with it (faulthandler's own thread ends
    it even while a decoder hangs); the mark it left tells the next try that it died.
    """
    job, name, marks = provider.job, provider.name, Marks(provider.job.work)
    try:
        deaths, stack = marks.begin(job.run_id, name), marks.stack(job.run_id, name)
        if deaths > job.retries:
            return died(marks, job, name, subject, deaths)
        with time_limit(job.step_minutes * 60.0, stack):
            outcome = work()
        marks.end(job.run_id, name)
    except CorruptBlob as error:
        outcome = Outcome(subject, damaged=(error.blob,))
    except Exception as error:  # noqa: BLE001 - the one place where an exception becomes a record (DESIGN rule 10)
        outcome = failure_of(provider, subject, error)
    return replace(outcome, costs=provider.costs, entries=tuple(provider.entries))


def died(marks: Marks, job: Job, name: str, subject: Source | Clip, deaths: int) -> Outcome:
    """What becomes of a subject whose step took its process with it too often."""
    stack = marks.stack(job.run_id, name)
    error = f"its worker died or ran over {job.step_minutes:g} minutes, {deaths} times"
    doing = stack.read_text() if stack.is_file() else ""
    marks.end(job.run_id, name)
    return Outcome(subject, failure=Failed(name, RUN, error, doing))


def failure_of(provider: "Measuring", subject: Source | Clip, error: Exception) -> Outcome:
    """What becomes of a subject at which something was raised: an outage of the whole run, or one failure."""
    reading = isinstance(error, MediaError)
    if (outage := outage_in(error, provider.job.work, reading=reading)) is not None:
        return Outcome(subject, outage=f"{provider.name}, {provider.doing}: {outage}")
    Marks(provider.job.work).end(provider.job.run_id, provider.name)
    words = f"{type(error).__name__}: {error}"
    failure = Failed(
        provider.name, provider.doing, words, traceback.format_exc(limit=20), why_of(error)
    )
    return Outcome(provider.reached or subject, failure=failure)


def why_of(error: Exception) -> Why:
    """The reason of a failure: a source that cannot be read is as unreachable as one that does not answer."""
    if isinstance(error, FetchError):
        return error.why
    return Why.UNREACHABLE if broken_place(error) else Why.FAILED


@contextmanager
def time_limit(seconds: float, stack: Path) -> Generator[None]:
    """End this process, and write to `stack` what it was doing, if the block takes longer; else leave no file."""
    with stack.open("w") as file:
        faulthandler.dump_traceback_later(seconds, exit=True, file=file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
    stack.unlink(missing_ok=True)


# ---- measuring -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Measuring:
    """Measures sections, and writes each to the journal before the next one begins.

    name: of the subject. doing: the stage at work. reached: the source as far as it was measured.
    """

    job: Job
    store: Store
    journal: Journal
    name: str
    frames: SpanFrames | None = None
    costs: Costs = field(default_factory=Costs)
    entries: list[tuple[str, Entry]] = field(default_factory=list[tuple[str, Entry]])
    doing: str = RUN
    reached: Source | None = None

    def fetch(self, located: Located, source: Source, /) -> Source:
        with self.timed(self.job.flow.fetch.name, Count()):
            return self.job.flow.fetch(located, self.store)

    def measure_source(self, stage: SourceStage, source: Source, /) -> Source:
        with self.timed(stage.name, Count()):
            self.reached = self.noted(
                key_of(stage, source), stage.writes, source, lambda: stage(source, self.store)
            )
        return self.reached

    def survey(self, source: Source, /) -> Source:
        count, stages = Count(), self.job.flow.on_survey
        with self.timed(SURVEY, count):
            surveyed = confirmed(lambda: watched(source, stages, self.store, count), source)
            for stage, key in zip(stages, survey_keys(source, stages), strict=True):
                self.note(key, Entry.of(section=getattr(surveyed, stage.writes)))
        return surveyed

    def measure_clip(self, stage: SpanStage, clip: Clip, /) -> Clip:
        frames = self.frames
        if frames is None:
            raise TypeError("a candidate is measured with its frames")
        with self.timed(stage.name, frames.count):
            return self.noted(key_of(stage, clip), stage.writes, clip, lambda: stage(clip, frames))

    def noted(
        self, key: str, writes: str, subject: Subject, compute: Callable[[], Subject]
    ) -> Subject:
        """A subject with the section that a stage measures; the section, or the refusal, is noted for the ledger."""
        source = subject if isinstance(subject, Source) else self.source
        try:
            measured = confirmed(compute, source)
        except Refusal as refusal:
            self.note(key, Entry.of(refusal=refusal))
            raise
        self.note(key, Entry.of(section=getattr(measured, writes)))
        return measured

    @property
    def source(self) -> Source:
        """The source of the candidate that is measured."""
        if self.frames is None:
            raise TypeError("a candidate is measured with its frames")
        return self.frames.source

    def note(self, key: str, entry: Entry) -> None:
        """Write an entry durably, before anything depends on it."""
        named = replace(entry, stage=self.doing, subject=self.name)
        self.journal.append(key, named)
        self.entries.append((key, named))

    @contextmanager
    def timed(self, stage: str, count: Count) -> Generator[None]:
        """Count what the block costs under a stage's name."""
        self.doing = stage
        began, before = time.perf_counter(), count.decoded
        try:
            yield
        finally:
            seconds = time.perf_counter() - began
            costs = self.costs
            costs.seconds[stage] = costs.seconds.get(stage, 0.0) + seconds
            costs.decoded[stage] = costs.decoded.get(stage, 0) + count.decoded - before


def watched(source: Source, stages: Sequence[SurveyStage], store: Store, count: Count) -> Source:
    """The source with the section of every survey stage, from its one low-resolution decode."""
    media, fetched = need(source.media, "media"), need(source.fetched, "fetched")
    watchers = [stage.watch(source, store) for stage in stages]
    timeline = store.read_timeline(media)
    for picture in decode(Path(fetched.path), media, timeline, count=count):
        for watcher in watchers:
            watcher.add(picture)
    for watcher in watchers:
        source = watcher.finish(source)
    return source

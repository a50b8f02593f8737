"""The driver of a run: takes what is in the ledger, sends what is left to the workers, gathers the results."""

import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from manifests.record import Blob, Clip, Source, Why
from pipeline.config import Run
from pipeline.flow import RUN, Flow
from pipeline.run.cluster import open_engine
from pipeline.run.job import Job, flow_digest
from pipeline.run.ledger import Ledger
from pipeline.run.marks import Marks
from pipeline.run.outage import Outage
from pipeline.run.recorded import Recorded
from pipeline.run.steps import clip_step, source_step
from pipeline.run.tasks import EngineLost, Lost, Preflight, Task
from pipeline.run.walk import Costs, NotYet, Outcome, walk_clip, walk_source
from pipeline.sources.locators import Located
from pipeline.store import Store
from pipeline.verdict import Failed

StepTask = Task[Outcome]


@dataclass(slots=True)
class Gathered:
    """Every outcome of a run so far, by what it was about."""

    sources: list[Outcome] = field(default_factory=list[Outcome])
    clips: dict[str, list[Outcome]] = field(default_factory=dict[str, list[Outcome]])
    damaged: list[Blob] = field(default_factory=list[Blob])
    answers: dict[str, "Answers"] = field(default_factory=dict[str, "Answers"])

    def clips_of(self, source: Source) -> list[Outcome]:
        return self.clips.get(source.origin.locator, [])

    @property
    def outcomes(self) -> Iterator[Outcome]:
        yield from self.sources
        for outcomes in self.clips.values():
            yield from outcomes

    @property
    def failures(self) -> list[Failed]:
        return [outcome.failure for outcome in self.outcomes if outcome.failure is not None]


@dataclass(slots=True)
class Answers:
    """How often one host or share answered, and how often it did not."""

    given: int = 0
    missed: int = 0


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What the driver calls: with outcomes, costs, numbers of new candidates, the dashboard's address, and messages."""

    on_outcome: Callable[[Outcome], None]
    on_costs: Callable[[Costs], None]
    on_candidates: Callable[[int], None]
    on_dashboard: Callable[[str], None]
    on_message: Callable[[str], None]


@dataclass(slots=True)
class Driver:
    """Decides what to do next; its only state is the ledger and the outcomes that it is given.

    A source's outcome is followed by its candidates, a failure by another try within the limit, anything else by
    nothing.
    """

    job: Job
    ledger: Ledger
    callbacks: Callbacks
    gathered: Gathered = field(default_factory=Gathered)
    tries: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def recorded(self) -> Recorded:
        return Recorded(self.job.flow, self.ledger, Store(self.job.work))

    def first(self, located: Iterable[Located]) -> Iterator[StepTask]:
        """The tasks that the sources of a list need, one source after the other; none for what is on record."""
        for item in located:
            yield from self.source(item)

    def source(self, located: Located, known: Source | None = None) -> list[StepTask]:
        """What is left of one source: its own step, or those of its candidates. known: the source with its bytes."""
        name, bare = located.origin.locator, known or Source(origin=located.origin)
        try:
            outcome = walk_source(self.job.flow, located, bare, self.recorded)
        except NotYet as missing:
            return [self.task("source", name, missing, source_step, located, missing.reached)]
        return self.settled(outcome, located)

    def clip(self, source: Source, clip: Clip) -> list[StepTask]:
        """What is left of one candidate."""
        try:
            outcome = walk_clip(self.job.flow, clip, self.recorded)
        except NotYet as missing:
            name = f"{clip.id}-{clip.origin.locator}"
            return [self.task("clip", name, missing, clip_step, source, missing.reached)]
        return self.settled(outcome, None)

    def task(
        self,
        kind: str,
        name: str,
        missing: NotYet,
        step: Callable[..., Outcome],
        *arguments: object,
    ) -> StepTask:
        """A step under a name that is its alone in this run: what it is about, where it begins, which try it is."""
        count = self.tries.get(f"{kind}-{name}", 0)
        key = f"{kind}-{name}-{missing.stage}-{self.job.run_id}-try-{count + 1}"
        return Task(key, step, (self.job, *arguments), urgent=kind == "clip" or count > 0)

    def follow(self, task: StepTask, result: Outcome | Lost) -> Iterable[StepTask]:
        """What a result leads to. Raises Outage."""
        located = next((part for part in task.arguments if isinstance(part, Located)), None)
        if isinstance(result, Lost):
            self.ledger.ingest(self.job.work, self.job.run_id)  # what the dead worker had finished
            result = lost(self.job, task, result)
        for key, entry in result.entries:
            self.ledger.put(key, entry)
        self.callbacks.on_costs(result.costs)
        if result.outage is not None:
            raise Outage(result.outage)
        if result.fetched_only and located is not None and isinstance(result.subject, Source):
            return self.source(located, result.subject)
        if result.failure is not None and self.again(task, located):
            return self.source(located) if located else self.clip_again(task)
        return self.settled(result, located)

    def again(self, task: StepTask, located: Located | None) -> bool:
        """Whether a failed step is tried once more; counts the try."""
        subject = task.arguments[-1]
        name = (
            located.origin.locator
            if located
            else f"{clip_of(subject).id}-{clip_of(subject).origin.locator}"
        )
        kind = "source" if located else "clip"
        self.tries[f"{kind}-{name}"] = self.tries.get(f"{kind}-{name}", 0) + 1
        return self.tries[f"{kind}-{name}"] <= self.job.retries

    def clip_again(self, task: StepTask) -> list[StepTask]:
        """The candidate of a failed step, from what is on record by now."""
        _, source, clip = task.arguments
        if not isinstance(source, Source):
            raise TypeError(f"a candidate's task names its source, got {type(source).__name__}")
        return self.clip(source, clip_of(clip))

    def settled(self, outcome: Outcome, located: Located | None) -> list[StepTask]:
        """Gather what came of a subject; the tasks of a source's candidates."""
        if outcome.damaged:
            self.gathered.damaged.extend(outcome.damaged)
            return []
        self.callbacks.on_outcome(outcome)
        subject = outcome.subject
        if isinstance(subject, Clip):
            self.gathered.clips.setdefault(subject.origin.locator, []).append(outcome)
            return []
        self.gathered.sources.append(outcome)
        if located is not None:
            self.count(located, outcome)
        clips = self.job.flow.candidates(subject) if outcome.alive else ()
        self.callbacks.on_candidates(len(clips))
        return [task for clip in clips for task in self.clip(subject, clip)]

    def count(self, located: Located, outcome: Outcome) -> None:
        """Whether the source's host answered."""
        answers = self.gathered.answers.setdefault(located.host, Answers())
        if outcome.failure is not None and outcome.failure.why is Why.UNREACHABLE:
            answers.missed += 1
        else:
            answers.given += 1


def clip_of(subject: object) -> Clip:
    """The candidate that a task is about."""
    if not isinstance(subject, Clip):
        raise TypeError(f"a task is about a source or a clip, got {type(subject).__name__}")
    return subject


def lost(job: Job, task: StepTask, result: Lost) -> Outcome:
    """The outcome of a task whose worker died under it: of itself, or ended because the step ran over its time."""
    subject = task.arguments[-1]
    if not isinstance(subject, Source | Clip):
        raise TypeError(f"a task is about a source or a clip, got {type(subject).__name__}")
    name = subject.id if isinstance(subject, Clip) else subject.origin.locator
    doing = Marks(job.work).ended_at(job.run_id, name)
    error = f"it ran over {job.step_minutes:g} minutes" if doing else result.error
    return Outcome(subject, failure=Failed(name, RUN, error, doing))


def measure(
    run: Run, flow: Flow, sources: Iterable[Located], ledger: Ledger, callbacks: Callbacks
) -> Gathered:
    """Work through all sources and their candidates; workers are started where something is to do. Raises Outage."""
    run_id = uuid.uuid4().hex[:12]
    job = Job(flow, run.work_folder, run_id, run.retries, run.step_minutes)
    driver = Driver(job, ledger, callbacks)
    tasks = driver.first(sources)
    first = next(tasks, None)
    if first is not None:
        try:
            work_through(run, driver, chain([first], tasks))
        except EngineLost as error:
            ledger.ingest(run.work_folder, run_id)
            raise Outage(str(error)) from error
        ledger.ingest(run.work_folder, run_id, remove=True)
    Marks(run.work_folder).forget(run_id)
    return driver.gathered


def work_through(run: Run, driver: Driver, tasks: Iterator[StepTask]) -> None:
    """Give tasks to workers until none is left."""
    flow = driver.job.flow
    preflight = Preflight(run.work_folder, driver.job.run_id, flow_digest(flow), probe_of(flow))
    with open_engine(run, preflight, say=driver.callbacks.on_message) as engine:
        driver.callbacks.on_dashboard(engine.dashboard)
        engine.work_through(tasks, driver.follow)


def probe_of(flow: Flow) -> Callable[[], str]:
    """What a worker computes for `flow_digest`, with its own code and libraries."""
    from functools import partial

    return partial(flow_digest, flow)


def silent_hosts(gathered: Gathered) -> dict[str, int]:
    """Hosts and shares that gave nothing of all they were asked for, with how often: an outage.

    One source that cannot be reached may be its own fault; a host counts from `SILENT` on, or where nothing at all was
    reached.
    """
    answers_by_host = gathered.answers
    nothing = not any(answers.given for answers in answers_by_host.values())
    return {
        host: answers.missed
        for host, answers in answers_by_host.items()
        if not answers.given and (answers.missed >= SILENT or (nothing and answers.missed))
    }


SILENT = 3
"""Sources of one host; as many tries open the circuit breaker of `pipeline.fetching`."""

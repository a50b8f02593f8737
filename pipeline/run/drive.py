"""The run from source list to dataset: steps given to the workers, results gathered, the set stages, the commit."""

import itertools
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from manifests.record import Clip, Source
from pipeline.config import Run
from pipeline.flow import Flow, build
from pipeline.run.cluster import Engine, Lost, Task
from pipeline.run.ledger import Ledger
from pipeline.run.step import Outcome, clip_step, source_step
from pipeline.sources.lists import read_sources
from pipeline.sources.locators import Located
from pipeline.verdict import Failed

StepTask = Task[Outcome]


@dataclass(slots=True)
class Gathered:
    """Every outcome of a run so far, by what it was about."""

    sources: list[Outcome] = field(default_factory=list[Outcome])
    clips: dict[str, list[Outcome]] = field(default_factory=dict[str, list[Outcome]])

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
class Planner:
    """Decides what to do next; pure but for the outcomes it has been told.

    A source's outcome is followed by its candidates, a failure by another try within the limit, anything else by
    nothing.
    """

    run: Run
    flow: Flow
    run_id: str
    gathered: Gathered = field(default_factory=Gathered)
    tries: dict[str, int] = field(default_factory=dict[str, int])
    told: Callable[[Outcome], None] = lambda outcome: None
    planned: Callable[[int], None] = lambda count: None

    def first(self, located: Iterable[Located]) -> Iterator[StepTask]:
        """One task per source."""
        for item in located:
            name = f"source-{item.origin.locator}-{self.run_id}"
            yield Task(name, source_step, (self.run, self.run_id, item))

    def follow(self, task: StepTask, result: Outcome | Lost) -> Iterable[StepTask]:
        """What a result leads to."""
        outcome = result if isinstance(result, Outcome) else lost(task, result)
        if outcome.failure is not None and (again := self.again(task)) is not None:
            return [again]
        self.told(outcome)
        if isinstance(outcome.subject, Clip):
            self.gathered.clips.setdefault(outcome.subject.origin.locator, []).append(outcome)
            return []
        self.gathered.sources.append(outcome)
        return self.candidates(outcome)

    def again(self, task: StepTask) -> StepTask | None:
        """The same task under a new name, unless it was tried often enough."""
        base = task.name.split("-try-")[0]
        self.tries[base] = self.tries.get(base, 0) + 1
        if self.tries[base] > self.run.retries:
            return None
        return Task(
            f"{base}-try-{self.tries[base] + 1}", task.function, task.arguments, urgent=True
        )

    def candidates(self, outcome: Outcome) -> list[StepTask]:
        """The candidate tasks of a measured source."""
        source = outcome.subject
        if (
            not isinstance(source, Source)
            or outcome.drop
            or outcome.failure
            or source.people is None
        ):
            return []
        clips = self.flow.spans(source)
        self.planned(len(clips))
        return [
            Task(
                f"clip-{clip.id}-{clip.origin.locator}-{self.run_id}",
                clip_step,
                (self.run, self.run_id, source, clip),
                urgent=True,
            )
            for clip in clips
        ]


def lost(task: StepTask, result: Lost) -> Outcome:
    """The outcome of a task whose workers died under it."""
    subject = task.arguments[-1]
    record = Source(origin=subject.origin) if isinstance(subject, Located) else subject
    if not isinstance(record, Source | Clip):
        raise TypeError(f"a task is about a source or a clip, got {type(record).__name__}")
    return Outcome(record, failure=Failed(task.name, "run", result.error, ""))


def sources_of(run: Run) -> Iterator[Located]:
    """The sources of a run, in the order of its list."""
    return itertools.islice(read_sources(run.sources), run.limit)


def measure(
    run: Run,
    engine: Engine,
    *,
    told: Callable[[Outcome], None],
    planned: Callable[[int], None],
) -> Gathered:
    """Work through all sources and their candidates. told: called with each outcome; planned: with new candidates."""
    run_id = uuid.uuid4().hex[:12]
    planner = Planner(run, build(run), run_id, told=told, planned=planned)
    engine.work_through(planner.first(sources_of(run)), planner.follow)
    Ledger(run.work_folder).forget(run_id)
    return planner.gathered

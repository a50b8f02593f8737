"""A run in the calling process, without Dask: every source and candidate measured, with what it cost."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from manifests.record import Clip, Source
from pipeline.config import Run
from pipeline.flow import build
from pipeline.run.job import Job
from pipeline.run.listing import sources_of
from pipeline.run.step import clip_provider, source_provider
from pipeline.run.walk import Outcome, walk_clip, walk_source


@dataclass(slots=True)
class Measured:
    """A source's outcome and its candidates'."""

    source: Outcome
    clips: list[Outcome] = field(default_factory=list[Outcome])

    @property
    def kept(self) -> list[Clip]:
        return [o.subject for o in self.clips if o.alive and isinstance(o.subject, Clip)]


def measure(run: Run, *, cascade: bool = True) -> Iterator[tuple[str, Measured]]:
    """Every source of a run: (locator, outcomes). cascade: False measures what a rule has dropped already, too."""
    flow = build(run)
    job = Job(flow, run.work_folder, "here", run.retries, run.step_minutes)
    for located in sources_of(run):
        provider = source_provider(job, located.locator)
        outcome = walk_source(flow, located, Source(origin=located.origin), provider)
        found = Measured(replace(outcome, costs=provider.costs))
        source = outcome.subject
        if isinstance(source, Source) and outcome.alive:
            for clip in flow.candidates(source):
                at_clip = clip_provider(job, source, clip)
                measured = walk_clip(flow, clip, at_clip, cascade=cascade)
                found.clips.append(replace(measured, costs=at_clip.costs))
        yield located.locator, found

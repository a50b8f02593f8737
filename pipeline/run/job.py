"""What the driver sends to workers: the job that all steps share, and the two steps, cheap to import."""

from dataclasses import dataclass
from pathlib import Path

from manifests.record import Clip, Source
from pipeline.flow import Flow
from pipeline.run.walk import Outcome
from pipeline.sources.locators import Located
from pipeline.stage import describe, digest


@dataclass(frozen=True, slots=True)
class Job:
    """What every step of one run shares; it travels to the workers with each task.

    work: the work folder; retries: further tries of a step that died; step_minutes: what a step may take at most.
    """

    flow: Flow
    work: Path
    run_id: str
    retries: int
    step_minutes: float


def source_step(job: Job, located: Located, source: Source) -> Outcome:
    """Fetch one source; or, where its bytes are here, measure what it lacks: probe, speech, and the survey."""
    from pipeline.run.step import (
        run_source,
    )  # the libraries of all stages: workers need them, the driver does not

    return run_source(job, located, source)


def clip_step(job: Job, source: Source, clip: Clip) -> Outcome:
    """Measure what one candidate lacks, as far as its rules let it."""
    from pipeline.run.step import run_clip

    return run_clip(job, source, clip)


def flow_digest(flow: Flow) -> str:
    """Hash of all that decides what a flow measures, libraries included: equal where two machines measure alike."""
    return digest([describe(stage) for stage in flow.stages])

"""The two steps as the driver hands them to workers: cheap to import, for workers load the stages' libraries."""

from manifests.record import Clip, Source
from pipeline.run.job import Job
from pipeline.run.walk import Outcome
from pipeline.sources.locators import Located


def source_step(job: Job, located: Located, source: Source) -> Outcome:
    """Fetch one source; or, where its bytes are here, measure what it lacks: probe, speech, and the survey."""
    from pipeline.run.step import run_source  # with the libraries of all stages

    return run_source(job, located, source)


def clip_step(job: Job, source: Source, clip: Clip) -> Outcome:
    """Measure what one candidate lacks, as far as its rules let it."""
    from pipeline.run.step import run_clip

    return run_clip(job, source, clip)

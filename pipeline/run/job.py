"""What the driver sends to workers with each step: the job that all of them share."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.flow import Flow
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


def flow_digest(flow: Flow) -> str:
    """Hash of all that decides what a flow measures, libraries included: equal where two machines measure alike.

    A machine on which the file of a backend's weights is not there answers otherwise than one on which it is.
    """
    backends = [getattr(stage, "backend", None) for stage in flow.stages]
    lacks = [b is not None and b.missing() is not None for b in backends]
    return digest([[describe(stage) for stage in flow.stages], lacks])

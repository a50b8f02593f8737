"""Tasks for the workers and their results; independent of Dask."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Task(Generic[Result]):
    """A function of picklable arguments, under a name that is unique in this run."""

    name: str
    function: Callable[..., Result]
    arguments: tuple[object, ...]
    urgent: bool = False  # goes before what waits: later steps before new sources, so that memory stays bounded


@dataclass(frozen=True, slots=True)
class Lost:
    """A task whose worker died under it, or whose function raised: the step's own doing, no outage."""

    error: str


class EngineLost(Exception):
    """The scheduler, or every worker, is gone for good: an outage. Its text is one sentence."""


@dataclass(frozen=True, slots=True)
class Preflight:
    """What a worker must prove before it gets a task.

    work: the folder that the driver and all workers share, as the tasks name it.
    token: what marks the files of this check in it, its alone in this run.
    expected: what `probe` returns here, so that a worker with other code, weights or settings is recognised.
    probe: a picklable function, run on the worker.
    """

    work: Path
    token: str
    expected: str
    probe: Callable[[], str]

"""The only file that knows Dask: worker processes on this machine or a scheduler elsewhere, and tasks worked through.

A task's function returns an outcome and does not raise; a future that fails all the same lost its worker too often.
"""

import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import dask.config
from distributed import Client, Future, LocalCluster, as_completed

from pipeline.config import ConfigError, Run

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Task(Generic[Result]):
    """A function of picklable arguments, under a name that is its alone in this run."""

    name: str
    function: Callable[..., Result]
    arguments: tuple[object, ...]
    urgent: bool = False  # goes before what waits: later steps before new sources, so that memory stays bounded


@dataclass(frozen=True, slots=True)
class Lost:
    """A task whose worker died more often than the scheduler allows."""

    error: str


@dataclass(frozen=True, slots=True)
class Engine:
    """Workers that tasks can be given to."""

    client: Client
    workers: int
    dashboard: str

    def work_through(
        self,
        tasks: Iterator[Task[Result]],
        follow: Callable[[Task[Result], Result | Lost], Iterable[Task[Result]]],
    ) -> None:
        """Run all tasks and those that follow from their results; at most two a worker are under way at once.

        tasks is drawn from only when a worker would else be idle, so a long list is never held whole.
        """
        waiting: deque[Task[Result]] = deque()
        flying: dict[Future, Task[Result]] = {}
        arrivals = as_completed()
        drained = False
        while True:
            while len(flying) < 2 * self.workers:
                if not waiting and not drained:
                    following = next(tasks, None)
                    drained = following is None
                    if following is not None:
                        waiting.append(following)
                if not waiting:
                    break
                task = waiting.popleft()
                future = self.client.submit(
                    task.function,
                    *task.arguments,
                    key=task.name,
                    pure=False,
                    priority=int(task.urgent),
                )
                flying[future] = task
                arrivals.add(future)
            if not flying:
                return
            future = next(arrivals)
            task = flying.pop(future)
            result = (
                Lost(str(future.exception())) if future.status != "finished" else future.result()
            )
            future.release()
            for new in follow(task, result):
                (waiting.appendleft if new.urgent else waiting.append)(new)


QUIET = {
    "distributed.worker.daemon": True,
    "distributed.logging.distributed": "error",
    # A stack sample of every worker every 10 ms costs more than it tells: our steps are minutes of native code.
    "distributed.worker.profile.enabled": False,
    # A nanny starts its worker again by itself. The cluster would give up on the nanny too, for good, when the worker
    # is dead at one look 15 s after it died once, though it may have come back and died again in between.
    "distributed.deploy.lost-worker-timeout": "365 days",
}


@contextmanager
def open_engine(run: Run) -> Iterator[Engine]:
    """Workers for a run: those of `run.scheduler`, or processes of this machine that end with the block."""
    dask.config.set(QUIET)
    if run.scheduler is not None:
        try:
            reached = Client(run.scheduler, timeout="20s")
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"scheduler: nobody answers at {run.scheduler}; the address of a running Dask scheduler is needed"
            ) from error
        with reached as client:
            yield Engine(
                client,
                max(1, len(client.scheduler_info()["workers"])),
                str(client.dashboard_link or ""),
            )
        return
    with (
        LocalCluster(
            n_workers=run.workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=f"127.0.0.1:{free_port(run.dashboard)}",
            silence_logs=40,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield Engine(client, run.workers, str(cluster.dashboard_link))  # pyright: ignore[reportAttributeAccessIssue] - entered without await


def free_port(wanted: int) -> int:
    """The wanted port of this machine if nobody listens there, else 0 for any."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return 0
    return wanted

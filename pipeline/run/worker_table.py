"""The state of each worker: checked or not, busy, silent. Computed from what polling returns, without Dask.

Silence is counted on this process's own clock, from one look to the next, so that a clock that jumps and a driver that
was itself suspended count against no worker.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True, slots=True)
class Seen:
    """A worker at one look.

    heard: when the scheduler heard from it last, on the scheduler's clock.
    running: it takes tasks; False while its memory is full or it is closing.
    busy: it is at a task.
    cpu: processor seconds its process has used, None on another machine.
    """

    host: str
    heard: float
    running: bool = True
    busy: bool = False
    threads: int = 1
    pid: int | None = None
    cpu: float | None = None


class Check(Enum):
    """How far a worker's answer to the check before its first task is."""

    DUE = "due"
    UNDER_WAY = "under way"
    FIT = "fit"
    UNFIT = "unfit"


@dataclass(slots=True)
class Worker:
    """A worker process, by its address.

    silent: seconds without a sign of life; checking: seconds since its check began; stuck: seconds in which it took no
    task up because it is paused.
    """

    address: str
    seen: Seen
    check: Check = Check.DUE
    host: str = ""
    pid: int | None = None
    silent: float = 0.0
    checking: float = 0.0
    stuck: float = 0.0

    @property
    def named(self) -> str:
        """The worker as a user can find it."""
        pid = self.pid or self.seen.pid
        process = f"pid {pid} on " if pid is not None else "on "
        return f"worker {self.address} ({process}{self.host or self.seen.host})"

    def age(self, seen: Seen, elapsed: float) -> None:
        """Count the seconds since the last look; a heartbeat or used processor time is a sign of life.

        A native step that holds the interpreter sends no heartbeat: on this machine its processor time speaks for it.
        """
        alive = seen.heard != self.seen.heard or seen.cpu != self.seen.cpu
        self.silent = 0.0 if alive else self.silent + elapsed
        self.stuck = 0.0 if seen.running or seen.busy else self.stuck + elapsed
        self.checking = self.checking + elapsed if self.check is Check.UNDER_WAY else 0.0
        self.seen = seen


@dataclass(frozen=True, slots=True)
class Changes:
    """What is new since the last look."""

    gone: tuple[Worker, ...] = ()
    silent: tuple[Worker, ...] = ()


@dataclass(slots=True)
class WorkerTable:
    """The workers that the scheduler knows, each with its check."""

    silent_seconds: float
    workers: dict[str, Worker] = field(default_factory=dict[str, Worker])

    def update(self, seen: Mapping[str, Seen], elapsed: float) -> Changes:
        """Take in what is seen now, `elapsed` seconds after the last look."""
        gone = tuple(self.workers.pop(address) for address in set(self.workers) - set(seen))
        for address, facts in seen.items():
            if address in self.workers:
                self.workers[address].age(facts, elapsed)
            else:
                self.workers[address] = Worker(address, facts)
        silent = [w for w in self.workers.values() if w.silent > self.patience]
        for worker in silent:
            del self.workers[worker.address]
        return Changes(gone, tuple(silent))

    @property
    def patience(self) -> float:
        """Seconds of silence allowed; in a large cluster heartbeats are seconds apart by design."""
        return max(self.silent_seconds, 4.0 * (1.0 + len(self.workers) / 200.0))

    def checked(self, *states: Check) -> list[Worker]:
        """The running workers whose check is in one of these states."""
        return [w for w in self.workers.values() if w.seen.running and w.check in states]

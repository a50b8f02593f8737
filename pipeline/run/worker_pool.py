"""The pool of workers: polled, checked before their first task, removed when silent."""

import itertools
import math
import pickle
import pkgutil
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from manifests.files import write_whole
from pipeline.config import ConfigError
from pipeline.run.link import POLL_SECONDS, Arrival, Ended, Link
from pipeline.run.tasks import EngineLost, Preflight
from pipeline.run.worker_table import Changes, Check, Worker, WorkerTable
from pipeline.run.workers import ANSWER, Answer, answer, token_file

STUCK_SECONDS = 5.0  # after so long, a task that a paused worker has not begun is taken back
DEATHS_IN_A_ROW = 5  # workers that die at the check, none fit in between, before the run gives up


@dataclass(slots=True)
class WorkerPool:
    """The workers, their checks, and the messages about them.

    strict: before the first task, a worker that fails the check is an error; later it is only reported.
    """

    link: Link
    preflight: Preflight
    say: Callable[[str], None]
    worker_wait: float
    table: WorkerTable
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    ahead: float = -math.inf  # of the wall clock over the other one, at the last look
    strict: bool = False
    checks: dict[str, str] = field(default_factory=dict[str, str])  # worker's address, by key
    serial: Iterator[int] = field(default_factory=itertools.count)
    looked: float = -math.inf
    without: float = 0.0  # seconds without a worker that could be used
    deaths: int = 0
    threads_said: bool = False
    lost: bool = (
        False  # whether a worker that was there is gone: what then lacks workers is an outage
    )
    unfit: str = ""  # the last sentence about a worker that does not fit

    @contextmanager
    def marked(self) -> Generator[None]:
        """Keep the token in the work folder while the block runs. Raises ConfigError where it cannot be written."""
        mark = token_file(self.preflight.work, self.preflight.token)
        try:
            write_whole(mark, self.preflight.token)
        except OSError as error:
            raise ConfigError(
                f"work: {self.preflight.work} cannot be written: {error.strerror}"
            ) from error
        try:
            yield
        finally:
            mark.unlink(missing_ok=True)

    def assemble(self) -> None:
        """Wait until there are workers and all have answered the check. Raises ConfigError, EngineLost.

        A worker that is there but busy with something else is named and not waited for, once another one fits.
        """
        self.strict = True
        self.poll()
        if not self.table.workers:
            self.say(f"waiting for workers at {self.link.address}, {self.worker_wait:g} s at most")
        while not self.table.checked(Check.FIT) or self._answers_due():
            arrival = self.link.next(POLL_SECONDS)
            if arrival is not None:
                self.take_answer(arrival)
            self.poll()
        self.strict = False

    def _answers_due(self) -> bool:
        return any(
            worker.checking <= self.worker_wait
            for worker in self.table.checked(Check.DUE, Check.UNDER_WAY)
        )

    # ---- looking ----

    def poll(self) -> Changes:
        """See who is there, at most every half second; begin checks and give silent workers up. Raises EngineLost."""
        now = self.clock()
        if now - self.looked < POLL_SECONDS:
            return Changes()
        elapsed = min(now - self.looked, 2 * POLL_SECONDS)
        self.looked = now
        self._compare_clocks(now)
        changes = self.table.update(self.link.poll(), elapsed)
        for worker in changes.silent:
            self._give_up(worker)
        for worker in (*changes.gone, *changes.silent):
            self._drop_check(worker)
            self.lost = True
        for worker in self.table.checked(Check.DUE):
            self._begin_check(worker)
        self._say_waits(elapsed)
        self._count_without(elapsed)
        return changes

    def _compare_clocks(self, now: float) -> None:
        """Raises EngineLost where the wall clock was set back: Dask's timers stand still until it has caught up."""
        ahead = self.wall() - now
        if (back := self.ahead - ahead) > self.table.patience / 2.0:
            raise EngineLost(
                f"the clock of this machine was set back by {back:.0f} s, so its timers stand still"
            )
        self.ahead = ahead

    def _say_waits(self, elapsed: float) -> None:
        """Name, once, a worker that has been of no use for a while."""
        for worker in self.table.workers.values():
            if passed(worker.stuck, STUCK_SECONDS, elapsed):
                self.say(f"{worker.named} is paused, its memory is full; it gets no task meanwhile")
            if passed(worker.checking, self.worker_wait, elapsed):
                self.say(
                    f"{worker.named} has not answered the check for {self.worker_wait:g} s, "
                    f"it may be at something else; it gets no task before it does"
                )

    def _give_up(self, worker: Worker) -> None:
        self.say(
            f"{worker.named} has said nothing for {self.table.patience:.0f} s; its tasks go elsewhere"
        )
        self.link.remove(worker)

    def _count_without(self, elapsed: float) -> None:
        usable = any(
            worker.check is not Check.UNFIT and (worker.seen.running or worker.seen.busy)
            for worker in self.table.workers.values()
        )
        self.without = 0.0 if usable else self.without + elapsed
        if self.without > self.worker_wait:
            raise self._no_workers()

    def _no_workers(self) -> Exception:
        paused = [w.named for w in self.table.workers.values() if not w.seen.running]
        why = f": {paused[0]} is paused, its memory is full" if paused else ""
        if self.strict and not self.lost:
            return ConfigError(
                f"scheduler: {self.link.address} has no workers after {self.worker_wait:g} s{why}; "
                f"some are needed, started with: dask worker {self.link.address} --nthreads 1"
            )
        why = why or (f": {self.unfit}" if self.unfit else "")
        return EngineLost(
            f"no worker of {self.link.address} could be used for {self.worker_wait:g} s{why}"
        )

    # ---- checking ----

    def key(self, name: str) -> str:
        """A key that is unique at this scheduler."""
        return f"{name}-{self.preflight.token}-{next(self.serial)}"

    def _begin_check(self, worker: Worker) -> None:
        """Have the worker import its part of the check first: it would end over a call that it cannot read."""
        worker.check = Check.UNDER_WAY
        self._call(worker, pkgutil.resolve_name, (ANSWER,))

    def _ask(self, worker: Worker) -> None:
        probe = pickle.dumps(self.preflight.probe)
        self._call(worker, answer, (self.preflight.work, self.preflight.token, probe))

    def _call(
        self, worker: Worker, function: Callable[..., object], arguments: tuple[object, ...]
    ) -> None:
        key = self.key("preflight")
        self.checks[key] = worker.address
        self.link.call(key, worker.address, function, arguments)

    def _drop_check(self, worker: Worker) -> None:
        for key in [key for key, address in self.checks.items() if address == worker.address]:
            del self.checks[key]
            self.link.forget(key)
            self._count_death(worker)

    def _count_death(self, worker: Worker) -> None:
        self.deaths += 1
        if self.deaths >= DEATHS_IN_A_ROW:
            raise EngineLost(
                f"{self.deaths} workers in a row died when they were asked for their version, "
                f"{worker.named} was the last"
            )

    def take_answer(self, arrival: Arrival) -> bool:
        """Take in the answer to a check; False where the arrival is another call's. Raises ConfigError, EngineLost."""
        if arrival.ended is Ended.CUT:
            raise EngineLost(f"the scheduler at {self.link.address} is gone")
        address = self.checks.pop(arrival.key, None)
        worker = self.table.workers.get(address or "")
        if worker is not None:
            self._judge(worker, arrival)
        return address is not None

    def _judge(self, worker: Worker, arrival: Arrival) -> None:
        if arrival.ended in (Ended.DIED, Ended.UNDELIVERED):
            worker.check = Check.DUE
            self._count_death(worker)
            return
        if arrival.result is answer:
            self._ask(worker)
            return
        fault = self._fault(worker, arrival)
        worker.check = Check.UNFIT if fault else Check.FIT
        if not fault:
            self.deaths = 0
            self._say_threads(worker)
            return
        self.unfit = fault
        if self.strict:
            raise ConfigError(fault)
        self.say(f"{fault}; it gets no task")

    def _say_threads(self, worker: Worker) -> None:
        if worker.seen.threads > 1 and not self.threads_said:
            self.threads_said = True
            self.say(
                f"{worker.named} has {worker.seen.threads} threads; a step has a process for itself, so one of them "
                f"is used: dask worker --nworkers {worker.seen.threads} --nthreads 1 would use all"
            )

    def _fault(self, worker: Worker, arrival: Arrival) -> str:
        """What does not fit about a worker, in one sentence; empty if it fits."""
        if isinstance(arrival.raised, ImportError):
            return (
                f"{worker.named} cannot import this package ({one_line(arrival.raised)}); "
                f"it has to be installed there, in the same version, and the worker started again"
            )
        if arrival.raised is not None and isinstance(arrival.raised.__cause__, ImportError):
            return (
                f"the scheduler at {self.link.address} cannot import this package "
                f"({one_line(arrival.raised.__cause__)}); it has to be installed there too, in the same version"
            )
        if arrival.raised is not None:
            kind = type(arrival.raised).__name__
            return f"{worker.named} fails at the check: {kind}: {one_line(arrival.raised)}"
        if not isinstance(arrival.result, Answer):
            return f"{worker.named} answers the check with a {type(arrival.result).__name__}"
        worker.host, worker.pid = arrival.result.host, arrival.result.pid
        return self._unlike(worker, arrival.result)

    def _unlike(self, worker: Worker, said: Answer) -> str:
        work = self.preflight.work
        shared = "a folder is needed that all machines share under one name"
        if said.trouble:
            return f"{worker.named} does not see the work folder {work} ({said.trouble}); {shared}"
        seen = work / said.written
        try:
            back = seen.read_text()
            seen.unlink()
        except OSError:
            back = ""
        if back != self.preflight.token:
            return (
                f"what {worker.named} writes into the work folder {work} is not seen here; {shared}"
            )
        if said.version != self.preflight.expected:
            return (
                f"{worker.named} is of version {said.version}, this command of {self.preflight.expected}; "
                f"the same package, libraries and weights are needed on both"
            )
        return ""


def passed(seconds: float, limit: float, elapsed: float) -> bool:
    """Whether a count of seconds went over a limit with the last `elapsed` ones."""
    return seconds > limit >= seconds - elapsed


def one_line(error: BaseException) -> str:
    """The first line of what an error says."""
    return str(error).partition("\n")[0]

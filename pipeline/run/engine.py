"""Runs tasks on the workers that passed the check: which worker gets which task, and what follows from its death.

The driver gives each worker process one task at a time and names the worker. So a waiting task never counts as the
cause of a death, a worker is checked before its first task, and the task of a silent worker is given to another one.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

from pipeline.run.link import POLL_SECONDS, Arrival, Ended
from pipeline.run.tasks import Lost, Task
from pipeline.run.worker_pool import STUCK_SECONDS, WorkerPool
from pipeline.run.worker_table import Check, Worker

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Engine:
    """Workers that tasks can be given to."""

    pool: WorkerPool

    @property
    def dashboard(self) -> str:
        """An address for a browser; empty where there is none."""
        return self.pool.link.dashboard

    @property
    def workers(self) -> int:
        """How many workers take tasks, or will once they are checked."""
        workers = self.pool.table.workers.values()
        return sum(worker.check is not Check.UNFIT for worker in workers)

    def work_through(
        self,
        tasks: Iterator[Task[Result]],
        follow: Callable[[Task[Result], Result | Lost], Iterable[Task[Result]]],
    ) -> None:
        """Run all tasks and those that follow from their results, one at a time on each worker.

        tasks is drawn from only when a worker would else be idle, so a long list is never in memory whole. A task whose
        worker died is `Lost` at once; one whose worker was given up as silent, or whose result went with its worker, is
        given again, and is `Lost` when that happens a second time. Raises EngineLost. Whatever ends it, nothing is left
        under way.
        """
        calls = Calls(self.pool, TaskQueue(tasks))
        try:
            while calls.go_on():
                for task, result in calls.ended():
                    for new in follow(task, result):
                        calls.waiting.put(new)
        finally:
            calls.forget_all()


@dataclass(slots=True)
class TaskQueue(Generic[Result]):
    """Tasks that no worker has: the queue, urgent ones first, then those of a list that is drawn from when needed."""

    tasks: Iterator[Task[Result]]
    queue: deque[Task[Result]] = field(default_factory=deque[Task[Result]])

    def put(self, task: Task[Result]) -> None:
        (self.queue.appendleft if task.urgent else self.queue.append)(task)

    def again(self, task: Task[Result]) -> None:
        self.queue.appendleft(task)

    def next(self) -> Task[Result] | None:
        return self.queue.popleft() if self.queue else next(self.tasks, None)

    def empty(self) -> bool:
        following = self.next()
        if following is not None:
            self.queue.appendleft(following)
        return following is None


@dataclass(slots=True)
class Call(Generic[Result]):
    """A task that a worker has."""

    task: Task[Result]
    worker: str
    orphaned: bool = False  # its worker was gone at the last look


@dataclass(slots=True)
class Calls(Generic[Result]):
    """What is under way, and what of it has ended."""

    pool: WorkerPool
    waiting: TaskQueue[Result]
    calls: dict[str, Call[Result]] = field(default_factory=dict[str, Call[Result]])
    lost: list[tuple[Task[Result], Lost]] = field(default_factory=list[tuple[Task[Result], Lost]])
    given_again: set[str] = field(default_factory=set[str])

    def go_on(self) -> bool:
        """Look at the workers and give tasks to the idle ones; False when there is nothing left to do."""
        changes = self.pool.poll()
        self._take_from_orphans()
        self._mark_orphans(changes.gone)
        for worker in changes.silent:
            self._take_from(worker, f"{worker.named} said nothing")
        for worker in self.pool.table.workers.values():
            if worker.stuck > STUCK_SECONDS:
                self._take_from(worker, f"{worker.named} was paused, its memory is full,")
        self._hand_out()
        return bool(self.calls or self.lost) or not self.waiting.empty()

    def _hand_out(self) -> None:
        occupied = {call.worker for call in self.calls.values()}
        for worker in self.pool.table.checked(Check.FIT):
            if worker.address in occupied:
                continue
            task = self.waiting.next()
            if task is None:
                return
            key = self.pool.key(task.name)
            self.calls[key] = Call(task, worker.address)
            self.pool.link.call(key, worker.address, task.function, task.arguments)

    # ---- calls that end ----

    def ended(self) -> Iterator[tuple[Task[Result], Result | Lost]]:
        """The tasks that ended, waited for until the next look. Raises EngineLost."""
        wait = 0.0 if self.lost else POLL_SECONDS
        while self.lost:
            yield self.lost.pop()
        while (arrival := self.pool.link.next(wait)) is not None:
            wait = 0.0
            if not self.pool.take_answer(arrival):
                yield from self._result(arrival)

    def _result(self, arrival: Arrival) -> Iterator[tuple[Task[Result], Result | Lost]]:
        call = self.calls.pop(arrival.key, None)
        if call is None:  # taken back meanwhile
            return
        if arrival.ended is Ended.DONE:
            yield call.task, cast(Result, arrival.result)  # what the task's function returned
        elif arrival.ended is Ended.RAISED:
            yield call.task, Lost(f"{type(arrival.raised).__name__}: {arrival.raised}")
        elif arrival.ended is Ended.DIED:
            yield call.task, Lost(arrival.why)
        else:
            self._again(call.task, "its result was lost with its worker")

    # ---- calls that are taken back ----

    def _mark_orphans(self, gone: tuple[Worker, ...]) -> None:
        addresses = {worker.address for worker in gone}
        for call in self.calls.values():
            call.orphaned = call.orphaned or call.worker in addresses

    def _take_from_orphans(self) -> None:
        """Tasks whose worker was gone at the last look already, and that nothing was heard of since.

        A scheduler that tells of deaths would have: the task was not begun. One that rather tries it on another worker
        waits for ever, as the task is for this worker alone.
        """
        for key in [key for key, call in self.calls.items() if call.orphaned]:
            call, computed = self.calls.pop(key), self.pool.link.computed(key)
            self.pool.link.forget(key)
            if computed or self.pool.link.tells_deaths:
                self._again(call.task, f"worker {call.worker} was gone")
            else:
                self.lost.append((call.task, Lost(self.pool.link.cause(call.worker))))

    def _take_from(self, worker: Worker, why: str) -> None:
        for key in [key for key, call in self.calls.items() if call.worker == worker.address]:
            self.pool.link.forget(key)
            self._again(self.calls.pop(key).task, why)

    def _again(self, task: Task[Result], why: str) -> None:
        """Give a task again; the second time that it comes to this, it is lost."""
        if task.name in self.given_again:
            self.lost.append((task, Lost(f"{why} when it had the task, the second time")))
            return
        self.given_again.add(task.name)
        self.waiting.again(task)

    def forget_all(self) -> None:
        for key in self.calls:
            self.pool.link.forget(key)
        self.calls.clear()

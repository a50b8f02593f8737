"""What the engine makes of what it is told, by a link that tells it on cue: cases that real processes seldom hit."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pipeline.config import ConfigError
from pipeline.run.engine import Engine
from pipeline.run.link import Arrival, Ended
from pipeline.run.tasks import EngineLost, Lost, Task
from pipeline.run.worker_pool import WorkerPool
from pipeline.run.worker_table import Seen, Worker, WorkerTable
from tests.clusters import preflight

A, B = "tcp://a:1", "tcp://b:1"

Does = Callable[["Told", str], Ended | None]


def returns(link: "Told", worker: str) -> Ended:
    return Ended.DONE


@dataclass
class Told:
    """A link whose workers end a call as `does` says, and the check as `checks` says; None: nothing is heard of it."""

    does: Does = returns
    checks: Does = returns
    workers: dict[str, Seen] = field(default_factory=lambda: {A: Seen("a", 0.0)})
    tells_deaths: bool = False
    finished: bool = False
    address: str = "tcp://s:1"
    dashboard: str = ""
    tasks: list[str] = field(default_factory=list[str])  # the worker of each call of a task
    forgotten: list[str] = field(default_factory=list[str])
    arrivals: list[Arrival] = field(default_factory=list[Arrival])
    said: list[str] = field(default_factory=list[str])

    def poll(self) -> Mapping[str, Seen]:
        beating = {
            address: replace(seen, heard=seen.heard + 1.0) for address, seen in self.workers.items()
        }
        self.workers.update(beating)
        return dict(self.workers)

    def call(
        self, key: str, worker: str, function: Callable[..., object], arguments: tuple[object, ...]
    ) -> None:
        if not key.startswith("preflight"):
            self.tasks.append(worker)
        ended = (self.checks if key.startswith("preflight") else self.does)(self, worker)
        result = function(*arguments) if ended is Ended.DONE else None
        if ended is not None:
            self.arrivals.append(Arrival(key, ended, result=result, why=self.cause(worker)))

    def next(self, seconds: float) -> Arrival | None:
        return self.arrivals.pop(0) if self.arrivals else None

    def computed(self, key: str) -> bool:
        return self.finished

    def cause(self, worker: str) -> str:
        return f"its worker {worker} died"

    def forget(self, key: str) -> None:
        self.forgotten.append(key)

    def remove(self, worker: Worker) -> None:
        del self.workers[worker.address]


def pool(link: Told, folder: Path) -> WorkerPool:
    """Workers by such a link, with a clock on which a second passes from one look to the next."""
    seconds = itertools.count()
    return WorkerPool(
        link,
        preflight(folder),
        link.said.append,
        worker_wait=6.0,
        table=WorkerTable(silent_seconds=4.0),
        clock=lambda: float(next(seconds)),
    )


def work(link: Told, folder: Path, *names: str) -> tuple[dict[str, int], dict[str, str]]:
    """What tasks came to, and what was lost."""
    done, lost = dict[str, int](), dict[str, str]()

    def follow(task: Task[int], result: int | Lost) -> list[Task[int]]:
        if isinstance(result, Lost):
            lost[task.name] = result.error
        else:
            done[task.name] = result
        return []

    workers = pool(link, folder)
    with workers.marked():
        Engine(workers).work_through(iter([Task(name, int, ("7",)) for name in names]), follow)
    return done, lost


# ---- tasks -----------------------------------------------------------------------------------------------------------


def test_a_list_is_drawn_from_only_for_an_idle_worker(tmp_path: Path) -> None:
    link, drawn, ended = Told(), list[int](), list[int]()

    def tasks() -> Iterator[Task[int]]:
        for number in range(5):
            drawn.append(number)
            assert len(drawn) <= len(ended) + 1
            yield Task(str(number), int, (str(number),))

    def follow(task: Task[int], result: int | Lost) -> list[Task[int]]:
        ended.append(int(task.name))
        return []

    workers = pool(link, tmp_path)
    with workers.marked():
        Engine(workers).work_through(tasks(), follow)
    assert ended == list(range(5))


def test_what_is_under_way_is_forgotten_when_the_driver_is_interrupted(tmp_path: Path) -> None:
    link = Told(does=lambda told, worker: Ended.DONE if worker == A else None)
    link.workers[B] = Seen("b", 0.0)

    def follow(task: Task[int], result: int | Lost) -> list[Task[int]]:
        raise KeyboardInterrupt

    workers = pool(link, tmp_path)
    with workers.marked(), pytest.raises(KeyboardInterrupt):
        Engine(workers).work_through(iter([Task(n, int, ("7",)) for n in "xyz"]), follow)
    assert [key[0] for key in link.forgotten] == [["x", "y"][link.tasks.index(B)]]


# ---- workers that are gone -------------------------------------------------------------------------------------------


def leave(link: Told, worker: str) -> Ended | None:
    """The first worker goes in the middle of its task, and another one comes."""
    if worker != A:
        return Ended.DONE
    del link.workers[A]
    link.workers[B] = Seen("b", 0.0)
    return None


def test_a_scheduler_that_says_nothing_of_a_death_is_not_waited_for(tmp_path: Path) -> None:
    assert work(Told(does=leave), tmp_path, "x") == ({}, {"x": f"its worker {A} died"})


def test_a_task_that_had_not_begun_when_its_worker_died_is_given_again(tmp_path: Path) -> None:
    link = Told(does=leave, tells_deaths=True)
    assert work(link, tmp_path, "x") == ({"x": 7}, {})
    assert link.tasks == [A, B]


def test_a_result_that_went_with_its_worker_is_made_again(tmp_path: Path) -> None:
    assert work(Told(does=leave, finished=True), tmp_path, "x") == ({"x": 7}, {})


def test_a_result_that_goes_with_its_worker_twice_is_lost(tmp_path: Path) -> None:
    link = Told(does=lambda told, worker: Ended.UNDELIVERED)
    done, lost = work(link, tmp_path, "x")
    assert not done and lost["x"].endswith("the second time")
    assert link.tasks == [A, A]


def test_a_task_that_a_paused_worker_has_not_begun_is_given_to_another(tmp_path: Path) -> None:
    def pause(link: Told, worker: str) -> Ended | None:
        if worker != A:
            return Ended.DONE
        link.workers[A] = replace(link.workers[A], running=False)
        link.workers[B] = Seen("b", 0.0)
        return None

    link = Told(does=pause)
    assert work(link, tmp_path, "x") == ({"x": 7}, {})
    assert link.tasks == [A, B]
    (line,) = link.said
    assert line.endswith("is paused, its memory is full; it gets no task meanwhile")


def test_a_paused_worker_at_a_long_step_is_waited_for(tmp_path: Path) -> None:
    """Nobody else is there for longer than the run waits for workers, but the step goes on."""

    def fill(link: Told, worker: str) -> Ended | None:
        link.workers[A] = replace(link.workers[A], running=False, busy=True)
        return None

    class Later(Told):
        def poll(self) -> Mapping[str, Seen]:
            if self.workers[A].heard > 20.0:
                raise EngineLost("still there after 20 s")
            return super().poll()

    with pytest.raises(EngineLost, match="still there"):
        work(Later(does=fill), tmp_path, "x")


def test_a_scheduler_that_is_gone_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(EngineLost, match=r"the scheduler at tcp://s:1 is gone"):
        work(Told(does=lambda told, worker: Ended.CUT), tmp_path, "x")


# ---- checks ----------------------------------------------------------------------------------------------------------


def test_workers_that_all_die_at_the_check_end_the_run(tmp_path: Path) -> None:
    with pytest.raises(EngineLost, match="5 workers in a row died"):
        work(Told(checks=lambda told, worker: Ended.DIED), tmp_path, "x")


def test_a_worker_that_does_not_answer_the_check_is_named_and_gets_nothing(tmp_path: Path) -> None:
    link = Told(checks=lambda told, worker: None if worker == A else Ended.DONE)
    link.workers[B] = Seen("b", 0.0, threads=4)
    workers = pool(link, tmp_path)
    with workers.marked():
        workers.assemble()
    said = " ".join(link.said)
    assert "worker tcp://a:1 (on a) has not answered the check for 6 s" in said
    assert "has 4 threads" in said
    assert [w.address for w in workers.table.workers.values() if w.check.value == "fit"] == [B]


def test_a_paused_worker_alone_is_no_worker(tmp_path: Path) -> None:
    link = Told(workers={A: Seen("a", 0.0, running=False)})
    workers = pool(link, tmp_path)
    with workers.marked(), pytest.raises(ConfigError, match=r"worker tcp://a:1 \(on a\) is paused"):
        workers.assemble()


def test_a_work_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(ConfigError, match=r"work: .*file cannot be written: "),
        pool(Told(), tmp_path / "file").marked(),
    ):
        pass


def test_a_wall_clock_that_is_set_back_ends_the_run_and_one_that_jumps_forward_does_not(
    tmp_path: Path,
) -> None:
    workers = pool(Told(), tmp_path)
    for jump in (0.0, 86_400.0, 86_399.0):
        workers.wall = lambda jump=jump: 1e9 + jump
        workers.poll()
    workers.wall = lambda: 1e9
    with pytest.raises(EngineLost, match="set back by 864"):
        workers.poll()

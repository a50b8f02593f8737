"""The engine with real worker processes: deaths, silence, memory, interrupts, and what is left when the driver dies."""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from pipeline.config import Run
from pipeline.run.cluster import open_engine
from pipeline.run.engine import Engine
from pipeline.run.tasks import EngineLost, Task
from tests import clusters
from tests.clusters import ROOT, Heard, begin, begun, until

pytestmark = pytest.mark.xdist_group("cluster")


@contextmanager
def engine(
    folder: Path, said: list[str], *, silent: float = 60.0, workers: int = 2
) -> Iterator[Engine]:
    run = Run(workers=workers, dashboard=0, silent_seconds=silent)
    with open_engine(run, clusters.preflight(folder / "work"), say=said.append) as opened:
        yield opened


@contextmanager
def driver(folder: Path, *tasks: str, memory: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    """A driver in a process group of its own, as a terminal starts a command; killed if the block leaves it running."""
    with (folder / "printed.txt").open("wb") as printed:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.engine_driver", str(folder), "2", str(memory), *tasks],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        clusters.kill(process)


# ---- deaths ----------------------------------------------------------------------------------------------------------


def test_a_death_is_told_at_once_and_blames_only_the_task_that_ran(tmp_path: Path) -> None:
    """Many tasks wait; the worker that dies had one of them, and what follows from results is worked through too."""
    heard, said = Heard(), list[str]()
    tasks = [Task(f"task-{n}", begin, (tmp_path, f"task-{n}", 0.02)) for n in range(12)]
    killer = Task("killer", clusters.die, ())

    def follow(task: Task[object], result: object) -> list[Task[object]]:
        heard.follow(task, result)
        name = f"{task.name}-next"
        follows = task.name.startswith("task") and not task.name.endswith("next")
        return [Task(name, begin, (tmp_path, name, 0.0), urgent=True)] if follows else []

    with engine(tmp_path, said) as opened:
        opened.work_through(iter([*tasks[:4], killer, *tasks[4:]]), follow)
        until(lambda: opened.pool.poll() and opened.workers == 2)  # another one in its place
    assert set(heard.lost) == {"killer"}
    assert heard.lost["killer"].endswith("died")
    assert set(heard.results) == {f"task-{n}{end}" for n in range(12) for end in ("", "-next")}
    assert not said
    assert not list((tmp_path / "work").glob(".preflight-*"))


def test_what_a_task_raises_is_its_own_loss(tmp_path: Path) -> None:
    heard = Heard()
    with engine(tmp_path, []) as opened:
        opened.work_through(
            iter([Task("broken", int, ("x",)), Task("whole", int, ("1",))]), heard.follow
        )
    assert heard.results == {"whole": 1}
    assert heard.lost == {"broken": "ValueError: invalid literal for int() with base 10: 'x'"}


@pytest.mark.slow  # of `make faults` too
def test_a_worker_over_its_memory_is_ended_and_says_so(tmp_path: Path) -> None:
    tasks = ("begin-1=0.1", "eat_memory-1=600", "begin-2=0.1")
    with driver(tmp_path, *tasks, memory=700) as process:
        assert process.wait(timeout=200) == 0
    printed = (tmp_path / "printed.txt").read_text()
    assert "eat_memory-1 was lost: its worker" in printed
    assert "used more memory than its limit" in printed
    assert "begin-1 came to" in printed and "begin-2 came to" in printed


# ---- silence ---------------------------------------------------------------------------------------------------------


def test_a_stopped_process_of_this_machine_is_killed_and_its_task_given_again(
    tmp_path: Path,
) -> None:
    heard, said = Heard(), list[str]()
    with engine(tmp_path, said, silent=5.0) as opened:
        opened.work_through(
            iter([Task("stop", clusters.stop_oneself, (tmp_path, 1))]), heard.follow
        )
        until(lambda: opened.pool.poll() and opened.workers == 2)
    assert heard.results == {"stop": 1}, "done in another process"
    (line,) = said
    assert line.endswith("has said nothing for 5 s; its tasks go elsewhere")


@pytest.mark.slow
def test_a_task_that_stops_its_worker_twice_is_lost(tmp_path: Path) -> None:
    heard, said = Heard(), list[str]()
    with engine(tmp_path, said, silent=5.0) as opened:
        opened.work_through(
            iter([Task("stop", clusters.stop_oneself, (tmp_path, 2))]), heard.follow
        )
    assert "said nothing" in heard.lost["stop"]
    assert len(said) == 2


@pytest.mark.slow
def test_a_step_that_holds_the_interpreter_but_computes_is_not_silent(tmp_path: Path) -> None:
    heard, said = Heard(), list[str]()
    with engine(tmp_path, said, silent=4.0, workers=1) as opened:
        task = Task("compute", clusters.compute_alone, (tmp_path, "compute", 8.0))
        opened.work_through(iter([task]), heard.follow)
    assert not said
    assert heard.results["compute"] > 8.0  # pyright: ignore[reportOperatorIssue] - seconds


# ---- the driver's end ------------------------------------------------------------------------------------------------


def alive(*pids: int) -> list[int]:
    """Those of some processes that still run."""
    return [p for p in pids if psutil.pid_exists(p) and psutil.Process(p).status() != "zombie"]


@pytest.mark.slow  # of `make faults` too
def test_nothing_is_left_of_a_driver_that_is_killed(tmp_path: Path) -> None:
    """One worker is stopped; the other one's only free thread is in native code that lets no Python run."""
    with driver(tmp_path, "wait_with_child-1=60", "hold_interpreter-1=60") as process:
        held, parent = begun(tmp_path, "hold_interpreter-1"), begun(tmp_path, "wait_with_child-1")
        child = begun(tmp_path, "child-of-wait_with_child-1")
        os.kill(parent, signal.SIGSTOP)
        process.kill()
        until(lambda: not alive(held, parent, child), seconds=20.0)


def test_an_interrupt_from_the_terminal_ends_all_without_a_traceback(tmp_path: Path) -> None:
    with driver(tmp_path, "begin-1=60", "wait_with_child-1=60") as process:
        pids = [
            begun(tmp_path, name)
            for name in ("begin-1", "wait_with_child-1", "child-of-wait_with_child-1")
        ]
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=60) == 130
        until(lambda: not alive(*pids), seconds=20.0)
    assert (tmp_path / "printed.txt").read_text() == "interrupted\n"
    assert not list((tmp_path / "work").glob(".preflight-*"))


@pytest.mark.slow
def test_an_interrupt_while_workers_start_ends_all_without_a_traceback(tmp_path: Path) -> None:
    with driver(tmp_path, "begin-1=60") as process:
        family = psutil.Process(process.pid)
        until(lambda: len(family.children(recursive=True)) > 2)
        pids = [member.pid for member in family.children(recursive=True)]
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=60) == 130
        until(lambda: not alive(*pids), seconds=20.0)
    assert (tmp_path / "printed.txt").read_text() == "interrupted\n"


# ---- the rest --------------------------------------------------------------------------------------------------------


def test_the_dashboard_is_loaded_when_somebody_opens_it(tmp_path: Path) -> None:
    with engine(tmp_path, []) as opened:
        with urllib.request.urlopen(opened.dashboard) as page:
            assert b"bokeh" in page.read()
        with urllib.request.urlopen(opened.dashboard.replace("status", "workers")) as page:
            assert page.status == 200


def test_a_command_without_tasks_does_not_load_dask() -> None:
    ask = "import sys, pipeline.run.cluster; print('distributed' in sys.modules, 'dask' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, capture_output=True, check=True)
    assert said.stdout == b"False False\n"


def test_workers_of_this_machine_that_do_not_fit_stop_the_run(tmp_path: Path) -> None:
    """As when the code was changed after the driver had read it."""
    said = list[str]()
    run = Run(workers=1, dashboard=-1, worker_wait=1.0)
    told = clusters.preflight(tmp_path / "work", expected="another one")
    with open_engine(run, told, say=said.append) as opened:
        assert opened.dashboard == ""
        with pytest.raises(EngineLost, match=r"could be used for 1 s: worker .* is of version"):
            opened.work_through(iter([Task("whole", int, ("1",))]), Heard().follow)
    assert said[0].endswith("it gets no task")

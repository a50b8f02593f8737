"""A scheduler without workers, and workers without the package, of another version or in another folder: silence.

With a relative `--out` and workers started in another folder, all was computed before the run failed.
"""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.config import ConfigError, Run
from pipeline.run.cluster import open_engine
from pipeline.run.tasks import Task
from tests.clusters import (
    VERSION,
    WITHOUT_PACKAGE,
    Cluster,
    Heard,
    begin,
    begun,
    cluster,
    kill,
    preflight,
)

pytestmark = pytest.mark.xdist_group("cluster")


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster")) as processes:
        processes.scheduler()
        yield processes


def refused(started: Cluster, work: Path) -> tuple[str, list[str]]:
    """What a run is told before its first task, and what was said before."""
    said = list[str]()
    run = Run(scheduler=started.address, worker_wait=2.0)
    with (
        pytest.raises(ConfigError) as error,
        open_engine(run, preflight(work), say=said.append),
    ):
        pass
    assert not list(work.glob(".preflight-*")), "the marks of the check are taken away"
    return str(error.value), said


def test_a_scheduler_without_workers_is_named(started: Cluster, tmp_path: Path) -> None:
    sentence, said = refused(started, tmp_path)
    assert said == [f"waiting for workers at {started.address}, 2 s at most"]
    assert sentence.startswith(f"scheduler: {started.address} has no workers after 2 s")


def test_a_worker_without_the_package_is_named(started: Cluster, tmp_path: Path) -> None:
    worker = started.worker("--preload", WITHOUT_PACKAGE, cwd=tmp_path)
    sentence, _ = refused(started, tmp_path)
    kill(worker)
    assert "worker tcp://127.0.0.1:" in sentence
    assert "on 127.0.0.1) cannot import this package (No module named 'pipeline')" in sentence
    assert "installed there" in sentence


@pytest.mark.slow
def test_a_scheduler_without_the_package_is_named(tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster") as processes:
        processes.scheduler("--preload", WITHOUT_PACKAGE, cwd=tmp_path)
        processes.worker()
        sentence, _ = refused(processes, tmp_path)
    assert sentence.startswith(f"the scheduler at {processes.address} cannot import this package")


def test_a_worker_of_another_version_is_named(started: Cluster, tmp_path: Path) -> None:
    worker = started.worker(**{VERSION: "that one"})
    sentence, _ = refused(started, tmp_path)
    kill(worker)
    assert f"(pid {worker.pid} on {os.uname().nodename}) is of version that one" in sentence
    assert "this command of this one" in sentence


def test_a_worker_in_another_folder_is_named(started: Cluster, tmp_path: Path) -> None:
    worker = started.worker(cwd=tmp_path, PYTHONPATH=str(Path(__file__).parents[2]))
    relative = Path(os.path.relpath(tmp_path / "work"))
    sentence, _ = refused(started, relative)
    kill(worker)
    assert f"(pid {worker.pid} on {os.uname().nodename}) does not see the work folder" in sentence
    assert f"{relative} (No such file or directory)" in sentence


def test_a_worker_that_joins_later_and_does_not_fit_is_named_and_gets_no_task(
    started: Cluster, tmp_path: Path
) -> None:
    fit = started.worker()
    unfit: list[int] = []
    heard, said = Heard(), list[str]()

    def join() -> None:
        begun(tmp_path, "task-0")
        unfit.append(started.worker(**{VERSION: "that one"}).pid)

    def tasks() -> Iterator[Task[int]]:
        """As many as it takes until the other worker was named, and two more."""
        left = 2
        while left:
            name = f"task-{len(heard.results)}"
            yield Task(name, begin, (tmp_path, name, 0.1))
            left -= bool(said)

    run = Run(scheduler=started.address)
    with open_engine(run, preflight(tmp_path / "work"), say=said.append) as engine:
        joining = threading.Thread(target=join)
        joining.start()
        engine.work_through(tasks(), heard.follow)
        joining.join()
    (line,) = said
    assert f"(pid {unfit[0]} on" in line
    assert line.endswith("it gets no task")
    assert set(heard.results.values()) == {fit.pid}

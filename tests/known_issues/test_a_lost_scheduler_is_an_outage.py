"""A scheduler that was killed in the middle turned every clip under way into a failed one: 3 clips became 1, exit 0."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from pipeline.config import Run
from pipeline.run.cluster import open_engine
from pipeline.run.tasks import EngineLost, Task
from tests.clusters import Heard, begin, begun, cluster, kill, preflight

pytestmark = pytest.mark.xdist_group("cluster")


def tasks(folder: Path) -> list[Task[int]]:
    return [Task(f"task-{n}", begin, (folder, f"task-{n}", 60.0)) for n in range(2)]


def test_a_scheduler_that_is_killed_stops_the_run_and_loses_no_task(tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster") as started:
        scheduler = started.scheduler()
        started.worker()
        heard = Heard()
        killed: list[float] = []

        def kill_it() -> None:
            begun(tmp_path, "task-0")
            killed.append(time.monotonic())
            os.kill(scheduler.pid, signal.SIGKILL)

        run = Run(scheduler=started.address)
        with open_engine(run, preflight(tmp_path / "work"), say=print) as engine:
            threading.Thread(target=kill_it).start()
            with pytest.raises(EngineLost, match=r"the scheduler at tcp://.* is gone"):
                engine.work_through(iter(tasks(tmp_path)), heard.follow)
        assert time.monotonic() - killed[0] < 15.0
        assert not heard.lost and not heard.results


@pytest.mark.slow
def test_a_scheduler_that_is_stopped_stops_the_run(tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster") as started:
        scheduler = started.scheduler()
        started.worker()
        heard = Heard()
        run = Run(scheduler=started.address, silent_seconds=5.0)

        def stop_it() -> None:
            begun(tmp_path, "task-0")
            os.kill(scheduler.pid, signal.SIGSTOP)

        with open_engine(run, preflight(tmp_path / "work"), say=print) as engine:
            threading.Thread(target=stop_it).start()
            with pytest.raises(EngineLost, match="has said nothing for 5 s"):
                engine.work_through(iter(tasks(tmp_path)), heard.follow)
        assert not heard.lost and not heard.results


def test_the_last_worker_that_does_not_come_back_stops_the_run(tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster") as started:
        started.scheduler()
        worker = started.worker()
        heard = Heard()

        def kill_it() -> None:
            begun(tmp_path, "task-0")
            kill(worker)

        run = Run(scheduler=started.address, worker_wait=2.0)
        with open_engine(run, preflight(tmp_path / "work"), say=print) as engine:
            threading.Thread(target=kill_it).start()
            with pytest.raises(EngineLost, match=r"no worker of tcp://.* could be used for 2 s"):
                engine.work_through(iter(tasks(tmp_path)), heard.follow)
        assert set(heard.lost) == {"task-0"}, "only the step that its worker died under"

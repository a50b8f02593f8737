"""A worker process that was stopped in the middle held its step for five minutes, in which nothing was said."""

import os
import signal
import threading
from pathlib import Path

import pytest

from pipeline.config import Run
from pipeline.run.cluster import open_engine
from pipeline.run.tasks import Task
from tests.clusters import Heard, begin, begun, cluster, preflight

pytestmark = pytest.mark.xdist_group("cluster")


def test_a_stopped_worker_is_named_and_its_task_goes_elsewhere(tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster") as started:
        started.scheduler()
        workers = [started.worker().pid, started.worker().pid]
        heard, said = Heard(), list[str]()

        def stop_it() -> None:
            os.kill(begun(tmp_path, "task-0"), signal.SIGSTOP)

        tasks = [Task(f"task-{n}", begin, (tmp_path, f"task-{n}", 1.0)) for n in range(4)]
        run = Run(scheduler=started.address, silent_seconds=6.0)
        with open_engine(run, preflight(tmp_path / "work"), say=said.append) as engine:
            threading.Thread(target=stop_it).start()
            engine.work_through(iter(tasks), heard.follow)
            stopped = int(min(tmp_path.glob("task-0-*"), key=os.path.getmtime).name.split("-")[-1])
            assert engine.workers == 1
    (line,) = said
    assert line.startswith("worker tcp://127.0.0.1:")
    assert f"(pid {stopped} on {os.uname().nodename}) has said nothing for 6 s" in line
    assert "its tasks go elsewhere" in line
    assert not heard.lost
    assert set(heard.results) == {task.name for task in tasks}
    assert heard.results["task-0"] in set(workers) - {stopped}

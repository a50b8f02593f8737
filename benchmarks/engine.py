"""What opening the engine costs, in seconds and processor seconds: `python -m benchmarks.engine [workers]`."""

import itertools
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import psutil


def processor_seconds() -> float:
    """Processor time of this process and of all that it started and that still run."""
    family = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return sum(process.cpu_times().user + process.cpu_times().system for process in family)


def main(workers: int) -> None:
    """Open an engine, work through empty tasks, kill a worker, and print what each part took."""
    marks = [("", time.perf_counter(), processor_seconds())]

    def mark(name: str) -> None:
        marks.append((name, time.perf_counter(), processor_seconds()))

    from pipeline.config import Run
    from pipeline.run.cluster import Lost, Preflight, Task, open_engine

    mark("import the engine, without Dask")
    pids: list[int] = []

    def follow(task: Task[int], result: int | Lost) -> list[Task[int]]:
        if not isinstance(result, Lost):
            pids.append(result)
        return []

    def work(name: str, count: int) -> None:
        tasks = [Task(f"{name}-{number}", os.getpid, ()) for number in range(count)]
        engine.work_through(iter(tasks), follow)

    with tempfile.TemporaryDirectory() as folder:
        preflight = Preflight(
            Path(folder), "token", "one", partial(os.getenv, "NO_SUCH_NAME", "one")
        )
        run = Run(workers=workers, dashboard=0)
        with open_engine(run, preflight, say=print) as engine:
            mark(f"open with {workers} workers, Dask read in")
            work("first", workers)
            mark("checks and first results")
            work("many", 200)
            mark("200 empty tasks")
            psutil.Process(pids[0]).kill()
            while len({*pids[-workers:]} - {pids[0]}) < workers:
                work("again", workers)
            mark("a worker killed, and another in its place at work")
        mark("close")
    for (_, began, used), (name, ended, after) in itertools.pairwise(marks):
        cpu = f"{after - used:6.2f}" if after >= used else "     -"
        print(f"{name:50} {ended - began:6.2f} s {cpu} s of processor")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2)

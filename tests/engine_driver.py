"""A driver process with an engine on this machine, for tests that kill it, interrupt it or give it little memory.

Called as: python -m tests.engine_driver FOLDER WORKERS MEMORY_MIB NAME=SECONDS…; a name begins with what the task does.
Prints one line per result and ends with 130 when interrupted, as the command does.
"""

import resource
import signal
import sys
from pathlib import Path


def main() -> int:
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # shells have what they begin with & ignore it
    folder, workers, memory = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    if memory:  # Dask takes it for the memory of the machine
        resource.setrlimit(resource.RLIMIT_RSS, (memory << 20, memory << 20))

    from pipeline.config import Run
    from pipeline.run.cluster import open_engine
    from pipeline.run.tasks import Task
    from tests import clusters

    heard = clusters.Heard()
    given = [argument.partition("=") for argument in sys.argv[4:]]
    tasks = [
        Task(name, getattr(clusters, name.partition("-")[0]), (folder, name, float(seconds)))
        if not name.startswith("eat_memory")
        else Task(name, clusters.eat_memory, (int(seconds),))
        for name, _, seconds in given
    ]
    run = Run(workers=workers, dashboard=-1)
    try:
        with open_engine(run, clusters.preflight(folder / "work"), say=print) as engine:
            (folder / "open").touch()
            engine.work_through(iter(tasks), heard.follow)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        return 130
    for name, result in heard.results.items():
        print(f"{name} came to {result}")
    for name, error in heard.lost.items():
        print(f"{name} was lost: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

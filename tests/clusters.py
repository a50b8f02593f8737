"""Dask schedulers and workers as processes of their own, and tasks for them that any process can import."""

import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil

from pipeline.run.tasks import Lost, Preflight, Task

ROOT = Path(__file__).resolve().parents[1]
VERSION = "COSPEECH_TEST_VERSION"

# A worker started with this finds neither this package nor an installed one.
WITHOUT_PACKAGE = (
    "import sys; sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in repr(f)]"
)


def until(condition: Callable[[], object], seconds: float = 90.0) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all that it started."""
    with suppress(psutil.NoSuchProcess):
        family = [
            *psutil.Process(process.pid).children(recursive=True),
            psutil.Process(process.pid),
        ]
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()
    process.wait(timeout=20)


@dataclass
class Cluster:
    """A scheduler and the workers that were started for it."""

    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list[subprocess.Popen[bytes]])

    def start(self, *command: str, cwd: Path = ROOT, **environment: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"printed-{len(self.processes)}.txt").open("wb") as printed:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=cwd,
                env={**os.environ, "PYTHONWARNINGS": "default", **environment},
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
            )
        self.processes.append(process)
        return process

    def scheduler(self, *options: str, cwd: Path = ROOT) -> subprocess.Popen[bytes]:
        file = self.folder / "scheduler.json"
        where = (
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--no-dashboard",
            "--dashboard-address",
            ":0",
        )
        process = self.start(
            "distributed.cli.dask_scheduler",
            *where,
            "--scheduler-file",
            str(file),
            *options,
            cwd=cwd,
        )
        until(lambda: file.exists() and file.read_text().endswith("}"))
        return process

    @property
    def address(self) -> str:
        return json.loads((self.folder / "scheduler.json").read_text())["address"]

    def worker(
        self, *options: str, cwd: Path = ROOT, **environment: str
    ) -> subprocess.Popen[bytes]:
        """A worker process, which its scheduler knows."""
        printed = self.folder / f"printed-{len(self.processes)}.txt"
        fixed = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory")
        process = self.start(
            "distributed.cli.dask_worker",
            self.address,
            *fixed,
            str(self.folder),
            *options,
            cwd=cwd,
            **environment,
        )
        until(lambda: "Registered to" in printed.read_text())
        return process


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Processes that end with the block, a stopped one too."""
    folder.mkdir(parents=True, exist_ok=True)
    started = Cluster(folder)
    try:
        yield started
    finally:
        for process in started.processes:
            kill(process)


def preflight(work: Path, expected: str = "this one") -> Preflight:
    """A check that a worker started without another version in its environment passes."""
    return Preflight(work, uuid.uuid4().hex, expected, partial(os.getenv, VERSION, "this one"))


@dataclass
class Heard:
    """What came back, by the name of the task."""

    results: dict[str, object] = field(default_factory=dict[str, object])
    lost: dict[str, str] = field(default_factory=dict[str, str])

    def follow(self, task: Task[object], result: object) -> Iterable[Task[object]]:
        if isinstance(result, Lost):
            self.lost[task.name] = result.error
        else:
            self.results[task.name] = result
        return []


# ---- tasks -----------------------------------------------------------------------------------------------------------


def begin(folder: Path, name: str, seconds: float) -> int:
    """Leave a mark with the process's number, take a while, and return the number."""
    (folder / f"{name}-{os.getpid()}").touch()
    time.sleep(seconds)
    return os.getpid()


def begun(folder: Path, name: str) -> int:
    """The process that has begun a task, waited for."""
    until(lambda: any(folder.glob(f"{name}-*")))
    return int(next(folder.glob(f"{name}-*")).name.rpartition("-")[2])


def stop_oneself(folder: Path, times: int) -> int:
    """Stop one's own process, as a machine that hangs would, the first few times."""
    before = len(list(folder.glob("stopped-*")))
    if before < times:
        (folder / f"stopped-{before}").touch()
        os.kill(os.getpid(), signal.SIGSTOP)
    return before


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hold_interpreter(folder: Path, name: str, seconds: float) -> None:
    """Take a while in native code that lets no other thread of the process run, waiting."""
    (folder / f"{name}-{os.getpid()}").touch()
    ctypes.PyDLL(None).sleep(int(seconds))


def compute_alone(folder: Path, name: str, seconds: float) -> float:
    """Take a while in native code that lets no other thread of the process run, computing. Returns the seconds."""
    (folder / f"{name}-{os.getpid()}").touch()
    length, took = 18, 0.0
    while (
        took < seconds
    ):  # a pattern that goes back over every way to split the letters: twice as long for each
        length += 1
        began = time.perf_counter()
        re.fullmatch("(a+)+", length * "a" + "b")
        took = time.perf_counter() - began
    return took


def wait_with_child(folder: Path, name: str, seconds: float) -> None:
    """Take a while beside a child process that reads until its input ends, as an encoder does."""
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    (folder / f"child-of-{name}-{child.pid}").touch()
    begin(folder, name, seconds)


def eat_memory(mib: int) -> int:
    """Take so much memory, and a while to look at it."""
    taken = bytearray(mib << 20)
    taken[:: 1 << 12] = bytes(len(range(0, len(taken), 1 << 12))).replace(b"\0", b"\1")
    time.sleep(3.0)
    return len(taken)


KEPT: list[bytearray] = []


def fill_memory(mib: int) -> None:
    """Take so much memory and keep it, as a step that leaves a model in its process does."""
    KEPT.append(bytearray(b"\1") * (mib << 20))

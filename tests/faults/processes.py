"""The processes of one scenario: started, found by the environment that they all inherit, watched, ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.faults.orders import FOLDER

ROOT = Path(__file__).resolve().parents[2]
LOOK = 0.004  # seconds between two looks at what a run is doing


class Stuck(AssertionError):
    """A run did not end in time."""


@dataclass(frozen=True, slots=True)
class Started:
    """A process, and what it prints."""

    process: subprocess.Popen[bytes]
    printed: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def text(self) -> str:
        return self.printed.read_text(errors="replace")

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def wait(self, seconds: float) -> int:
        """The exit code, negative for a signal. Raises Stuck."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Stuck(f"not over after {seconds:g} s; printed so far:\n{self.text}") from None

    def send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)


def start(
    module: str, arguments: Sequence[str], *, environment: Mapping[str, str], printed: Path
) -> Started:
    """`python -m module` in a session of its own, from the root of the repository."""
    given = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": "", **environment}
    with printed.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=given,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Started(process, printed)


def until(seen: Callable[[], bool], *, process: Started, seconds: float = 60.0) -> bool:
    """Wait for something to be seen; False where the process ended before. Raises Stuck."""
    end = time.monotonic() + seconds
    while not seen():
        if not process.alive:
            return False
        if time.monotonic() > end:
            raise Stuck(f"what was waited for did not come in {seconds:g} s:\n{process.text}")
        time.sleep(LOOK)
    return True


# ---- the family ------------------------------------------------------------------------------------------------------


def family(folder: Path) -> list[psutil.Process]:
    """Every process of a scenario that is alive, by its environment."""
    mark = f"{FOLDER}={folder}".encode() + b"\0"
    found: list[psutil.Process] = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, psutil.Error):
            if mark in (place / "environ").read_bytes() + b"\0":
                process = psutil.Process(int(place.name))
                if process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
    return found


def kill_all(folder: Path) -> None:
    """End every process of a scenario, as a power cut would: all at once, stopped ones too."""
    members = family(folder)
    for member in members:
        with suppress(psutil.Error):
            member.suspend()  # so that nobody sees another one die
    for member in members:
        with suppress(psutil.Error):
            member.kill()
    psutil.wait_procs(members, timeout=20.0)


def left_over(folder: Path, *, seconds: float = 45.0) -> list[str]:
    """Processes that are still there a while after their run ended, in words."""
    end = time.monotonic() + seconds
    while members := family(folder):
        if time.monotonic() > end:
            return [described(member) for member in members]
        time.sleep(0.05)
    return []


def described(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return f"{process.pid} {' '.join(process.cmdline())[:120]}"
    return str(process.pid)


def workers(folder: Path, driver: int) -> list[int]:
    """The worker processes of a driver on this machine: what its fork server forked."""
    found: list[int] = []
    for member in family(folder):
        with suppress(psutil.Error):
            parent = member.parent()
            if parent is not None and parent.pid != driver and parent.ppid() == driver:
                found.append(member.pid)
    return sorted(found)


def send(pid: int, number: signal.Signals) -> None:
    """A signal to a process that may be gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)

"""What the harness tells cheap stages to do, by files in a folder that an environment variable names.

The folder is no field of a stage: fields enter the keys of the ledger, and a run with faults must have the keys of one
without. Each call of a stage is noted there, so that what was measured twice can be counted.
"""

import ctypes
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

FOLDER = "COSPEECH_FAULTS"
"""Names the folder, and by that every process of a scenario."""
MEMORY = 1 << 30  # bytes that a greedy step takes


@dataclass(frozen=True, slots=True)
class Orders:
    """The folder of one scenario."""

    folder: Path

    # ---- the harness's side

    def pace(self, seconds: float) -> None:
        """Have every stage take so long."""
        (self.folder / "pace").write_text(str(seconds))

    def give(
        self, stage: str, act: str, *, times: int = 1, skip: int = 0, subject: str = ""
    ) -> None:
        """Have the calls of a stage after the first `skip` do something, so many times; subject: of one alone."""
        order = {"stage": stage, "act": act, "times": times, "skip": skip, "subject": subject}
        (self.folder / f"order-{stage}.json").write_text(json.dumps(order))

    def withdraw(self) -> None:
        """No faults and no pace any more."""
        for file in [*self.folder.glob("order-*"), self.folder / "pace"]:
            file.unlink(missing_ok=True)

    @property
    def obeyed(self) -> int:
        """How often an order was obeyed."""
        return len(list(self.folder.glob("obeyed-*")))

    def calls(self) -> Counter[str]:
        """How often each stage was called on each subject, as `stage subject`."""
        with suppress(FileNotFoundError):
            return Counter((self.folder / "calls").read_text().splitlines())
        return Counter()

    # ---- the stages' side

    def note(self, stage: str, subject: str) -> None:
        """Note a call, and take the time."""
        with (self.folder / "calls").open("a") as calls:
            calls.write(f"{stage} {subject}\n")
        with suppress(FileNotFoundError):
            time.sleep(float((self.folder / "pace").read_text()))

    def obey(self, stage: str, subject: str) -> None:
        """Do what was ordered."""
        with suppress(FileNotFoundError):
            order = json.loads((self.folder / f"order-{stage}.json").read_text())
            if order["subject"] in ("", subject) and self.turn_of(order):
                ACTS[order["act"]]()

    def turn_of(self, order: Mapping[str, object]) -> bool:
        """Whether this call is among those that obey; claims its number."""
        skip, times = int(str(order["skip"])), int(str(order["times"]))
        for number in range(skip + times):
            claim = "obeyed" if number >= skip else "passed"
            with suppress(FileExistsError):
                (self.folder / f"{claim}-{order['stage']}-{number}").touch(exist_ok=False)
                return number >= skip
        return False


def begun(stage: str, subject: str) -> None:
    """A stage begins; without a scenario nothing is done."""
    if (folder := os.environ.get(FOLDER)) is not None:
        Orders(Path(folder)).note(stage, subject)
    obey(stage, subject)


def obey(stage: str, subject: str) -> None:
    """A point within a stage at which it may be told to do something."""
    if (folder := os.environ.get(FOLDER)) is not None:
        Orders(Path(folder)).obey(stage, subject)


# ---- what a call may be told to do -----------------------------------------------------------------------------------


def hang() -> None:
    time.sleep(3600.0)


def end_by_memory_fault() -> None:
    ctypes.string_at(0)


def end_by_kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leave() -> None:
    os._exit(1)


def fail() -> None:
    raise RuntimeError("told to fail")


def take_memory() -> None:
    held = bytearray(MEMORY)
    time.sleep(60.0)
    del held


def run_out_of_memory() -> None:
    raise MemoryError


ACTS: Mapping[str, Callable[[], object]] = {
    "hang": hang,
    "abort": os.abort,
    "segv": end_by_memory_fault,
    "kill": end_by_kill,
    "leave": leave,
    "fail": fail,
    "greedy": take_memory,
    "memory error": run_out_of_memory,
}

"""A run that is asked to stop saves where it is first: SIGTERM, of clusters and containers, and Ctrl-C."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelerate import Accelerator

EVERY = 10
"""Steps after which several ranks ask each other; one rank sees it at once."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)
INTERRUPTED = 130
"""Exit code of a run that was stopped and goes on with the same command, as of `csg-data`."""


class Stopped(Exception):
    """The run was asked to stop, and its state is saved."""

    def __init__(self, step: int, steps: int) -> None:
        super().__init__(
            f"stopped at step {step} of {steps}, which is saved: the same command goes on"
        )


class Stop:
    """Whether somebody asked."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """The handler of the signals; the second Ctrl-C is not waited for."""
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True

    def agreed(self, machine: "Accelerator", step: int) -> bool:
        """Whether to stop after this step, the same on every rank."""
        if machine.num_processes == 1:
            return self.asked
        if step % EVERY:
            return False
        import torch  # a command that only lists or helps does without it

        asked = machine.reduce(torch.tensor(int(self.asked), device=machine.device), "sum")
        assert isinstance(asked, torch.Tensor)
        return bool(asked.item())


@contextmanager
def stop_signals() -> Iterator[Stop]:
    """Handle the signals while the block runs; in a thread nobody is asked."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {each: signal.signal(each, stop) for each in SIGNALS}
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)

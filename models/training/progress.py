"""The live view of a training run: a line that refreshes on a terminal, or one now and then without."""

import time
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.text import Text

LINE_EVERY = 30.0
"""Seconds between two lines where there is no terminal."""


@dataclass(slots=True)
class Progress:
    """Counts steps and says how far, how fast and how long still. Used as a context."""

    console: Console
    steps: int
    done: int
    batch: int
    loss: float = float("nan")
    validation: float | None = None
    first: int = field(init=False)
    began: float = field(init=False)
    last_line: float = field(init=False)
    printed: int = field(default=-1, init=False)
    live: Live | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.first, self.began = self.done, time.monotonic()
        self.last_line = self.began

    def __enter__(self) -> "Progress":
        if self.console.is_terminal:
            self.live = Live(get_renderable=self.line, console=self.console, refresh_per_second=4)
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()
        elif self.printed < self.done or self.done == self.first:
            self.console.print(self.line())

    def advance(self, step: int) -> None:
        """A step is done."""
        self.done = step
        now = time.monotonic()
        if not self.live and now - self.last_line >= LINE_EVERY:
            self.last_line, self.printed = now, step
            self.console.print(self.line())

    def line(self) -> Text:
        """The run in one line."""
        elapsed = time.monotonic() - self.began
        steps_per_second = (self.done - self.first) / elapsed if elapsed else 0.0
        left = (self.steps - self.done) / steps_per_second if steps_per_second else 0.0
        validated = f" · validation {self.validation:.4f}" if self.validation is not None else ""
        ending = f" · {clock(left)} left" if self.done < self.steps else ""
        return Text(
            f"step {self.done}/{self.steps} · loss {self.loss:.4f}{validated} · "
            f"{steps_per_second * self.batch:.1f} samples/s · {clock(elapsed)}{ending}"
        )


def clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"

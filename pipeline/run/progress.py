"""The live view of a run: how far, how fast, how long still."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from manifests.geometry import FPS
from manifests.record import Clip
from pipeline.run.walk import Costs, Outcome


@dataclass(slots=True)
class StageTally:
    """What one stage did so far: calls that measured something, worker seconds, frames decoded."""

    calls: int = 0
    seconds: float = 0.0
    decoded: int = 0


@dataclass(slots=True)
class Progress:
    """Counts what the run reports; drawn as a table that refreshes, or as a line now and then without a terminal.

    stages: the rows in the order of the flow; of_clip: those that are called on candidates.
    """

    sources: int
    stages: tuple[str, ...]
    of_clip: frozenset[str]
    dashboard: str = ""
    began: float = field(default_factory=time.monotonic)
    sources_done: int = 0
    clips_known: int = 0
    clips_done: int = 0
    kept_frames: int = 0
    failures: int = 0
    tallies: dict[str, StageTally] = field(default_factory=dict[str, StageTally])

    def add_outcome(self, outcome: Outcome) -> None:
        """Count one outcome."""
        self.failures += outcome.failure is not None
        if isinstance(outcome.subject, Clip):
            self.clips_done += 1
            if outcome.failure is None and outcome.drop is None:
                self.kept_frames += outcome.subject.span.frames
        else:
            self.sources_done += 1

    def add_costs(self, costs: Costs) -> None:
        """Count what one step took."""
        for stage, seconds in costs.seconds.items():
            tally = self.tallies.setdefault(stage, StageTally())
            tally.calls += 1
            tally.seconds += seconds
            tally.decoded += costs.decoded.get(stage, 0)

    def set_dashboard(self, dashboard: str) -> None:
        """Show where the workers can be watched."""
        self.dashboard = dashboard

    def add_candidates(self, count: int) -> None:
        """Count new candidates."""
        self.clips_known += count

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.began

    @property
    def decoded(self) -> int:
        """Frames that left a decoder so far."""
        return sum(tally.decoded for tally in self.tallies.values())

    def left(self) -> str:
        """Estimated time left: candidates of unmeasured sources are extrapolated from the measured ones."""
        if not self.sources_done:
            return "…"
        expected = self.clips_known / self.sources_done * self.sources
        work = self.sources_done + self.clips_done
        fraction = work / max(work, self.sources + max(expected, self.clips_known))
        return clock(self.elapsed / fraction - self.elapsed)

    def __rich__(self) -> Group:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name in ("stage", "done", "of", "rate", "frames decoded", "left"):
            table.add_column(name, justify="left" if name == "stage" else "right")
        for stage in self.stages:
            tally = self.tallies.get(stage, StageTally())
            of_clip = stage in self.of_clip
            total = self.clips_known if of_clip else self.sources
            done = self.clips_done if of_clip else self.sources_done
            per_second = tally.calls / self.elapsed if self.elapsed else 0.0
            left = clock((total - done) * self.elapsed / done) if done and total >= done else "…"
            table.add_row(
                stage,
                str(tally.calls),
                str(total),
                f"{per_second:.2f}/s",
                str(tally.decoded or ""),
                left,
            )
        where = Text(f"dashboard {self.dashboard}" if self.dashboard else "", style="dim")
        return Group(Text(self.line(), style="bold"), where, table)

    def line(self) -> str:
        """The whole run in one line."""
        done = self.sources_done == self.sources and self.clips_done == self.clips_known
        return (
            f"sources {self.sources_done}/{self.sources} · candidates {self.clips_done}/{self.clips_known} · "
            f"kept {self.kept_frames / FPS:.1f} s · failed {self.failures} · {clock(self.elapsed)}"
            + ("" if done else f", {self.left()} left")
        )


LINE_EVERY = 30.0
"""Seconds between two lines where there is no terminal."""


@contextmanager
def shown(progress: Progress, console: Console) -> Generator[None]:
    """Show the progress while the block runs: live on a terminal, else as a line every `LINE_EVERY` seconds."""
    if console.is_terminal:
        with Live(progress, console=console, refresh_per_second=4, transient=True):
            yield
    else:
        with lines(progress, console):
            yield
    console.print(progress.line(), soft_wrap=True)


@contextmanager
def lines(progress: Progress, console: Console) -> Generator[None]:
    """Print the progress now and then from a thread of its own."""
    over = threading.Event()

    def print_lines() -> None:
        while not over.wait(LINE_EVERY):
            console.print(progress.line(), soft_wrap=True)

    printer = threading.Thread(target=print_lines, daemon=True)
    printer.start()
    try:
        yield
    finally:
        over.set()
        printer.join()


def clock(seconds: float) -> str:
    """Seconds as 1:02:03."""
    whole = max(0, round(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"

"""The live view of a run: how far, how fast, how long still; and the funnel at its end."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from manifests.geometry import FPS
from manifests.record import Clip, Why
from pipeline.audit.account import Account
from pipeline.run.step import Outcome


@dataclass(slots=True)
class StageTally:
    """What one stage did so far: calls that measured something, worker seconds, frames decoded."""

    calls: int = 0
    seconds: float = 0.0
    decoded: int = 0


@dataclass(slots=True)
class Progress:
    """Counts what the run tells; drawn as a table that refreshes, or as a line now and then without a terminal."""

    sources: int
    dashboard: str
    stages: tuple[str, ...]
    began: float = field(default_factory=time.monotonic)
    sources_done: int = 0
    clips_known: int = 0
    clips_done: int = 0
    kept_frames: int = 0
    failures: int = 0
    tallies: dict[str, StageTally] = field(default_factory=dict[str, StageTally])

    def told(self, outcome: Outcome) -> None:
        """Count one outcome."""
        self.failures += outcome.failure is not None
        for stage, seconds in outcome.books.seconds.items():
            tally = self.tallies.setdefault(stage, StageTally())
            tally.calls += 1
            tally.seconds += seconds
            tally.decoded += outcome.books.decoded.get(stage, 0)
        if isinstance(outcome.subject, Clip):
            self.clips_done += 1
            if outcome.failure is None and outcome.drop is None:
                self.kept_frames += outcome.subject.span.frames
        else:
            self.sources_done += 1

    def planned(self, count: int) -> None:
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
        """Time left by what is known: candidates of unmeasured sources are guessed from the measured ones."""
        if not self.sources_done:
            return "…"
        expected = self.clips_known / self.sources_done * self.sources
        work = self.sources_done + self.clips_done
        share = work / max(work, self.sources + max(expected, self.clips_known))
        return clock(self.elapsed / share - self.elapsed)

    def __rich__(self) -> Group:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name in ("stage", "done", "of", "rate", "frames decoded", "left"):
            table.add_column(name, justify="left" if name == "stage" else "right")
        for stage in self.stages:
            tally = self.tallies.get(stage, StageTally())
            of_clip = stage in CLIP_STAGES
            total = self.clips_known if of_clip else self.sources
            done = self.clips_done if of_clip else self.sources_done
            rate = tally.calls / self.elapsed if self.elapsed else 0.0
            left = clock((total - done) * self.elapsed / done) if done and total >= done else "…"
            table.add_row(
                stage, str(tally.calls), str(total), f"{rate:.2f}/s", str(tally.decoded or ""), left
            )
        return Group(
            Text(self.line(), style="bold"), Text(f"dashboard {self.dashboard}", style="dim"), table
        )

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

CLIP_STAGES = frozenset({"pose", "posture", "sync", "framing", "crop"})


@contextmanager
def shown(progress: Progress, console: Console) -> Iterator[None]:
    """Show the progress while the block runs: live on a terminal, else as a line every `LINE_EVERY` seconds."""
    if console.is_terminal:
        with Live(progress, console=console, refresh_per_second=4, transient=True):
            yield
    else:
        console.print(f"dashboard {progress.dashboard}", soft_wrap=True)
        with lines(progress, console):
            yield
    console.print(progress.line(), soft_wrap=True)


@contextmanager
def lines(progress: Progress, console: Console) -> Iterator[None]:
    """Print the progress now and then from a thread of its own."""
    over = threading.Event()

    def tell() -> None:
        while not over.wait(LINE_EVERY):
            console.print(progress.line(), soft_wrap=True)

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def clock(seconds: float) -> str:
    """Seconds as 1:02:03."""
    whole = max(0, round(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def funnel(account: Account, sources_dropped: Mapping[Why, int]) -> Table:
    """Seconds in, kept, and dropped by reason; the rows add up exactly, in frames."""
    table = Table(title="where every second went", title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    for name in ("frames", "seconds", "share", "sources whole"):
        table.add_column(name, justify="right")
    for name, frames, sources in funnel_rows(account, sources_dropped):
        share = f"{frames / account.frames:.1%}" if account.frames else ""
        table.add_row(name, str(frames), f"{frames / FPS:.2f}", share, str(sources or ""))
    return table


def funnel_rows(account: Account, sources_dropped: Mapping[Why, int]) -> list[tuple[str, int, int]]:
    """(name, frames, sources dropped whole), in the order of the flow; in = kept + every drop."""
    rows = [("in", account.frames, 0)]
    for why in Why:
        if account.dropped.get(why) or sources_dropped.get(why):
            rows.append(
                (f"dropped: {why}", account.dropped.get(why, 0), sources_dropped.get(why, 0))
            )
    rows.append(("kept", account.kept, 0))
    if account.frames != account.kept + sum(account.dropped.values()):
        raise ValueError("the funnel does not add up")
    return rows

"""What a run says at its end: the funnel, the failures, the splits, and what the user would want to know."""

import io
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table

from manifests.geometry import FPS
from manifests.record import Clip, SplitName, Verdict, Why
from pipeline.audit.account import Account
from pipeline.config import Run
from pipeline.run.drive import Gathered
from pipeline.run.finish import Done
from pipeline.run.progress import Progress
from pipeline.run.shrink import by_cause

FAILURES_SHOWN = 20
SIDES: tuple[SplitName, ...] = ("train", "val", "test")


def report(
    run: Run, done: Done, gathered: Gathered, progress: Progress, notes: Sequence[str]
) -> list[str]:
    """The lines that say what became of everything; notes: further sentences."""
    finished = done.finished
    lines = [
        "",
        text_of(funnel(finished.account, finished.sources_dropped)),
        per_person(finished.account),
    ]
    if frames := source_frames(gathered):
        lines.append(f"frames decoded per source frame: {progress.decoded / frames:.2f}")
    lines += failures(run, gathered)
    if done.gone:
        lines.append(
            f"{len(done.gone)} clips that were there are not any more: {by_cause(done.gone)}"
        )
    lines += [*notes, *done.settled.notes]
    sides = {side: sum(clip.split == side for clip in finished.clips) for side in SIDES}
    words = ", ".join(f"{side} {count}" for side, count in sides.items())
    lines.append(f"{len(finished.clips)} clips ({words}) in {run.out}")
    lines += training_only(finished.clips, gathered)
    lines.append(f"root {finished.root}")
    if not finished.clips:
        lines.append(f"nothing was kept of {finished.sources} sources; the table above says why")
    return lines


def per_person(people: Account) -> str:
    """Seconds of candidates, each person counted."""
    drops = [f"{why} {n / FPS:.2f} s" for why, n in sorted(people.person_dropped.items())]
    return (
        f"candidates, per person: {people.person_frames / FPS:.2f} s, kept {people.person_kept / FPS:.2f} s, "
        f"dropped {', '.join(drops) or 'none'}"
    )


def training_only(clips: Sequence[Clip], gathered: Gathered) -> list[str]:
    """How many of the clips are for training only, and by which rules; a clip may be so by several."""
    trained = {clip.id: clip for clip in clips if clip.use == "train"}
    if not trained:
        return []
    reasons = Counter(
        (outcome.subject.id, row.reason)
        for outcome in gathered.outcomes
        if isinstance(outcome.subject, Clip) and outcome.subject.id in trained
        for row in outcome.decisions
        if row.verdict is Verdict.TRAINING_ONLY and row.reason
    )
    by_rule = Counter(reason for _, reason in reasons)
    words = ", ".join(f"{reason} {by_rule[reason]}" for reason in sorted(by_rule))
    seconds = sum(clip.span.frames for clip in trained.values()) / FPS
    return [f"for training only: {len(trained)} clips, {seconds:.2f} s: {words}"]


def failures(run: Run, gathered: Gathered) -> list[str]:
    """A line for each failure, up to a number, and how to go on."""
    failed = gathered.failures
    lines = [
        f"failed: {failure.subject}, in {failure.stage}: {failure.error}"
        for failure in failed[:FAILURES_SHOWN]
    ]
    if (more := len(failed) - FAILURES_SHOWN) > 0:
        lines.append(f"… and {more} more, all in {run.out / 'run.json'}")
    if failed:
        lines.append(f"{len(failed)} failed and are in no clip: the same command tries them again")
    return lines


def run_facts(began: datetime, progress: Progress, gathered: Gathered) -> dict[str, object]:
    """What run.json says."""
    return {
        "began": began.isoformat(timespec="seconds"),
        "seconds": round(progress.elapsed, 3),
        "host": platform.node(),
        "python": platform.python_version(),
        "stages": {
            name: {"calls": t.calls, "seconds": round(t.seconds, 3), "decoded": t.decoded}
            for name, t in progress.tallies.items()
        },
        "source_frames": source_frames(gathered),
        "frames_decoded": progress.decoded,
        "failures": [
            {"subject": f.subject, "stage": f.stage, "error": f.error, "traceback": f.traceback}
            for f in gathered.failures
        ],
    }


def source_frames(gathered: Gathered) -> int:
    """Frames of all sources as they are in their files."""
    media = [getattr(outcome.subject, "media", None) for outcome in gathered.sources]
    return sum(m.source_frames for m in media if m is not None)


# ---- the funnel ------------------------------------------------------------------------------------------------------


def funnel(account: Account, sources_dropped: Mapping[Why, int]) -> Table:
    """Seconds in, kept, and dropped by reason; the rows add up exactly, in frames."""
    table = Table(title="where every second went", title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    for name in ("frames", "seconds", "share", "sources dropped entirely"):
        table.add_column(name, justify="right")
    for name, frames, sources in funnel_rows(account, sources_dropped):
        fraction = f"{frames / account.frames:.1%}" if account.frames else ""
        table.add_row(name, str(frames), f"{frames / FPS:.2f}", fraction, str(sources or ""))
    return table


def funnel_rows(account: Account, sources_dropped: Mapping[Why, int]) -> list[tuple[str, int, int]]:
    """(name, frames, sources dropped entirely), in the order of the flow; in = kept + every drop."""
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


def text_of(table: Table) -> str:
    """A table as text, every cell whole."""
    stream = io.StringIO()
    Console(file=stream, width=200, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())

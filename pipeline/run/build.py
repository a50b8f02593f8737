"""One run of `csg-data build`, from settings to exit code."""

import platform
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from manifests.geometry import FPS
from pipeline.config import ConfigError, Run
from pipeline.flow import Flow, lacking
from pipeline.flow import build as build_flow
from pipeline.run.cluster import open_engine
from pipeline.run.drive import Gathered, measure, sources_of
from pipeline.run.finish import Finished, finish, write_run_facts
from pipeline.run.progress import Progress, funnel, shown

DONE, NOTHING_KEPT, BAD_INPUT = 0, 1, 2


def build(run: Run, console: Console) -> int:
    """Measure, settle, write; print the view and the funnel. Returns the exit code: 0, or 1 where nothing was kept."""
    check(run)
    run = with_sample(run, console)
    flow = build_flow(run)
    total = sum(1 for _ in sources_of(run))
    if total == 0:
        console.print(
            f"{run.sources} lists no source; a list, a folder of videos, a file or a URL is needed"
        )
        return NOTHING_KEPT
    began = datetime.now(UTC)
    with open_engine(run) as engine:
        progress = Progress(total, engine.dashboard, stage_names(flow))
        with shown(progress, console):
            gathered = measure(run, engine, told=progress.told, planned=progress.planned)
    finished = finish(run, gathered)
    write_run_facts(run.out, run_facts(began, progress, gathered))
    return report(run, finished, gathered, progress, console)


def check(run: Run) -> None:
    """Say what cannot be before anything is begun. Raises ConfigError."""
    refuse_other_folder(run.out)
    if run.scheduler is None and (found := lacking(run)):
        raise ConfigError("; ".join(found))


def refuse_other_folder(out: Path) -> None:
    """Never replace a folder that is not a dataset of ours. Raises ConfigError."""
    if out.is_file():
        raise ConfigError(
            f"out: {out} is a file; a new folder, an empty one or a dataset is allowed"
        )
    if out.is_dir() and any(out.iterdir()) and not (out / "dataset.json").is_file():
        raise ConfigError(
            f"out: {out} holds files and is no dataset; a new folder, an empty one or a dataset is allowed"
        )


def with_sample(run: Run, console: Console) -> Run:
    """Make the built-in sample where it is asked for, and point the run to its list."""
    if run.sources != "sample":
        return run
    from pipeline.sample import make_sample

    folder = run.work_folder / "sample"
    if not folder.is_dir():
        console.print("making the built-in sample…")
    return run.model_copy(update={"sources": str(make_sample(folder))})


def stage_names(flow: Flow) -> tuple[str, ...]:
    """The rows of the progress view, in the order of the flow; the survey's stages share one decode and one row."""
    return (
        flow.fetch.name,
        *(stage.name for stage in flow.on_source),
        "survey",
        *(stage.name for stage in flow.on_clip),
    )


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


FAILURES_SHOWN = 20


def report(
    run: Run, finished: Finished, gathered: Gathered, progress: Progress, console: Console
) -> int:
    """Print what became of everything. Returns the exit code."""
    console.print()
    console.print(funnel(finished.account, finished.sources_dropped))
    people = finished.account
    console.print(
        f"\ncandidates, per person: {people.person_frames / FPS:.2f} s, kept {people.person_kept / FPS:.2f} s, dropped "
        + (
            ", ".join(f"{why} {n / FPS:.2f} s" for why, n in sorted(people.person_dropped.items()))
            or "none"
        ),
        soft_wrap=True,
    )
    frames = source_frames(gathered)
    if frames:
        console.print(f"frames decoded per source frame: {progress.decoded / frames:.2f}")
    for failure in gathered.failures[:FAILURES_SHOWN]:
        console.print(
            f"failed: {failure.subject}, in {failure.stage}: {failure.error}",
            style="red",
            markup=False,
            soft_wrap=True,
        )
    if (more := len(gathered.failures) - FAILURES_SHOWN) > 0:
        console.print(f"… and {more} more, all in {run.out / 'run.json'}", markup=False)
    sides = {s: sum(c.split == s for c in finished.clips) for s in ("train", "val", "test")}
    console.print(
        f"{len(finished.clips)} clips ({', '.join(f'{s} {n}' for s, n in sides.items())}) in {run.out}\n"
        f"root {finished.root}",
        markup=False,
        soft_wrap=True,
    )
    if not finished.clips:
        console.print(
            f"nothing was kept of {finished.sources} sources; the table above says why",
            style="bold red",
        )
        return NOTHING_KEPT
    return DONE

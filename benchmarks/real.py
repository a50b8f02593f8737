"""Where the real clips are, what their labels say, and a run that works on them in this very process."""

import csv
import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from manifests.record import Clip, Source
from pipeline.config import Run
from pipeline.flow import build
from pipeline.run.job import Job
from pipeline.run.listing import sources_of
from pipeline.run.step import clip_means, source_means
from pipeline.run.walk import Outcome, walk_clip, walk_source


@dataclass(frozen=True, slots=True)
class Label:
    """One row of labels.tsv: `expect` is keep, drop or any; `why` is what follows it."""

    file: str
    expect: str
    why: str
    seconds: float


def media_folder() -> Path:
    """The folder of real media, or SystemExit with a sentence."""
    root = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("COSPEECH_SHARED", root.parent / "shared")) / "media"
    if not (folder / "labels.tsv").is_file():
        raise SystemExit(
            f"no real clips in {folder}; COSPEECH_SHARED names the folder that holds media/"
        )
    return folder


def labels(folder: Path) -> dict[str, Label]:
    """Labels by file name."""
    with (folder / "labels.tsv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return {
        Path(row["file"]).name: Label(
            Path(row["file"]).name,
            row["expect"].split(":")[0].strip(),
            row["expect"].partition(":")[2].strip(),
            float(row["seconds"]) if row["seconds"] not in ("?", "-") else 0.0,
        )
        for row in rows
    }


@dataclass(slots=True)
class Measured:
    """A source's outcome and its candidates'."""

    source: Outcome
    clips: list[Outcome] = field(default_factory=list[Outcome])

    @property
    def kept(self) -> list[Clip]:
        return [o.subject for o in self.clips if o.alive and isinstance(o.subject, Clip)]


def measure(run: Run, *, cascade: bool = True) -> Iterator[tuple[str, Measured]]:
    """Every source of a run measured in this process, without Dask: (locator, outcomes)."""
    flow = build(run)
    job = Job(flow, run.work_folder, "here", run.retries, run.step_minutes)
    for located in sources_of(run):
        means = source_means(job, located.locator)
        outcome = walk_source(flow, located, Source(origin=located.origin), means)
        found = Measured(replace(outcome, costs=means.costs))
        source = outcome.subject
        if isinstance(source, Source) and outcome.alive:
            for clip in flow.candidates(source):
                at_clip = clip_means(job, source, clip)
                measured = walk_clip(flow, clip, at_clip, cascade=cascade)
                found.clips.append(replace(measured, costs=at_clip.costs))
        yield located.locator, found


@contextmanager
def linked(files: list[Path]) -> Iterator[Path]:
    """A folder that holds links to some files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "videos"
        folder.mkdir()
        for file in files:
            (folder / file.name).symlink_to(file.resolve())
        yield folder


def cpu_seconds() -> float:
    """User and system time of this process and its finished children."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in spent)

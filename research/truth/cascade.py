"""Cheap first, proven: the clips kept when each is measured only until a rule drops it, and when all is measured.

    python -m research.truth.cascade

A source that its own rules drop has no candidate either way, so what is compared begins at the candidates.
"""

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

from manifests.errors import run_command
from manifests.record import Clip
from pipeline.config import Run
from pipeline.validation.costs import cpu_seconds
from pipeline.validation.footage import linked, media_folder
from pipeline.validation.in_process import measure


@dataclass(frozen=True, slots=True)
class Pass:
    """One way through the candidates: ids kept, candidates, frames decoded for them, CPU seconds of their stages."""

    kept: frozenset[str]
    candidates: int
    decoded: int
    seconds: float


def main() -> None:
    """Print the section."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    print(section(media_folder().parent))


def section(shared: Path) -> str:
    """The table of both ways."""
    files = sorted(path for path in (shared / "media" / "video").iterdir() if path.is_file())
    short, whole = both(files)
    same = "the same" if short.kept == whole.kept else "NOT the same"
    lines = [
        "| | candidates | kept | frames decoded for candidates | CPU s, sources included |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {each.candidates} | {len(each.kept)} | {each.decoded} | {each.seconds:.0f} |"
            for name, each in (("until a rule drops", short), ("everything on everything", whole))
        ),
        "",
        f"The clips kept are {same}. Saved: {1 - short.decoded / whole.decoded:.0%} of the frames decoded for"
        f" candidates, {1 - short.seconds / whole.seconds:.0%} of the CPU time.",
    ]
    return "\n".join(lines)


def both(files: list[Path]) -> tuple[Pass, Pass]:
    """(with the cascade, without), each from nothing."""
    with linked(files) as folder:
        return through(folder, cascade=True), through(folder, cascade=False)


def through(folder: Path, *, cascade: bool) -> Pass:
    """All sources of a folder, in this process, with a store of their own."""
    with tempfile.TemporaryDirectory() as work:
        run = Run(sources=str(folder), out=Path(work) / "none", work=Path(work))
        began = cpu_seconds()
        found = [measured for _, measured in measure(run, cascade=cascade)]
        seconds = cpu_seconds() - began
    clips = [outcome for measured in found for outcome in measured.clips]
    kept = [clip for measured in found for clip in measured.kept]
    return Pass(
        frozenset(clip.id for clip in kept if isinstance(clip, Clip)),
        len(clips),
        sum(sum(outcome.costs.decoded.values()) for outcome in clips),
        seconds,
    )


if __name__ == "__main__":
    run_command(main)

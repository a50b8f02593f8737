"""What every rule measures on the real clips, beside their labels: the table that thresholds are argued from.

    python -m research.truth.values [--write docs/truth-values.md] [--work FOLDER]

Nothing is cut short: every candidate is measured by every stage, whatever dropped it.
"""

import argparse
from pathlib import Path

from manifests.errors import run_command
from manifests.record import Clip, Verdict
from pipeline.config import Run
from pipeline.rules import CLIP_RULES
from pipeline.validation.footage import Label, media_folder, read_labels
from pipeline.validation.in_process import Measured, measure

ABOUT = """# What every rule measures on the real clips

Written by `python -m research.truth.values --write docs/truth-values.md`, embedded backends, nothing cut short: every
candidate is measured by every stage, whatever dropped it. The clips are not part of the project;
thresholds are argued from this table in [truth/readings.md](truth/readings.md).

"""

COLUMNS = [rule for rule in CLIP_RULES]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--work", type=Path, default=Path("work/truth"))
    given = parser.parse_args()
    folder = media_folder()
    known = read_labels(folder)
    run = Run(sources=str(folder / "video"), out=given.work / "none", work=given.work)
    lines = head()
    for locator, found in measure(run, cascade=False):
        lines += rows(known[Path(locator).name], found)
        print(lines[-1], flush=True)
    text = ABOUT + "\n".join(lines) + "\n"
    if given.write:
        given.write.write_text(text)


def head() -> list[str]:
    """The table's head: what is measured, and what the rules ask of it."""
    names = [
        "clip",
        "label",
        "span",
        "dropped for",
        *[f"{rule.measurement}" for rule in COLUMNS],
        "camera",
    ]
    limits = ["", "", "", "", *[f"{rule.comparator} {rule.threshold:g}" for rule in COLUMNS], ""]
    return [f"| {' | '.join(names)} |", "|" + "---|" * len(names), f"| {' | '.join(limits)} |"]


def rows(label: Label, found: Measured) -> list[str]:
    """One row per candidate, or one for a source that has none."""
    expect = label.expect + (f": {label.why}" if label.why else "")
    if not found.clips:
        drop = found.source.drop
        why = str(drop.reason) if drop else "no candidate"
        return [f"| {label.file} | {expect} | | {why} |" + " |" * (len(COLUMNS) + 1)]
    return [row(label.file, expect, outcome.subject, outcome.decisions) for outcome in found.clips]


def row(file: str, expect: str, clip: object, decisions: tuple) -> str:
    """One candidate."""
    if not isinstance(clip, Clip):
        raise TypeError("a candidate is a clip")
    values = {d.measurement: d for d in decisions}
    why = ", ".join(str(d.reason) for d in decisions if d.verdict is Verdict.DROPPED)
    cells = [
        f"{d.value:.3g}" if (d := values.get(rule.measurement)) and d.value is not None else ""
        for rule in COLUMNS
    ]
    camera = f"{clip.shot.camera_motion:.3f}" if clip.shot.camera_seen else ""
    span = f"{clip.span.start}-{clip.span.stop}, {clip.person.number}"
    return f"| {file} | {expect} | {span} | {why or 'kept'} | {' | '.join(cells)} | {camera} |"


if __name__ == "__main__":
    run_command(main)

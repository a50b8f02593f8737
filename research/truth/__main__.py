"""Write docs/truth.md: what perception is worth on real footage.

    python -m research.truth [--only filters shots ...] [--jobs 2] [--sections FOLDER] [--out docs/truth.md]

Each section is measured in a process of its own, `--jobs` of them at a time, and kept as Markdown in FOLDER (default
work/truth-sections); the page is put together of all that lie there, so that one section can be measured anew without
the others, and of `readings.md`, which says in words what the tables mean.
"""

import argparse
import datetime
import importlib
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from manifests.errors import run_command
from pipeline.validation.footage import media_folder

SECTIONS = {
    "filters": "The filters that look at pictures",
    "speech": "Speech, turns, overlap and music",
    "sync": "Sync: at which offset, and who speaks",
    "shots": "Shots: cuts and gradual transitions",
    "tracking": "Following several people, and their poses",
    "identity": "Who is who over the set",
    "picture_rate": "New pictures a second",
    "cascade": "Cheap first, proven",
}

ABOUT = """# What each kind of perception is worth on real footage

Written by `make truth`. Real clips as they are, and the same clips with the fault edited in; they lie beside the
project (`COSPEECH_SHARED`) and are no part of it. Precision: of what a filter drops, the share that has the fault,
where both classes are equally frequent.
Recall: of what has the fault, the share that it drops. Intervals are 95 % and drawn over people, of which there are
few: about twenty, and two in profile. *Threshold*: the rule's own number; most were set in earlier work on these same
people, so its columns flatter. *Fitted on the other half*: each half of the people judged by the threshold that
separates the other half best, people that had no part in it. A filter counts as proven from precision 0.99 and recall
0.97 both ways. One whose own number drops nothing wrongly, precision 0.99, and that falls short otherwise, acts too and
is called `partly`: doctor, card and `docs/rules.md` say what it misses. What does not act reports `unknown`. *No
value*: mostly cases in which no face is found, so that no clip comes of them and the filter is never asked; they do not
count in its precision and recall, but among those dropped by any filter. Cases are pieces of few clips and overlap in
time: their number says how finely a share is counted, the intervals how far it may be off.
"""


def main() -> int:
    """The command; the worst exit code of the sections."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=tuple(SECTIONS), default=tuple(SECTIONS))
    parser.add_argument("--jobs", type=positive, default=2, help="sections measured at a time")
    parser.add_argument("--sections", type=Path, default=Path("work/truth-sections"))
    parser.add_argument("--out", type=Path, default=Path("docs/truth.md"))
    parser.add_argument("--one", choices=tuple(SECTIONS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    shared = media_folder().parent
    given.sections.mkdir(parents=True, exist_ok=True)
    if given.one:
        text = importlib.import_module(f"research.truth.{given.one}").section(shared)
        (given.sections / f"{given.one}.md").write_text(text.strip() + "\n")
        return 0
    with ThreadPoolExecutor(given.jobs) as pool:
        codes = list(pool.map(lambda name: measured(name, given.sections), given.only))
    given.out.write_text(page(given.sections))
    print(f"written: {given.out}")
    return max(map(abs, codes), default=0)


def positive(text: str) -> int:
    """A number of processes. Raises ValueError for none."""
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


def measured(name: str, sections: Path) -> int:
    """One section measured in a process of its own, then printed; its exit code."""
    print(f"######## {SECTIONS[name]}: begun", flush=True)
    began = time.monotonic()
    where = ("--sections", str(sections), "--one", name)
    code = subprocess.run([sys.executable, "-m", "research.truth", *where], check=False).returncode
    minutes = (time.monotonic() - began) / 60.0
    text = (sections / f"{name}.md").read_text() if code == 0 else f"failed with exit code {code}"
    print(f"######## {SECTIONS[name]}: {minutes:.1f} minutes\n\n{text}", flush=True)
    return code


def page(sections: Path) -> str:
    """The page of all sections that were measured."""
    parts = [ABOUT]
    for name, title in SECTIONS.items():
        file = sections / f"{name}.md"
        if file.is_file():
            day = datetime.date.fromtimestamp(file.stat().st_mtime)
            parts.append(
                f"## {title}\n\n`python -m research.truth.{name}`, {day}\n\n{file.read_text()}"
            )
    readings = Path(__file__).with_name("readings.md")
    if readings.is_file():
        parts.append(readings.read_text())
    return "\n".join(parts)


if __name__ == "__main__":
    run_command(lambda: sys.exit(main()))

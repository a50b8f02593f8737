"""Write docs/truth.md and its pages: what perception is worth on real footage.

    python -m research.truth [--only filters shots ...] [--jobs 2] [--pages docs/truth]

Each section is measured in a process of its own, `--jobs` of them at a time, and written as a page of its own; the
table beside the folder of pages is put together of all pages that lie there, so that one section can be measured anew
without the others. `--only` without a name measures nothing: the pages' headlines and the table are written anew from
the figures that the pages hold. What the figures mean is said by hand, in `docs/truth/readings.md`.
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
from research.truth.pages import SECTIONS, index, page, parts, read_pages


def main() -> int:
    """The command; the worst exit code of the sections."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=tuple(SECTIONS), default=tuple(SECTIONS))
    parser.add_argument("--jobs", type=positive, default=2, help="sections measured at a time")
    parser.add_argument("--pages", type=Path, default=Path("docs/truth"))
    parser.add_argument("--one", choices=tuple(SECTIONS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.pages.mkdir(parents=True, exist_ok=True)
    if given.one:
        body = importlib.import_module(f"research.truth.{given.one}").section(media_folder().parent)
        written = page(given.one, datetime.date.today(), body)
        (given.pages / f"{given.one}.md").write_text(written)
        return 0
    with ThreadPoolExecutor(given.jobs) as pool:
        codes = list(pool.map(lambda name: measured(name, given.pages), given.only))
    print(f"written: {write_index(given.pages)}")
    return max(map(abs, codes), default=0)


def write_index(folder: Path) -> Path:
    """Each page with its headlines read off its figures anew, and the table of all pages beside the folder."""
    for name, text in read_pages(folder).items():
        day, _, body = parts(text)
        (folder / f"{name}.md").write_text(page(name, day, body))
    table = folder.with_suffix(".md")
    table.write_text(index(read_pages(folder)))
    return table


def positive(text: str) -> int:
    """A number of processes. Raises ValueError for none."""
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


def measured(name: str, pages: Path) -> int:
    """One section measured in a process of its own, then printed; its exit code."""
    print(f"######## {SECTIONS[name]}: begun", flush=True)
    began = time.monotonic()
    where = ("--pages", str(pages), "--one", name)
    code = subprocess.run([sys.executable, "-m", "research.truth", *where], check=False).returncode
    minutes = (time.monotonic() - began) / 60.0
    text = (pages / f"{name}.md").read_text() if code == 0 else f"failed with exit code {code}"
    print(f"######## {SECTIONS[name]}: {minutes:.1f} minutes\n\n{text}", flush=True)
    return code


if __name__ == "__main__":
    run_command(lambda: sys.exit(main()))

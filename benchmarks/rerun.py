"""What a run costs that has nothing to do, and one in which a single source was touched, for sets of several sizes.

    python -m benchmarks.rerun [--clips 10 10000]

Sources are small real videos, each with bytes of its own, measured by the cheap stages of the fault harness: what is
timed is the run, not the measuring. Prints a Markdown table; every command is a process of its own, its start included.
"""

import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.faults.made import write_video
from tests.faults.orders import FOLDER

CLIPS_A_SOURCE = 4
SECONDS = 9  # of each source


@dataclass(frozen=True, slots=True)
class Timed:
    """One command: wall and CPU seconds, and what it said at its end."""

    wall: float
    cpu: float
    said: str


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", nargs="*", type=int, default=[10, 10_000])
    given = parser.parse_args()
    print(
        "| clips | sources | first run, s | unchanged, s | CPU s | frames decoded | one source touched, s |"
    )
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for clips in given.clips:
        with tempfile.TemporaryDirectory() as folder:
            print(row(Path(folder), clips), flush=True)


def row(folder: Path, clips: int) -> str:
    """The figures of one size."""
    sources = make(folder / "videos", -(-clips // CLIPS_A_SOURCE))
    (folder / "control").mkdir()
    first = run(folder)
    facts = json.loads((folder / "set" / "dataset.json").read_text())["counts"]
    unchanged = min((run(folder) for _ in range(3)), key=lambda timed: timed.wall)
    assert "nothing to do" in unchanged.said
    sources[0].touch()
    touched = run(folder)
    decoded = json.loads((folder / "set" / "run.json").read_text())["frames_decoded"]
    return (
        f"| {facts['clips']} | {facts['sources']} | {first.wall:.1f} | {unchanged.wall:.2f} | {unchanged.cpu:.2f} | "
        f"{decoded} | {touched.wall:.1f} |"
    )


def make(folder: Path, count: int) -> list[Path]:
    """Videos that differ in a box at their end, which no decoder looks at."""
    folder.mkdir()
    write_video(folder / "seed.mp4", seconds=SECONDS, seed=1)
    seed = (folder / "seed.mp4").read_bytes()
    (folder / "seed.mp4").unlink()
    files = [folder / f"{number:06}.mp4" for number in range(count)]
    for number, file in enumerate(files):
        file.write_bytes(seed + struct.pack(">I4sQ", 16, b"free", number))
    return files


def run(folder: Path) -> Timed:
    """One run of the cheap flow in a process of its own."""
    given = [f"sources={folder}/videos", f"out={folder}/set", "dashboard=-1", "workers=2"]
    began, before = time.monotonic(), os.times()
    ended = subprocess.run(
        [sys.executable, "-m", "tests.faults.driver", *given],
        env={**os.environ, FOLDER: str(folder / "control")},
        capture_output=True,
        text=True,
        check=False,
    )
    after = os.times()
    if ended.returncode != 0:
        raise SystemExit(ended.stdout + ended.stderr)
    cpu = (
        after.children_user + after.children_system - before.children_user - before.children_system
    )
    return Timed(time.monotonic() - began, cpu, ended.stdout)


if __name__ == "__main__":
    main()

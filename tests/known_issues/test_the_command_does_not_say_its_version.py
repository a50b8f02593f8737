"""`csg-data --version` was no such option, so a report of a fault could not say what had run."""

import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_version_python_and_platform_are_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "--version"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"cospeech {metadata.version('cospeech')}, ")
    assert platform.python_version() in line
    assert platform.machine() in line

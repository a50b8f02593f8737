"""Runs that are killed, workers that die, steps that hang: nothing is lost or half written, the rest goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from pipeline.sample import make_sample

pytestmark = [pytest.mark.xdist_group("crash"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list of one good source, a short one, and one that is not media."""
    listed = make_sample(tmp_path_factory.mktemp("crash") / "sample")
    header, *rows = listed.read_text().splitlines()
    names = {"ada.mp4", "short.mp4", "not-media.mp4"}
    few = listed.with_name("few.csv")
    few.write_text("\n".join([header, *(row for row in rows if row.split(",")[0] in names)]) + "\n")
    return few


@dataclass
class Started:
    """A build in a process of its own, with what it prints in a file."""

    process: subprocess.Popen[bytes]
    printed: Path

    def finished(self) -> tuple[int, str]:
        code = self.process.wait(timeout=600)
        return code, self.printed.read_text()

    def kill(self) -> None:
        """The whole family at once, as a power cut would."""
        parent = psutil.Process(self.process.pid)
        family = [parent, *parent.children(recursive=True)]
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family, timeout=20)
        self.process.wait(timeout=20)


def start(sources: Path, out: Path, *settings: str) -> Started:
    given = [part for setting in ("dashboard=0", *settings) for part in ("--set", setting)]
    where = ["--sources", str(sources), "--out", str(out), "--workers", "1"]
    printed = out.with_name("printed.txt")
    with printed.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", "build", *where, *given],
            cwd=Path(__file__).resolve().parents[3],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    return Started(process, printed)


def root(out: Path) -> str:
    return json.loads((out / "dataset.json").read_text())["root"]


def worker_of(work: Path, seconds: float = 60.0) -> int:
    """The process that is at a step right now, by the mark it left."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for mark in work.glob("running/*/*/*"):
            return int(mark.name.split("-")[1])
        time.sleep(0.02)
    raise AssertionError("no worker was ever at a step")


def wait_for(path: Path, pattern: str, seconds: float = 300.0) -> None:
    """Until the work folder holds something that matches."""
    end = time.monotonic() + seconds
    while not any(path.glob(pattern)):
        assert time.monotonic() < end, f"{pattern} never came"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def undisturbed(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("undisturbed") / "set"
    code, text = start(sources, out).finished()
    assert code == 0, text
    return root(out)


def test_a_run_that_is_killed_and_repeated_equals_one_that_never_was(
    sources: Path, undisturbed: str, tmp_path: Path
) -> None:
    out = tmp_path / "set"
    for pattern in ("ledger/*/*.json", "blobs/*/*.npy", "scratch-*"):
        process = start(sources, out)
        wait_for(tmp_path / "set.work", pattern)
        process.kill()
        assert not (out / "dataset.json").exists() or root(out) == undisturbed
    code, text = start(sources, out).finished()
    assert code == 0, text
    assert root(out) == undisturbed


def test_a_worker_that_dies_is_replaced_and_its_step_done_again(
    sources: Path, undisturbed: str, tmp_path: Path
) -> None:
    out = tmp_path / "set"
    process = start(sources, out)
    wait_for(tmp_path / "set.work", "blobs/*/*.npy")
    os.kill(worker_of(tmp_path / "set.work"), signal.SIGKILL)
    code, text = process.finished()
    assert code == 0, text
    assert root(out) == undisturbed


def test_a_step_over_its_time_becomes_one_failure_and_the_rest_goes_on(
    sources: Path, tmp_path: Path
) -> None:
    out = tmp_path / "set"
    code, text = start(sources, out, "step_minutes=0.003", "retries=1").finished()
    assert code == 1, text
    failures = json.loads((out / "run.json").read_text())["failures"]
    assert "died or ran over" in failures[0]["error"]
    facts = json.loads((out / "dataset.json").read_text())["counts"]
    assert facts["sources"] == 3
    assert "not_media" in text
    assert "Traceback" not in text

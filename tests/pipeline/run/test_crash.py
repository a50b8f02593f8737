"""Runs that are killed, workers that die, steps that hang: nothing is lost or half written, the rest goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipeline.sample import make_sample

pytestmark = [pytest.mark.xdist_group("build"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list of one good source, a short one, and one that is not media."""
    listed = make_sample(tmp_path_factory.mktemp("crash") / "sample")
    header, *rows = listed.read_text().splitlines()
    names = {"ada.mp4", "short.mp4", "not-media.mp4"}
    few = listed.with_name("few.csv")
    few.write_text("\n".join([header, *(row for row in rows if row.split(",")[0] in names)]) + "\n")
    return few


def start(sources: Path, out: Path, *settings: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "pipeline",
        "build",
        "--sources",
        str(sources),
        "--out",
        str(out),
    ]
    given = [part for setting in ("dashboard=0", *settings) for part in ("--set", setting)]
    return subprocess.Popen(
        [*command, "--workers", "1", *given],
        cwd=Path(__file__).resolve().parents[3],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finished(process: subprocess.Popen[str]) -> tuple[int, str]:
    text, _ = process.communicate(timeout=600)
    return process.returncode, text


def root(out: Path) -> str:
    return json.loads((out / "dataset.json").read_text())["root"]


def wait_for(path: Path, pattern: str, seconds: float = 300.0) -> None:
    """Until the work folder holds something that matches."""
    end = time.monotonic() + seconds
    while not any(path.glob(pattern)):
        assert time.monotonic() < end, f"{pattern} never came"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def undisturbed(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("undisturbed") / "set"
    code, text = finished(start(sources, out))
    assert code == 0, text
    return root(out)


def test_a_run_that_is_killed_and_repeated_equals_one_that_never_was(
    sources: Path, undisturbed: str, tmp_path: Path
) -> None:
    out = tmp_path / "set"
    for pattern in ("ledger/*/*.json", "blobs/*/*.npy", "scratch-*"):
        process = start(sources, out)
        wait_for(tmp_path / "set.work", pattern)
        family = [
            psutil.Process(process.pid),
            *psutil.Process(process.pid).children(recursive=True),
        ]
        for member in family:
            member.send_signal(signal.SIGKILL)
        process.wait()
        psutil.wait_procs(family, timeout=10)
        assert not (out / "dataset.json").exists() or root(out) == undisturbed
    code, text = finished(start(sources, out))
    assert code == 0, text
    assert root(out) == undisturbed


def test_a_worker_that_dies_is_replaced_and_its_step_done_again(
    sources: Path, undisturbed: str, tmp_path: Path
) -> None:
    out = tmp_path / "set"
    process = start(sources, out)
    wait_for(tmp_path / "set.work", "blobs/*/*.npy")
    marks = tmp_path / "set.work" / "running"
    victim = int(next(marks.glob("*/*/*")).name.split("-")[1])
    os.kill(victim, signal.SIGKILL)
    code, text = finished(process)
    assert code == 0, text
    assert root(out) == undisturbed


def test_a_step_over_its_time_becomes_one_failure_and_the_rest_goes_on(
    sources: Path, tmp_path: Path
) -> None:
    out = tmp_path / "set"
    code, text = finished(start(sources, out, "step_minutes=0.003", "retries=1"))
    assert code == 1, text
    failures = json.loads((out / "run.json").read_text())["failures"]
    assert "died or ran over" in failures[0]["error"]
    facts = json.loads((out / "dataset.json").read_text())["counts"]
    assert facts["sources"] == 3
    assert "not_media" in text
    assert "Traceback" not in text

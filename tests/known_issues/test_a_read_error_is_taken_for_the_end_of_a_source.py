"""A disk or a share that failed for one read was taken for the end of the file, or for a file that is no media.

A source of 100 frames was written down as one of 82, or as no media, for ever: its clips were gone for no reason that
a rule gives, and a later run with the disk in order believed the record.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.made import SHARE, make_sources
from tests.faults.shim import Rule, Shim, built

ROOT = Path(__file__).resolve().parents[2]
READS = 16  # as many are made of a small source while it is measured
NEVER = 1000

SCRIPT = """
import json, struct, sys
from pathlib import Path
from pipeline.config import Run
from pipeline.run.job import Job
from pipeline.run.step import run_source
from pipeline.sources.lists import read_sources
from manifests.record import Source
from tests.faults import cheap
from tests.faults.shim import COUNTS

state, place = Path(sys.argv[1]), Path(sys.argv[2])
flow = cheap.flow(Run())
located = next(iter(read_sources(place / "share" / "ada.mp4")))
for number in range(int(sys.argv[3])):
    job = Job(flow, place / f"work-{number}", f"run{number}", retries=0, step_minutes=1.0)
    bare = run_source(job, located, Source(origin=located.origin)).subject
    with state.open("r+b") as shared:
        shared.seek(8 * COUNTS)
        shared.write(struct.pack("<q", int(sys.argv[4]) - number))
    outcome = run_source(job, located, bare)
    media, shots = outcome.subject.media, outcome.subject.shots
    whole = media and shots and (media.grid_frames, shots.decoded_until)
    noted = len(outcome.entries)
    failed = outcome.failure is not None
    drop = outcome.drop and outcome.drop.reason
    said = {"failed": failed, "whole": whole, "drop": drop, "noted": noted, "outage": outcome.outage}
    print(json.dumps(said))
"""


@pytest.mark.skipif(built() is None, reason="there is no C compiler for the shim")
def test_a_read_that_fails_once_leaves_no_wrong_fact(tmp_path: Path) -> None:
    make_sources(tmp_path)
    shim = Shim(tmp_path / "shim", tmp_path / SHARE)
    shim.set_up([Rule("read", 5, "*.mp4", skip=NEVER)])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, shim.folder / "state", tmp_path, str(READS), str(NEVER)],
        cwd=ROOT,
        env={**os.environ, **shim.environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(said) == READS
    assert shim.struck() >= 6, "hardly any read was struck"
    assert any(one["failed"] for one in said)
    for one in said:
        assert one["drop"] is None and one["outage"] is None, one
        assert one["failed"] or one["whole"] == [100, 100], one

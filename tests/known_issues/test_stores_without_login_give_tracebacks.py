"""Symptom: S3 without credentials, and `hf://` offline, gave tracebacks for a list, a folder, a glob and a fetch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ASK = """
import sys
from pathlib import Path
from manifests.record import Origin
from pipeline.fetching import FetchSettings, Unreachable, fetch
from pipeline.sources.lists import SourceListError, read_sources
from pipeline.sources.locators import Located, normalise, parse

settings = FetchSettings(retries=0, backoff=0)
for base in sys.argv[2:]:
    for what in (base, f"{base}/list.csv", f"{base}/*.mp4"):
        try:
            list(read_sources(what))
        except SourceListError as error:
            print(type(error).__name__, error)
    video = f"{base}/video.mp4"
    source = Located(Origin(locator=normalise(video)), parse(video))
    try:
        fetch(source, folder=Path(sys.argv[1]), settings=settings)
    except Unreachable as error:
        print(type(error).__name__, error)
"""
ENVIRONMENT = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1", "HF_HUB_OFFLINE": "1"}


def test_a_list_a_folder_a_glob_and_a_fetch_are_one_sentence_each(tmp_path: Path) -> None:
    for package in ("s3fs", "huggingface_hub"):
        pytest.importorskip(package)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS", "HF"))}
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(tmp_path), "s3://talks/day", "hf://datasets/a/b"],
        env={**kept, **ENVIRONMENT, "HOME": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [
        *["SourceListError"] * 3,  # credentials are the user's to give
        "Unreachable",
        *["SourcesUnreachable"] * 3,
        "NoAnswer",
    ]
    assert all("no credentials for it were found here" in line for line in lines[:4])
    assert all("offline mode is enabled" in line for line in lines[4:])

"""`--out s3://…` measured everything into a local folder `s3:` and failed then; a read-only place gave a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.config import ConfigError, load
from pipeline.run.build import check

ROOT = Path(__file__).resolve().parents[2]


def test_an_object_store_is_refused_in_one_sentence_before_anything_begins(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "pipeline", "build", "--out", "s3://bucket/set"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "a folder on a disk is needed" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
    assert not (ROOT / "s3:").exists()


def test_a_place_under_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"out: .* cannot be made"):
        check(load(None, (f"out={tmp_path}/file/set", "sources=x.mp4")))

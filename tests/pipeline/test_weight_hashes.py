"""Hashes of weights: computed once for a state of the files, never believed of another."""

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.perception.sessions import WeightsError, session
from pipeline.weight_hashes import known_sha256

ROOT = Path(__file__).resolve().parents[2]
ASK = """
import pathlib, sys
from pipeline.weight_hashes import known_sha256
print(known_sha256(*map(pathlib.Path, sys.argv[1:])))
"""
OLD = time.time_ns() - 3600 * 10**9


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where hashes are remembered in this test."""
    monkeypatch.setenv("COSPEECH_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path / "weights" / "hashes.json"


def written(file: Path, content: bytes, *, at: int = OLD) -> Path:
    """A file that was last changed then."""
    file.write_bytes(content)
    os.utime(file, ns=(at, at))
    return file


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def elsewhere(*files: Path) -> str:
    """What another process says."""
    command = [sys.executable, "-c", ASK, *map(str, files)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def forge(place: Path) -> str:
    """Another hash in the record, so that whoever believes it is told from whoever reads the bytes."""
    held = json.loads(place.read_text())
    for entry in held.values():
        entry["sha256"] = "f" * 64
    place.write_text(json.dumps(held))
    return "f" * 64


def test_the_hash_is_that_of_the_bytes_one_file_after_the_other(
    tmp_path: Path, place: Path
) -> None:
    one, two = written(tmp_path / "one", b"1" * 3_000_000), written(tmp_path / "two", b"22")
    assert known_sha256(one) == sha256(b"1" * 3_000_000)
    assert known_sha256(one, two) == sha256(b"1" * 3_000_000 + b"22")
    assert known_sha256(two, one) == sha256(b"22" + b"1" * 3_000_000)


def test_another_process_reads_the_record_and_not_the_file(tmp_path: Path, place: Path) -> None:
    file = written(tmp_path / "net", b"weights")
    known_sha256(file)
    assert elsewhere(file) == sha256(b"weights")
    forged = forge(place)
    assert elsewhere(file) == forged


@pytest.mark.parametrize("change", ["size", "time", "inode"])
def test_a_file_in_another_state_is_hashed_again(tmp_path: Path, place: Path, change: str) -> None:
    file = written(tmp_path / "net", b"weights")
    known_sha256(file)
    forge(place)
    if change == "size":
        written(file, b"other weights")
    elif change == "time":
        written(file, b"WEIGHTS", at=OLD + 1)
    else:
        written(tmp_path / "new", b"WEIGHTS").replace(file)
    assert known_sha256(file) == elsewhere(file) == sha256(file.read_bytes())


def test_a_file_that_changed_a_moment_ago_is_not_remembered(tmp_path: Path, place: Path) -> None:
    known_sha256(written(tmp_path / "net", b"weights", at=time.time_ns()))
    assert not place.exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"%s": 3}', b'{"%s": {}}'])
def test_a_damaged_record_is_hashed_past_and_written_anew(
    tmp_path: Path, place: Path, content: bytes
) -> None:
    file = written(tmp_path / "net", b"weights")
    place.parent.mkdir()
    place.write_bytes(content.replace(b"%s", str(file).encode()))
    assert known_sha256(file) == sha256(b"weights")
    assert json.loads(place.read_text())[str(file)]["sha256"] == sha256(b"weights")


def test_a_hash_that_is_none_is_not_believed(tmp_path: Path, place: Path) -> None:
    file = written(tmp_path / "net", b"weights")
    known_sha256(file)
    place.write_text(place.read_text().replace(sha256(b"weights"), "short"))
    assert elsewhere(file) == sha256(b"weights")


def test_a_record_that_cannot_be_written_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "no folder").write_text("but a file")
    monkeypatch.setenv("COSPEECH_WEIGHTS", str(tmp_path / "no folder"))
    assert known_sha256(written(tmp_path / "net", b"weights")) == sha256(b"weights")


def test_files_that_are_gone_are_forgotten(tmp_path: Path, place: Path) -> None:
    gone, new = written(tmp_path / "gone", b"1"), written(tmp_path / "new", b"2")
    known_sha256(gone)
    gone.unlink()
    known_sha256(new)
    assert list(json.loads(place.read_text())) == [str(new)]


def test_without_a_folder_of_weights_the_record_lies_in_the_users_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COSPEECH_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    known_sha256(written(tmp_path / "net", b"weights"))
    assert (tmp_path / "cache" / "cospeech" / "hashes.json").is_file()


def test_pinned_weights_are_hashed_as_they_are_loaded_whatever_the_record_says(
    tmp_path: Path, place: Path
) -> None:
    file = written(tmp_path / "net.onnx", b"weights")
    known_sha256(file)
    with pytest.raises(WeightsError, match=f"has SHA-256 {sha256(b'weights')}, wanted ffff"):
        session(file, sha256=forge(place))

"""checksums.json: what it seals, what it leaves out, and what cannot be read as one."""

import hashlib
import json
from pathlib import Path

import pytest

from manifests.checksums import (
    ChecksumsError,
    file_root,
    leads_out,
    read_checksums,
    write_checksums,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "motion").mkdir()
    for name in ("README.md", "motion/a.tar", "motion/.hidden", "run.json", "checksums.json"):
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("README.md")
    return tmp_path


def test_every_regular_file_is_sealed_but_the_seals_and_the_runs_own_facts(folder: Path) -> None:
    write_checksums(folder, {})
    sealed = read_checksums(folder)
    assert sealed is not None
    assert list(sealed.files) == ["README.md", "motion/.hidden", "motion/a.tar"]
    for path, seal in sealed.files.items():
        assert seal.sha256 == hashlib.sha256(path.encode()).hexdigest()
        assert seal.bytes == len(path)


def test_the_root_is_the_hash_of_sorted_paths_and_hashes(folder: Path) -> None:
    root = write_checksums(folder, {})
    names = ("README.md", "motion/.hidden", "motion/a.tar")
    listed = json.dumps([[name, hashlib.sha256(name.encode()).hexdigest()] for name in names])
    assert root == hashlib.sha256(listed.encode()).hexdigest()
    sealed = read_checksums(folder)
    assert sealed is not None and sealed.root == root == file_root(sealed.files)


def test_what_is_known_is_not_hashed_again(folder: Path) -> None:
    known = "ab" * 32
    write_checksums(folder, {"motion/a.tar": known})
    sealed = read_checksums(folder)
    assert sealed is not None and sealed.files["motion/a.tar"].sha256 == known


def test_a_folder_without_seals_has_none(tmp_path: Path) -> None:
    assert read_checksums(tmp_path) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"schema_version": 1, "root": "", "files": {"a": {"sha256": "short", "bytes": 1}}}',
        b'{"schema_version": 1, "root": "", "files": {"a": {"sha256": "%s", "bytes": -1}}}'
        % (b"ab" * 32),
    ],
)
def test_a_broken_file_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "checksums.json").write_bytes(content)
    with pytest.raises(ChecksumsError, match=r"^checksums.json cannot be read: .+$"):
        read_checksums(tmp_path)


def test_a_folder_in_place_of_the_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "checksums.json").mkdir()
    with pytest.raises(ChecksumsError, match="cannot be read"):
        read_checksums(tmp_path)


@pytest.mark.parametrize(
    ("path", "out"),
    [
        ("motion/a.tar", False),
        ("a..b/..c", False),
        ("../a", True),
        ("a/../../b", True),
        ("/etc/passwd", True),
        ("a\0b", True),
        ("", True),
    ],
)
def test_a_path_that_leads_out_of_the_dataset_is_told(path: str, out: bool) -> None:
    assert leads_out(path) is out

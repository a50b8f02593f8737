"""Files are written whole and durably; a line is appended whole or ends where a crash left it."""

from pathlib import Path

import pytest

from manifests.files import append_line, make_folder, replacing


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "kept.txt"
    file.write_text("old")
    with pytest.raises(RuntimeError), replacing(file) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_lines_are_appended_and_their_folder_made(tmp_path: Path) -> None:
    file = tmp_path / "new" / "lines.txt"
    for line in (b"one", b"two"):
        append_line(file, line)
    assert file.read_bytes() == b"one\ntwo\n"


def test_a_line_does_not_run_on_from_a_torn_one(tmp_path: Path) -> None:
    file = tmp_path / "lines.txt"
    file.write_bytes(b"one\ntw")
    append_line(file, b"three")
    assert file.read_bytes() == b"one\ntw\nthree\n"


def test_a_folder_is_made_below_another_and_nowhere_else(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b", below=tmp_path)
    assert (tmp_path / "a" / "b").is_dir()
    with pytest.raises(ValueError, match="does not lie below"):
        make_folder(tmp_path / "c", below=tmp_path / "a")
    assert not (tmp_path / "c").exists()

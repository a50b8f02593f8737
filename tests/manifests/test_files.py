"""Files are written whole and durably; a line is appended whole or ends where a crash left it."""

from pathlib import Path

import pytest

from manifests import files
from manifests.files import append_line, make_folder, replacing, replacing_folder


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


@pytest.mark.parametrize("at_once", [True, False])
def test_a_folder_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    if not at_once:
        monkeypatch.setattr(files, "exchange_at_once", lambda one, other: False)
    place = tmp_path / "model"
    for content in ("first", "second"):
        with replacing_folder(place) as temporary:
            (temporary / "part").mkdir()
            (temporary / "part" / "file").write_text(content)
        assert (place / "part" / "file").read_text() == content
    with pytest.raises(OSError, match="full"), replacing_folder(place) as temporary:
        (temporary / "half").write_text("a half")
        raise OSError("full")
    assert [each.name for each in place.iterdir()] == ["part"]
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "exchange_at_once", lambda one, other: False)
    place = tmp_path / "model"
    place.mkdir()
    (place / "file").write_text("old")
    replace = Path.replace

    def refuses(self: Path, target: Path) -> Path:
        if target == place and self.name != "old":
            raise OSError("no")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuses)
    with pytest.raises(OSError, match="no"), replacing_folder(place) as temporary:
        (temporary / "file").write_text("new")
    assert (place / "file").read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["model"]

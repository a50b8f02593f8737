"""Labels of a folder of clips, and the sentence where there are none."""

from pathlib import Path

import pytest

from manifests.errors import UserError
from pipeline.validation.footage import linked, media_folder, read_labels

LABELS = "file\texpect\tseconds\nvideo/a.mp4\tdrop: too dark\t?\nvideo/b.mp4\tkeep\t9.5\n"


def test_labels_say_what_ought_to_come_of_a_clip_and_why(tmp_path: Path) -> None:
    (tmp_path / "labels.tsv").write_text(LABELS)
    found = read_labels(tmp_path)
    assert (found["a.mp4"].expect, found["a.mp4"].why, found["a.mp4"].seconds) == (
        "drop",
        "too dark",
        0.0,
    )
    assert (found["b.mp4"].expect, found["b.mp4"].why, found["b.mp4"].seconds) == ("keep", "", 9.5)


def test_the_media_folder_is_the_one_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSPEECH_SHARED", str(tmp_path))
    with pytest.raises(UserError, match=r"media has no labels\.tsv: COSPEECH_SHARED names"):
        media_folder()
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "labels.tsv").write_text(LABELS)
    assert media_folder() == tmp_path / "media"


def test_links_are_gone_afterwards(tmp_path: Path) -> None:
    file = tmp_path / "a.mp4"
    file.write_bytes(b"film")
    with linked([file]) as folder:
        assert [each.read_bytes() for each in folder.iterdir()] == [b"film"]
    assert not folder.exists() and file.exists()

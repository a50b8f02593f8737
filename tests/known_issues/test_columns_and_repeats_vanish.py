"""Symptom: unknown columns and repeated rows of a list vanished without a word, although the page promised one."""

from pathlib import Path

from pipeline.sources.lists import Counts, notes, read_sources


def test_what_a_list_holds_beyond_its_sources_is_said(tmp_path: Path) -> None:
    file = tmp_path / "talks.csv"
    file.write_text("path,foo,bar\na.mp4,,\n./a.mp4,,\nb.mp4,,\nb.mp4,,\nyoutube:x,,\n")
    counts = Counts()
    list(read_sources(file, counts=counts))
    assert notes(counts) == [
        f"{file}: columns not read: bar, foo",
        f"{file}: 2 rows repeat an earlier locator and were left out",
        f"{file}: 1 row cannot be read, each one dropped source; the report says why",
    ]


def test_a_list_with_nothing_beyond_has_no_notes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("path\na.mp4\n")
    counts = Counts()
    list(read_sources(tmp_path / "a.csv", counts=counts))
    assert notes(counts) == []


def test_a_folder_that_may_not_be_read_is_said() -> None:
    counts = Counts(name="videos", closed_folders={f"folder {n}" for n in range(7)})
    (said,) = notes(counts)
    assert said.startswith("videos: left out, since they may not be read: folder 0, folder 1")
    assert said.endswith("folder 4 and 2 more")

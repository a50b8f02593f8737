"""Symptom: `cd videos; csg-data build --sources . --out dataset`, repeated, gave 1, 2, 3 clips.

The second run read `dataset.work/blobs/*.mp4`, the clips of the first, as sources of their own.
"""

import json
from pathlib import Path

import pytest

from pipeline.sources.lists import WORK_MARK, Counts, SourceListError, notes, read_sources

HASH = "ab" * 32


@pytest.fixture
def videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of videos after a run in it: its dataset, its work folder, and versions that went before."""
    for name in (
        "talk.mp4",
        "dataset/report/figure.mp4",
        f"dataset.work/blobs/ab/{HASH}.mp4",
        f"dataset.work/media/ab/{HASH}.mp4",
        "dataset.work/sample/one.mp4",
        ".dataset.versions/1/report/figure.mp4",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "dataset/dataset.json").write_text(json.dumps({"schema_version": 1, "root": "x"}))
    (tmp_path / "dataset.work" / WORK_MARK).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def locators(what: str, counts: Counts | None = None) -> list[str]:
    return [source.locator for source in read_sources(what, counts=counts)]


@pytest.mark.parametrize("what", [".", "./", "*.mp4", "**/*.mp4", "./*"])
def test_what_a_run_wrote_is_no_source_of_the_next(videos: Path, what: str) -> None:
    assert locators(what) == ["talk.mp4"]


def test_what_was_left_out_is_said(videos: Path) -> None:
    counts = Counts()
    locators(".", counts)
    assert counts.own_output == {"dataset", "dataset.work"}
    assert notes(counts) == [
        ".: left out, being work folders or datasets of runs: dataset, dataset.work"
    ]


def test_a_work_folder_from_before_there_was_a_mark_is_known_too(videos: Path) -> None:
    (videos / "dataset.work" / WORK_MARK).unlink()
    (videos / "dataset.work" / "ledger").mkdir()
    (videos / "dataset.work" / "sources.lock.jsonl").touch()
    assert locators(".") == ["talk.mp4"]


@pytest.mark.parametrize(
    "what",
    [
        "dataset",
        "dataset.work",
        "dataset.work/blobs",
        f"dataset.work/blobs/ab/{HASH}.mp4",
        "dataset.work/blobs/ab/*.mp4",
    ],
)
def test_what_lies_in_one_is_refused_when_it_is_given_by_itself(videos: Path, what: str) -> None:
    with pytest.raises(SourceListError, match=r"of a run; allowed|but those of runs; allowed"):
        list(read_sources(what))


def test_a_list_of_every_video_that_find_found_leaves_them_out(videos: Path) -> None:
    (videos / "all.txt").write_text(f"talk.mp4\ndataset.work/blobs/ab/{HASH}.mp4\n")
    counts = Counts()
    assert locators("all.txt", counts) == ["talk.mp4"]
    assert len(counts.own_output) == 1


def test_the_built_in_sample_in_a_work_folder_stays_a_source(videos: Path) -> None:
    (videos / "dataset.work/sample/sources.csv").write_text("path\none.mp4\n")
    assert locators("dataset.work/sample/sources.csv") == ["one.mp4"]
    assert locators("dataset.work/sample") == ["one.mp4"]

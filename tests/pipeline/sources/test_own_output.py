"""Work folders and datasets, known by their mark or by what they hold."""

import json
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from pipeline.sources.lists import WORK_MARK, Counts, SourceListError, read_sources
from pipeline.sources.own_output import is_own_folder

HASH = "ab" * 32


def marked(folder: Path) -> None:
    (folder / WORK_MARK).touch()


def unmarked(folder: Path) -> None:
    for name in ("blobs", "ledger"):
        (folder / name).mkdir()
    (folder / "sources.lock.jsonl").touch()


def embedded(folder: Path) -> None:
    (folder / "blobs").mkdir()
    (folder / "ledger.sqlite").touch()
    (folder / "media").mkdir()


def dataset(folder: Path) -> None:
    (folder / "dataset.json").write_text(json.dumps({"schema_version": 1, "root": "0" * 64}))


def foreign(folder: Path) -> None:
    (folder / "dataset.json").write_text(json.dumps({"name": "somebody else's"}))


def broken(folder: Path) -> None:
    (folder / "dataset.json").write_text("[" * 100_000)


def plain(folder: Path) -> None:
    (folder / "blobs").mkdir()


@pytest.mark.parametrize(
    ("make", "own"),
    [
        (marked, True),
        (unmarked, True),
        (embedded, True),
        (dataset, True),
        (foreign, False),
        (broken, False),
        (plain, False),
    ],
)
def test_a_folder_is_known_by_its_mark_or_by_what_it_holds(
    tmp_path: Path, make: Callable[[Path], None], own: bool
) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    make(folder)
    assert is_own_folder(folder) is own
    (folder / "clip.mp4").write_bytes(b"x")
    (tmp_path / "a.mp4").write_bytes(b"x")
    counts = Counts()
    found = [source.locator for source in read_sources(tmp_path, counts=counts)]
    assert found == (["a.mp4"] if own else ["a.mp4", "x/clip.mp4"])
    assert counts.own_output == ({"x"} if own else set())


def test_a_folder_named_as_the_work_of_the_dataset_beside_it_is_one(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set.work" / "blobs").mkdir(parents=True)
    assert not is_own_folder(tmp_path / "set.work")
    dataset(tmp_path / "set")
    assert is_own_folder(tmp_path / "set.work")


def test_the_same_holds_behind_a_url() -> None:
    system = fsspec.filesystem("memory")
    system.pipe("/mine/a.mp4", b"x")
    system.pipe("/mine/set/dataset.json", b'{"schema_version": 1, "root": "x"}')
    system.pipe("/mine/set/clip.mp4", b"x")
    system.pipe(f"/mine/work/{WORK_MARK}", b"")
    system.pipe(f"/mine/work/blobs/ab/{HASH}.mp4", b"x")
    counts = Counts()
    (found,) = read_sources("memory://mine", counts=counts)
    assert found.locator == "memory://mine/a.mp4"
    assert counts.own_output == {"set", "work"}
    counts = Counts()  # of a glob only what is named by its bytes is looked at: asking costs a request for each folder
    found = [source.locator for source in read_sources("memory://mine/**/*.mp4", counts=counts)]
    assert found == ["memory://mine/a.mp4", "memory://mine/set/clip.mp4"]
    assert counts.own_output == {"work"}
    for what in ("memory://mine/work", f"memory://mine/work/blobs/ab/{HASH}.mp4"):
        with pytest.raises(SourceListError, match="of a run"):
            list(read_sources(what))

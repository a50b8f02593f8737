"""One dataset in the place of another: whole or not at all, and the one before comes back."""

import json
import multiprocessing
import os
import time
from pathlib import Path

import pytest

from pipeline.run import commit as committing
from pipeline.run.commit import (
    RestoreError,
    aside,
    commit,
    exchange_at_once,
    locked,
    new_folder,
    restore,
    root_of,
    shelf,
    versions,
)


def write(folder: Path, root: str) -> None:
    (folder / "dataset.json").write_text(json.dumps({"root": root}))
    (folder / "video").mkdir()
    (folder / "video" / "shard.tar").write_text(root * 100)


def put(out: Path, root: str, *, keep: int = 1) -> None:
    with locked(out), new_folder(out) as folder:
        write(folder, root)
        commit(folder, out, keep=keep)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_first_commit_makes_the_dataset(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "set"
    put(out, "aa")
    assert root_of(out) == "aa"
    assert names(out.parent) == {"set", ".set.lock"}


def test_the_version_before_comes_back_by_the_beginning_of_its_root(tmp_path: Path) -> None:
    out = tmp_path / "set"
    for root in ("aaaa", "bbbb"):
        put(out, root)
    assert [v.root for v in versions(out)] == ["aaaa"]
    assert restore(out, "aa", keep=1) == "aaaa"
    assert root_of(out) == "aaaa"
    assert (out / "video" / "shard.tar").read_text() == "aaaa" * 100
    assert [v.root for v in versions(out)] == ["bbbb"]
    assert restore(out, None, keep=1) == "bbbb"


def test_as_many_versions_stay_as_are_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "set"
    for root in ("aa", "bb", "cc", "dd"):
        put(out, root, keep=2)
    assert [v.root for v in versions(out)] == ["cc", "bb"]
    put(out, "ee", keep=0)
    assert versions(out) == []
    assert root_of(out) == "ee"


def test_a_version_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    out = tmp_path / "set"
    put(out, "aa")
    put(out, "bb")
    with pytest.raises(RestoreError, match="begins with 'zz'; there are: aa"):
        restore(out, "zz", keep=1)


def test_an_earlier_version_of_the_same_root_is_not_kept(tmp_path: Path) -> None:
    out = tmp_path / "set"
    put(out, "aa")
    put(out, "bb")
    put(out, "bb")
    assert [v.root for v in versions(out)] == ["aa"]


def test_what_fails_while_it_is_written_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "set"
    put(out, "aa")
    with pytest.raises(RuntimeError), locked(out), new_folder(out) as folder:
        write(folder, "bb")
        raise RuntimeError
    assert root_of(out) == "aa"
    assert names(tmp_path) == {"set", ".set.lock"}


@pytest.mark.parametrize("moment", ["written", "ready", "moved", "between two renames"])
def test_a_commit_cut_at_any_moment_is_put_right_by_whoever_comes_next(
    tmp_path: Path, moment: str
) -> None:
    out = tmp_path / "set"
    put(out, "aa")
    new = tmp_path / ".set.new-x1"
    new.mkdir()
    write(new, "bb")
    ready = tmp_path / ".set.next-bb"
    if moment != "written":
        new.replace(ready)
    if moment == "moved" and not exchange_at_once(ready, out):
        pytest.skip("this file system cannot exchange two folders")
    if moment == "between two renames":
        out.replace(aside(out))
    with locked(out):
        assert root_of(out) == ("bb" if moment == "moved" else "aa")
    assert [v.root for v in versions(out)] == (["aa"] if moment == "moved" else [])
    assert {n for n in names(tmp_path) if n.startswith(".set.n") or n == ".set.old"} == set()


def test_without_an_exchange_in_one_move_three_renames_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committing, "exchange_at_once", lambda one, other: False)
    out = tmp_path / "set"
    put(out, "aa")
    put(out, "bb")
    assert root_of(out) == "bb"
    assert [v.root for v in versions(out)] == ["aa"]
    assert not aside(out).exists()


def test_three_renames_cut_after_the_second_lose_no_version(tmp_path: Path) -> None:
    out = tmp_path / "set"
    put(out, "aa")
    new = tmp_path / ".set.next-bb"
    new.mkdir()
    write(new, "bb")
    out.replace(aside(out))
    new.replace(out)
    with locked(out):
        assert root_of(out) == "bb"
    assert [v.root for v in versions(out)] == ["aa"]
    assert not aside(out).exists()


def test_a_restore_cut_after_its_move_loses_neither_version(tmp_path: Path) -> None:
    out = tmp_path / "set"
    put(out, "aa")
    put(out, "bb")
    if not exchange_at_once(shelf(out) / "aa", out):
        pytest.skip("this file system cannot exchange two folders")
    put_back = restore(out, None, keep=1)
    assert put_back == "bb"
    assert root_of(out) == "bb"
    assert [v.root for v in versions(out)] == ["aa"]


def test_a_clock_that_was_set_back_does_not_change_which_version_is_the_last(
    tmp_path: Path,
) -> None:
    out = tmp_path / "set"
    put(out, "aa")
    put(out, "bb")
    future = time.time() + 10 * 86_400
    os.utime(shelf(out) / "aa", (future, future))
    put(out, "cc")
    assert [v.root for v in versions(out)] == ["bb"]
    put(out, "dd", keep=2)
    assert [v.root for v in versions(out)] == ["cc", "bb"]


def put_many(out: Path, name: str) -> None:
    for number in range(20):
        put(out, f"{name}{number:02}", keep=3)


def test_commits_of_two_processes_do_not_get_into_each_others_way(tmp_path: Path) -> None:
    out = tmp_path / "set"
    context = multiprocessing.get_context("spawn")
    two = [context.Process(target=put_many, args=(out, name)) for name in "ab"]
    for process in two:
        process.start()
    for process in two:
        process.join(60)
    assert [process.exitcode for process in two] == [0, 0]
    assert root_of(out) in ("a19", "b19")
    assert len(versions(out)) == 3

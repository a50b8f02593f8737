"""A folder behind a list that was gone, `--limit 1` on a full set and unreachable addresses replaced a good dataset by
a smaller one, with exit code 0. A lost scheduler and a full disk, which did too, are kinds of `tests/faults`.
"""

import socket

import pytest

from tests.cases import Case

pytestmark = [pytest.mark.xdist_group("known"), pytest.mark.timeout(240)]


def test_a_share_that_is_gone_is_an_outage(case: Case) -> None:
    before = case.root
    case.share.rename(case.folder / "away")
    code, said = case.build()
    assert (code, case.root) == (3, before)
    assert "nothing came from" in said and "--max-failed" in said
    (case.folder / "away").rename(case.share)
    assert (case.build()[0], case.root) == (0, before)


def test_one_file_that_is_gone_from_a_list_keeps_what_is_there(case: Case) -> None:
    before = case.root
    (case.share / "ada.mp4").rename(case.folder / "ada.mp4")
    code, said = case.build()
    assert (code, case.root) == (4, before)
    assert "its source failed" in said and "--allow-shrink" in said
    code, _ = case.build("allow_shrink=true")
    assert code == 0 and case.root != before


def test_files_gone_from_a_folder_look_like_an_outage(case: Case) -> None:
    before = case.root
    assert (
        case.build(sources=case.share)[0] == 0
    )  # the same bytes under other locators: the same clips
    (case.share / "ada.mp4").unlink()
    renamed = case.root
    code, said = case.build(sources=case.share)
    assert (code, case.root) == (4, renamed)
    assert renamed != before
    assert "its source is gone" in said


def test_a_row_that_somebody_took_out_of_a_list_takes_its_clips_along(case: Case) -> None:
    before = case.root
    lines = case.listed.read_text().splitlines(keepends=True)
    case.listed.write_text("".join(line for line in lines if "ada.mp4" not in line))
    code, said = case.build()
    assert code == 0 and case.root != before
    assert "× its source is not in the list any more" in said


def test_a_trial_replaces_no_fuller_set(case: Case) -> None:
    before = case.root
    for given in (("limit=1",), ("limit=1", "allow_shrink=true")):
        code, said = case.build(*given)
        assert (code, case.root) == (4, before)
        assert "another --out" in said


def test_addresses_that_nobody_answers_at_are_an_outage_and_no_drop(case: Case) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    listed = case.folder / "web.csv"
    listed.write_text(f"url\nhttp://127.0.0.1:{port}/a.mp4\nhttp://127.0.0.1:{port}/b.mp4\n")
    quick = ("fetch.retries=0", "fetch.backoff=0", "fetch.timeout=2", "retries=0")
    before = case.root
    code, said = case.build(*quick, sources=listed)
    assert (code, case.root) == (3, before)
    assert f"127.0.0.1:{port}" in said


def test_more_failures_than_are_accepted_stop_the_run(case: Case) -> None:
    before = case.root
    with case.listed.open("a") as rows:
        rows.write("share/none.mp4,\nshare/neither.mp4,\n")
    code, said = case.build("max_failed=1")
    assert (code, case.root) == (3, before)
    assert "2 failed, max_failed allows 1" in said
    code, said = case.build("max_failed=2")
    assert code == 0
    assert "2 failed and are in no clip" in said

"""Symptom: a folder behind a list that was gone, or a host that was away, dropped its sources: 3 clips became none.

What is merely unreachable is a failure, raised as it is; only a fact about the source is a refusal.
"""

from pathlib import Path

import pytest

from manifests.record import Origin, Why
from pipeline.fetching import FetchSettings, NoAnswer, Unreachable
from pipeline.sources.lists import read_sources
from pipeline.sources.locators import Located, normalise, parse
from pipeline.stages.s010_fetch import FetchSource
from pipeline.store import Store
from pipeline.verdict import Refusal
from tests.site import Answer, Site

HASTY = FetchSettings(retries=0, timeout=2.0, proxy="")


def at(url: str, **facts: str) -> Located:
    return Located(Origin(locator=normalise(url), **facts), parse(url))


def test_the_files_of_a_folder_that_went_away_fail(tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    (share / "a.mp4").write_bytes(b"x")
    (tmp_path / "list.csv").write_text("path\nshare/a.mp4\n")
    share.rename(tmp_path / "unplugged")
    (source,) = read_sources(tmp_path / "list.csv")
    stage, store = FetchSource(HASTY, tmp_path / "lock"), Store(tmp_path / "work")
    assert stage.recorded(source, store) is None
    with pytest.raises(Unreachable, match="nothing is there") as raised:
        stage(source, store)
    assert not raised.value.transient
    assert raised.value.host == str(tmp_path)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Answer(status=500), Unreachable),
        (Answer(status=503), Unreachable),
        (Answer(status=429), Unreachable),
        (Answer(status=407), Unreachable),
        (Answer(status=404), Why.REMOVED),
        (Answer(status=410), Why.REMOVED),
        (Answer(status=403), Why.PRIVATE),
        (Answer(b"\x89PNG", kind="image/png"), Why.NOT_MEDIA),
        (Answer(b"x" * 99, headers={"X-Robots-Tag": "noai"}), Why.OPTED_OUT),
    ],
)
def test_what_a_server_says_is_a_drop_only_where_it_is_about_the_source(
    site: Site, tmp_path: Path, answer: Answer, outcome: type[Exception] | Why
) -> None:
    site.answers["/x.mp4"] = answer
    stage, store = FetchSource(HASTY, tmp_path / "lock"), Store(tmp_path / "work")
    with pytest.raises(outcome if isinstance(outcome, type) else Refusal) as raised:
        stage(at(site.url("/x.mp4")), store)
    if isinstance(raised.value, Refusal):
        assert raised.value.why is outcome
    else:
        assert raised.value.host == site.url("").removeprefix("http://")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x.mp4", "http://nowhere.invalid/x.mp4"])
def test_nobody_who_answers_is_a_failure(tmp_path: Path, url: str) -> None:
    stage = FetchSource(HASTY, tmp_path / "lock")
    with pytest.raises(NoAnswer) as raised:
        stage(at(url), Store(tmp_path / "work"))
    assert raised.value.transient

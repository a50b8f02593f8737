"""Plain web files, over a real server on loopback."""

import hashlib
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from manifests.record import Fetched, Origin
from pipeline.fetching import (
    FetchError,
    FetchSettings,
    LicenceNotAllowed,
    NotMediaPage,
    OptedOut,
    Private,
    Removed,
    Unreachable,
    fetch,
)
from pipeline.fetching.store import Folder
from pipeline.sources.locators import Located, normalise, parse
from tests.site import Answer, Site


def at(url: str, **facts: str) -> Located:
    return Located(Origin(locator=normalise(url), **facts), parse(url))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_media_file_lies_under_its_hash(
    site: Site, clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    content = clip.read_bytes()
    site.answers["/talk.mp4"] = Answer(content)
    fetched = fetch(at(site.url("/talk.mp4"), licence="CC BY"), folder=tmp_path, settings=settings)
    assert (fetched.sha256, fetched.bytes) == (sha256(content), len(content))
    assert Path(fetched.path).name == f"{sha256(content)}.mp4"
    assert Path(fetched.path).read_bytes() == content
    assert (fetched.licence, fetched.page) == ("CC BY", None)
    assert not list((tmp_path / "partial").glob("*/*"))


def test_a_second_fetch_asks_nobody(
    site: Site, clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    site.answers["/talk.mp4"] = Answer(clip.read_bytes())
    source = at(site.url("/talk.mp4"))
    first = fetch(source, folder=tmp_path, settings=settings)
    assert fetch(source, folder=tmp_path, settings=settings) == first
    assert len(site.asked) == 1


def test_a_stored_file_that_was_damaged_is_fetched_again(
    site: Site, clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    site.answers["/talk.mp4"] = Answer(clip.read_bytes())
    source = at(site.url("/talk.mp4"))
    first = fetch(source, folder=tmp_path, settings=settings)
    Path(first.path).write_bytes(clip.read_bytes()[:-1] + b"\xff")
    again = fetch(source, folder=tmp_path, settings=settings)
    assert again == first
    assert Path(again.path).read_bytes() == clip.read_bytes()


def test_a_cut_connection_goes_on_where_it_stopped(
    site: Site, clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    content = clip.read_bytes()
    third = len(content) // 3
    site.answers["/cut.mp4"] = Answer(content, cut_at=[third, third])
    fetched = fetch(at(site.url("/cut.mp4")), folder=tmp_path, settings=settings)
    assert fetched.sha256 == sha256(content)
    assert site.gets("/cut.mp4") == 3
    assert site.sent["/cut.mp4"] < 1.5 * len(content)


def test_what_a_killed_run_began_is_gone_on_with_by_the_next(
    site: Site, clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    content = clip.read_bytes()
    half = len(content) // 2
    site.answers["/cut.mp4"] = Answer(content, cut_at=[half], statuses=[200, 500, 500, 500])
    source = at(site.url("/cut.mp4"))
    with pytest.raises(Unreachable) as raised:
        fetch(source, folder=tmp_path, settings=settings)
    assert raised.value.transient
    fetched = fetch(source, folder=tmp_path, settings=settings)
    assert fetched.sha256 == sha256(content)
    assert site.sent["/cut.mp4"] < 1.5 * len(content)


KILLED = """
import sys
from pathlib import Path
from manifests.record import Origin
from pipeline.fetching import FetchSettings, fetch
from pipeline.sources.locators import Located, parse

source = Located(Origin(locator=sys.argv[1]), parse(sys.argv[1]))
fetch(source, folder=Path(sys.argv[2]), settings=FetchSettings(rate_limit=200_000, proxy=""))
"""


def test_a_worker_that_was_killed_leaves_what_it_had(
    site: Site, clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    content = clip.read_bytes()
    site.answers["/x.mp4"] = Answer(content)
    source = at(site.url("/x.mp4"))
    partial = Folder(tmp_path).partial(source.locator)
    worker = subprocess.Popen(
        [sys.executable, "-c", KILLED, source.locator, str(tmp_path)], cwd=Path(__file__).parents[3]
    )
    try:
        for _ in range(600):
            if partial.have > 100_000 or worker.poll() is not None:
                break
            time.sleep(0.05)
    finally:
        worker.kill()
        worker.wait(10)
    assert 100_000 < (had := partial.have) < len(content)
    fetched = fetch(source, folder=tmp_path, settings=settings)
    assert fetched.sha256 == sha256(content)
    assert site.asked[-1] == ("GET", "/x.mp4", f"bytes={had}-")


def test_two_workers_at_one_source_fetch_it_once(
    site: Site, clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    site.answers["/x.mp4"] = Answer(clip.read_bytes())
    source = at(site.url("/x.mp4"))
    with ThreadPoolExecutor(4) as pool:
        tasks = [pool.submit(fetch, source, folder=tmp_path, settings=settings) for _ in range(4)]
        results = {task.result() for task in tasks}
    assert len(results) == 1
    assert site.gets("/x.mp4") == 1


def test_a_file_that_changed_meanwhile_is_begun_again(
    site: Site, clip: Path, other_clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    answer = Answer(clip.read_bytes(), cut_at=[200_000])

    def change() -> None:
        answer.body, answer.tag = other_clip.read_bytes(), '"two"'

    answer.meanwhile = change
    site.answers["/changing.mp4"] = answer
    fetched = fetch(at(site.url("/changing.mp4")), folder=tmp_path, settings=settings)
    assert fetched.sha256 == sha256(other_clip.read_bytes())


def test_a_server_without_ranges_is_read_from_the_start_again(
    site: Site, clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    content = clip.read_bytes()
    site.answers["/old.mp4"] = Answer(content, cut_at=[200_000], ranges=False, tag="")
    fetched = fetch(at(site.url("/old.mp4")), folder=tmp_path, settings=settings)
    assert fetched.sha256 == sha256(content)


def test_a_server_that_is_busy_is_asked_again(
    site: Site, clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    headers = {"Retry-After": "0"}
    answer = Answer(clip.read_bytes(), statuses=[429, 503], headers=headers)
    site.answers["/busy.mp4"] = answer
    fetch(at(site.url("/busy.mp4")), folder=tmp_path, settings=settings)
    assert site.gets("/busy.mp4") == 3


@pytest.mark.parametrize(
    ("status", "kind", "transient", "asked"),
    [
        (404, Removed, False, 1),
        (410, Removed, False, 1),
        (401, Private, False, 1),
        (403, Private, False, 1),
        (400, Unreachable, False, 1),
        (429, Unreachable, True, 3),
        (500, Unreachable, True, 3),
    ],
)
def test_each_status_has_its_reason(
    site: Site,
    tmp_path: Path,
    settings: FetchSettings,
    status: int,
    kind: type[FetchError],
    transient: bool,
    asked: int,
) -> None:
    site.answers["/x.mp4"] = Answer(b"no", kind="text/plain", status=status)
    with pytest.raises(FetchError, match=str(status)) as raised:
        fetch(at(site.url("/x.mp4")), folder=tmp_path, settings=settings)
    assert type(raised.value) is kind
    assert raised.value.transient is transient
    assert site.gets("/x.mp4") == asked


def test_nobody_listening_is_unreachable(tmp_path: Path, settings: FetchSettings) -> None:
    with pytest.raises(Unreachable) as raised:
        fetch(at("http://127.0.0.1:9/x.mp4"), folder=tmp_path, settings=settings)
    assert raised.value.transient


def test_the_ending_of_an_address_says_nothing(
    site: Site, clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    site.answers["/get"] = Answer(clip.read_bytes(), kind="application/octet-stream")
    fetched: Fetched = fetch(at(site.url("/get?id=3")), folder=tmp_path, settings=settings)
    assert fetched.sha256 == sha256(clip.read_bytes())


@pytest.mark.parametrize("kind", ["image/png", "application/json", "application/octet-stream"])
def test_what_is_no_video_is_refused_by_its_kind(
    site: Site, tmp_path: Path, settings: FetchSettings, kind: str
) -> None:
    site.answers["/x.mp4"] = Answer(b"\x89PNG and more", kind=kind)
    with pytest.raises(NotMediaPage, match=kind):
        fetch(at(site.url("/x.mp4")), folder=tmp_path, settings=settings)


@pytest.mark.parametrize(
    "tag", ["noai", "NoAI, nofollow", "noindex", "cospeech: noai", "*: noimageai"]
)
def test_noai_is_honoured_unless_told_otherwise(
    site: Site, clip: Path, tmp_path: Path, settings: FetchSettings, tag: str
) -> None:
    site.answers["/x.mp4"] = Answer(clip.read_bytes(), headers={"X-Robots-Tag": tag})
    with pytest.raises(OptedOut, match="X-Robots-Tag"):
        fetch(at(site.url("/x.mp4")), folder=tmp_path, settings=settings)
    ignoring = settings.model_copy(update={"honour_noai": False})
    fetch(at(site.url("/x.mp4")), folder=tmp_path, settings=ignoring)


@pytest.mark.parametrize("tag", ["googlebot: noindex", "nofollow", "all"])
def test_what_is_said_to_other_robots_is_not_for_us(
    site: Site, clip: Path, tmp_path: Path, settings: FetchSettings, tag: str
) -> None:
    site.answers["/x.mp4"] = Answer(clip.read_bytes(), headers={"X-Robots-Tag": tag})
    fetch(at(site.url("/x.mp4")), folder=tmp_path, settings=settings)


def test_a_licence_is_judged_before_the_bytes_are_taken(
    site: Site, clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    site.answers["/x.mp4"] = Answer(clip.read_bytes())
    strict = settings.model_copy(update={"licences": ("cc-by",)})
    with pytest.raises(LicenceNotAllowed, match=r"'CC BY-NC 4\.0'.*cc-by"):
        fetch(at(site.url("/x.mp4"), licence="CC BY-NC 4.0"), folder=tmp_path, settings=strict)
    assert site.asked == []
    with pytest.raises(LicenceNotAllowed, match="states no licence"):
        fetch(at(site.url("/x.mp4")), folder=tmp_path, settings=strict)
    fetch(at(site.url("/x.mp4"), licence="CC BY 4.0"), folder=tmp_path, settings=strict)


def test_more_bytes_than_allowed_are_refused(
    site: Site, clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    site.answers["/x.mp4"] = Answer(clip.read_bytes(), length=False)
    narrow = settings.model_copy(update={"max_bytes": 100_000})
    with pytest.raises(NotMediaPage, match="more than 100000 bytes"):
        fetch(at(site.url("/x.mp4")), folder=tmp_path, settings=narrow)
    assert not list((tmp_path / "partial").glob("*/*"))


def test_the_rate_limit_is_kept(
    site: Site, clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    content = clip.read_bytes()
    site.answers["/x.mp4"] = Answer(content)
    slow = settings.model_copy(update={"rate_limit": len(content)})
    begun = time.monotonic()
    fetch(at(site.url("/x.mp4")), folder=tmp_path, settings=slow)
    assert time.monotonic() - begun > 0.9


def test_a_password_stays_out_of_names_and_messages(
    site: Site, tmp_path: Path, settings: FetchSettings
) -> None:
    url = site.url("/x.mp4").replace("://", "://me:secret@")
    site.answers["/x.mp4"] = Answer(b"no", kind="text/plain", status=403)
    with pytest.raises(Private) as raised:
        fetch(at(url), folder=tmp_path, settings=settings)
    assert "secret" not in str(raised.value)
    assert "secret" not in repr(at(url))

"""What is here already: found without reading media or asking anybody."""

import time
from pathlib import Path

import pytest

from manifests.record import Origin, Why
from pipeline.fetching import FetchSettings, Lock, LockMismatch, fetch, known, write_lock
from pipeline.fetching.store import Folder
from pipeline.sources.lists import read_sources
from pipeline.sources.locators import Located, normalise, parse
from pipeline.stages.s010_fetch import FetchSource
from pipeline.store import Store
from pipeline.verdict import Refusal
from tests.site import Answer, Site
from tests.typechecking import unchecked


def local(path: Path, **facts: str) -> Located:
    return Located(Origin(locator=path.name, **facts), parse(str(path)))


def at(url: str) -> Located:
    return Located(Origin(locator=normalise(url)), parse(url))


@pytest.fixture
def stage(tmp_path: Path, settings: FetchSettings) -> FetchSource:
    return FetchSource(settings, tmp_path / "lock")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "work")


def test_a_local_file_is_known_once_it_was_read(
    clip: Path, stage: FetchSource, store: Store
) -> None:
    source = local(clip, licence="CC0")
    assert stage.recorded(source, store) is None
    fetched = stage(source, store).fetched
    assert stage.recorded(source, store) == fetched


def test_a_local_file_that_changed_or_went_has_to_be_looked_at(
    clip: Path, tmp_path: Path, stage: FetchSource, store: Store
) -> None:
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(clip.read_bytes())
    stage(local(copy), store)
    copy.write_bytes(b"other")
    assert stage.recorded(local(copy), store) is None
    copy.unlink()
    assert stage.recorded(local(copy), store) is None


def test_a_file_from_elsewhere_is_known_by_its_receipt_or_the_lock(
    site: Site, clip: Path, stage: FetchSource, store: Store
) -> None:
    site.answers["/x.mp4"] = Answer(clip.read_bytes())
    source = at(site.url("/x.mp4"))
    assert stage.recorded(source, store) is None
    assert site.asked == []
    fetched = stage(source, store).fetched
    assert fetched is not None
    assert stage.recorded(source, store) == fetched
    (store.media / "receipts").rename(store.media / "lost")
    assert stage.recorded(source, store) is None
    write_lock(stage.lock, Lock().with_fetched([(source.locator, fetched)]))
    assert stage.recorded(source, store) == fetched
    assert len(site.asked) == 1


def test_bytes_that_are_not_remembered_are_not_read(
    site: Site, clip: Path, stage: FetchSource, store: Store
) -> None:
    site.answers["/x.mp4"] = Answer(clip.read_bytes())
    source = at(site.url("/x.mp4"))
    stage(source, store)
    (store.media / "stat").rename(store.media / "lost")
    assert stage.recorded(source, store) is None
    assert not (store.media / "stat").exists()


def test_nothing_is_known_of_what_is_to_be_fetched_anew(
    site: Site, clip: Path, tmp_path: Path, settings: FetchSettings, store: Store
) -> None:
    site.answers["/x.mp4"] = Answer(clip.read_bytes())
    anew = FetchSource(settings, tmp_path / "lock", update=True)
    anew(at(site.url("/x.mp4")), store)
    assert anew.recorded(at(site.url("/x.mp4")), store) is None
    fetched = anew(local(clip), store).fetched  # what lies here is looked at every time anyway
    assert anew.recorded(local(clip), store) == fetched


def test_other_bytes_than_the_lock_says_are_left_to_the_worker(
    clip: Path, other_clip: Path, stage: FetchSource, store: Store
) -> None:
    first = stage(local(clip), store).fetched
    assert first is not None
    stage(local(other_clip), store)
    write_lock(stage.lock, Lock().with_fetched([(other_clip.name, first)]))
    assert stage.recorded(local(other_clip), store) is None
    with pytest.raises(LockMismatch):
        stage(local(other_clip), store)


def test_a_share_that_fails_is_left_to_the_worker(
    tmp_path: Path, stage: FetchSource, store: Store
) -> None:
    store.root.mkdir()
    store.media.write_text("no folder")
    assert stage.recorded(local(tmp_path / "a.mp4"), store) is None


@pytest.mark.parametrize(
    ("line", "licences", "why"),
    [
        ("talk.mp4", None, Why.OPTED_OUT),
        ("site:example.org", None, Why.OPTED_OUT),
        ("uploader:x", ("cc-by",), Why.LICENCE),
    ],
)
def test_what_the_list_alone_forbids_needs_no_worker(
    tmp_path: Path, store: Store, line: str, licences: tuple[str, ...] | None, why: Why
) -> None:
    (tmp_path / "out.txt").write_text(line)
    settings = FetchSettings(opt_outs=tmp_path / "out.txt", licences=licences)
    stage = FetchSource(settings, tmp_path / "lock")
    source = at("https://example.org/x.mp4") if "site" in line else local(tmp_path / "talk.mp4")
    with pytest.raises(Refusal) as raised:
        stage.recorded(source, store)
    assert raised.value.why is why
    with pytest.raises(Refusal) as said:
        stage(source, store)
    assert said.value.detail == raised.value.detail


def test_bytes_that_opted_out_later_need_no_worker(
    clip: Path, tmp_path: Path, stage: FetchSource, store: Store
) -> None:
    fetched = stage(local(clip), store).fetched
    assert fetched is not None
    (tmp_path / "out.txt").write_text(f"{fetched.sha256}  {clip.name}\n")
    strict = FetchSource(FetchSettings(opt_outs=tmp_path / "out.txt"), tmp_path / "lock")
    with pytest.raises(Refusal, match="its bytes"):
        strict.recorded(local(clip), store)


def test_a_page_may_still_state_a_licence(tmp_path: Path, store: Store) -> None:
    strict = FetchSource(FetchSettings(licences=("cc-by",)), tmp_path / "lock")
    assert strict.recorded(at("https://example.org/page"), store) is None


def test_ten_thousand_local_sources_take_less_than_two_seconds(
    tmp_path: Path, settings: FetchSettings
) -> None:
    """Measured on 100: what a source takes does not depend on how many there are."""
    folder, shelf = tmp_path / "videos", Folder(tmp_path / "work" / "media")
    folder.mkdir()
    for number in range(100):
        (folder / f"{number:02}.mp4").write_bytes(b"x")
        shelf.remember(folder / f"{number:02}.mp4", "f" * 64)
    stage, store = FetchSource(settings, tmp_path / "lock"), Store(tmp_path / "work")
    sources = list(read_sources(folder))
    stage.recorded(sources[0], store)
    with unchecked():
        begun = time.process_time()
        assert all(stage.recorded(source, store) is not None for source in sources)
        seconds = time.process_time() - begun
    assert seconds < 100 * 0.0002


def test_known_and_fetch_are_the_same(clip: Path, tmp_path: Path, settings: FetchSettings) -> None:
    fetched = fetch(local(clip), folder=tmp_path, settings=settings)
    assert known(local(clip), folder=tmp_path, settings=settings, lock=Lock()) == fetched

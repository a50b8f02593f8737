"""The lock file: the same bytes again, or an error that names both hashes."""

from pathlib import Path

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.record import Fetched, Origin, Page
from pipeline.fetching import (
    FetchSettings,
    Lock,
    LockError,
    LockMismatch,
    OptedOut,
    fetch,
    read_lock,
    write_lock,
)
from pipeline.sources.lists import read_sources
from pipeline.sources.locators import Located, parse
from tests.site import Answer, Site

A, B = "a" * 64, "b" * 64


def held(sha256: str, page: Page | None = None) -> Fetched:
    return Fetched(sha256=sha256, bytes=3, path="/somewhere", licence="CC0", page=page)


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), min_size=1, max_size=20),
        st.builds(
            Page,
            url=TEXT,
            extractor=TEXT,
            title=st.none() | TEXT,
            tags=st.lists(TEXT, max_size=3).map(tuple),
        ),
        max_size=5,
    )
)
def test_what_is_written_reads_back_equal(
    tmp_path_factory: pytest.TempPathFactory, pages: dict[str, Page]
) -> None:
    path = tmp_path_factory.mktemp("lock") / "sources.lock.jsonl"
    lock = Lock().with_fetched((locator, held(A, page)) for locator, page in pages.items())
    write_lock(path, lock)
    assert read_lock(path) == lock


def test_the_order_of_fetching_leaves_no_trace(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    pairs = [("b", held(A)), ("a", held(B)), ("youtube:dQw4w9WgXcQ", held(A))]
    write_lock(one, Lock().with_fetched(pairs))
    write_lock(two, Lock().with_fetched(reversed(pairs)))
    assert one.read_bytes() == two.read_bytes()
    assert one.read_text().startswith('{"locator": "a", "sha256": "bbb')
    assert "/somewhere" not in one.read_text()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["one", "two"]


def test_a_lock_is_a_source_list(tmp_path: Path) -> None:
    path = tmp_path / "sources.lock.jsonl"
    write_lock(path, Lock().with_fetched([("youtube:dQw4w9WgXcQ", held(A))]))
    (source,) = read_sources(path)
    assert source.origin == Origin(locator="youtube:dQw4w9WgXcQ", licence="CC0")


def test_no_file_is_an_empty_lock(tmp_path: Path) -> None:
    assert read_lock(tmp_path / "none") == Lock()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: the line"),
        ('{"locator": "x", "sha256": "zz", "bytes": 1}', "line 2: sha256.*'zz'"),
        ('{"locator": "x", "sha256": "' + A + '", "bytes": -1}', "line 2: bytes.*-1"),
        ('{"locator": "a", "sha256": "' + A + '", "bytes": 1}', "line 2: .*once, got 'a'"),
        ('{"locator": "x", "sha256": "' + A + '", "bytes": 1, "k": 1}', "line 2: k"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "lock"
    write_lock(path, Lock().with_fetched([("a", held(A))]))
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(LockError, match=said):
        read_lock(path)


def test_other_bytes_are_an_error_that_names_both_hashes(
    clip: Path, other_clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    path = tmp_path / "talk.mp4"
    path.write_bytes(clip.read_bytes())
    source = Located(Origin(locator="talk.mp4"), parse(str(path)))
    first = fetch(source, folder=tmp_path / "f", settings=settings)
    lock = Lock().with_fetched([("talk.mp4", first)])
    assert fetch(source, folder=tmp_path / "f", settings=settings, lock=lock) == first
    path.write_bytes(other_clip.read_bytes())
    with pytest.raises(LockMismatch) as raised:
        fetch(source, folder=tmp_path / "f", settings=settings, lock=lock)
    found = fetch(source, folder=tmp_path / "f", settings=settings, lock=lock, update=True)
    assert first.sha256 in str(raised.value)
    assert found.sha256 in str(raised.value)
    assert "talk.mp4" in str(raised.value)


def test_a_remote_source_that_changed_is_an_error_until_the_update(
    site: Site, clip: Path, other_clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    answer = site.answers["/x.mp4"] = Answer(clip.read_bytes())
    source = Located(Origin(locator=site.url("/x.mp4")), parse(site.url("/x.mp4")))
    first = fetch(source, folder=tmp_path / "one", settings=settings)
    lock = Lock().with_fetched([(source.locator, first)])
    answer.body, answer.tag = other_clip.read_bytes(), '"two"'
    assert fetch(source, folder=tmp_path / "one", settings=settings, lock=lock) == first
    with pytest.raises(LockMismatch):
        fetch(source, folder=tmp_path / "two", settings=settings, lock=lock)
    second = fetch(source, folder=tmp_path / "one", settings=settings, lock=lock, update=True)
    assert second.sha256 != first.sha256


def test_a_locked_file_that_is_here_needs_no_server(
    tmp_path: Path, clip: Path, settings: FetchSettings
) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/lock/x.mp4", clip.read_bytes())
    source = Located(Origin(locator="memory://lock/x.mp4"), parse("memory://lock/x.mp4"))
    first = fetch(source, folder=tmp_path, settings=settings)
    memory.rm("/lock/x.mp4")
    (tmp_path / "receipts").rename(tmp_path / "lost")
    page = Page(url="x", extractor="x", uploader="Someone")
    lock = Lock().with_fetched([(source.locator, first.model_copy(update={"page": page}))])
    again = fetch(source, folder=tmp_path, settings=settings, lock=lock)
    assert (again.sha256, again.path, again.page) == (first.sha256, first.path, page)
    out = tmp_path / "out.txt"
    out.write_text("uploader: SOMEONE\n")
    strict = settings.model_copy(update={"opt_outs": out})
    with pytest.raises(OptedOut, match="someone"):
        fetch(source, folder=tmp_path, settings=strict, lock=lock)

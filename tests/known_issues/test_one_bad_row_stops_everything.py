"""Symptom: one file name with a newline or a byte that is no UTF-8, or one `youtube:short` row, stopped the whole run.

Now a file with such a name is a source under an escaped locator, and a row that cannot be read is one dropped source.
"""

import json
import os
import pickle
from pathlib import Path

import av
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from manifests.record import Source, Why
from pipeline.fetching import FetchSettings
from pipeline.sources.lists import Counts, SourceListError, notes, read_sources
from pipeline.sources.locators import Located
from pipeline.stages.s010_fetch import FetchSource
from pipeline.store import Store
from pipeline.verdict import Refusal
from tests.video import make_video

ODD = {
    b"good.mp4": "good.mp4",
    b"new\nline.mp4": r"new\nline.mp4",
    b"caf\xe9.mp4": r"caf\xe9.mp4",
    b" blank.mp4": r"\x20blank.mp4",
    b"youtube:short.mp4": r"youtube\x3ashort.mp4",
}


@pytest.fixture
def odd_folder(tmp_path: Path) -> Path:
    """One video under several names."""
    video = make_video(tmp_path / "video.tmp.mp4", frames=5)
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ODD:
        try:
            (folder / os.fsdecode(name)).write_bytes(video.read_bytes())
        except OSError:
            pytest.skip(f"this file system takes no name such as {name!r}")
    return folder


@pytest.mark.parametrize("pattern", ["", "/*.mp4"])
def test_any_file_name_gives_a_source_that_can_be_fetched_and_decoded(
    odd_folder: Path, tmp_path: Path, pattern: str
) -> None:
    found = list(read_sources(f"{odd_folder}{pattern}"))
    assert sorted(s.locator for s in found) == sorted(ODD.values())
    stage, store = FetchSource(FetchSettings(), tmp_path / "lock"), Store(tmp_path / "work")
    for located in pickle.loads(pickle.dumps(found)):
        source = stage(located, store)
        assert Source.model_validate_json(source.model_dump_json()) == source
        assert source.fetched is not None
        with av.open(source.fetched.path) as container:
            assert container.streams.video[0].frames == 5
        assert stage.recorded(located, store) == source.fetched


def test_a_file_given_by_itself_may_have_any_name_too(odd_folder: Path) -> None:
    for name, locator in ODD.items():
        (source,) = read_sources(odd_folder / os.fsdecode(name))
        assert source.locator == locator


BAD = [
    ("a.csv", b"path\nyoutube:short\nb.mp4\n", "a.csv line 2: youtube:short", "11 of A-Z"),
    ("a.csv", b"path\nb.mp4,c,d\nb.mp4\n", "a.csv line 2: b.mp4", "1 columns, got 3 cells"),
    ("a.csv", b"path,title\n,x\nb.mp4,\n", "a.csv line 2", "no locator among"),
    ("a.csv", b'path\n"x"y\nb.mp4\n', "a.csv line 2", "expected after"),
    ("a.csv", b"path\ncaf\xe9.mp4\nb.mp4\n", r"a.csv line 2: caf\xe9.mp4", "a list is UTF-8"),
    ("a.csv", b'path\n"x\ny"\nb.mp4\n', r"a.csv line 3: x\ny", "printable characters only"),
    ("a.csv", b"path\ns3x://a/b\nb.mp4\n", "a.csv line 2: s3x://a/b", "begins with youtube:"),
    ("a.csv", b"url\nhttps://me:pw@[::1/x?k=pw\nb.mp4\n", "a.csv line 2: https://[::1/x", "host"),
    ("a.tsv", b"path\nyoutube:short\nb.mp4\n", "a.tsv line 2: youtube:short", "11 of A-Z"),
    ("a.txt", b"b.mp4\nyoutube:short\n", "a.txt line 2: youtube:short", "11 of A-Z"),
    ("a.jsonl", b'"b.mp4"\n{"path"\n', 'a.jsonl line 2: {"path"', "not JSON"),
    ("a.jsonl", b'"b.mp4"\n3\n', "a.jsonl line 2: 3", "an object or a locator, got 3"),
    ("a.jsonl", b'"b.mp4"\n{"path": 3}\n', "a.jsonl line 2: 3", "path is text, got 3"),
    ("a.json", b'["b.mp4", {"path": ["x"]}]', "a.json row 2: ['x']", "path is text, got ['x']"),
    ("a.yaml", b"- b.mp4\n- path:\n    x: 1\n", "a.yaml line 2: ['MappingNode']", "path is text"),
    ("a.yaml", b"- b.mp4\n- [a]\n", "a.yaml line 2: ['SequenceNode']", "a row is an object"),
]


@pytest.mark.parametrize(("name", "content", "locator", "said"), BAD)
def test_a_bad_row_is_one_dropped_source_with_its_reason(
    tmp_path: Path, name: str, content: bytes, locator: str, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    counts = Counts()
    found = list(read_sources(tmp_path / name, counts=counts))
    (bad,) = [source for source in found if source.fault]
    (good,) = [source for source in found if not source.fault]
    assert (good.locator, bad.locator) == ("b.mp4", locator)
    assert said in bad.fault
    assert bad.fault.startswith(f"{name}, ")
    assert "pw" not in bad.fault + bad.locator
    assert (counts.sources, counts.bad_rows) == (2, 1)
    assert "1 row cannot be read" in notes(counts)[0]
    refused(bad, tmp_path)


def refused(bad: Located, folder: Path) -> None:
    """The stage drops it, in a worker and in the driver alike."""
    stage = FetchSource(FetchSettings(), folder / "lock")
    for ask in (stage, stage.recorded):
        with pytest.raises(Refusal) as raised:
            ask(bad, Store(folder / "work"))
        assert (raised.value.why, raised.value.detail) == (Why.BAD_ROW, bad.fault)


def test_a_bad_row_of_a_parquet_list_is_one_too(tmp_path: Path) -> None:
    pq.write_table(pa.table({"path": ["a.mp4", None, "youtube:x"]}), tmp_path / "a.parquet")
    found = list(read_sources(tmp_path / "a.parquet"))
    assert [s.locator for s in found] == ["a.mp4", "a.parquet row 2", "a.parquet row 3: youtube:x"]


def test_an_over_long_row_is_cut_and_told_from_its_like(tmp_path: Path) -> None:
    rows = ["x" * 5000 + end for end in ("1", "2")]
    (tmp_path / "a.json").write_text(json.dumps(["b.mp4", *rows]))
    _, one, two = read_sources(tmp_path / "a.json")
    assert max(len(one.locator), len(two.locator)) < 160
    assert "4096 characters, got 5001" in one.fault
    again = [source.locator for source in read_sources(tmp_path / "a.json")]
    assert again == ["b.mp4", one.locator, two.locator]


def test_bad_rows_keep_their_places_and_repeat_alike(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("youtube:x\nyoutube:y\na.mp4\nyoutube:x\n")
    found = [source.locator for source in read_sources(tmp_path / "a.txt")]
    assert found == [
        "a.txt line 1: youtube:x",
        "a.txt line 2: youtube:y",
        "a.mp4",
        "a.txt line 4: youtube:x",
    ]


def test_a_quotation_mark_that_nothing_closes_is_no_matter_of_one_row(tmp_path: Path) -> None:
    """It swallows the rows after it: dropping one source for it would lose the others without a word."""
    (tmp_path / "a.csv").write_text('path\na.mp4\n"b.mp4\nc.mp4\n')
    with pytest.raises(SourceListError, match="line 3: unexpected end"):
        list(read_sources(tmp_path / "a.csv"))


def test_a_list_without_any_row_that_can_be_read_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("youtube:x\nyoutube:y\n")
    with pytest.raises(SourceListError, match=r"a\.txt, line 1: youtube: .*1 more row"):
        next(read_sources(tmp_path / "a.txt"))


def test_a_package_that_is_missing_here_says_nothing_about_the_row(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a.mp4\nsmb://server/b.mp4\n")
    with pytest.raises(
        SourceListError, match=r"line 2: smb:// cannot be opened here: .*smbprotocol"
    ):
        list(read_sources(tmp_path / "a.txt"))

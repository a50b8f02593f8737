"""Source lists in every format, folders, globs, single sources; what is wrong with them, in one sentence."""

import csv
import gzip
import json
import os
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from manifests.record import Origin
from pipeline.sources.lists import (
    Counts,
    SourceListError,
    SourcesUnreachable,
    is_explicit,
    notes,
    read_sources,
)
from pipeline.sources.locators import Located, parse

SHIPPED = Path(__file__).parents[3] / "manifests" / "sources"

ROWS = [
    {
        "locator": "youtube:dQw4w9WgXcQ",
        "speaker": "Ann",
        "speech_type": "lecture",
        "licence": "CC BY",
        "title": 'A "talk", with commas',
        "language": "en",
        "synthetic": "dubbed",
    },
    {"locator": "talks/b.mp4", "title": "zweites, für Müller 東京"},
    {"locator": "https://example.org/c.mp4"},
]
EXPECTED = [Origin.model_validate(row) for row in ROWS]


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    """Rows in the format of the path's ending."""
    columns = list(ROWS[0])
    full = [{name: row.get(name) for name in columns} for row in rows]
    suffix = path.suffixes[0]
    if suffix in (".csv", ".tsv"):
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, columns, delimiter="\t" if suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(full)
    elif suffix in (".yaml", ".yml"):
        path.write_text(yaml.safe_dump(rows, allow_unicode=True), encoding="utf-8")
    elif suffix == ".json":
        path.write_text(json.dumps({"sources": rows}))
    elif suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in full))
    elif suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(full), path)
    return path


def origins(what: str | Path) -> list[Origin]:
    return [source.origin for source in read_sources(what)]


FORMATS = ["csv", "tsv", "yaml", "yml", "json", "jsonl", "parquet"]


@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_gives_the_same_sources(tmp_path: Path, ending: str) -> None:
    assert origins(write(tmp_path / f"list.{ending}", ROWS)) == EXPECTED


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_lists_may_lie_behind_a_url(tmp_path: Path, ending: str) -> None:
    content = write(tmp_path / f"list.{ending}", ROWS).read_bytes()
    fsspec.filesystem("memory").pipe(f"/lists/list.{ending}", content)
    found = list(read_sources(f"memory://lists/list.{ending}"))
    assert [source.locator for source in found] == [
        "youtube:dQw4w9WgXcQ",
        "memory://lists/talks/b.mp4",
        "https://example.org/c.mp4",
    ]


CELL = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=20
).map(str.strip)


@given(rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=8))
@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_any_text_goes_through_every_format(
    tmp_path_factory: pytest.TempPathFactory, ending: str, rows: list[tuple[str, str]]
) -> None:
    given_rows = [
        {"locator": f"v/{number}.mp4", "title": title, "speaker": speaker}
        for number, (title, speaker) in enumerate(rows)
    ]
    path = write(tmp_path_factory.mktemp("lists") / f"list.{ending}", given_rows)
    expected = [(row["title"] or None, row["speaker"] or None) for row in given_rows]
    assert [(o.title, o.speaker) for o in origins(path)] == expected


def test_a_text_file_holds_one_locator_per_line(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("# talks\nyoutube:dQw4w9WgXcQ\n\n  b.mp4\n")
    assert [o.locator for o in origins(path)] == ["youtube:dQw4w9WgXcQ", "b.mp4"]


def test_locators_may_stand_alone_in_yaml_and_json(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("- a.mp4\n- {path: b.mp4}\n- id: 12345678901\n")
    (tmp_path / "a.jsonl").write_text('"a.mp4"\n{"path": "b.mp4"}\n{"vid": "12345678901"}\n')
    expected = ["a.mp4", "b.mp4", "youtube:12345678901"]
    for ending in ("yaml", "jsonl"):
        assert [o.locator for o in origins(tmp_path / f"a.{ending}")] == expected


def test_a_mark_at_the_start_and_packing_are_no_matter(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbfURL,License\r\nhttps://example.org/c.mp4,CC0\r\n"
    (tmp_path / "a.csv").write_bytes(text)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text))
    expected = [Origin(locator="https://example.org/c.mp4", licence="CC0")]
    assert origins(tmp_path / "a.csv") == origins(tmp_path / "a.csv.gz") == expected


@pytest.mark.parametrize("name", ["locator", "url", "path", "file", " URL ", "Path"])
def test_the_locator_has_several_names(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.csv").write_text(f"{name}\nb.mp4\n")
    assert origins(tmp_path / "a.csv") == [Origin(locator="b.mp4")]


@pytest.mark.parametrize("name", ["id", "vid", "video_id", "youtube_id"])
def test_a_bare_youtube_id_is_one_in_an_id_column_only(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.csv").write_text(f"{name}\n-_abcdefghi\n")
    assert origins(tmp_path / "a.csv") == [Origin(locator="youtube:-_abcdefghi")]
    (tmp_path / "b.csv").write_text("path\n-_abcdefghi\n")
    assert origins(tmp_path / "b.csv") == [Origin(locator="-_abcdefghi")]


def test_a_path_wins_over_an_id(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,path\ndQw4w9WgXcQ,b.mp4\ndQw4w9WgXcQ,\n")
    assert [o.locator for o in origins(tmp_path / "a.csv")] == ["b.mp4", "youtube:dQw4w9WgXcQ"]


def test_the_published_csg_405_list_is_read_as_it_is(tmp_path: Path) -> None:
    entry = {"part": 0, "start_time": "00:00:01.20", "end_time": "00:00:09.00", "crop_box": [0, 0]}
    rows = [{"vid": vid, **entry} for vid in ("dQw4w9WgXcQ", "dQw4w9WgXcQ", "-_abcdefghi")]
    (tmp_path / "all_with_crop.json").write_text(json.dumps(rows))
    counts = Counts()
    found = list(read_sources(tmp_path / "all_with_crop.json", counts=counts))
    assert [s.locator for s in found] == ["youtube:dQw4w9WgXcQ", "youtube:-_abcdefghi"]
    assert (counts.sources, counts.duplicates) == (2, 1)
    assert counts.unknown_columns == {"part", "start_time", "end_time", "crop_box"}


# ---- where a path leads ----------------------------------------------------------------------------------------------


def test_paths_are_looked_up_beside_the_list(tmp_path: Path) -> None:
    folder = tmp_path / "lists"
    folder.mkdir()
    inside = folder / "deep" / "d.mp4"
    (folder / "a.csv").write_text(
        f"path\n./talks//b.mp4\n../c.mp4\n{inside}\n/elsewhere/e.mp4\nfile://{folder}/f%20g.mp4\n"
    )
    found = {s.locator: s.open_at for s in read_sources(folder / "a.csv")}
    assert found == {
        "talks/b.mp4": str(folder / "talks/b.mp4"),
        "../c.mp4": str(tmp_path / "c.mp4"),
        "deep/d.mp4": str(inside),
        "/elsewhere/e.mp4": "/elsewhere/e.mp4",
        "f g.mp4": str(folder / "f g.mp4"),
    }


def test_a_list_gives_the_same_locators_wherever_it_lies(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.csv").write_text("path\nb.mp4\n")
    assert origins(tmp_path / "one/a.csv") == origins(tmp_path / "two/a.csv")


@pytest.mark.parametrize("path", ["/etc/passwd", "file:///etc/passwd", "~/x.mp4"])
def test_a_remote_list_may_not_name_files_of_this_machine(path: str) -> None:
    fsspec.filesystem("memory").pipe("/hostile/a.csv", f"path\n{path}\n".encode())
    with pytest.raises(SourceListError, match="line 2: a list behind a URL"):
        list(read_sources("memory://hostile/a.csv"))


def test_a_remote_list_at_the_root_names_its_neighbours_and_stays_with_its_host() -> None:
    system = fsspec.filesystem("memory")
    system.pipe("/root.csv", b"path\nx/a.mp4\n../../b.mp4\n")
    found = [s.locator for s in read_sources("memory://root.csv")]
    assert found == ["memory://x/a.mp4", "memory://b.mp4"]
    system.pipe("/box/deep/list.csv", b"path\n../a.mp4\n../../../etc/passwd\n")
    found = [s.locator for s in read_sources("memory://box/deep/list.csv")]
    assert found == ["memory://box/a.mp4", "memory://box/etc/passwd"]


def test_a_password_is_used_and_not_written_down(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("url\nhttps://me:pw@example.org/x.mp4\n")
    (source,) = read_sources(tmp_path / "a.csv")
    assert source.locator == "https://example.org/x.mp4"
    assert source.open_at == "https://me:pw@example.org/x.mp4"


# ---- repeated rows, unknown columns ----------------------------------------------------------------------------------


def test_the_first_of_two_rows_wins_and_the_other_is_counted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "url,title,stars\nhttps://youtu.be/dQw4w9WgXcQ,first,5\n"
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=1,second,4\na.mp4,,\n./a.mp4,,\n"
    )
    counts = Counts()
    found = list(read_sources(tmp_path / "a.csv", counts=counts))
    assert [s.origin.title for s in found] == ["first", None]
    name = str(tmp_path / "a.csv")
    assert counts == Counts(name=name, sources=2, duplicates=2, unknown_columns={"stars"})
    assert notes(counts) == [
        f"{name}: columns not read: stars",
        f"{name}: 2 rows repeat an earlier locator and were left out",
    ]


def test_rows_are_read_as_they_are_drawn(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('path\na.mp4\n"b.mp4\n')
    sources = read_sources(tmp_path / "a.csv")
    assert next(sources).locator == "a.mp4"
    with pytest.raises(SourceListError, match="line 3"):
        next(sources)


def test_a_list_that_nobody_draws_is_not_left_open(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("path\na.mp4\n")
    read_sources(tmp_path / "a.csv")  # a file left open is a warning, and so an error


@pytest.mark.parametrize(
    ("what", "explicit"),
    [
        ("a.csv", True),
        ("a.mp4", True),
        ("https://example.org/talk", True),
        ("youtube:dQw4w9WgXcQ", True),
        ("s3://bucket/a.mp4", True),
        ("s3://bucket/list.csv.gz", True),
        (".", False),
        ("*.mp4", False),
        ("s3://bucket/folder", False),
        ("s3://bucket/*.mp4", False),
    ],
)
def test_a_list_names_each_source_and_a_folder_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, explicit: bool
) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    assert is_explicit(what) is explicit
    with pytest.raises(SourceListError, match="nothing is there"):
        is_explicit("nowhere")


# ---- folders, globs, single sources ----------------------------------------------------------------------------------


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    root = tmp_path / "videos"
    for name in ("b.mp4", "a/2.MKV", "a/1.webm", "a/.hidden.mp4", ".git/x.mp4", "notes.txt"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (root / "a" / "loop").symlink_to(root)
    (root / "dir.mp4").mkdir()
    return root


def test_a_folder_is_read_through_in_order(videos: Path) -> None:
    found = list(read_sources(videos))
    assert [s.locator for s in found] == ["a/1.webm", "a/2.MKV", "b.mp4"]
    assert [s.open_at for s in found] == [str(videos / s.locator) for s in found]


def test_a_glob_is_known_from_its_last_plain_folder_on(videos: Path) -> None:
    assert [s.locator for s in read_sources(f"{videos}/*/*.*")] == ["a/1.webm", "a/2.MKV"]
    assert [s.locator for s in read_sources(f"{videos}/**/*.mp4")] == ["b.mp4"]
    with pytest.raises(SourceListError, match=r"matches no video; allowed: .*\.mp4"):
        read_sources(f"{videos}/*.nothing")


def test_a_remote_folder_gives_urls() -> None:
    system = fsspec.filesystem("memory")
    for name in ("b.mp4", "a/1.webm", "a/.hidden.mp4", "notes.md"):
        system.pipe(f"/folder/{name}", b"x")
    expected = ["memory://folder/a/1.webm", "memory://folder/b.mp4"]
    assert [s.locator for s in read_sources("memory://folder")] == expected
    assert [s.locator for s in read_sources("memory://folder/")] == expected
    assert [s.locator for s in read_sources("memory://folder/*/*")] == expected[:1]


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("https://youtu.be/dQw4w9WgXcQ", "youtube:dQw4w9WgXcQ"),
        ("youtube:dQw4w9WgXcQ", "youtube:dQw4w9WgXcQ"),
        ("https://example.org/talk", "https://example.org/talk"),
        ("memory://box/a.mp4", "memory://box/a.mp4"),
    ],
)
def test_one_address_is_one_source(what: str, expected: str) -> None:
    assert list(read_sources(what)) == [Located(Origin(locator=expected), parse(what))]


def test_one_file_is_one_source(videos: Path) -> None:
    (found,) = read_sources(videos / "b.mp4")
    assert (found.locator, found.open_at) == ("b.mp4", str(videos / "b.mp4"))


def test_brackets_in_a_name_are_no_glob(tmp_path: Path) -> None:
    (tmp_path / "talk [1].mp4").write_bytes(b"x")
    (found,) = read_sources(tmp_path / "talk [1].mp4")
    assert found.locator == "talk [1].mp4"


# ---- what is wrong, in one sentence ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"title\nx\n", r"a\.csv, line 1: no column of locators.*'title'.*url"),
        ("a.csv", b"", r"a\.csv, line 1: no column of locators"),
        ("a.csv", b"path\n", r"a\.csv: no source in it"),
        ("a.csv", b"path,path\nx,y\n", "line 1: a column stands once.*'path' twice"),
        ("a.csv", b"path\na.mp4,b\n", "line 2: the header has 1 columns, got 2 cells"),
        ("a.csv", b"path,title\n,x\n", "line 2: no locator among .*allowed columns: locator"),
        ("a.csv", b'path\n"a.mp4\n', "line 2: unexpected end"),
        ("a.csv", b"path,title\na.mp4,caf\xe9\n", "line 2: a list is UTF-8, got .* title"),
        ("a.csv", b"path\nyoutube:x\n", "line 2: youtube: is followed by 11 of"),
        ("a.csv", b"path\ns3x://a/b\n", "line 2: a locator begins with .*got 's3x"),
        ("a.csv", "path\nx".encode("utf-16"), r"a\.csv, line 1: no column"),
        ("a.csv.gz", b"path\na.mp4\n", r"cannot be read as \.csv"),
        ("a.jsonl", b"3\n", "line 1: a row is an object or a locator, got 3"),
        ("a.jsonl", b'{"path": 3}\n', "line 1: path is text, got 3"),
        ("a.jsonl", b'{"path": "a.mp4", "title": ["x"]}\n', r"title is text, got \['x'\]"),
        ("a.jsonl", b"[" * 100_000, "line 1: "),
        ("a.json", b'{"videos": []}', "a list of sources, or one under 'sources'"),
        ("a.json", b"{", "not JSON"),
        ("a.yaml", b"- path: [\n", "not YAML"),
        ("a.yaml", b"sources: 3\n", "a list of sources"),
        ("a.parquet", b"PAR1 no", "not Parquet"),
        ("a.txt", b"# nothing\n", "no source in it"),
        ("a.mp3", b"x", r"ends in \.mp3, allowed: .*\.mp4"),
    ],
)
def test_what_is_wrong_with_a_list_is_said_with_its_place(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceListError, match=said) as raised:
        list(read_sources(tmp_path / name))
    assert name in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_parquet_list_needs_a_column_of_locators_and_text(tmp_path: Path) -> None:
    pq.write_table(pa.table({"title": ["x"]}), tmp_path / "a.parquet")
    with pytest.raises(SourceListError, match=r"a\.parquet, schema: no column of locators"):
        list(read_sources(tmp_path / "a.parquet"))
    pq.write_table(pa.table({"path": [1, 2]}), tmp_path / "b.parquet")
    with pytest.raises(SourceListError, match=r"row 1: path is text, got 1 .and 1 more rows"):
        list(read_sources(tmp_path / "b.parquet"))


@pytest.mark.parametrize(
    "what", ["nowhere", "nowhere.csv", "memory://nowhere", "memory://nowhere.csv", "zzz://a/b"]
)
def test_what_is_not_there_is_said_at_once(tmp_path: Path, what: str) -> None:
    with pytest.raises(SourceListError, match=what):
        read_sources(what if "://" in what else tmp_path / what)


def test_a_link_to_a_video_that_is_away_is_a_source_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").symlink_to(tmp_path / "share" / "a.mp4")
    assert [s.locator for s in read_sources(tmp_path)] == ["a.mp4"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_left_out_and_counted(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / "closed").mkdir(0)
    counts = Counts()
    assert [s.locator for s in read_sources(tmp_path, counts=counts)] == ["a.mp4"]
    assert counts.closed_folders == {"closed"}


def test_a_folder_that_goes_while_it_is_read_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / "b").mkdir()
    sources = read_sources(tmp_path)
    assert next(sources).locator == "a.mp4"
    (tmp_path / "b").rmdir()
    with pytest.raises(SourcesUnreachable, match="b cannot be read: No such file"):
        next(sources)


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceListError, match="no source in it"):
        list(read_sources(tmp_path))


# ---- the lists that ship ---------------------------------------------------------------------------------------------


def test_as_many_speech_types_ship_as_the_paper_counts() -> None:
    with (SHIPPED / "speech_types.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len({row["name"] for row in rows}) == len({row["keyword"] for row in rows})
    assert len(rows) == 71
    assert {row["register"] for row in rows} == {"formal", "casual"}
    assert all(row["name"].strip() and row["keyword"].strip() for row in rows)


def test_the_example_of_the_readme_is_a_source_list(tmp_path: Path) -> None:
    readme = (SHIPPED / "README.md").read_text(encoding="utf-8")
    (tmp_path / "a.csv").write_text(readme.split("```csv\n")[1].split("```")[0])
    assert [source.origin.speech_type for source in read_sources(tmp_path / "a.csv")] == [
        "lecture",
        "sermon",
        "panel contribution",
    ]


@pytest.mark.parametrize(
    ("cell", "mark"),
    [("dubbed", "dubbed"), ("Generated ", "generated"), ("none", None), ("", None)],
)
def test_a_list_says_what_is_dubbed_or_generated(
    tmp_path: Path, cell: str, mark: str | None
) -> None:
    (tmp_path / "a.csv").write_text(f"path,synthetic\nb.mp4,{cell}\n")
    assert [one.origin.synthetic for one in read_sources(tmp_path / "a.csv")] == [mark]


def test_a_mark_that_is_none_of_them_is_a_row_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("path,synthetic\nb.mp4,deepfake\nc.mp4,\n")
    bad, good = read_sources(tmp_path / "a.csv")
    assert "synthetic is none, dubbed or generated, got 'deepfake'" in bad.fault
    assert (good.fault, good.origin.synthetic) == ("", None)

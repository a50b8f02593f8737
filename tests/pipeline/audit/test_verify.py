"""Verify: what was done to a dataset or a work folder is named in a sentence, and nothing outside is opened."""

import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from manifests.checksums import write_checksums
from manifests.files import sha256_of
from manifests.record import Blob
from manifests.shards import read_member
from pipeline.audit.errors import LookError
from pipeline.audit.findings import printable
from pipeline.audit.verify import BAD, GOOD, Report, bytes_below, show, verify
from pipeline.audit.work_check import LedgerState
from pipeline.store import Store
from tests.datasets import flip, named, stored_clip, write_dataset

MOTION, VIDEO = "motion/train-all-000.tar", "video/train-all-000.tar"
SEALED_BYTES = "its bytes are not those that checksums.json names"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original")
    store = Store(folder / "work")
    write_dataset(folder / "dataset", [stored_clip(store, named(n)) for n in range(3)], store)
    return folder


@pytest.fixture
def dataset(original: Path, tmp_path: Path) -> Path:
    return shutil.copytree(original / "dataset", tmp_path / "dataset")


@pytest.fixture
def work(original: Path, tmp_path: Path) -> Path:
    return shutil.copytree(original / "work", tmp_path / "work")


def found(report: Report) -> set[tuple[str, str]]:
    return {(finding.path, finding.problem) for finding in report.findings}


def reseal(dataset: Path, *, facts: Callable[[dict], None] = lambda facts: None) -> None:
    """Make the hashes agree with damaged files, as somebody hostile would."""
    held = json.loads((dataset / "dataset.json").read_text())
    for shard in held["shards"]:
        shard["sha256"] = sha256_of(dataset / shard["path"])
        shard["bytes"] = (dataset / shard["path"]).stat().st_size
    facts(held)
    (dataset / "dataset.json").write_text(json.dumps(held))
    write_checksums(dataset, {})


def edit_table(dataset: Path, name: str, edit: Callable[[list[dict]], object]) -> None:
    """Change rows of a table, and seal it again."""
    table = pq.read_table(dataset / f"{name}.parquet")
    rows = table.to_pylist()
    edit(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), dataset / f"{name}.parquet")
    reseal(dataset)


# ---- whole, and damaged ----------------------------------------------------------------------------------------------


def test_a_whole_dataset_has_nothing_wrong_and_all_of_it_was_read(dataset: Path) -> None:
    report = verify(dataset)
    assert (report.findings, report.notes, report.exit_code) == ((), (), GOOD)
    sizes = [file.stat().st_size for file in dataset.rglob("*") if file.is_file()]
    assert (report.clips, report.files, report.bytes) == (3, len(sizes), sum(sizes))
    assert bytes_below(dataset) == sum(sizes)


@pytest.mark.parametrize("path", ["README.md", "dataset.json", "clips.parquet", MOTION, VIDEO])
def test_a_flipped_byte_in_any_file_is_named(dataset: Path, path: str) -> None:
    flip(dataset / path, at=1000 if path != "README.md" else 2)
    report = verify(dataset)
    assert (path, SEALED_BYTES) in found(report)
    assert {finding.path for finding in report.findings} == {path}
    assert report.exit_code == BAD


@settings(max_examples=20)
@given(st.data())
def test_no_flipped_byte_is_missed(
    original: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    dataset = shutil.copytree(original / "dataset", tmp_path_factory.mktemp("flip") / "dataset")
    files = sorted(f for f in dataset.rglob("*") if f.is_file() and f.name != "run.json")
    file = data.draw(st.sampled_from(files))
    flip(file, at=data.draw(st.integers(0, file.stat().st_size - 1)))
    assert verify(dataset).exit_code == BAD


def test_a_damaged_member_is_named_with_its_clip(dataset: Path) -> None:
    row = pq.read_table(dataset / "clips.parquet").to_pylist()[1]
    flip(dataset / VIDEO, at=row["mp4_offset"] + 17)
    assert found(verify(dataset)) == {
        (VIDEO, SEALED_BYTES),
        (VIDEO, "its bytes are not those that dataset.json names"),
        (
            VIDEO,
            f"member '{row['id']}.mp4': its bytes are not those that clips.parquet names",
        ),
    }


def test_a_damaged_tar_header_is_told_from_a_damaged_member(dataset: Path) -> None:
    row = pq.read_table(dataset / "clips.parquet").to_pylist()[1]
    flip(dataset / VIDEO, at=row["mp4_offset"] - tarfile.BLOCKSIZE + 110)
    problems = {finding.problem for finding in verify(dataset).findings}
    assert f"member '{row['id']}.mp4': the tar header before it is damaged" in problems
    assert len(problems) == 3


def test_a_cut_shard_names_every_member_that_is_gone(dataset: Path) -> None:
    rows = pq.read_table(dataset / "clips.parquet").to_pylist()
    os.truncate(dataset / VIDEO, rows[1]["mp4_offset"] + 5)
    members = [f.problem for f in verify(dataset).findings if "are not in a file of" in f.problem]
    assert [problem.split("'")[1] for problem in members] == [
        f"{rows[1]['id']}.json",
        f"{rows[1]['id']}.mp4",
        f"{rows[2]['id']}.json",
        f"{rows[2]['id']}.mp4",
    ]


def test_missing_files_and_files_too_many_are_named(dataset: Path) -> None:
    (dataset / VIDEO).unlink()
    (dataset / "sources.parquet").unlink()
    (dataset / "motion" / "notes.txt").touch()
    assert found(verify(dataset)) == {
        (VIDEO, "is missing"),
        ("sources.parquet", "is missing"),
        ("motion/notes.txt", "is not in checksums.json"),
    }


@pytest.mark.parametrize("name", ["clips", "decisions", "sources"])
@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\xff" * 200 + b"PAR1"])
def test_a_broken_table_is_one_sentence(dataset: Path, name: str, content: bytes) -> None:
    (dataset / f"{name}.parquet").write_bytes(content)
    reseal(dataset)
    (finding,) = [f for f in verify(dataset).findings if f.path == f"{name}.parquet"]
    assert finding.problem.startswith("cannot be read: ")


@pytest.mark.parametrize(
    "content", [b"", b"[1]", b"\xff", b"[" * 100_000, b'{"root": 3}', b"9" * 5000]
)
def test_a_broken_dataset_json_is_one_sentence(dataset: Path, content: bytes) -> None:
    (dataset / "dataset.json").write_bytes(content)
    write_checksums(dataset, {})
    (finding,) = verify(dataset).findings
    assert finding.path == "dataset.json" and finding.problem.startswith("cannot be read: ")


def test_a_broken_checksums_json_is_one_sentence_and_the_rest_is_still_verified(
    dataset: Path,
) -> None:
    (dataset / "checksums.json").write_bytes(b"{")
    flip(dataset / MOTION, at=600)
    assert {finding.path for finding in verify(dataset).findings} == {"checksums.json", MOTION}


def test_a_seal_that_was_edited_does_not_agree_with_the_file_root(dataset: Path) -> None:
    text = (dataset / "checksums.json").read_text()
    (dataset / "README.md").write_text("# other\n")
    held = json.loads(text)
    held["files"]["README.md"] = {"sha256": sha256_of(dataset / "README.md"), "bytes": 8}
    (dataset / "checksums.json").write_text(json.dumps(held))
    assert found(verify(dataset)) == {
        ("checksums.json", "its root is not that of the files it lists")
    }


# ---- manifests that contradict each other ----------------------------------------------------------------------------


def test_a_row_too_few_changes_the_root(dataset: Path) -> None:
    edit_table(dataset, "decisions", lambda rows: rows.pop())
    (finding,) = verify(dataset).findings
    assert finding.path == "dataset.json" and finding.problem.startswith("its root is ")


def test_a_clip_that_left_the_table_leaves_bytes_that_belong_to_nobody(dataset: Path) -> None:
    edit_table(dataset, "clips", lambda rows: rows.pop())
    assert {
        ("dataset.json", "counts 3 clips, clips.parquet has 2"),
        (MOTION, "dataset.json names another content than clips.parquet"),
        (MOTION, "holds bytes at its end that belong to no clip"),
        (VIDEO, "holds bytes at its end that belong to no clip"),
    } < found(verify(dataset))


def test_a_clip_that_left_the_middle_is_named_by_the_one_after_it(dataset: Path) -> None:
    edit_table(dataset, "clips", lambda rows: rows.pop(1))
    before = "member '{}': bytes stand before it that belong to no clip"
    assert {
        (VIDEO, before.format(f"{named(2)}.mp4")),
        (MOTION, before.format(f"{named(2)}.pose.npy")),
    } < found(verify(dataset))


def test_a_record_of_another_revision_is_named(dataset: Path) -> None:
    def other(rows: list[dict]) -> None:
        rows[0]["revision"] = "ab" * 32

    edit_table(dataset, "clips", other)
    said = f"member '{named(0)}.json': says another id or revision than clips.parquet"
    assert {(MOTION, said), (VIDEO, said)} < found(verify(dataset))


def test_a_revision_that_is_not_the_hash_of_its_members_is_named(dataset: Path) -> None:
    """All hashes agree but the revision: a pose was exchanged and everything else made to fit."""
    rows = pq.read_table(dataset / "clips.parquet").to_pylist()
    offset, size = rows[0]["pose_offset"], rows[0]["pose_size"]
    flip(dataset / MOTION, at=offset + size - 1)
    content = read_member(dataset / MOTION, offset=offset, size=size)

    def exchange(rows: list[dict]) -> None:
        rows[0]["pose_sha256"] = hashlib.sha256(content).hexdigest()

    edit_table(dataset, "clips", exchange)
    said = f"member '{named(0)}.json': the revision is not that of its members"
    assert {(MOTION, said), (VIDEO, said)} < found(verify(dataset))


def test_a_clip_that_is_listed_twice_is_named(dataset: Path) -> None:
    edit_table(dataset, "clips", lambda rows: rows.append(rows[0]))
    assert ("clips.parquet", f"row 3: clip {named(0)} is listed before") in found(verify(dataset))


def test_a_row_without_its_numbers_is_named(dataset: Path) -> None:
    def lose(rows: list[dict]) -> None:
        rows[1]["mp4_offset"] = None

    edit_table(dataset, "clips", lose)
    assert ("clips.parquet", "row 1: None is no whole number") in found(verify(dataset))


def test_a_table_with_another_type_is_refused(dataset: Path) -> None:
    table = pq.read_table(dataset / "clips.parquet").drop_columns(["pose_size"])
    pq.write_table(table, dataset / "clips.parquet")
    write_checksums(dataset, {})
    assert ("clips.parquet", "column pose_size is missing, needed int64") in found(verify(dataset))
    pq.write_table(table.append_column("pose_size", pa.array(["1"] * 3)), dataset / "clips.parquet")
    write_checksums(dataset, {})
    assert ("clips.parquet", "column pose_size is string, needed int64") in found(verify(dataset))


# ---- hostile ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("mp4_size", 2**62, "are not in a file of"),
        ("mp4_size", -1, "are not in a file of"),
        ("mp4_offset", 2**62, "are not in a file of"),
        ("mp4_offset", -5, "overlap another member"),
        ("id", "../../evil", "no name of a clip's member"),
        ("id", "x" * 5000, "no name of a clip's member"),
        ("id", "", "no name of a clip's member"),
        ("video_shard", "../../outside.tar", "leads out of the dataset"),
        ("video_shard", "/etc/passwd", "leads out of the dataset"),
    ],
)
def test_absurd_rows_are_sentences(
    dataset: Path, column: str, value: str | int, problem: str
) -> None:
    def spoil(rows: list[dict]) -> None:
        rows[0][column] = value

    edit_table(dataset, "clips", spoil)
    assert any(problem in finding.problem for finding in verify(dataset).findings)


def test_members_that_overlap_are_named(dataset: Path) -> None:
    def overlap(rows: list[dict]) -> None:
        rows[1]["mp4_offset"] = rows[0]["mp4_offset"] + 100

    edit_table(dataset, "clips", overlap)
    assert any("overlap another member" in f.problem for f in verify(dataset).findings)


def test_a_table_that_claims_more_rows_than_it_has_bytes_for_is_not_read(dataset: Path) -> None:
    rows = 10_000_000
    table = pa.table({name: pa.nulls(rows, pa.string()) for name in ("subject",)})
    pq.write_table(table, dataset / "decisions.parquet")
    write_checksums(dataset, {})
    assert any("claims 10000000 rows in" in f.problem for f in verify(dataset).findings)


def test_a_tar_whose_headers_name_something_else_is_named_though_all_hashes_agree(
    dataset: Path,
) -> None:
    content = bytearray((dataset / VIDEO).read_bytes())
    header = tarfile.TarInfo("../../evil")
    header.size = 3_000
    content[: tarfile.BLOCKSIZE] = header.tobuf(tarfile.USTAR_FORMAT)
    (dataset / VIDEO).write_bytes(content)
    reseal(dataset)
    said = "the tar header before it names '../../evil' with 3000 bytes"
    assert found(verify(dataset)) == {(VIDEO, f"member '{named(0)}.mp4': {said}")}


def test_links_and_pipes_are_named_and_never_opened(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    shutil.move(dataset / VIDEO, tmp_path / "outside" / "video.tar")
    (dataset / VIDEO).symlink_to(tmp_path / "outside" / "video.tar")
    (dataset / "more").symlink_to(tmp_path / "outside")
    (dataset / "again.md").symlink_to("README.md")
    (dataset / "itself").symlink_to("itself")
    (dataset / "sources.parquet").unlink()
    os.mkfifo(dataset / "sources.parquet")
    assert found(verify(dataset)) == {
        (VIDEO, "is a link that leads out of the dataset"),
        ("more", "is a link that leads out of the dataset"),
        ("again.md", "is a link, not a file"),
        ("itself", "is a link, not a file"),
        ("sources.parquet", "is neither a file nor a folder"),
    }


def test_a_seal_of_a_file_outside_is_not_followed(dataset: Path) -> None:
    held = json.loads((dataset / "checksums.json").read_text())
    held["files"]["../../secret"] = {"sha256": "ab" * 32, "bytes": 1}
    (dataset / "checksums.json").write_text(json.dumps(held))
    assert ("../../secret", "leads out of the dataset; it was not looked at") in found(
        verify(dataset)
    )


def test_what_a_terminal_would_act_on_is_shown_as_text() -> None:
    assert printable("a\x1b[2Jb\ud800ü") == "a\\x1b[2Jb\\ud800ü"


# ---- what is no dataset, or an older one -----------------------------------------------------------------------------


def test_an_older_dataset_is_verified_by_what_it_has_and_says_so(dataset: Path) -> None:
    (dataset / "checksums.json").unlink()
    report = verify(dataset)
    assert report.findings == () and report.exit_code == GOOD
    assert report.notes[0].startswith("no checksums.json: verified by dataset.json")
    flip(dataset / VIDEO, at=600)
    problems = {finding.problem for finding in verify(dataset).findings}
    assert "its bytes are not those that dataset.json names" in problems
    assert len(problems) == 2


def test_a_folder_without_a_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LookError, match=r"is no dataset: it has no dataset\.json"):
        verify(tmp_path)
    with pytest.raises(LookError, match="is no dataset: it is no folder"):
        verify(tmp_path / "nothing")


# ---- the work folder -------------------------------------------------------------------------------------------------


def test_a_whole_work_folder_has_nothing_wrong(dataset: Path, work: Path) -> None:
    assert verify(dataset, work=work).findings == ()
    assert bytes_below(dataset, work) == verify(dataset, work=work).bytes


@pytest.mark.parametrize("repair", [False, True])
def test_a_bad_blob_is_named_and_moved_aside_only_where_that_is_asked_for(
    dataset: Path, work: Path, repair: bool
) -> None:
    held = sorted(Store(work).blobs())[0]
    flip(held.path)
    report = verify(dataset, work=work, repair=repair)
    name = f"{held.sha256}{held.suffix}"
    moved = f"; moved to quarantine/{name}.0" if repair else ""
    assert found(report) == {
        (
            f"blobs/{held.sha256[:2]}/{name}",
            f"its bytes are not those that its name says{moved}",
        )
    }
    assert held.path.exists() is not repair
    assert (work / "quarantine" / f"{name}.0").exists() is repair
    assert verify(dataset, work=work).exit_code is (GOOD if repair else BAD)


def test_fetched_media_are_verified_and_receipts_are_not(dataset: Path, work: Path) -> None:
    media = work / "media" / "ab" / f"{'ab' * 32}.mp4"
    for file in (media, work / "media" / "receipts" / "1.json"):
        file.parent.mkdir(parents=True)
        file.write_bytes(b"a film")
    assert {finding.path for finding in verify(dataset, work=work).findings} == {
        f"media/ab/{'ab' * 32}.mp4"
    }


def test_ledger_entries_that_cannot_be_read_or_lack_a_blob_are_named(
    dataset: Path, work: Path
) -> None:
    there = Store(work).put_bytes(b"some bytes", suffix=".npy")
    gone = Blob(sha256="ab" * 32, suffix=".npy", bytes=3)
    cut = there.model_copy(update={"bytes": 11})
    ledger = [
        LedgerState("k1", blobs=(there,)),
        LedgerState("k2", problem="is empty"),
        LedgerState("k3", blobs=(gone, cut)),
    ]
    assert found(verify(dataset, work=work, ledger=ledger)) == {
        ("ledger k2", "is empty"),
        ("ledger k3", "refers to blob abababababab.npy, which is missing"),
        (
            "ledger k3",
            f"refers to blob {there.sha256[:12]}.npy, which has 10 bytes, not 11",
        ),
    }


def test_a_work_folder_that_is_none_is_refused(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(LookError, match="is no folder"):
        verify(dataset, work=tmp_path / "none")


# ---- what is printed -------------------------------------------------------------------------------------------------


def test_the_report_names_what_is_bad_and_ends_with_one_sentence(dataset: Path) -> None:
    out = io.StringIO()
    show(verify(dataset), Console(file=out, width=120))
    assert out.getvalue().startswith("all good: 3 clips in 9 files, 0.1 MB read in ")
    flip(dataset / VIDEO, at=600)
    (dataset / "[red]notes\x1b").touch()
    show(verify(dataset), Console(file=out, width=120))
    text = out.getvalue()
    assert VIDEO in text and SEALED_BYTES in text and "\n4 findings: 3 clips in 10 files" in text
    assert "[red]notes\\x1b" in text

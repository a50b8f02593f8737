"""The command `csg-data`: what each command does, and that it does something else for something else."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from manifests.errors import UserError
from pipeline import weights
from pipeline.__main__ import app
from pipeline.audit.errors import LookError
from pipeline.audit.pages import pages
from pipeline.run.commit import versions
from tests.cases import Case
from tests.conftest import ROOT
from tests.faults.made import BROKEN

pytestmark = [pytest.mark.xdist_group("known"), pytest.mark.timeout(240)]


def run(*arguments: str | Path) -> tuple[int, str]:
    """Exit code, and what was printed."""
    done = CliRunner().invoke(app, list(map(str, arguments)))
    if isinstance(done.exception, UserError):
        raise done.exception
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


# ---- a run -----------------------------------------------------------------------------------------------------------


def test_a_set_of_nothing_but_a_broken_file_keeps_nothing_and_says_why(
    finished: Case, tmp_path: Path
) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text(f"file\n{finished.share / BROKEN}\n")
    given = ["--sources", listed, "--out", tmp_path / "set", "--set", "dashboard=-1"]
    code, said = run("build", *given, "--workers", "1", "--dry-run")
    assert code == 0 and "1 to do" in said
    assert [path.name for path in tmp_path.iterdir()] == ["list.csv"]
    code, said = run("build", *given, "--workers", "1")
    assert code == 1 and "not_media" in said
    code, said = run("status", *given)
    assert code == 0 and "0 to do" in said


def test_the_status_says_what_there_is_to_do(finished: Case, tmp_path: Path) -> None:
    place = ["--out", tmp_path / "set"]
    code, said = run("status", *place)
    assert code == 0 and "the built-in sample is not made yet" in said
    code, said = run("status", "--sources", finished.listed, *place)
    assert code == 0 and "6 to do" in said and f"{tmp_path / 'set'} is not built yet" in said
    code, said = run("status", "--sources", finished.listed, *place, "--limit", "2")
    assert code == 0 and "2 to do" in said
    assert not (tmp_path / "set.work").exists()


# ---- a dataset and its work folder -----------------------------------------------------------------------------------


def test_a_whole_set_is_verified_and_one_flipped_byte_is_named(case: Case) -> None:
    code, said = run("verify", case.out)
    assert code == 0 and "all good" in said
    shard = next(case.out.glob("motion/*.tar"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.unlink()
    shard.write_bytes(content)
    code, said = run("verify", case.out)
    assert code == 1 and f"motion/{shard.name}" in said and "all good" not in said


def test_a_bad_file_of_the_work_folder_is_moved_aside_where_that_is_asked_for(case: Case) -> None:
    blob = next(case.work.glob("blobs/*/*.npy"))
    blob.chmod(0o644)
    blob.write_bytes(b"bad")
    assert run("verify", case.out)[0] == 1 and blob.exists()
    run("verify", case.out, "--repair")
    assert not blob.exists()
    aside = [file for file in (case.work / "quarantine").rglob("*") if file.is_file()]
    assert [file.read_bytes() for file in aside] == [b"bad"]


def test_two_versions_are_compared_in_words_and_as_json(case: Case) -> None:
    other = case.folder / "other"
    shutil.copytree(case.out, other)
    code, said = run("diff", case.out, other)
    assert code == 0 and f"same root {case.root}" in said
    assert case.build("crop.margin=0.3")[0] == 0
    code, said = run("diff", other, case.out)
    assert code == 1 and said.splitlines()[-1].startswith("different roots: A ")
    code, said = run("diff", other, case.out, "--json")
    assert code == 1 and json.loads(said)["roots"][1] == case.root


def test_what_a_threshold_would_drop_is_counted(finished: Case) -> None:
    """No clip is enlarged by less than nothing."""
    clips = json.loads((finished.out / "dataset.json").read_text())["counts"]["clips"]
    code, same = run("what-if", finished.out)
    code, none = run("what-if", finished.out, "--set", "rules.enlarged_too_much=-1")
    assert code == 0 and same != none
    assert str(clips) in same and "enlarged_too_much" in none


def test_an_earlier_version_is_listed_and_brought_back(case: Case) -> None:
    before = case.root
    assert before is not None
    assert run("restore", case.out, "--list") == (0, "")
    assert case.build("crop.margin=0.3")[0] == 0
    after = case.root
    assert after != before
    assert run("restore", case.out, "--list") == (0, f"{before}\n")
    code, said = run("restore", case.out, before[:8])
    assert (code, case.root) == (0, before) and f"is {before} again" in said
    assert [version.root for version in versions(case.out)] == [after]


def test_what_nothing_refers_to_is_freed_and_before_that_counted(case: Case) -> None:
    given = ["gc", "--sources", case.listed, "--out", case.out]
    assert run(*given) == (0, "nothing to free\n")
    stray = case.work / "blobs" / "ab" / f"{'ab' * 32}.npy"
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"stray")
    for arguments, there in ((("--dry-run",), True), ((), False)):
        assert run(*given, *arguments) == (0, "blobs: 1 files, 0.0 MiB\n")
        assert stray.exists() is there
    assert run(*given) == (0, "nothing to free\n")


def test_a_folder_that_is_no_dataset_is_not_looked_at(tmp_path: Path) -> None:
    with pytest.raises(LookError, match=r"is no dataset: it has no clips\.parquet"):
        run("look", tmp_path, "--out", tmp_path / "sheets")


# ---- what is made of the code ----------------------------------------------------------------------------------------


def test_a_page_that_is_stale_is_written_anew_and_named(tmp_path: Path) -> None:
    """In a copy, since the command writes into the project that it is of."""
    for name in ("manifests", "pipeline"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("pictures"))
    (tmp_path / "docs" / "rules.md").write_text("stale")
    (tmp_path / "docs" / "flow.md").unlink()
    for written in ({"docs/flow.md", "docs/rules.md"}, set[str]()):
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", "docs"],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)},
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        assert set(done.stdout.split()) == written
    for place, text in pages().items():
        assert (tmp_path / place).read_text() == text


# ---- weights ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def pinned(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The bytes of the first weights, which are few here."""
    content = b"some weights"
    pin = hashlib.sha256(content).hexdigest()
    first = replace(weights.KNOWN[0], sha256=pin, bytes=len(content))
    monkeypatch.setattr(weights, "KNOWN", (first, *weights.KNOWN[1:]))
    return content


def test_weights_are_fetched_from_a_folder_and_only_with_the_pinned_bytes(
    pinned: bytes, tmp_path: Path
) -> None:
    first, second = weights.KNOWN[:2]
    (tmp_path / "from").mkdir()
    for each in (first, second):
        (tmp_path / "from" / each.file).write_bytes(pinned)
    given = ["--from", tmp_path / "from", "--to", tmp_path / "to"]
    target = tmp_path / "to" / first.file
    assert run("weights", "fetch", first.name, *given) == (0, f"{target}\n")
    assert target.read_bytes() == pinned
    with pytest.raises(weights.WeightsError, match=f"{second.name} should have SHA-256"):
        run("weights", "fetch", second.name, *given)
    assert [file.name for file in (tmp_path / "to").iterdir()] == [first.file]
    with pytest.raises(weights.WeightsError, match="nothing is called 'none'"):
        run("weights", "fetch", "none", *given)


def test_weights_with_other_bytes_are_named_and_the_exit_code_says_so(
    pinned: bytes, tmp_path: Path
) -> None:
    first, second = weights.KNOWN[:2]
    given = ["weights", "verify", "--to", tmp_path]
    assert run(*given) == (0, f"no weights in {tmp_path}\n")
    (tmp_path / first.file).write_bytes(pinned)
    assert run(*given) == (0, f"{first.name}: here\n")
    (tmp_path / second.file).write_bytes(pinned)
    assert run(*given) == (1, f"{first.name}: here\n{second.name}: other bytes\n")

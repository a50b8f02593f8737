"""Journals: each entry is on the disk before its worker goes on; what a crash left of one is not read."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.run.journal import Journal, line_of, read_journals, read_line
from pipeline.run.ledger import Ledger
from tests.ledgers import ROOT, entry, key, refusal

WHOLE = [(key(n), refusal(n) if n % 3 == 0 else entry(n)) for n in range(6)]


def written(work: Path, run_id: str = "run", numbers: range = range(6)) -> Path:
    """A journal of this process."""
    journal = Journal(work, run_id)
    for number in numbers:
        journal.append(*WHOLE[number])
    return journal.file


def test_what_was_appended_is_read_in_its_order(tmp_path: Path) -> None:
    file = written(tmp_path)
    assert list(read_journals(tmp_path)) == WHOLE
    assert file.parent == tmp_path / "journal" / "run"
    assert len(file.read_bytes().splitlines()) == 6


def test_journals_are_read_by_run_or_all(tmp_path: Path) -> None:
    written(tmp_path, "one", range(2))
    written(tmp_path, "two", range(2, 5))
    assert list(read_journals(tmp_path, "one")) == WHOLE[:2]
    assert list(read_journals(tmp_path)) == WHOLE[:5]
    assert list(read_journals(tmp_path, "three")) == []
    assert list(read_journals(tmp_path / "nowhere")) == []


@given(data=st.data())
def test_a_journal_that_was_cut_gives_the_lines_before(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines = [line_of(*pair) + b"\n" for pair in WHOLE]
    content = b"".join(lines)
    length = data.draw(st.integers(0, len(content)))
    work = tmp_path_factory.mktemp("work")
    file = work / "journal" / "run" / "host-1.jsonl"
    file.parent.mkdir(parents=True)
    file.write_bytes(content[:length])
    complete = content[:length].count(b"\n")
    assert list(read_journals(work)) == WHOLE[:complete]


@given(st.integers(0, len(line_of(*WHOLE[1]))), st.binary(min_size=1, max_size=3))
def test_a_line_with_any_other_byte_is_not_read(place: int, other: bytes) -> None:
    line = line_of(*WHOLE[1]) + b"\n"
    damaged = line[:place] + other + line[place + len(other) :]
    assert read_line(line) == WHOLE[1]
    assert damaged == line or read_line(damaged) is None


def test_a_damaged_line_costs_itself_alone(tmp_path: Path) -> None:
    file = written(tmp_path)
    lines = file.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"clip", b"clap")
    lines[4] = b"\0\xff" * 40 + b"\n"
    file.write_bytes(b"".join(lines))
    assert list(read_journals(tmp_path)) == [WHOLE[n] for n in (0, 1, 3, 5)]


def test_a_line_after_a_torn_one_is_read(tmp_path: Path) -> None:
    file = written(tmp_path, numbers=range(3))
    file.write_bytes(file.read_bytes()[:-10])
    written(tmp_path, numbers=range(3, 5))
    assert list(read_journals(tmp_path)) == [WHOLE[n] for n in (0, 1, 3, 4)]


WRITE = """
import sys
from pathlib import Path
from pipeline.run.journal import Journal
from tests.ledgers import entry, key

first = int(sys.argv[2])
for number in range(first, first + 20):
    Journal(Path(sys.argv[1]), "run").append(key(number), entry(number))
"""


def test_processes_write_side_by_side_each_into_its_own_file(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITE, str(tmp_path), str(first)], cwd=ROOT)
        for first in (0, 20)
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    assert len(list(tmp_path.glob("journal/run/*.jsonl"))) == 2
    assert dict(read_journals(tmp_path, "run")) == {key(n): entry(n) for n in range(40)}


def test_the_ledger_takes_journals_over_and_removes_them_only_when_told(tmp_path: Path) -> None:
    written(tmp_path, "one", range(3))
    written(tmp_path, "two", range(3, 6))
    with Ledger.open(tmp_path) as ledger:
        assert ledger.ingest(tmp_path, "one") == 3
        assert ledger.ingest(tmp_path, "one") == 0
        assert len(list(tmp_path.glob("journal/*/*"))) == 2
        assert ledger.ingest(tmp_path, "one", remove=True) == 0
        assert list(tmp_path.glob("journal/*")) == [tmp_path / "journal" / "two"]
        assert ledger.ingest(tmp_path, remove=True) == 3
        assert list(tmp_path.glob("journal/*")) == []
    with Ledger.open(tmp_path, read_only=True) as reader:
        assert dict(reader.entries()) == dict(WHOLE)

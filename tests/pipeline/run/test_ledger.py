"""Results by key: what was put is found again, after kills, beside readers, from the layout of before."""

import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from manifests.record import Interval, Why
from pipeline.run.ledger import Entry, Ledger
from pipeline.verdict import Refusal
from tests.ledgers import ROOT, entry, fill, key, write_file


@pytest.fixture(params=["local", "shared"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path, shared=request.param == "shared") as opened:
        yield opened


# ---- one process -----------------------------------------------------------------------------------------------------


def test_a_section_is_found_again_under_its_key(ledger: Ledger) -> None:
    assert ledger.get(key(1)) is None
    ledger.put(key(1), Entry.of(section=Interval(start=1, stop=2), stage="speech", subject="a.mp4"))
    assert ledger.get(key(1)) == Entry({"start": 1, "stop": 2}, None, "speech", "a.mp4")
    ledger.flush()
    assert ledger.get(key(1)) == Entry({"start": 1, "stop": 2}, None, "speech", "a.mp4")


def test_a_refusal_is_found_again_with_its_reason(ledger: Ledger) -> None:
    ledger.put(key(1), Entry.of(refusal=Refusal(Why.UNDECODABLE, "frame 7")))
    ledger.flush()
    found = ledger.get(key(1))
    assert found is not None and found.refusal == (Why.UNDECODABLE, "frame 7")


def test_the_last_entry_of_a_key_holds(ledger: Ledger) -> None:
    for number in (1, 2, 3):
        ledger.put(key(0), entry(number))
        ledger.flush()
    ledger.put(key(0), entry(4))
    assert ledger.get(key(0)) == entry(4)
    assert len(ledger) == 1


def test_keys_that_begin_alike_are_told_apart(ledger: Ledger) -> None:
    alike = ["ab" * 8 + f"{n:048x}" for n in range(5)]
    for number, name in enumerate(alike):
        ledger.put(name, entry(number))
    ledger.flush()
    ledger.put(alike[2], entry(7))
    ledger.flush()
    assert [ledger.get(name) for name in alike] == [entry(n) for n in (0, 1, 7, 3, 4)]


def test_what_is_not_a_key_is_refused(ledger: Ledger) -> None:
    for name in ("", "ab", "xy" * 32, "ab" * 33):
        with pytest.raises(ValueError, match="hexadecimal"):
            ledger.put(name, entry(1))


def test_removed_entries_are_gone_and_counted(ledger: Ledger) -> None:
    for number in range(5):
        ledger.put(key(number), entry(number))
    assert ledger.remove([key(1), key(3), key(9)]) == 2
    assert len(ledger) == 3
    assert {name for name, _ in ledger.entries()} == {key(n) for n in (0, 2, 4)}


def test_entries_can_be_put_and_removed_while_all_are_walked_through(tmp_path: Path) -> None:
    fill(tmp_path, 2500)
    with Ledger.open(tmp_path) as ledger:
        walked = 0
        for name, _ in ledger.entries():
            walked += 1
            if walked % 100 == 1:
                ledger.remove([name])
                ledger.put(name, entry(walked))
        ledger.flush()
        assert walked >= 2500
        assert len(ledger) == 2500


def test_a_full_batch_and_an_old_one_are_committed_without_being_asked(tmp_path: Path) -> None:
    with (
        Ledger.open(tmp_path, commit_entries=3) as ledger,
        Ledger.open(tmp_path, read_only=True) as reader,
    ):
        seen: list[int] = []
        for number in range(7):
            ledger.put(key(number), entry(number))
            seen.append(len(reader))
        assert seen == [0, 0, 3, 3, 3, 6, 6]
        ledger.commit_seconds = 0.0
        ledger.put(key(7), entry(7))
        assert len(reader) == 8


def test_a_ledger_opened_for_reading_is_not_written_to(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "none", read_only=True) as reader:
        assert len(reader) == 0 and reader.get(key(1)) is None and list(reader.entries()) == []
        with pytest.raises(ValueError, match="reading"):
            reader.put(key(1), entry(1))
    assert not (tmp_path / "none").exists()


# ---- several processes -----------------------------------------------------------------------------------------------


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A process that runs code from the project's folder."""
    given = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(given, cwd=ROOT, stdout=subprocess.PIPE, text=True)


PUT_AND_HANG = """
import sys, time
from pathlib import Path
from pipeline.run.journal import Journal
from pipeline.run.ledger import Ledger
from tests.ledgers import entry, key

work, shared = Path(sys.argv[1]), sys.argv[2] == "shared"
ledger = Ledger.open(work, shared=shared, commit_entries=40, commit_seconds=1e9)
for number in range(100):
    if number >= 70:
        Journal(work, "run").append(key(number), entry(number))
    ledger.put(key(number), entry(number))
print("put", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize(
    ("before", "after"), [("local", "local"), ("shared", "shared"), ("local", "shared")]
)
def test_a_kill_loses_what_was_not_committed_and_the_journals_bring_it_back(
    tmp_path: Path, before: str, after: str
) -> None:
    with python(PUT_AND_HANG, tmp_path, before) as process:
        assert process.stdout is not None and process.stdout.readline() == "put\n"
        process.send_signal(signal.SIGKILL)
    shared = after == "shared"
    if before == after:
        with Ledger.open(tmp_path, shared=shared, read_only=True) as reader:
            assert len(reader) == 80
    with Ledger.open(tmp_path, shared=shared) as ledger:
        assert len(ledger) == 80
        assert ledger.ingest(tmp_path, remove=True) == 20, "70 to 79 are in both"
        assert [ledger.get(key(n)) for n in range(100)] == [entry(n) for n in range(100)]
        assert ledger.notes == []
    assert not list(tmp_path.glob("journal/*"))


READ_ALL = """
import sys
import tempfile
from pathlib import Path
from pipeline.run.ledger import Ledger

with Ledger.open(Path(sys.argv[1]), shared=sys.argv[2] == "shared", read_only=True) as ledger:
    for line in sys.stdin:
        print(len(ledger), sum(1 for _ in ledger.entries()), ledger.damaged, ledger.notes, flush=True)
"""


@pytest.mark.parametrize("file_system", ["local", "shared"])
def test_another_process_reads_while_this_one_writes(tmp_path: Path, file_system: str) -> None:
    shared = file_system == "shared"
    with Ledger.open(tmp_path, shared=shared, commit_entries=100) as ledger:
        reader = subprocess.Popen(
            [sys.executable, "-c", READ_ALL, str(tmp_path), file_system],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert reader.stdin is not None and reader.stdout is not None
        with reader:
            for number in range(1000):
                ledger.put(key(number), entry(number))
                if number % 200 == 99:
                    reader.stdin.write("\n")
                    reader.stdin.flush()
                if number % 200 == 199:
                    first, second, damaged, notes = reader.stdout.readline().split(maxsplit=3)
                    assert int(first) <= int(second) <= number + 1
                    assert int(first) % 100 == int(second) % 100 == 0
                    assert (damaged, notes) == ("0", "[]\n")
            reader.stdin.close()


READ_AS_NOBODY = """
import os, sys
from pathlib import Path
from pipeline.run.ledger import Ledger

if os.geteuid() == 0:
    os.setuid(65534)
with Ledger.open(Path(sys.argv[1]), read_only=True) as ledger:
    print(len(ledger), ledger.notes)
"""


def test_a_folder_that_cannot_be_written_to_is_read() -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are for one's own eyes only
        fill(Path(folder), 20)
        Path(folder).chmod(0o555)
        with python(READ_AS_NOBODY, folder) as process:
            printed, _ = process.communicate(timeout=60)
        Path(folder).chmod(0o755)
    assert printed == "20 []\n"


# ---- the layout of before --------------------------------------------------------------------------------------------


def test_entries_of_the_earlier_layout_are_taken_over_and_its_folder_goes(tmp_path: Path) -> None:
    for number in range(20):
        write_file(tmp_path, key(number), number=number)
    write_file(tmp_path, key(20), '{"refusal": ["undecodable", "frame 7"], "section": null}\n')
    with Ledger.open(tmp_path, read_only=True) as reader:
        assert reader.get(key(3)) == Entry({"number": 3}, None)
        assert len(list(reader.entries())) == 21
    with Ledger.open(tmp_path) as ledger:
        assert len(ledger) == 21
        assert ledger.get(key(3)) == Entry({"number": 3}, None)
        assert ledger.get(key(20)) == Entry(None, (Why.UNDECODABLE, "frame 7"))
        assert len(ledger.notes) == 1 and "21 entries" in ledger.notes[0]
    assert not (tmp_path / "ledger").exists()
    with Ledger.open(tmp_path) as ledger:
        assert len(ledger) == 21 and ledger.notes == []


def test_a_takeover_that_was_interrupted_goes_on_and_keeps_what_came_since(tmp_path: Path) -> None:
    for number in range(10):
        write_file(tmp_path, key(number), number=number)
    aside = tmp_path / "aside"
    (tmp_path / "ledger").rename(aside)
    with Ledger.open(tmp_path) as ledger:
        ledger.put(key(1), entry(100))
    aside.rename(tmp_path / "ledger")
    with Ledger.open(tmp_path) as ledger:
        assert len(ledger) == 10
        assert ledger.get(key(1)) == entry(100)
        assert ledger.get(key(2)) == Entry({"number": 2}, None)
    assert not (tmp_path / "ledger").exists()


# ---- damage ----------------------------------------------------------------------------------------------------------


def test_a_broken_entry_is_none_until_it_is_made_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(tmp_path, 30)
    with sqlite3.connect(tmp_path / "ledger.sqlite") as file:
        file.execute("UPDATE entry SET body = substr(body, 1, 20) WHERE id IN (5, 6)")
        file.execute("UPDATE entry SET crc = crc + 1 WHERE id = 7")
        file.execute("UPDATE entry SET body = 'text' WHERE id = 8")
    file.close()
    with Ledger.open(tmp_path) as ledger:
        assert [n for n in range(30) if ledger.get(key(n)) is None] == [4, 5, 6, 7]
        assert ledger.get(key(4)) is None
        assert ledger.damaged == 4
        assert len(list(ledger.entries())) == 26
        for number in (4, 5, 6, 7):
            ledger.put(key(number), entry(number))
        ledger.flush()
        assert [ledger.get(key(n)) for n in (4, 5, 6, 7)] == [entry(n) for n in (4, 5, 6, 7)]
        assert len(ledger) == 30
    assert len(caplog.records) == 1, "said once, not for each"


def test_an_entry_under_a_foreign_key_is_none(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    with sqlite3.connect(tmp_path / "ledger.sqlite") as file:
        file.execute("UPDATE entry SET key = ? WHERE id = 2", (bytes.fromhex(key(99)),))
    file.close()
    with Ledger.open(tmp_path) as ledger:
        assert ledger.get(key(99)) is None
        assert ledger.damaged == 1


def test_a_file_that_is_no_database_is_set_aside_and_its_entries_saved(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = fill(tmp_path, 200)
    file = tmp_path / "ledger.sqlite"
    damaged = b"\0" * 4096 + file.read_bytes()[4096:]
    file.write_bytes(damaged)
    with Ledger.open(tmp_path, read_only=True) as reader:
        assert len(reader) == 0
        assert len(reader.notes) == 1 and "next build" in reader.notes[0]
    assert file.read_bytes() == damaged
    with Ledger.open(tmp_path) as ledger:
        assert dict(ledger.entries()) == made
        assert len(ledger.notes) == 1 and "200 entries" in ledger.notes[0]
    assert (tmp_path / "ledger.sqlite.damaged-1").read_bytes() == damaged
    assert len(caplog.records) == 2
    with Ledger.open(tmp_path) as ledger:
        assert ledger.notes == [] and len(ledger) == 200


def test_damage_that_is_met_in_the_middle_of_a_run_loses_nothing_that_waits(tmp_path: Path) -> None:
    made = fill(tmp_path, 300)
    file = tmp_path / "ledger.sqlite"
    with Ledger.open(tmp_path) as ledger:
        ledger.put(key(1000), entry(1000))
        with file.open("r+b") as stream:  # every page behind the first four
            stream.seek(4 * 4096)
            stream.write(b"\xff" * (file.stat().st_size - 4 * 4096))
        found = [ledger.get(name) for name in made]
        assert all(got in (None, put) for got, put in zip(found, made.values(), strict=True))
        ledger.flush()
        assert ledger.get(key(1000)) == entry(1000)
        assert len(ledger.notes) == 1
    assert (tmp_path / "ledger.sqlite.damaged-1").is_file()


def test_a_full_disk_is_an_error_with_its_number_and_what_waits_is_kept(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.put(key(0), entry(0))
        ledger.flush()
        table = ledger.file.opened()
        table.connection.execute("PRAGMA max_page_count = 8")
        for number in range(1, 400):
            ledger.put(key(number), entry(number))
        with pytest.raises(OSError, match="full") as caught:
            ledger.flush()
        assert caught.value.errno == 28
        assert ledger.get(key(5)) == entry(5)
        table.connection.execute("PRAGMA max_page_count = 1000000")
        ledger.flush()
        assert len(ledger) == 400 and ledger.notes == []

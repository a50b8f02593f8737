"""Whatever becomes of the ledger's file, opening it never fails, and no row beside the damaged pages is lost."""

import os
import random
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.run.ledger import Entry, Ledger
from pipeline.run.ledger_salvage import mend, settle
from pipeline.run.sqlite_pages import PAGE
from tests.ledgers import entry, fill, key

EXAMPLES = int(os.environ.get("LEDGER_EXAMPLES", "20"))
COUNT = 120
ON_A_PAGE = 30
"""More rows than fit on one."""


class Whole:
    """A ledger's file, and what is in it. Not a dataclass: hypothesis would print it at length."""

    def __init__(self, content: bytes, made: dict[str, Entry]) -> None:
        self.content, self.made = content, made


GARBAGE = (bytes(PAGE), b"\xff" * PAGE, b"\x0d" * PAGE, random.Random(0).randbytes(PAGE))
flips = st.lists(
    st.tuples(st.integers(0) | st.integers(0, 2 * PAGE), st.integers(1, 255)),
    min_size=1,
    max_size=8,
)
"""Places in a file, taken round its length, and which bits change there."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A ledger's file and what is in it; some entries are longer than a page."""
    work = tmp_path_factory.mktemp("whole")
    made = fill(work, COUNT)
    return Whole((work / "ledger.sqlite").read_bytes(), made)


@pytest.fixture(scope="module")
def even(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """One whose entries are of one size, so that they lie in the file in the order in which they were put."""
    work = tmp_path_factory.mktemp("even")
    made = {key(n): entry(n, values=40) for n in range(COUNT)}
    with Ledger.open(work) as ledger:
        for name, value in made.items():
            ledger.put(name, value)
    return Whole((work / "ledger.sqlite").read_bytes(), made)


def reopened(content: bytes, work: Path) -> tuple[dict[str, Entry], list[str]]:
    """What a ledger with such a file gives, by walking and by looking up, and its notes."""
    (work / "ledger.sqlite").write_bytes(content)
    with Ledger.open(work) as ledger:
        found = {key(n): ledger.get(key(n)) for n in range(COUNT)}
        walked = dict(ledger.entries())
        held = {name: entry for name, entry in found.items() if entry is not None}
        ledger.put(key(0), Entry({"again": 1}, None))
        ledger.flush()
        assert ledger.get(key(0)) == Entry({"again": 1}, None)
        assert held.items() <= walked.items()
        return held, ledger.notes


@settings(max_examples=EXAMPLES)
@given(page=st.integers(0), garbage=st.sampled_from(GARBAGE))
def test_a_page_of_garbage_costs_at_most_the_rows_that_touch_it(
    page: int, garbage: bytes, whole: Whole, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content, made = whole.content, whole.made
    page %= len(content) // PAGE
    work = tmp_path_factory.mktemp("work")
    found, _ = reopened(content[: page * PAGE] + garbage + content[(page + 1) * PAGE :], work)
    assert found.items() <= made.items()
    assert len(found) >= COUNT - ON_A_PAGE


@settings(max_examples=EXAMPLES)
@given(flips=flips)
def test_flipped_bits_never_stop_a_ledger_and_never_give_another_entry(
    flips: list[tuple[int, int]], whole: Whole, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content, made = bytearray(whole.content), whole.made
    for place, bits in flips:
        content[place % len(content)] ^= bits
    found, _ = reopened(bytes(content), tmp_path_factory.mktemp("work"))
    assert found.items() <= made.items()
    assert len(found) >= COUNT - ON_A_PAGE * len(flips)


@settings(max_examples=EXAMPLES)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_that_was_cut_gives_what_lay_before(
    share: float, even: Whole, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content, made = even.content, even.made
    length = int(share * len(content))
    found, notes = reopened(content[:length], tmp_path_factory.mktemp("work"))
    assert found.items() <= made.items()
    assert len(found) >= COUNT * share - ON_A_PAGE
    assert notes or length < PAGE or len(found) >= COUNT - ON_A_PAGE, "only the last page was cut"


def test_a_file_of_something_else_is_set_aside(tmp_path: Path) -> None:
    for number, content in enumerate(
        [b"hello", b"\0" * 9000, b"SQLite format 3\0" + b"x" * 5000], 1
    ):
        found, notes = reopened(content, tmp_path)
        assert found == {} and len(notes) == 1
        assert (tmp_path / f"ledger.sqlite.damaged-{number}").read_bytes() == content


def test_what_only_the_log_holds_is_saved_too(tmp_path: Path) -> None:
    made = fill(tmp_path / "one", 100)
    with Ledger.open(tmp_path / "one") as ledger:
        ledger.put(key(500), Entry({"late": list(range(9000))}, None))
        ledger.flush()
        shutil.copytree(tmp_path / "one", tmp_path / "two")  # as a kill would leave it
    damaged = tmp_path / "two" / "ledger.sqlite"
    assert (tmp_path / "two" / "ledger.sqlite-wal").stat().st_size > 0
    damaged.write_bytes(b"\xff" * PAGE + damaged.read_bytes()[PAGE:])
    kept, aside = mend(damaged)
    assert kept == 101
    with Ledger.open(tmp_path / "two") as ledger:
        assert dict(ledger.entries()) == {
            **made,
            key(500): Entry({"late": list(range(9000))}, None),
        }
    assert aside.with_name(aside.name + "-wal").is_file()


def test_what_was_removed_is_not_brought_back(tmp_path: Path) -> None:
    fill(tmp_path, COUNT)
    with Ledger.open(tmp_path) as ledger:
        ledger.remove([key(n) for n in range(50)])
    file = tmp_path / "ledger.sqlite"
    found, _ = reopened(b"\xff" * PAGE + file.read_bytes()[PAGE:], tmp_path)
    assert found.keys() == {key(n) for n in range(50, COUNT)}


@pytest.mark.parametrize("renamed", [False, True])
def test_a_salvage_that_was_interrupted_is_finished_or_done_again(
    tmp_path: Path, renamed: bool
) -> None:
    made = fill(tmp_path, 50)
    file = tmp_path / "ledger.sqlite"
    fresh = tmp_path / "ledger.sqlite.salvaged"
    if renamed:  # killed between the two names: the new file is whole
        file.rename(fresh)
        (tmp_path / "ledger.sqlite.damaged-1").write_bytes(b"old")
        (tmp_path / "ledger.sqlite-wal").write_bytes(b"a log of the old file")
    else:
        fresh.write_bytes(b"half")
    settle(file)
    assert not fresh.exists()
    with Ledger.open(tmp_path) as ledger:
        assert dict(ledger.entries()) == made and ledger.notes == []
    log = tmp_path / "ledger.sqlite.damaged-1-wal"
    assert not renamed or log.read_bytes() == b"a log of the old file"

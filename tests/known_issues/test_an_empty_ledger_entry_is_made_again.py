"""A kill left an empty ledger entry; each build then said `failed: JSONDecodeError` of its clip, and ended with 0."""

from pathlib import Path

from pipeline.run.ledger import Ledger
from tests.ledgers import entry, key, write_file


def test_an_empty_entry_of_the_earlier_layout_is_made_again(tmp_path: Path) -> None:
    write_file(tmp_path, key(1))
    for number, text in enumerate(["", '{"refusal": nu', "[]", "\0" * 300, '{"section": 3}'], 2):
        write_file(tmp_path, key(number), text)
    with Ledger.open(tmp_path, read_only=True) as reader:
        assert reader.get(key(2)) is None
    with Ledger.open(tmp_path) as ledger:
        assert [ledger.get(key(n)) is None for n in range(1, 7)] == [False] + [True] * 5
        assert "5 broken ones" in ledger.notes[0]
        ledger.put(key(2), entry(2))
    with Ledger.open(tmp_path) as ledger:
        assert ledger.get(key(2)) == entry(2)

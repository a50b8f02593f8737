"""Results by key, and marks of steps that died."""

from pathlib import Path

import numpy as np
import pytest

from manifests.record import Interval, Why
from pipeline.run.ledger import Ledger
from pipeline.store import Store, StoreError, replacing
from pipeline.verdict import Refusal


def test_a_section_is_found_again_under_its_key(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    assert ledger.get("ab" * 32) is None
    ledger.put("ab" * 32, section=Interval(start=1, stop=2), refusal=None)
    entry = ledger.get("ab" * 32)
    assert entry is not None and entry.section == {"start": 1, "stop": 2} and entry.refusal is None


def test_a_refusal_is_found_again_with_its_reason(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.put("ab" * 32, section=None, refusal=Refusal(Why.UNDECODABLE, "frame 7"))
    entry = ledger.get("ab" * 32)
    assert entry is not None and entry.refusal == (Why.UNDECODABLE, "frame 7")


def test_deaths_are_counted_within_one_run_and_forgotten_when_a_step_ends(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    assert [ledger.begin("run", "step") for _ in range(3)] == [0, 1, 2]
    assert ledger.begin("another run", "step") == 0
    ledger.end("run", "step")
    assert ledger.begin("run", "step") == 0


def test_an_array_is_stored_once_under_its_hash(tmp_path: Path) -> None:
    store = Store(tmp_path)
    blob = store.put_array(np.arange(5))
    assert blob == store.put_array(np.arange(5))
    assert (store.read_array(blob) == np.arange(5)).all()
    assert store.path(blob).stat().st_size == blob.bytes


def test_a_blob_that_is_gone_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    blob = store.put_array(np.arange(5))
    store.path(blob).unlink()
    with pytest.raises(StoreError, match=blob.sha256[:12]):
        store.read_array(blob)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "kept.txt"
    file.write_text("old")
    with pytest.raises(RuntimeError), replacing(file) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]

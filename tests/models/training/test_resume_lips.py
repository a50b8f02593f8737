"""Runs of syncnet and light-asd that were killed with kill -9 end with the same bits, batch norm among them."""

from pathlib import Path

import pytest
import runs

from tests.models.talking import write_talking

pytestmark = pytest.mark.xdist_group("resume_lips")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_talking(tmp_path_factory.mktemp("talking") / "data")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("system", [pytest.param("syncnet", marks=pytest.mark.slow), "light-asd"])
def test_a_killed_run_ends_with_the_same_bits(data: Path, tmp_path: Path, system: str) -> None:
    runs.prepare(data, system)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    runs.finish(runs.start(data, whole, system=system))
    assert runs.signal_at(
        runs.start(data, killed, system=system), killed / "lips" / "log.jsonl", lines=2, later=0.0
    )
    assert not (killed / "model").exists()
    runs.finish(runs.start(data, killed, system=system, workers=1))
    left, other = runs.fingerprint(whole), runs.fingerprint(killed)
    assert left.pop("system.json") != other.pop(
        "system.json"
    )  # it says how many workers there were
    assert left == other
    assert any(name.endswith(f"{system}.model") for name in left)

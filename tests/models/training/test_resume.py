"""A run that was killed with kill -9 and started again ends with the same bits as one that was not."""

from pathlib import Path

import numpy as np
import pytest
import runs

pytestmark = pytest.mark.xdist_group("resume")  # one process makes the undisturbed runs


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.write_dataset(tmp_path_factory.mktemp("made") / "data")


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, int], dict]:
    """What undisturbed runs leave, by (workers, ranks)."""
    left = {}
    for workers, ranks in ((0, 1), (1, 1), (3, 1), (1, 2)):
        run = tmp_path_factory.mktemp("whole") / "run"
        runs.finish(runs.start(data, run, workers=workers, ranks=ranks))
        left[workers, ranks] = runs.fingerprint(run)
    return left


def killed_and_resumed(
    data: Path, run: Path, *, seed: int, workers: int, ranks: int = 1
) -> tuple[dict, int]:
    """One to three kills at seeded moments, then the rest; and how many of them met a run that was still going."""
    random, met = np.random.default_rng(seed), 0
    for step in np.sort(random.integers(0, runs.STEPS, random.integers(1, 4))):
        processes = runs.start(data, run, workers=workers, ranks=ranks)
        later = float(random.uniform(0.0, 0.03))
        met += runs.kill_at(processes, run, step=int(step), later=later)
    runs.finish(runs.start(data, run, workers=workers, ranks=ranks))
    return runs.fingerprint(run), met


@pytest.mark.timeout(600)
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_a_killed_run_ends_with_the_same_bits(
    data: Path, whole: dict, tmp_path: Path, workers: int
) -> None:
    seeds = {0: range(0, 2), 1: range(4, 6), 3: range(7, 9)}[workers]  # 17 kills in all
    kills = 0
    for seed in seeds:
        left, met = killed_and_resumed(data, tmp_path / str(seed), seed=seed, workers=workers)
        assert left == whole[workers, 1]
        kills += met
    assert kills


def test_two_ranks_that_were_killed_end_with_the_same_bits(
    data: Path, whole: dict, tmp_path: Path
) -> None:
    left, met = killed_and_resumed(data, tmp_path / "run", seed=3, workers=1, ranks=2)
    assert met and left == whole[1, 2]


def test_the_number_of_workers_changes_nothing(whole: dict) -> None:
    one, other = (dict(whole[workers, 1]) for workers in (0, 3))
    assert one.pop("system.json") != other.pop("system.json")  # it says how many there were
    assert one == other


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(100, 155))
def test_a_hundred_kills_change_no_bit(data: Path, whole: dict, tmp_path: Path, seed: int) -> None:
    workers, ranks = [(0, 1), (1, 1), (3, 1), (1, 2)][seed % 4]
    left, _ = killed_and_resumed(data, tmp_path / "run", seed=seed, workers=workers, ranks=ranks)
    assert left == whole[workers, ranks]

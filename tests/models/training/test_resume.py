"""A run that was killed with kill -9, or stopped, and started again ends with the same bits as one that was not."""

import json
import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import runs

pytestmark = pytest.mark.xdist_group("resume")  # one process makes the undisturbed runs
Left = dict[str, object]
Whole = Callable[[str, int, int], Left]
ENDLESS = 100_000
"""Steps of a run that is asked to stop: it is not at its end before it is asked, on a busy machine too."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = runs.write_dataset(tmp_path_factory.mktemp("made") / "data")
    for system in runs.SYSTEMS:
        runs.prepare(folder, system)
    return folder


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """What undisturbed runs leave, by (system, workers, ranks); each is made when it is first asked for."""

    @cache
    def left(system: str, workers: int, ranks: int) -> Left:
        run = tmp_path_factory.mktemp("whole") / "run"
        runs.finish(runs.start(data, run, workers=workers, ranks=ranks, system=system))
        return runs.fingerprint(run)

    return left


def killed_and_resumed(
    data: Path, run: Path, *, seed: int, workers: int, ranks: int = 1, system: str = "csg405"
) -> tuple[Left, int]:
    """One to three kills at seeded moments, then the rest; and how many of them met a run that was still going.

    A kill waits for a line of the log of some phase.
    """
    random, met = np.random.default_rng(seed), 0
    phases = runs.phases(system)
    moments = sorted(
        (int(random.integers(0, len(phases))), int(random.integers(0, runs.STEPS)))
        for _ in range(random.integers(1, 4))
    )
    for phase, step in moments:
        processes = runs.start(data, run, workers=workers, ranks=ranks, system=system)
        log = run / phases[phase] / "log.jsonl"
        lines = step if system == "csg405" else step // 4
        later = float(random.uniform(0.0, 0.03))
        met += runs.signal_at(processes, log, lines=lines, later=later)
    runs.finish(runs.start(data, run, workers=workers, ranks=ranks, system=system))
    return runs.fingerprint(run), met


@pytest.mark.timeout(600)
@pytest.mark.parametrize("workers", [0, 3])
def test_a_killed_run_ends_with_the_same_bits(
    data: Path, whole: Whole, tmp_path: Path, workers: int
) -> None:
    seeds = {0: range(0, 2), 3: range(7, 8)}[workers]
    kills = 0
    for seed in seeds:
        left, met = killed_and_resumed(data, tmp_path / str(seed), seed=seed, workers=workers)
        assert left == whole("csg405", workers, 1)
        kills += met
    assert kills


@pytest.mark.timeout(600)
def test_two_phases_and_two_optimizers_that_were_killed_end_with_the_same_bits(
    data: Path, whole: Whole, tmp_path: Path
) -> None:
    kills = 0
    for seed in (11, 12):
        left, met = killed_and_resumed(
            data, tmp_path / str(seed), seed=seed, workers=0, system="toy"
        )
        assert left == whole("toy", 0, 1)
        kills += met
    assert kills


@pytest.mark.xdist_group("ranks")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("system", [pytest.param("csg405", marks=pytest.mark.slow), "toy"])
def test_two_ranks_that_were_killed_end_with_the_same_bits(
    data: Path, whole: Whole, tmp_path: Path, system: str
) -> None:
    left, met = killed_and_resumed(
        data, tmp_path / "run", seed=3, workers=1, ranks=2, system=system
    )
    assert met and left == whole(system, 1, 2)


def test_a_run_that_is_asked_to_stop_saves_where_it_is_and_ends_with_the_same_bits(
    data: Path, tmp_path: Path
) -> None:
    run, other = tmp_path / "run", tmp_path / "undisturbed"
    log, last = run / "motion" / "log.jsonl", 0
    for number, lines in ((signal.SIGTERM, 5), (signal.SIGINT, 30)):
        processes = runs.start(data, run, workers=1, steps=ENDLESS)
        assert runs.signal_at(processes, log, lines=lines, later=0.0, number=number)
        assert processes[0].exitcode == 130
        newest = max((run / "motion" / "checkpoints").iterdir())
        last = json.loads(log.read_text().splitlines()[-1])["step"]
        assert newest.name == f"step-{last:08d}"  # nothing was done that is not saved
    for folder in (run, other):
        runs.finish(runs.start(data, folder, workers=1, steps=last + 5))
    assert runs.fingerprint(run) == runs.fingerprint(other)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_ranks_that_are_asked_to_stop_agree_where(data: Path, tmp_path: Path) -> None:
    run, other = tmp_path / "run", tmp_path / "undisturbed"
    processes = runs.start(data, run, ranks=2, workers=1, steps=ENDLESS)
    log = run / "motion" / "log.jsonl"
    assert runs.signal_at(processes, log, lines=4, later=0.0, number=signal.SIGTERM)
    assert [process.exitcode for process in processes] == [130, 130]
    last = json.loads(log.read_text().splitlines()[-1])["step"]
    for folder in (run, other):
        runs.finish(runs.start(data, folder, ranks=2, workers=1, steps=last + 5))
    assert runs.fingerprint(run) == runs.fingerprint(other)


def test_the_number_of_workers_changes_nothing(whole: Whole) -> None:
    one, other = (dict(whole("csg405", workers, 1)) for workers in (0, 3))
    assert one.pop("system.json") != other.pop("system.json")  # it says how many there were
    assert one == other


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(100, 155))
def test_a_hundred_kills_change_no_bit(data: Path, whole: Whole, tmp_path: Path, seed: int) -> None:
    setups = [("csg405", 0, 1), ("csg405", 1, 1), ("csg405", 1, 2), ("toy", 0, 1), ("toy", 1, 2)]
    system, workers, ranks = setups[seed % len(setups)]
    left, _ = killed_and_resumed(
        data, tmp_path / "run", seed=seed, workers=workers, ranks=ranks, system=system
    )
    assert left == whole(system, workers, ranks)

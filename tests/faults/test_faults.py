"""Faults on purpose: a few of those that `make faults` plays, one of every kind that takes seconds."""

import pytest

from tests.faults.scenario import play
from tests.faults.world import States

pytestmark = pytest.mark.timeout(600)

SEEDS = tuple(range(20))


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> States:
    made = States(tmp_path_factory.mktemp("faults"))
    made.prepare()
    return made


@pytest.mark.parametrize(
    "seed",
    [pytest.param(seed, marks=pytest.mark.xdist_group(f"faults-{seed % 2}")) for seed in SEEDS],
)
def test_a_run_with_a_fault_and_the_same_again_equal_one_without(seed: int, states: States) -> None:
    result = play(seed, states)
    if result.skipped:
        pytest.skip(result.skipped)
    assert not result.faults, result.line

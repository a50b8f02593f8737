"""The same faults on runs with real perception: killed again and again, a worker that dies, steps over their time."""

import json

import pytest

from tests.faults.scenario import REAL_ROUND, play
from tests.faults.world import COLD, REAL, States

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("crash"), pytest.mark.timeout(900)]

KINDS = ("kill -9 again and again", "kill -9 of a worker")
SEEDS = [next(n for n, kind in enumerate(REAL_ROUND) if kind.name == name) for name in KINDS]


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> States:
    made = States(tmp_path_factory.mktemp("real-faults"), REAL)
    made.prepare()
    return made


@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_with_a_fault_and_the_same_again_equal_one_without(seed: int, states: States) -> None:
    result = play(seed, states)
    assert not result.faults, result.line


def test_a_step_over_its_time_becomes_one_failure_and_the_rest_goes_on(states: States) -> None:
    world = states.world("over-time", COLD, count=1)
    code, text = world.run("step_minutes=0.003", "retries=1"), world.runs[-1].text
    assert code == 1, text
    failures = json.loads((world.out / "run.json").read_text())["failures"]
    assert failures[0]["error"] == "it ran over 0.003 minutes"
    assert "Thread" in failures[0]["traceback"]
    assert json.loads((world.out / "dataset.json").read_text())["counts"]["sources"] == 3
    assert "not_media" in text
    assert "Traceback" not in text

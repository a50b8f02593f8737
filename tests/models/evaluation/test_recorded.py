"""Measuring clip by clip gives what measuring all clips at once gave.

`recorded.json` holds the rows that the code before this one, which held every clip in memory, gave for the clips of
`worlds.RECORDED`, for the truth, a toy generator (three samples of a voice) and the baselines fitted on the same clips.
"""

import json
from pathlib import Path

import pytest

from models.data.audio import LogMel
from models.data.features import audio_features, pose_features, prepare
from models.data.skeleton import Skeleton
from models.data.statistics import statistics_of
from models.evaluation.baselines import fitted
from models.evaluation.metrics.table import SETS
from models.evaluation.report import Row
from models.evaluation.run import Entrant, Settings, measured
from models.infer.generator import Motion
from tests.models.evaluation.worlds import motions, toy, untrained_encoder

pytestmark = pytest.mark.xdist_group("librosa")  # compiled once, in one process

RECORDED = {
    (generator, metric, protocol): rest
    for generator, metric, protocol, *rest in json.loads(
        Path(__file__).with_name("recorded.json").read_text()
    )
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, str], Row]:
    clips = motions(tmp_path_factory.mktemp("recorded"))
    voices = prepare(clips, audio_features(LogMel()))
    poses = prepare(clips, pose_features(Skeleton()))
    made = fitted(clips, Skeleton(), statistics_of(clips, poses), voices, poses)
    entrants = {
        "toy": Entrant(
            voices, False, lambda heard, sound, person, seed: Motion(toy(heard, person.pose, seed))
        ),
        **{name: Entrant.baseline(each, voices) for name, each in made.baselines.items()},
    }
    found = measured(clips, entrants, encoder=untrained_encoder(), settings=Settings(seed=3))
    return {(row.generator, row.metric, row.protocol): row for row in found}


def test_the_rows_are_those_of_before_and_those_of_newer_metrics_and_generators(rows) -> None:
    generators, metrics, _ = (set(names) for names in zip(*RECORDED, strict=True))
    newer = {key for key in rows if key[0] not in generators or key[1] not in metrics}
    assert rows.keys() - newer == RECORDED.keys()


@pytest.mark.parametrize("generator", sorted({key[0] for key in RECORDED}))
def test_the_values_are_what_they_were(rows, generator: str) -> None:
    wrong = {
        key: (rows[key], was)
        for key, was in RECORDED.items()
        if key[0] == generator and not same(rows[key], *was)
    }
    assert wrong == {}


def same(
    row: Row, measured_on: int, mean: float | None, low: float | None, high: float | None, count: int, reason: str
) -> bool:  # fmt: skip
    if (row.measured, row.reason) != (measured_on, reason):
        return False
    if row.interval is None or mean is None:
        return row.interval is None and mean is None
    coded = row.metric in SETS and SETS[row.metric].coded  # convolutions round as the batch is cut
    near = {"rel": 1e-4, "abs": 1e-6} if coded else {"rel": 1e-6, "abs": 1e-8}
    found = [row.interval.mean, row.interval.low, row.interval.high]
    if low is None or high is None or high - low < 1e-12:  # rounding was no width, and is none now
        low = high = float("nan")
    was = [mean, low, high]
    return row.interval.count == count and found == pytest.approx(was, nan_ok=True, **near)

"""The evaluation: who is compared with what, and what the table says."""

import json

import numpy as np
import pytest
from people import person, voice

from models.metrics.evaluation import Held, Made, as_json, make, markdown, measure
from models.metrics.lips import lip_opening

pytestmark = pytest.mark.xdist_group("librosa")  # compiled once, in one process


def clips(count: int = 4) -> list[Held]:
    """Clips of two people whose lips follow the first number of the features."""
    held: list[Held] = []
    for number in range(count):
        features = np.random.default_rng(number).uniform(0.0, 10.0, (60, 1))
        pose = speaking(person(number), features)
        held.append(
            Held(f"clip{number}", f"person{number % 2}", pose, voice(number), features, pose[0])
        )
    return held


def speaking(pose: np.ndarray, features: np.ndarray) -> np.ndarray:
    """A pose whose lower lip drops by the features, in pixels."""
    spoken = np.resize(pose, (len(features), 133, 3)).copy()
    spoken[:, [23 + i for i in (65, 66, 67)], 1] += features.astype(np.float32)
    return spoken


def listener(features, sound, reference, seed):
    """A system that hears perfectly."""
    return speaking(np.repeat(reference[None], len(features), axis=0), features)


def value(rows, metric: str, protocol: str) -> float:
    (row,) = [row for row in rows if (row.metric, row.protocol) == (metric, protocol)]
    assert row.interval is not None
    return row.interval.mean


def test_a_system_that_listens_follows_the_right_voice_and_not_the_wrong_one() -> None:
    held = clips()
    rows = measure("ours", held, make(held, listener, seed=0), seed=0)
    assert value(rows, "lips_truth", "right voice") > 0.95
    assert abs(value(rows, "lips_truth", "wrong voice")) < 0.4
    assert value(rows, "lips_truth", "right less wrong") > 0.5


def test_no_clip_is_given_its_own_voice_as_the_wrong_one() -> None:
    held = clips()
    made = make(held, listener, seed=3)
    assert all(other != number for number, other in enumerate(made.others))
    for number, other in enumerate(made.others):
        lips = lip_opening(made.other[number])
        assert np.corrcoef(lips, held[other].features[:, 0])[0, 1] > 0.95


def test_the_truth_has_no_error_and_paired_metrics_are_not_measured_unpaired() -> None:
    held = clips()
    truth = Made([c.pose for c in held], [c.pose for c in held], [0, 1, 2, 3], [])
    rows = measure("truth", held, truth, seed=0)
    assert value(rows, "mean_error", "paired") == 0.0
    assert not [row for row in rows if (row.metric, row.protocol) == ("mean_error", "unpaired")]


def test_intervals_are_over_people() -> None:
    held = clips()
    rows = measure("ours", held, make(held, listener, seed=0), seed=0)
    (row,) = [r for r in rows if (r.metric, r.protocol) == ("mean_error", "paired")]
    assert row.interval is not None and row.interval.count == 2 and row.measured == 4


def test_the_table_and_its_json_say_the_same() -> None:
    held = clips()
    rows = measure("ours", held, make(held, listener, seed=0), seed=0)
    told = json.loads(as_json(rows, {"clips": 4}))
    text = markdown(rows, {"clips": 4})
    assert len(told["rows"]) == len(rows)
    for row in rows:
        assert f"| {row.metric} | {row.protocol} |" in text


def test_several_motions_of_one_voice_are_drawn_where_they_are_asked_for() -> None:
    held = clips(2)
    assert [each.shape for each in make(held, listener, seed=0, samples=3).samples] == [
        (3, 60, 133, 3)
    ] * 2
    assert make(held, listener, seed=0).samples == []

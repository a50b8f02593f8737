"""The evaluation: who is compared with what, and what the table says."""

import json
from pathlib import Path

import numpy as np
import pytest

from models.evaluation.metrics.autoencoder import MotionEncoder, train_encoder
from models.evaluation.metrics.lips import lip_opening
from models.evaluation.metrics.table import SETS, NotMeasured
from models.evaluation.metrics.windows import gesture_windows
from models.evaluation.protocols import (
    EvalClip,
    Generated,
    Row,
    as_json,
    followed,
    interval_of,
    make,
    markdown,
    measure,
    plot,
)
from tests.models.evaluation.people import person, voice

pytestmark = pytest.mark.xdist_group("librosa")  # compiled once, in one process


NO_ENCODER = NotMeasured("it takes an encoder")


def clips(count: int = 4, *, people: int = 2, frames: int = 60) -> list[EvalClip]:
    """Clips whose lips follow the first number of the features."""
    held: list[EvalClip] = []
    for number in range(count):
        features = np.random.default_rng(number).uniform(0.0, 10.0, (frames, 1))
        pose, sound = speaking(person(number), features), np.resize(voice(number), 640 * frames)
        held.append(
            EvalClip(f"clip{number}", f"person{number % people}", pose, sound, features, pose[0])
        )
    return held


@pytest.fixture(scope="module")
def encoder() -> MotionEncoder:
    windows = np.concatenate([gesture_windows(clip.pose) for clip in clips(frames=128)])
    return train_encoder(windows, seed=0, epochs=1, width=8)


def measured(
    held: list[EvalClip], *, encoder: MotionEncoder | NotMeasured = NO_ENCODER
) -> list[Row]:
    return measure("ours", held, make(held, listener, seed=0, samples=3), seed=0, encoder=encoder)


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
    rows = measured(held)
    assert value(rows, "lips_truth", "matched audio") > 0.95
    assert abs(value(rows, "lips_truth", "mismatched audio")) < 0.4
    assert value(rows, "lips_truth", "matched minus mismatched") > 0.5


def test_no_clip_is_given_its_own_voice_as_the_wrong_one() -> None:
    held = clips()
    made = make(held, listener, seed=3)
    assert all(other != number for number, other in enumerate(made.others))
    for number, other in enumerate(made.others):
        lips = lip_opening(made.other[number])
        assert np.corrcoef(lips, held[other].features[:, 0])[0, 1] > 0.95


def test_the_truth_has_no_error_and_paired_metrics_are_not_measured_unpaired() -> None:
    held = clips()
    truth = Generated([c.pose for c in held], [c.pose for c in held], [0, 1, 2, 3], [])
    rows = measure("truth", held, truth, seed=0, encoder=NO_ENCODER)
    assert value(rows, "mean_error", "paired") == 0.0
    assert not [row for row in rows if (row.metric, row.protocol) == ("mean_error", "unpaired")]


def test_intervals_are_over_people() -> None:
    held = clips()
    rows = measured(held)
    (row,) = [r for r in rows if (r.metric, r.protocol) == ("mean_error", "paired")]
    assert row.interval is not None and row.interval.count == 2 and row.measured == 4


def test_the_table_and_its_json_say_the_same() -> None:
    held = clips()
    rows = measured(held)
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


# ---- too few, too short ----------------------------------------------------------------------------------------------


def keys(rows: list[Row]) -> list[tuple[str, str]]:
    return [(row.metric, row.protocol) for row in rows]


def bounds(rows: list[Row]) -> np.ndarray:
    """(rows, 2), of what is measured."""
    return np.array([(r.interval.low, r.interval.high) for r in rows if r.interval is not None])


@pytest.mark.parametrize("frames", [1, 20, 63, 64, 128])
@pytest.mark.parametrize(("count", "people"), [(1, 1), (2, 1), (2, 2)])
def test_few_and_short_clips_have_the_same_rows_each_with_a_value_or_a_reason(
    count: int, people: int, frames: int, encoder: MotionEncoder
) -> None:
    rows = measured(clips(count, people=people, frames=frames), encoder=encoder)
    assert keys(rows) == keys(measured(clips()))
    assert all((row.interval is None) == bool(row.reason) for row in rows)
    assert all(row.interval is None or np.isfinite(row.interval.mean) for row in rows)
    found = bounds(rows)
    assert not len(found) or not (found[:, 0] == found[:, 1]).any()
    json.loads(as_json(rows, {}))


def test_one_clip_is_measured_and_what_takes_another_voice_says_so() -> None:
    rows = measured(clips(1))
    assert value(rows, "mean_error", "paired") >= 0.0
    other = [row for row in rows if row.protocol not in ("paired", "set")]
    assert other and all(row.interval is None for row in other)
    assert {row.reason for row in other} == {"it takes two clips: the voice of one has no other"}


def test_one_person_has_means_without_intervals() -> None:
    rows = [row for row in measured(clips(4, people=1)) if row.protocol != "chance"]
    assert np.isnan(bounds(rows)).all()
    assert not np.isnan(bounds(measured(clips(4)))).all()
    assert "[" not in "".join(
        line for line in markdown(rows, {}).splitlines() if line.startswith("| mean_error | paired")
    )


def test_values_that_are_all_equal_have_no_interval() -> None:
    held = clips()
    still = Generated(
        [np.repeat(c.reference[None], 60, axis=0) for c in held], [c.pose for c in held], [1, 2, 3, 0], []
    )  # fmt: skip
    rows = measure("still", held, still, seed=0, encoder=NO_ENCODER)
    (row,) = [row for row in rows if (row.metric, row.protocol) == ("speed", "paired")]
    assert row.interval is not None and row.interval.mean == 0.0
    assert np.isnan([row.interval.low, row.interval.high]).all()


def test_one_window_gives_no_distance_and_the_table_says_why(encoder: MotionEncoder) -> None:
    rows = measured(clips(1, frames=64), encoder=encoder)
    text = markdown(rows, {})
    assert "| fgd | set | not measured |" in text
    assert "| fgd | set | all | it takes 2 windows of 64 frames, there is 1 |" in text
    assert value(rows, "diversity_l1_within", "set") > 0.0


def test_a_distance_has_an_interval_over_people_and_none_over_one(encoder: MotionEncoder) -> None:
    for people, bounded in ((2, True), (1, False)):
        rows = measured(clips(4, people=people, frames=128), encoder=encoder)
        (row,) = [row for row in rows if row.metric == "fgd"]
        assert row.interval is not None and row.interval.count == people and row.measured == 8
        assert np.isfinite([row.interval.low, row.interval.high]).all() == bounded


def test_without_an_encoder_the_sets_that_need_none_are_measured() -> None:
    rows = [row for row in measured(clips(frames=128)) if row.protocol == "set"]
    assert [row.metric for row in rows] == list(SETS)
    for row in rows:
        assert (row.interval is None) == SETS[row.metric].coded
    assert {row.reason for row in rows if row.metric == "fgd"} == {NO_ENCODER.reason}


def test_lips_that_the_truth_does_not_show_are_not_measured() -> None:
    truth, still = clips(1)[0].pose, np.repeat(clips(1)[0].reference[None], 60, axis=0)
    assert followed(truth, truth) == pytest.approx(1.0)
    assert followed(still, truth) == 0.0
    assert followed(truth, still) is None is followed(truth[:20], truth[:20])


@pytest.mark.parametrize(
    ("people", "words"),
    [
        (1, "none over people: there is one; of chance over 5 shuffles of the voices"),
        (2, "95 %, bootstrap over 2 people, too narrow below ten; of chance over 5 shuffles of the voices"),
        (12, "95 %, bootstrap over 12 people; of chance over 5 shuffles of the voices"),
    ],
)  # fmt: skip
def test_the_interval_is_said_to_be_what_it_is(people: int, words: str) -> None:
    assert interval_of(people) == words


def test_means_without_intervals_can_be_plotted(tmp_path: Path) -> None:
    plot(measured(clips(1)), tmp_path / "few.png", [("mean_error", "paired"), ("speed", "paired")])
    assert (tmp_path / "few.png").stat().st_size > 0

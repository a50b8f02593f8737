"""The protocols: who is compared with what, and which interval is said to be over people."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from models.data.features import Recipe, family, prepare
from models.data.index import Motions
from models.evaluation.clips import EvalClip
from models.evaluation.metrics.autoencoder import MotionEncoder
from models.evaluation.metrics.collection import NotMeasured, WindowSet
from models.evaluation.metrics.lips import lip_opening
from models.evaluation.metrics.table import METRICS, SETS
from models.evaluation.metrics.windows import gesture_windows
from models.evaluation.protocols import Made, Pairing, Scores, followed
from models.evaluation.report import Row, as_json, markdown, plot
from models.evaluation.run import Entrant, Settings, measured
from models.infer.generator import Motion, Person
from tests.models.evaluation import people
from tests.models.evaluation.worlds import untrained_encoder
from tests.models.making import Made as MadeClip
from tests.models.making import write_dataset

pytestmark = pytest.mark.xdist_group("librosa")  # compiled once, in one process

NO_ENCODER = NotMeasured("it takes an encoder")


@pytest.fixture(scope="module")
def encoder() -> MotionEncoder:
    return untrained_encoder()


def heard_in(number: int, frames: int) -> np.ndarray:
    """One number per frame, by which the lips of a clip are open."""
    return np.random.default_rng(number).uniform(0.0, 10.0, (frames, 1)).astype(np.float32)


def speaking(pose: np.ndarray, features: np.ndarray) -> np.ndarray:
    """A pose whose lower lip drops by the features, in pixels."""
    spoken = np.resize(pose, (len(features), 133, 3)).astype(np.float32)
    spoken[:, [23 + i for i in (65, 66, 67)], 1] += features.astype(np.float32)
    return spoken


Maker = Callable[[np.ndarray, np.ndarray, Person, int], Motion]


def listener(heard: np.ndarray, sound: np.ndarray, person: Person, seed: int) -> Motion:
    """A system that hears perfectly."""
    return Motion(speaking(np.repeat(person.pose[None], len(heard), axis=0), heard))


class World:
    """Clips of a few people, in the order of their numbers. whose: the person of each."""

    def __init__(
        self, folder: Path, whose: Sequence[str], frames: int | Sequence[int] = 60
    ) -> None:
        lengths = [frames] * len(whose) if isinstance(frames, int) else list(frames)
        self.heard = [heard_in(number, count) for number, count in enumerate(lengths)]
        made = [
            MadeClip(
                number, count, "test", name, id=f"{number:024x}",
                pose=speaking(people.person(number), self.heard[number]),
                sound=np.resize(people.voice(number), 640 * count),
            )
            for number, (count, name) in enumerate(zip(lengths, whose, strict=True))
        ]  # fmt: skip
        self.motions = Motions.open(write_dataset(folder, made))
        kind = family("lips", "of tests", 1, np.float32)
        self.voices = prepare(
            self.motions, Recipe(kind, lambda _, number: self.heard[number]), folder / "features"
        )

    def rows(
        self, maker: Maker = listener, *, encoder: MotionEncoder | NotMeasured = NO_ENCODER,
        deterministic: bool = False,
    ) -> list[Row]:  # fmt: skip
        entrant = Entrant(self.voices, deterministic, maker)
        found = measured(self.motions, {"ours": entrant}, encoder=encoder, settings=Settings())
        return [row for row in found if row.generator == "ours"]


@pytest.fixture
def world(tmp_path: Path) -> Callable[..., World]:
    count = iter(range(9))
    return lambda *whose, frames=60: World(tmp_path / str(next(count)), whose, frames)


FOUR = ("ada", "bea", "ada", "bea")


def row_of(rows: Sequence[Row], metric: str, protocol: str) -> Row:
    (row,) = [row for row in rows if (row.metric, row.protocol) == (metric, protocol)]
    return row


def value(rows: Sequence[Row], metric: str, protocol: str) -> float:
    row = row_of(rows, metric, protocol)
    assert row.interval is not None
    return row.interval.mean


def test_a_system_that_listens_follows_the_right_voice_and_not_the_wrong_one(world) -> None:
    rows = world(*FOUR).rows()
    assert value(rows, "lips_truth", "matched audio") > 0.95
    assert abs(value(rows, "lips_truth", "mismatched audio")) < 0.4
    assert value(rows, "lips_truth", "matched minus mismatched") > 0.5


def test_no_clip_is_given_its_own_voice_as_the_wrong_one(world) -> None:
    held, asked = world(*FOUR), []

    def maker(heard, sound, person, seed) -> Motion:
        asked.append((person.origin, heard[:, 0].tolist(), seed))
        return listener(heard, sound, person, seed)

    held.rows(maker)
    voices = {each[:, 0].tobytes(): number for number, each in enumerate(held.heard)}
    pairing = Pairing.of(4, seed=0)
    for number, entry in enumerate(held.motions.entries):
        seen = [
            (voices[np.array(heard, np.float32).tobytes()], seed)
            for origin, heard, seed in asked
            if entry.id in origin
        ]
        other = pairing.partners(number)[0]
        assert other != number
        assert seen == [
            (number, number),
            (other, number),
            (number, number + 4),
            (number, number + 8),
        ]


def test_chance_meets_every_shuffle_and_never_its_own_voice() -> None:
    pairing = Pairing.of(7, seed=5)
    assert pairing.shuffles.shape == (5, 7)
    assert all(number not in pairing.partners(number) for number in range(7))
    assert Pairing.of(1, seed=5).partners(0) == []


def test_a_mouth_that_follows_loudness_is_above_what_chance_gives(world) -> None:
    held = world(*FOUR, frames=100)

    def loud(heard, sound, person, seed) -> Motion:
        power = np.log10((sound.reshape(-1, 640).astype(np.float64) ** 2).mean(axis=1) + 1.0)
        return Motion(speaking(np.repeat(person.pose[None], len(heard), axis=0), power[:, None]))

    rows = held.rows(loud)
    row = row_of(rows, "lips_voice", "chance")
    assert value(rows, "lips_voice", "paired") > 0.99 and row.interval is not None
    assert row.interval.count == 5 and row.interval.mean < row.interval.high < 0.8


def test_a_deterministic_generator_runs_once_for_a_voice_and_has_no_diversity(world) -> None:
    for deterministic, times, hands in ((True, 2, 0.0), (False, 4, None)):
        calls = []

        def maker(heard, sound, person, seed, calls=calls) -> Motion:
            calls.append(seed)
            made = listener(heard, sound, person, seed).pose
            made[:, 91:, :2] += np.float32(seed)
            return Motion(made)

        rows = world(*FOUR).rows(maker, deterministic=deterministic)
        assert len(calls) == times * 4
        found = value(rows, "diversity_hands", "set")
        assert found == hands if hands is not None else found > 0.0


def test_nothing_of_a_clip_is_kept(world) -> None:
    """Memory is what bounds the number of clips: after them no array of frames is held."""
    held = world(*FOUR, frames=128)
    scores = Scores("x", np.array([0, 1, 0, 1]), WindowSet(NO_ENCODER), NO_ENCODER, 0)
    for number in range(4):
        clip = EvalClip("x", held.motions.pose(number), held.motions.sound(number),
                        Person(held.motions.pose(number)[0], None, "x"), None)  # fmt: skip
        scores.add(number, clip, Made(Motion(clip.pose), clip.pose), [clip.sound] * 5)
    sizes = [each.nbytes for each in (*scores.values.values(), *scores.chance.values())]
    assert max(sizes) == 5 * 4 * 8


# ---- too few, too short ----------------------------------------------------------------------------------------------


def keys(rows: Sequence[Row]) -> list[tuple[str, str]]:
    return [(row.metric, row.protocol) for row in rows]


def bounds(rows: Sequence[Row]) -> np.ndarray:
    """(rows, 2), of what is measured."""
    return np.array([(r.interval.low, r.interval.high) for r in rows if r.interval is not None])


@pytest.mark.parametrize("frames", [20, 63, 64, 128])
@pytest.mark.parametrize("whose", [("ada",), ("ada", "ada"), ("ada", "bea")], ids="-".join)
def test_few_and_short_clips_have_the_same_rows_each_with_a_value_or_a_reason(
    world, whose: tuple[str, ...], frames: int, encoder: MotionEncoder
) -> None:
    rows = world(*whose, frames=frames).rows(encoder=encoder)
    assert len(set(keys(rows))) == len(rows)
    assert {metric for metric, _ in keys(rows)} == {*METRICS, *SETS}
    assert all((row.interval is None) == bool(row.reason) for row in rows)
    assert all(row.interval is None or np.isfinite(row.interval.mean) for row in rows)
    found = bounds(rows)
    assert not len(found) or not (found[:, 0] >= found[:, 1]).any()
    told = json.loads(as_json(rows, {}))["rows"]
    for row in told:
        if row["interval"] is not None:
            low, high = row["interval"]["low"], row["interval"]["high"]
            assert (low is None and high is None) or low < high
            if len(set(whose)) == 1 and row["protocol"] != "chance":
                assert low is None


def test_one_clip_is_measured_and_what_takes_another_voice_says_so(world) -> None:
    rows = world("ada").rows()
    assert value(rows, "mean_error", "paired") >= 0.0
    other = [row for row in rows if row.protocol not in ("paired", "set")]
    assert other and all(row.interval is None for row in other)
    assert {row.reason for row in other} == {"it takes two clips: the voice of one has no other"}


def test_intervals_are_over_people_and_of_one_person_there_is_none(world) -> None:
    row = row_of(world(*FOUR).rows(), "mean_error", "paired")
    assert row.interval is not None and row.interval.count == 2 and row.measured == 4
    assert row.interval.low < row.interval.mean < row.interval.high
    rows = [row for row in world("ada", "ada", "ada").rows() if row.protocol != "chance"]
    assert np.isnan(bounds(rows)).all()
    assert "[" not in markdown(rows, {})


def test_a_metric_that_one_person_alone_has_a_value_of_has_no_interval(
    world, encoder: MotionEncoder
) -> None:
    """Two people, but only the clips of one are long enough for a window, and for lips to be compared."""
    rows = world(*FOUR, frames=(192, 20, 128, 20)).rows(encoder=encoder)
    for metric, protocol, measured_on in (("fgd", "set", 5), ("lips_truth", "paired", 2)):
        row = row_of(rows, metric, protocol)
        assert row.interval is not None and (row.interval.count, row.measured) == (1, measured_on)
        assert np.isnan([row.interval.low, row.interval.high]).all()
    assert np.isfinite(bounds([row_of(rows, "mean_error", "paired")])).all()


def test_values_that_are_all_equal_have_no_interval(world) -> None:
    rows = world(*FOUR).rows(
        lambda heard, sound, person, seed: Motion(np.repeat(person.pose[None], len(heard), axis=0))
    )
    row = row_of(rows, "speed", "paired")
    assert row.interval is not None and row.interval.mean == 0.0
    assert np.isnan([row.interval.low, row.interval.high]).all()


def test_one_window_gives_no_distance_and_the_table_says_why(world, encoder: MotionEncoder) -> None:
    rows = world("ada", frames=64).rows(encoder=encoder)
    text = markdown(rows, {})
    assert "| fgd | set | not measured |" in text
    assert "| fgd | set | all | it takes 2 windows of 64 frames, there is 1 |" in text
    assert value(rows, "diversity_l1_within", "set") > 0.0


def test_a_distance_is_redrawn_over_people_as_it_would_be_of_their_windows(
    world, encoder: MotionEncoder
) -> None:
    from models.evaluation.metrics.frechet import Moments, frechet_distance, frechet_of_moments

    held = world("ada", "bea", "cid", frames=(640, 700, 1300))
    row = row_of(held.rows(encoder=encoder), "fgd", "set")
    assert row.interval is not None and row.interval.count == 3 and row.measured == 40
    assert 0.0 <= row.interval.low < row.interval.high
    poses = [held.motions.pose(number) for number in range(3)]
    codes = [encoder.encode(gesture_windows(pose)) for pose in poses]
    shaken = [code + np.random.default_rng(0).normal(size=code.shape) for code in codes]
    owners = np.repeat(np.arange(3), [len(code) for code in codes])
    middle = np.concatenate(codes).mean(axis=0, dtype=np.float64)
    ours, theirs = (
        Moments.of(np.concatenate(side), owners, 3, around=middle) for side in (shaken, codes)
    )
    for times in ([1, 1, 1], [0, 2, 1], [3, 0, 0]):
        redrawn = [np.concatenate([s for s, n in zip(side, times, strict=True) for _ in range(n)])
                   for side in (shaken, codes)]  # fmt: skip
        found = frechet_of_moments(ours, theirs, np.array(times, float))
        assert found == pytest.approx(frechet_distance(*redrawn), rel=1e-5)
    assert frechet_of_moments(ours, theirs, np.zeros(3)) is None


def test_without_an_encoder_the_sets_that_need_none_are_measured(world) -> None:
    rows = [row for row in world(*FOUR, frames=128).rows() if row.protocol == "set"]
    assert [row.metric for row in rows] == list(SETS)
    for row in rows:
        assert (row.interval is None) == SETS[row.metric].coded
    assert {row.reason for row in rows if row.metric == "fgd"} == {NO_ENCODER.reason}


def test_lips_that_the_truth_does_not_show_are_not_measured() -> None:
    truth = speaking(people.person(0), heard_in(0, 60))
    still = np.repeat(truth[:1], 60, axis=0)
    assert followed(truth, truth) == pytest.approx(1.0)
    assert followed(still, truth) == 0.0
    assert followed(truth, still) is None is followed(truth[:20], truth[:20])
    lips = lip_opening(truth)
    assert np.isfinite(lips).all()


def test_means_without_intervals_can_be_plotted(world, tmp_path: Path) -> None:
    plot(world("ada").rows(), tmp_path / "few.png", [("mean_error", "paired"), ("speed", "paired")])
    assert (tmp_path / "few.png").stat().st_size > 0

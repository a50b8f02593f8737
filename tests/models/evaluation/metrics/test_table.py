"""Each named metric computes, says what it is, and is left out rather than 0 where it cannot be measured."""

import numpy as np
import pytest

from models.evaluation.metrics.autoencoder import MotionEncoder, train_encoder
from models.evaluation.metrics.collection import Collection, NotMeasured, WindowSet
from models.evaluation.metrics.diversity import hands
from models.evaluation.metrics.table import METRICS, SETS, Item, Metric
from models.evaluation.metrics.windows import gesture_windows

pytestmark = pytest.mark.xdist_group("librosa")  # compiled once, in one process

PERFECT = {
    "mean_error": 0.0, "bone_error": 0.0, "lip_error": 0.0, "pcm": 1.0, "lips_truth": 1.0, "lips_truth_best": 1.0,
    **{f"pck_{name}": 1.0 for name in ("tenth", "fifth", "half", "5px", "10px", "20px")},
}  # fmt: skip
POSED = [name for name, metric in METRICS.items() if "frames" not in metric.needs]
"""Metrics of the pose; those of frames have a file of their own."""


def collection(generated, truth, encoder, samples=()) -> Collection:
    return Collection(
        WindowSet.of(generated, encoder), WindowSet.of(truth, encoder), encoder, [hands(each) for each in samples]
    )  # fmt: skip


@pytest.mark.parametrize("name", POSED)
def test_the_truth_has_a_finite_value_and_the_best_where_it_is_paired(name, pose, voice) -> None:
    metric = METRICS[name]
    value = metric.compute(Item(pose, pose, voice))
    assert value is not None and np.isfinite(value)
    assert metric.paired == (name in PERFECT)
    if metric.paired:
        assert value == pytest.approx(PERFECT[name])
        assert metric.better == ("higher" if PERFECT[name] else "lower")
        assert metric.compute(Item(pose, None, voice)) is None


@pytest.mark.parametrize("name", POSED)
def test_a_person_who_was_never_found_is_not_measured(name, pose, voice) -> None:
    assert METRICS[name].compute(Item(np.zeros_like(pose), pose, voice)) is None


@pytest.mark.parametrize("name", [name for name in POSED if METRICS[name].paired])
def test_a_late_and_shaken_motion_is_worse_than_the_truth(name, pose, voice, faulted) -> None:
    metric = METRICS[name]
    broken = faulted("late", 6)
    broken += faulted("shaken", 60.0) - pose
    value, perfect = metric.compute(Item(broken, pose, voice)), PERFECT[name]
    assert value is not None
    worse = perfect - value if metric.better == "higher" else value - perfect
    assert worse > 1e-3  # the truth itself is off by rounding


def test_silence_has_no_beats_and_no_loudness(pose, voice) -> None:
    for name, metric in METRICS.items():
        if name.startswith(("beats", "lips_voice")):
            assert metric.compute(Item(pose, pose, np.zeros_like(voice))) is None


@pytest.fixture(scope="module")
def encoder(talkers) -> MotionEncoder:
    windows = np.concatenate([gesture_windows(pose, step=16) for pose, _ in talkers])
    return train_encoder(windows, seed=0, epochs=1, width=8)


@pytest.fixture
def windows(talkers) -> np.ndarray:
    return np.concatenate([gesture_windows(pose, step=1) for pose, _ in talkers])


@pytest.fixture
def samples(talkers) -> list[np.ndarray]:
    poses = [pose for pose, _ in talkers]
    return [np.stack(poses[:3]), np.stack(poses[3:])]


@pytest.fixture
def drawn(windows, samples, encoder) -> Collection:
    return collection(windows, windows, encoder, samples)


@pytest.mark.parametrize("name", SETS)
def test_a_set_that_is_the_truth_is_measured_twice_alike(name, drawn) -> None:
    value = SETS[name].compute(drawn)
    assert value is not None and np.isfinite(value) and value == SETS[name].compute(drawn)
    assert value == pytest.approx(0.0, abs=1e-6) if name == "fgd" else value > 0.0


def test_one_motion_again_and_again_is_not_diverse(windows, samples, encoder) -> None:
    one = windows[:1].repeat(300, axis=0)
    same = collection(one, windows, encoder, [samples[0][:1].repeat(3, axis=0)])
    for name in ("l1_shuffled", "pairwise", "l2_pairs", "hands"):
        assert SETS[f"diversity_{name}"].compute(same) == pytest.approx(0.0, abs=1e-5)
    moving = SETS["diversity_l1_within"].compute(same)
    assert moving is not None and moving > 0.0
    far = SETS["fgd"].compute(same)
    assert far is not None and far > 0.01


LEAST = {
    "fgd": 2, "fgd_floor": 4, "diversity_l1_shuffled": 2, "diversity_l1_within": 1, "diversity_pairwise": 2,
    "diversity_l2_pairs": 300,
}  # fmt: skip


@pytest.mark.parametrize("name", LEAST)
def test_a_set_of_too_few_windows_is_not_measured_and_one_more_is(name, windows, encoder) -> None:
    metric, least = SETS[name], LEAST[name]
    windows = np.resize(windows, (least, *windows.shape[1:]))
    enough = metric.measure(collection(windows, windows, encoder))
    assert isinstance(enough, float) and np.isfinite(enough)
    for one, other in ((windows[1:], windows), (windows, windows[1:])):
        few = metric.measure(collection(one, other, encoder))
        are = {1: "is none", 2: "is 1"}.get(least, f"are {least - 1}").replace(
            "is none", "are none"
        )
        plural = "s" if least > 1 else ""
        assert few == NotMeasured(f"it takes {least} window{plural} of 64 frames, there {are}")


def test_a_set_without_an_encoder_is_measured_where_none_is_needed(windows, samples) -> None:
    why = NotMeasured("it takes an encoder")
    blind = collection(windows, windows, why, samples)
    for name, metric in SETS.items():
        assert (metric.measure(blind) == why) == metric.coded, name


def test_motions_without_hands_have_no_diversity_of_hands(windows, samples, drawn, encoder) -> None:
    unseen = np.zeros((3, 70, 133, 3), np.float32)
    for each in ([], [unseen]):
        found = SETS["diversity_hands"].measure(collection(windows, windows, encoder, each))
        assert isinstance(found, NotMeasured) and "show hands and shoulders" in found.reason
    both = collection(windows, windows, encoder, [unseen, *samples])
    assert SETS["diversity_hands"].measure(both) == SETS["diversity_hands"].measure(drawn)


def test_windows_are_encoded_alike_in_whatever_pieces_they_come(windows, encoder) -> None:
    whole, pieces = WindowSet.of(windows, encoder), WindowSet(encoder)
    for part in np.array_split(windows, 40):
        pieces.add(part)
    assert len(whole) == len(pieces) == len(windows) == sum(pieces.counts)
    assert np.allclose(whole.codes(), pieces.codes(), atol=1e-5)
    assert pieces.within.value() == pytest.approx(whole.within.value())
    assert pieces.pairs.value() == pytest.approx(whole.pairs.value())


# ---- no metric is a constant ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in POSED if not METRICS[name].paired])
def test_a_metric_tells_two_motions_apart_in_the_right_direction(
    name, pose, voice, faulted
) -> None:
    """Paired metrics are told apart above: the truth is perfect, a late and shaken motion is not."""
    metric = METRICS[name]
    if name.startswith("beats"):
        near, far = (metric.compute(Item(pausing(pose, off), None, clicks())) for off in (0, 7))
    elif name.startswith("lips"):
        near = metric.compute(Item(pose, None, voice))
        far = metric.compute(Item(shut_when_loud(pose), None, voice))
    else:
        near = metric.compute(Item(faulted("shaken", 5.0), None, voice))
        far = metric.compute(Item(pose, None, voice))
    assert near is not None and far is not None and near > far + 1e-3


def pausing(pose: np.ndarray, off: int) -> np.ndarray:
    """Arms that swing and stand still `off` frames after every 15th; a little later, so that one frame is slowest."""
    way = np.cos(np.pi * (np.arange(len(pose)) - off - 0.4) / 15.0).astype(np.float32)
    swung = np.repeat(pose[:1], len(pose), axis=0)
    for far, joints in ((20.0, [7, 8]), (50.0, [9, 10, *range(91, 133)])):
        swung[:, joints, 0] += far * way[:, None]
        swung[:, joints, 1] += 0.5 * far * way[:, None]
    return swung


def clicks(frames: int = 150) -> np.ndarray:
    """Onsets every 15 frames."""
    voice = np.random.default_rng(0).normal(0.0, 3.0, frames * 640)
    for first in range(0, frames, 15):
        voice[first * 640 : first * 640 + 2000] += (
            8_000 * np.exp(-np.arange(2000) / 400.0) * np.sin(np.arange(2000))
        )
    return voice.astype(np.int16)


def shut_when_loud(pose: np.ndarray) -> np.ndarray:
    """The mouth turned around: open where it was shut."""
    turned, lower = pose.copy(), [88, 89, 90]
    turned[:, lower, 1] = pose[:, lower, 1].max() + pose[:, lower, 1].min() - pose[:, lower, 1]
    return turned


@pytest.mark.parametrize("name", [name for name in SETS if name != "fgd_floor"])
def test_a_set_of_larger_motions_has_a_larger_value(name, windows, samples, encoder) -> None:
    still = windows - 0.9 * (windows - windows.mean(axis=(0, 1)))
    near = [np.concatenate([each[:1], each[:1] + 0.1 * (each[1:] - each[:1])]) for each in samples]
    near = [np.where(each[..., 2:] > 0, each, 0.0) for each in near]
    small = SETS[name].compute(
        collection(windows if name == "fgd" else still, windows, encoder, near)
    )
    large = SETS[name].compute(
        collection(windows + (windows - windows.mean(axis=(0, 1))), windows, encoder, samples)
    )
    assert small is not None and large is not None and large > small


@pytest.mark.parametrize("name", ["fgd_floor"])
def test_the_floor_of_the_distance_falls_with_the_number_of_windows(name, windows, encoder) -> None:
    few, many = (
        SETS[name].compute(collection(part, part, encoder)) for part in (windows[::40], windows)
    )
    assert few is not None and many is not None and few > many > 0.0


@pytest.mark.parametrize("frames", [1, 2, 3, 24])
def test_a_clip_of_a_few_frames_is_measured_or_not_and_nothing_breaks(frames, pose, voice) -> None:
    short, sound = pose[:frames], voice[: 640 * frames]
    for name in POSED:
        value = METRICS[name].compute(Item(short, short, sound))
        assert value is None or np.isfinite(value), name
        assert not name.startswith("lips") or value is None


def test_a_clip_that_shows_nobody_is_not_measured(pose, voice) -> None:
    nobody = np.zeros_like(pose)
    assert {metric.compute(Item(nobody, nobody, voice)) for metric in METRICS.values()} == {None}


@pytest.mark.parametrize("name", [*METRICS, *SETS])
def test_a_definition_is_one_sentence_with_a_unit_and_a_source(name) -> None:
    metric = METRICS.get(name) or SETS[name]
    assert metric.definition.endswith(".") and metric.unit and metric.source
    assert metric.definition.count(". ") == 0
    assert not isinstance(metric, Metric) or (metric.needs and metric.lacking)

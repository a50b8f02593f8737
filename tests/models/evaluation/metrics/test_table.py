"""Each named metric computes, says what it is, and is left out rather than 0 where it cannot be measured."""

import numpy as np
import pytest

from models.evaluation.metrics.autoencoder import MotionEncoder, train_encoder
from models.evaluation.metrics.table import METRICS, SETS, Collection, Metric, NotMeasured
from models.evaluation.metrics.windows import gesture_windows

pytestmark = pytest.mark.xdist_group("librosa")  # compiled once, in one process

PERFECT = {
    "mean_error": 0.0, "bone_error": 0.0, "lip_error": 0.0, "pcm": 1.0, "lips_truth": 1.0, "lips_truth_best": 1.0,
    **{f"pck_{name}": 1.0 for name in ("tenth", "fifth", "half", "5px", "10px", "20px")},
}  # fmt: skip


@pytest.mark.parametrize("name", METRICS)
def test_the_truth_has_a_finite_value_and_the_best_where_it_is_paired(name, pose, voice) -> None:
    metric = METRICS[name]
    value = metric.compute(pose, pose, voice)
    assert value is not None and np.isfinite(value)
    assert metric.paired == (name in PERFECT)
    if metric.paired:
        assert value == pytest.approx(PERFECT[name])
        assert metric.better == ("higher" if PERFECT[name] else "lower")
        assert metric.compute(pose, None, voice) is None


@pytest.mark.parametrize("name", METRICS)
def test_a_person_who_was_never_found_is_not_measured(name, pose, voice) -> None:
    assert METRICS[name].compute(np.zeros_like(pose), pose, voice) is None


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.paired])
def test_a_late_and_shaken_motion_is_worse_than_the_truth(name, pose, voice, faulted) -> None:
    metric = METRICS[name]
    broken = faulted("late", 6)
    broken += faulted("shaken", 60.0) - pose
    value, perfect = metric.compute(broken, pose, voice), PERFECT[name]
    assert value is not None
    assert value < perfect if metric.better == "higher" else value > perfect


def test_silence_has_no_beats_and_no_loudness(pose, voice) -> None:
    for name, metric in METRICS.items():
        if name.startswith(("beats", "lips_voice")):
            assert metric.compute(pose, pose, np.zeros_like(voice)) is None


@pytest.fixture(scope="module")
def encoder(talkers) -> MotionEncoder:
    windows = np.concatenate([gesture_windows(pose, step=16) for pose, _ in talkers])
    return train_encoder(windows, seed=0, epochs=1, width=8)


@pytest.fixture
def drawn(talkers, encoder) -> Collection:
    poses = [pose for pose, _ in talkers]
    windows = np.concatenate([gesture_windows(pose, step=1) for pose in poses])
    return Collection(windows, windows, encoder, samples=[np.stack(poses[:3]), np.stack(poses[3:])])


@pytest.mark.parametrize("name", SETS)
def test_a_set_that_is_the_truth_is_measured_twice_alike(name, drawn) -> None:
    value = SETS[name].compute(drawn)
    assert value is not None and np.isfinite(value) and value == SETS[name].compute(drawn)
    assert value == pytest.approx(0.0, abs=1e-6) if name == "fgd" else value > 0.0


def test_one_motion_again_and_again_is_not_diverse(drawn, encoder) -> None:
    one = drawn.generated[:1].repeat(300, axis=0)
    same = Collection(one, drawn.truth, encoder, samples=[drawn.samples[0][:1].repeat(3, axis=0)])
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
def test_a_set_of_too_few_windows_is_not_measured_and_one_more_is(name, drawn, encoder) -> None:
    metric, least = SETS[name], LEAST[name]
    windows = np.resize(drawn.truth, (least, *drawn.truth.shape[1:]))
    enough = metric.measure(Collection(windows, windows, encoder))
    assert isinstance(enough, float) and np.isfinite(enough)
    for one, other in ((windows[1:], windows), (windows, windows[1:])):
        few = metric.measure(Collection(one, other, encoder))
        are = {1: "is none", 2: "is 1"}.get(least, f"are {least - 1}").replace(
            "is none", "are none"
        )
        plural = "s" if least > 1 else ""
        assert few == NotMeasured(f"it takes {least} window{plural} of 64 frames, there {are}")


def test_a_set_without_an_encoder_is_measured_where_none_is_needed(drawn) -> None:
    why = NotMeasured("it takes an encoder")
    blind = Collection(drawn.truth, drawn.truth, why, drawn.samples)
    for name, metric in SETS.items():
        assert (metric.measure(blind) == why) == metric.coded, name


def test_motions_without_hands_have_no_diversity_of_hands(drawn, encoder) -> None:
    unseen = np.zeros((3, 70, 133, 3), np.float32)
    for samples in ([], [unseen]):
        found = SETS["diversity_hands"].measure(
            Collection(drawn.truth, drawn.truth, encoder, samples)
        )
        assert isinstance(found, NotMeasured) and "show hands and shoulders" in found.reason
    both = Collection(drawn.truth, drawn.truth, encoder, [unseen, *drawn.samples])
    assert SETS["diversity_hands"].measure(both) == SETS["diversity_hands"].measure(drawn)


@pytest.mark.parametrize("frames", [1, 2, 3, 24])
def test_a_clip_of_a_few_frames_is_measured_or_not_and_nothing_breaks(frames, pose, voice) -> None:
    short, sound = pose[:frames], voice[: 640 * frames]
    for name, metric in METRICS.items():
        value = metric.compute(short, short, sound)
        assert value is None or np.isfinite(value), name
        assert not name.startswith("lips") or value is None


def test_a_clip_that_shows_nobody_is_not_measured(pose, voice) -> None:
    nobody = np.zeros_like(pose)
    assert {metric.compute(nobody, nobody, voice) for metric in METRICS.values()} == {None}


@pytest.mark.parametrize("name", [*METRICS, *SETS])
def test_a_definition_is_one_sentence_with_a_unit_and_a_source(name) -> None:
    metric = METRICS.get(name) or SETS[name]
    assert metric.definition.endswith(".") and metric.unit and metric.source
    assert metric.definition.count(". ") == 0
    assert metric.needs or not isinstance(metric, Metric)

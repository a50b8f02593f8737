"""The index of voices: what it finds is the nearest there is, and it stays as small as it is told to."""

import numpy as np
import pytest

from models.data.features import Features, Recipe, family, pose_features, prepare
from models.data.index import Motions
from models.data.skeleton import Skeleton
from models.data.statistics import statistics_of
from models.evaluation.nearest import STEP, Nearest, VoiceIndex, embedded
from tests.models.evaluation.worlds import motions
from tests.models.making import Made

LAYOUT = Skeleton(smoothing=None)
FRAMES = (60, 90, 75, 30)


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Motions:
    clips = tuple(Made(10 + number, frames) for number, frames in enumerate(FRAMES))
    return motions(tmp_path_factory.mktemp("near"), clips)


@pytest.fixture(scope="module")
def voices(training: Motions) -> Features:
    def make(motions: Motions, number: int) -> np.ndarray:
        return np.random.default_rng(number).normal(size=(motions.entries[number].frames, 8))

    return prepare(training, Recipe(family("random", "of tests", 8, np.float32), make))


def test_the_nearest_neighbour_of_a_training_voice_is_its_own_motion(
    training: Motions, voices: Features
) -> None:
    values = prepare(training, pose_features(LAYOUT))
    index = VoiceIndex.of(training.entries, voices, window=20)
    generator = Nearest(LAYOUT, statistics_of(training, values), index, values)
    for number, entry in enumerate(training.entries):
        if entry.frames < 50:
            continue
        pose = training.pose(number)
        made = generator(voices.rows(entry)[10:25], np.zeros(0, np.int16), pose[0])
        assert np.allclose(made[..., :2], pose[10:25, :, :2], atol=0.01)
        last = entry.frames // STEP * STEP
        made = generator(voices.rows(entry)[last - 40 : last], np.zeros(0, np.int16), pose[0])
        assert np.allclose(made[..., :2], pose[last - 40 : last, :, :2], atol=0.01)


@pytest.mark.parametrize("length", [1, 7, 20, 50])
def test_what_is_found_is_the_nearest_of_all_windows(
    training: Motions, voices: Features, length: int
) -> None:
    index = VoiceIndex.of(training.entries, voices)
    wanted = [np.random.default_rng(seed).normal(size=(length, 8)) for seed in range(20)]
    for query, (found, first) in zip(wanted, index.nearest(wanted), strict=True):
        short = embedded(query.astype(np.float32))
        apart = {
            (entry.id, at): np.square(
                embedded(voices.rows(entry, at, 50))[: len(short)].astype(np.float64) - short
            ).sum()
            for entry in training.entries
            for at in range(0, entry.frames - 50 + 1, STEP)
        }
        assert (found.id, first) == min(apart, key=lambda place: apart[place])


def test_an_index_keeps_to_its_size_and_takes_its_share_of_each_clip(
    training: Motions, voices: Features
) -> None:
    whole = VoiceIndex.of(training.entries, voices, window=20)
    some = VoiceIndex.of(training.entries, voices, window=20, at_most=10)
    assert len(whole.matrix) == whole.found == some.found == 9 + 15 + 12 + 3
    assert len(some.matrix) == 10
    shares = np.bincount(some.owners, minlength=4), np.bincount(whole.owners) * 10 / 39
    assert np.abs(shares[0] - shares[1]).max() < 1.0
    assert len({*zip(some.owners, some.firsts, strict=True)}) == 10
    assert "10 of 39 windows" in some.facts and "all 39 windows" in whole.facts
    for row, owner, first in zip(some.matrix, some.owners, some.firsts, strict=True):
        assert (row == embedded(voices.rows(training.entries[owner], int(first), 20))).all()


def test_windows_are_as_long_as_the_longest_clip_where_all_are_short(
    training: Motions, voices: Features
) -> None:
    short = [entry for entry in training.entries if entry.frames == 30]
    index = VoiceIndex.of(short, voices)
    assert (index.window, len(index.matrix)) == (30, 1)
    assert VoiceIndex.of([], voices).nearest([np.zeros((5, 8))]) == []

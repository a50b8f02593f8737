"""Figures of own, shifted and foreign voices: known values, ties, chance, intervals over people."""

import numpy as np
import pytest

from models.evaluation.matching import CHANCE, Match, intervals


def match(own: np.ndarray, foreign: np.ndarray | None = None) -> Match:
    return Match(own, np.zeros((0, len(own))) if foreign is None else foreign)


def test_a_face_that_fits_its_voice_alone_has_the_best_of_each() -> None:
    own = np.zeros((7, 31))
    own[:, 15] = 1.0
    found = match(own, np.full((3, 7), 0.5))
    assert found.figures() == {name: 1.0 for name in CHANCE}
    assert found.loss() == pytest.approx(np.log(30 + np.e) - 1.0)


def test_equal_scores_are_chance() -> None:
    found = match(np.zeros((7, 31)), np.zeros((2, 7)))
    assert found.figures()["own_over_shifted"] == found.figures()["own_over_foreign"] == 0.5
    assert found.loss() == pytest.approx(np.log(31))


def test_a_neighbouring_frame_is_no_shifted_voice_and_an_offset_of_one_is_right() -> None:
    own = np.zeros((4, 31))
    own[:, 15], own[:, 16] = 1.0, 2.0
    assert match(own).figures() == {"own_over_shifted": 1.0, "offset_within_1": 1.0}
    own[:, 17] = 3.0
    figures = match(own).figures()
    assert figures["own_over_shifted"] == pytest.approx(27 / 28)
    assert figures["offset_within_1"] == 0.0


def test_noise_is_by_chance_what_chance_says() -> None:
    random = np.random.default_rng(0)
    found = [
        match(random.normal(size=(10, 31)), random.normal(size=(4, 10))).figures()
        for _ in range(2000)
    ]
    for name, chance in CHANCE.items():
        assert np.mean([each[name] for each in found]) == pytest.approx(chance, abs=0.02)


def test_an_interval_is_over_people_and_not_over_clips() -> None:
    found = [{"offset_within_1": float(n < 20)} for n in range(40)]
    two = intervals(found, ["ada"] * 20 + ["bea"] * 20, seed=0)["offset_within_1"]
    many = intervals(found, [str(n) for n in range(40)], seed=0)["offset_within_1"]
    assert (two.mean, two.low, two.high, two.count) == (0.5, 0.0, 1.0, 2)
    assert many.count == 40 and many.high - many.low < 0.4
    assert set(intervals(found, [""] * 40, seed=0)) == {"offset_within_1"}

"""Mouth and voice on common axes: the curve, its peak, and how well two opinions agree."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.perception.sync.fitted import LIGHT_ASD, LIPS
from pipeline.perception.sync.lipvoice import (
    GROUPS,
    MEASURES,
    QUARTERS,
    TAPS,
    Axes,
    Peak,
    agreement,
    around,
    bands,
    curve,
    peak,
)

PLAIN = Axes(visual=np.eye(1), audio=np.eye(len(TAPS))[:, [TAPS.index(0)]], weight=np.array([1.0]))


def wave(frames: int, *, rate: int, seed: int = 5) -> np.ndarray:
    """A band-limited curve sampled `rate` times a frame: sines of up to 6 Hz."""
    random = np.random.default_rng(seed)
    t = np.arange(frames * rate) / rate / 25.0
    sines = (
        (a, f, p)
        for a, f, p in zip(*random.uniform((0.5, 1, 0), (1, 6, 6), (30, 3)).T, strict=True)
    )
    return np.sum([a * np.sin(2 * np.pi * f * t + p) for a, f, p in sines], axis=0)[:, None]


@pytest.mark.parametrize("late", [-9.0, -0.25, 0.0, 3.5, 12.75])
@pytest.mark.parametrize("margin", [4, 15, 18])
def test_an_offset_is_found_to_a_quarter_of_a_frame(late: float, margin: int) -> None:
    fine, start = wave(180, rate=4), 40
    mouth = fine[4 * start : 4 * (start + 100) : 4]
    first = 4 * (start - margin) - round(4 * late)
    voice = fine[first : first + 4 * (100 + 2 * margin)]
    found = peak(curve(mouth, voice, PLAIN, margin=margin))
    assert found.offset == pytest.approx(late, abs=0.1)
    assert found.height > 0.95
    assert found.clear > 0.1


def test_the_peak_lies_between_the_steps() -> None:
    top = QUARTERS / 4.0
    found = peak(1.0 - 0.01 * (top - 2.1) ** 2)
    assert found.offset == pytest.approx(2.1)
    assert found.clear == pytest.approx(
        0.01 * 4.9**2, abs=1e-3
    )  # the rival is 5 frames from the step at 2.0


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_curve_that_still_rises_at_the_end_has_no_clear_peak(side: float) -> None:
    found = peak(side * QUARTERS.astype(float))
    assert (found.offset, found.clear) == (15.0 * side, 0.0)


def test_opinions_that_point_beyond_the_end_do_not_agree() -> None:
    assert agreement((Peak(15.0, 1.0, 1.0), Peak(15.0, 1.0, 1.0))) == 0.0
    assert agreement((Peak(14.75, 1.0, 1.0), Peak(14.75, 1.0, 1.0))) == 1.0


@given(st.lists(st.floats(-14.99, 14.99), min_size=1, max_size=4))
def test_agreement_is_one_for_one_offset_and_falls_with_the_distance(offsets: list[float]) -> None:
    found = agreement(tuple(Peak(one, 0.0, 0.0) for one in offsets))
    assert 0.0 < found <= 1.0
    assert (found == 1.0) == (max(offsets) - min(offsets) < 1e-8)


def test_opinions_a_quarter_of_a_frame_apart_count_half() -> None:
    assert agreement((Peak(1.0, 0.0, 0.0), Peak(1.25, 0.0, 0.0))) == pytest.approx(0.5)


def test_a_tone_is_heard_in_the_group_around_it() -> None:
    beat = np.sin(2 * np.pi * 3.0 * np.arange(64000) / 16000.0) > 0.0
    tone = 8000 * beat * np.sin(2 * np.pi * 800.0 * np.arange(64000) / 16000.0)
    noise = np.random.default_rng(1).normal(size=64000) * 30
    audio = bands((tone + noise).astype(np.int16), frames=100)
    assert audio.shape == (400, len(GROUPS))
    shown = np.repeat(beat[::640], 4) - 0.5
    assert np.corrcoef(shown, audio[:, 2])[0, 1] > 0.4


def test_rows_stand_beside_those_of_the_frames_around() -> None:
    rows = np.arange(40.0)[:, None]
    np.testing.assert_array_equal(around(rows)[20], [12.0, 16.0, 20.0, 24.0, 28.0])
    np.testing.assert_array_equal(around(rows)[0], [0.0, 0.0, 0.0, 4.0, 8.0])


@pytest.mark.parametrize(("axes", "features"), [(LIPS, MEASURES), (LIGHT_ASD, MEASURES + 128)])
def test_the_fitted_axes_fit_the_features(axes: Axes, features: int) -> None:
    assert axes.visual.shape == (features, 2)
    assert axes.audio.shape == (len(TAPS) * len(GROUPS), 2)
    assert axes.weight.sum() == pytest.approx(1.0, abs=2e-3)

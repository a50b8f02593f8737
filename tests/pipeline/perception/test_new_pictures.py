"""New pictures per second: drawn steps with known answers, then drawn pictures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.perception.shots.new_pictures import (
    CELLS,
    NewPictures,
    of_person,
    smoothed,
    step,
    touched,
)

MEASURE = NewPictures()


def stays(frames: int, *, every: int, new: int = 60, repeat: int = 1) -> np.ndarray:
    """Steps of one cell in which each picture stays for `every` frames."""
    steps = np.full((frames, 1), repeat, np.uint8)
    steps[::every] = new
    return steps


def rate(steps: np.ndarray, *, fps: float = 25.0) -> float | None:
    (found,) = MEASURE.rates(steps, np.arange(len(steps)) / fps)
    return found


@pytest.mark.parametrize("every", [2, 3, 5, 12, 20])
def test_each_picture_held_for_some_frames_is_counted_once(every: int) -> None:
    assert rate(stays(250, every=every)) == pytest.approx(25.0 / every)


def test_two_new_pictures_in_five_frames_are_ten_a_second() -> None:
    steps = np.tile(np.array([60, 1, 60, 1, 1], np.uint8), 40)[:, None]
    assert rate(steps) == pytest.approx(10.0, rel=0.01)


def test_grain_that_lifts_all_steps_changes_nothing() -> None:
    assert rate(stays(250, every=5, new=90, repeat=31)) == pytest.approx(5.0)


def test_who_moves_and_rests_is_not_taken_for_few_pictures() -> None:
    moves = np.tile(np.r_[np.full(20, 30), np.full(30, 1)].astype(np.uint8), 5)[:, None]
    assert rate(moves) == pytest.approx(25.0)


def test_motion_that_swells_and_fades_is_not_taken_for_few_pictures() -> None:
    moves = (30 + 28 * np.sin(np.arange(250) / 3.0)).astype(np.uint8)[:, None]
    assert rate(moves) == pytest.approx(25.0)


def test_steps_that_are_all_alike_tell_nothing() -> None:
    """As when a camera pans: the file's own rate then stands."""
    assert rate(stays(250, every=1)) is None


def test_too_little_motion_tells_nothing() -> None:
    assert rate(stays(250, every=5, new=6, repeat=1)) is None
    assert rate(stays(250, every=5, new=7, repeat=1)) == pytest.approx(5.0)


def test_a_still_picture_whose_key_frames_pop_tells_nothing() -> None:
    assert rate(stays(500, every=50, new=20)) is None


def test_a_shot_of_a_few_pictures_tells_nothing() -> None:
    assert rate(stays(4, every=1)) is None
    assert MEASURE.rates(stays(1, every=1), np.zeros(1)) == (None,)


@given(st.integers(2, 12), st.sampled_from([5.0, 12.5, 24000 / 1001, 25.0, 50.0]))
def test_the_rate_follows_the_clock(every: int, fps: float) -> None:
    steps = stays(400, every=every)
    found = rate(steps, fps=fps)
    if fps / every > 1.0:
        assert found == pytest.approx(fps / every)
    else:
        assert found is None or found <= fps


def test_a_rate_that_varies_is_told_by_its_times() -> None:
    times = np.cumsum(np.tile([0.04, 0.08], 60))
    (found,) = MEASURE.rates(stays(120, every=2), times)
    assert found == pytest.approx(1.0 / 0.12)


def test_a_step_is_the_largest_change_of_each_cell() -> None:
    before = np.full((72, 128), 100, np.uint8)
    after = before.copy()
    after[20:26, 40:46] = 130  # row 1, column 1
    after[70:, 126:] = 90  # the last cell
    steps = step(smoothed(before), smoothed(after)).reshape(CELLS, CELLS)
    assert steps[1, 1] == 30 and steps[3, 3] > 0
    assert (steps > 0).sum() == 2


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (72, 128), (129, 71)])
def test_pictures_of_any_size_have_sixteen_cells(size: tuple[int, int]) -> None:
    picture = np.zeros(size, np.uint8)
    assert step(smoothed(picture), smoothed(picture)).shape == (CELLS * CELLS,)


def test_a_person_is_asked_for_in_their_own_cells() -> None:
    cells = [5.0] * 8 + [25.0] * 8  # a screen above, a person below
    face = (300.0, 420.0, 60.0, 60.0)
    assert of_person(tuple(cells), face, (640, 720)) == 25.0
    assert of_person(tuple(cells), (300.0, 0.0, 60.0, 60.0), (640, 720)) == 5.0


def test_cells_that_cannot_tell_are_left_out() -> None:
    one = (None,) * 5 + (12.5,) + (None,) * 10
    assert of_person(one, (200.0, 120.0, 60.0, 60.0), (640, 360)) == 12.5
    assert of_person((None,) * 16, (200.0, 120.0, 60.0, 60.0), (640, 360)) is None
    assert of_person((), (200.0, 120.0, 60.0, 60.0), (640, 360)) is None


@given(st.floats(-500, 1500), st.floats(0.1, 2000))
def test_something_is_touched_wherever_a_box_lies(first: float, length: float) -> None:
    cells = touched(first, first + length, 640)
    assert len(cells) >= 1 and set(cells) <= set(range(CELLS))

"""How the truth about sync is counted: thresholds from other people, intervals over people, axes from other people."""

import numpy as np
import pytest

from benchmarks.truth.sync import (
    Answered,
    Case,
    Filtered,
    answered,
    filtered,
    half_of,
    interval,
    share,
    threshold,
)
from benchmarks.truth.sync_clips import SPEAKERS
from benchmarks.truth.sync_fit import Follow, canonical, fitted
from pipeline.perception.sync.embedded import OPENS
from pipeline.perception.sync.lipvoice import GROUPS, MEASURES, curve, peak

NAMES = [f"{name}.0" for name in SPEAKERS]
SIDES = [[name for name in NAMES if half_of(name) == side] for side in (0, 1)]


def cases(names: list[str], sure: float, *, right: bool, times: int = 5) -> list[Case]:
    return [Case(name, right, sure) for name in names for _ in range(times)]


def test_each_half_has_people() -> None:
    assert min(len(side) for side in SIDES) >= 6


def test_a_threshold_is_the_lowest_from_which_enough_are_right() -> None:
    some = cases(SIDES[0][:4], 3.0, right=True) + cases(SIDES[0][:4], 1.0, right=False)
    assert threshold(some) == 3.0


def test_one_lucky_person_sets_no_threshold() -> None:
    some = cases(SIDES[0][:1], 3.0, right=True, times=50)
    assert threshold(some + cases(SIDES[0][1:5], 1.0, right=False)) is None


def test_a_threshold_is_used_on_the_other_half_of_the_people_only() -> None:
    good = cases(SIDES[0], 3.0, right=True) + cases(SIDES[0], 1.0, right=False)
    other = cases(SIDES[1], 2.0, right=False) + cases(SIDES[1], 4.0, right=False)
    found: Answered = answered(good + other)
    assert found.limits == (None, 3.0)
    assert {one.sure for one in found.kept} == {4.0}
    assert not any(one.right for one in found.kept)


def test_a_case_without_a_sure_reference_is_not_asked() -> None:
    some = [Case(n, True, 3.0, known=3.0) for side in SIDES for n in side]
    vague = [Case(n, False, 3.0, known=0.0) for side in SIDES for n in side]
    found = answered(some + vague)
    assert len(found.asked) == len(found.kept) == len(some)


def test_the_interval_is_over_people_and_not_over_cases() -> None:
    few = cases(["a"], 1.0, right=True, times=100) + cases(["b"], 1.0, right=False, times=100)
    assert interval(few, share) == (0.0, 1.0)


def test_a_filter_is_fitted_on_one_half_and_counted_on_the_other() -> None:
    values = [
        Filtered(name, fault, value)
        for name in NAMES
        for fault, value in ((True, 0.0), (True, 0.5), (False, 2.0), (False, 3.0))
    ]
    cells = filtered(values).split(" | ")
    assert cells[0] == "40 + 40"
    assert cells[1:4] == ["1.00", "1.000", "1.000"]


THIRD = np.eye(len(GROUPS))[2]


def follows(people: int, *, says: np.ndarray = THIRD, late: int = 0) -> list[Follow]:
    """Mouths whose first four measures say what some band groups say, `late` frames later."""
    random = np.random.default_rng(3)
    found = list[Follow]()
    for _ in range(people):
        heard = random.normal(size=(800, len(GROUPS)))
        heard = np.apply_along_axis(np.convolve, 0, heard, np.hanning(17), mode="same")
        spoken = np.roll(heard @ says, -4 * late)[::4, None]
        lips = random.normal(size=(200, MEASURES)) * 0.3
        lips[:, :4] += spoken / spoken.std()
        found.append(Follow(lips, lips, heard / heard.std(axis=0), late=float(late)))
    return found


def test_canonical_axes_listen_to_the_group_that_speaks() -> None:
    axes = canonical(follows(4))
    assert int(np.abs(axes.heard[:, 0]).argmax()) == 2 * len(GROUPS) + 2
    assert axes.share[0] > 0.9


def test_a_fit_without_a_sure_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="got none from 0 people"):
        canonical([])


@pytest.mark.parametrize("late", [0, 3])
def test_a_fit_finds_the_offsets_of_its_own_people(late: int) -> None:
    axes = fitted(follows(4, says=OPENS, late=late))
    one = follows(5, says=OPENS, late=late)[-1]
    found = peak(curve(one.seen[15:-15], one.heard, axes, margin=15))
    assert found.offset == pytest.approx(late, abs=0.25)

"""What the truth tables say of filters whose worth is known."""

import numpy as np
import pytest

from pipeline.validation.scores import Case, fit, halves_of, histogram, interval, judged, score


def cases(*, faulty: float, clean: float, people: int = 8, each: int = 10) -> list[Case]:
    """Values around two means, people with and without the fault."""
    draw = np.random.default_rng(0)
    return [
        Case(f"{fault}-{person}", fault, float(draw.normal(faulty if fault else clean, 0.1)), 1.0)
        for fault in (True, False)
        for person in range(people)
        for _ in range(each)
    ]


def test_a_filter_that_separates_is_worth_one_at_a_fitted_threshold() -> None:
    result = judged(cases(faulty=0.0, clean=2.0), keeps=">=", threshold=1.0)
    assert (result.own.precision, result.own.recall) == (1.0, 1.0)
    assert (result.fitted.precision, result.fitted.recall) == (1.0, 1.0)
    assert all(0.3 < limit < 1.7 for limit in result.thresholds)
    assert result.baseline is not None and not result.baseline.recall > 0.0


def test_the_other_way_round_is_the_same_filter() -> None:
    flipped = [Case(c.person, c.fault, -(c.value or 0.0)) for c in cases(faulty=0.0, clean=2.0)]
    assert judged(flipped, keeps="<=", threshold=-1.0).own.recall == 1.0


def test_precision_does_not_depend_on_how_many_cases_a_class_has() -> None:
    dropped = np.array([True, True, False, False, True])
    few = score(dropped, np.array([True, True, False, False, False]))
    many = score(np.concatenate([dropped[:2].repeat(50), dropped[2:]]), np.arange(103) < 100)
    assert few.precision == pytest.approx(many.precision) == pytest.approx(1.0 / (1.0 + 1 / 3))


def test_what_has_no_value_is_dropped_or_kept_as_the_rule_does() -> None:
    unseen = [
        Case("a", True, None),
        Case("b", True, None),
        Case("c", False, 2.0),
        Case("d", False, 2.0),
    ]
    assert judged(unseen, keeps=">=", threshold=1.0, misses_drop=True).own.recall == 1.0
    assert judged(unseen, keeps=">=", threshold=1.0).own.recall == 0.0


def test_a_case_in_which_the_filter_was_not_asked_counts_for_nothing_but_is_told() -> None:
    some = cases(faulty=0.0, clean=2.0)
    unasked = [Case("nobody", True, None, 1.0, dropped=True, asked=False) for _ in range(100)]
    for misses_drop in (False, True):
        with_them = judged([*some, *unasked], keeps=">=", threshold=0.0, misses_drop=misses_drop)
        without = judged(some, keeps=">=", threshold=0.0, misses_drop=misses_drop)
        assert with_them.unknown == (100, 0)
        assert (with_them.cases, with_them.people) == (without.cases, without.people)
        assert (with_them.own, with_them.fitted) == (without.own, without.fitted)
        assert with_them.own.recall < 0.7


def test_nobody_is_in_both_halves_and_both_classes_are_in_each() -> None:
    halves = halves_of(cases(faulty=0.0, clean=1.0))
    for fault in ("True", "False"):
        assert {half for name, half in halves.items() if name.startswith(fault)} == {0, 1}


def test_an_interval_is_wide_where_one_person_decides() -> None:
    faults = np.array([True] * 20 + [False] * 20)
    people = np.array(["a"] * 10 + ["b"] * 10 + ["c"] * 20)
    low, high = interval(faults & (people == "a"), faults, people)
    assert (low.recall, high.recall) == (0.0, 1.0)


def test_a_threshold_lies_in_the_middle_of_the_widest_gap() -> None:
    assert fit(np.array([0.0, 1.0, 5.0, 6.0]), np.array([True, True, False, False])) == 3.0


def test_the_threshold_is_marked_below_the_histogram() -> None:
    drawn = histogram(cases(faulty=0.0, clean=2.0), threshold=1.0).splitlines()
    assert drawn[-1].strip() == "^ 1"
    assert "80" in drawn[1] and "80" in drawn[2]

"""Which clips are chosen: rather more people than many clips of one."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data.index import Entry
from models.evaluation.choice import evenly


def entries(*clips_of: int) -> list[Entry]:
    """So many clips of each person, person after person."""
    return [
        Entry(f"{person:012x}{clip:012x}", "0", "test", f"p{person}", "made", 30, "a", (0, 0), (0, 0))
        for person, count in enumerate(clips_of)
        for clip in range(count)
    ]  # fmt: skip


def test_each_person_comes_once_before_one_comes_twice() -> None:
    held = entries(100, 1, 5, 2)
    for at_most, wanted in ((4, [1, 1, 1, 1]), (7, [2, 1, 2, 2]), (20, [12, 1, 5, 2])):
        counts = Counter(held[n].identity for n in evenly(held, at_most, seed=0))
        assert [counts[f"p{person}"] for person in range(4)] == wanted


def test_the_choice_is_of_the_seed_and_not_of_the_order() -> None:
    held = entries(9, 9, 9)
    chosen = [{held[n].id for n in evenly(held, 5, seed=seed)} for seed in range(20)]
    assert len({frozenset(each) for each in chosen}) > 10
    back = held[::-1]
    assert {back[n].id for n in evenly(back, 5, seed=3)} == chosen[3]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(1, 40), st.integers(0, 99))
def test_a_choice_is_of_so_many_clips_each_once_and_a_larger_one_holds_it(
    sizes, count, seed
) -> None:
    held = entries(*sizes)
    chosen = evenly(held, count, seed=seed)
    assert chosen == sorted(set(chosen)) and len(chosen) == min(count, len(held))
    assert set(chosen) <= set(evenly(held, count + 1, seed=seed))
    counts = Counter(held[n].identity for n in chosen)
    left = Counter(entry.identity for entry in held)
    spare = [counts[name] for name in left if counts[name] < left[name]]
    assert not spare or max(counts.values()) <= min(spare) + 1


def test_all_are_taken_in_their_order_and_none_is_no_choice() -> None:
    held = entries(3, 2)
    assert evenly(held, None, seed=0) == evenly(held, 9, seed=0) == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="at least one clip is chosen, got 0"):
        evenly(held, 0, seed=0)


def test_a_clip_that_comes_changes_the_choice_by_one_at_most() -> None:
    held = entries(30, 30)
    more = [*held, replace(held[0], id="f" * 24)]
    before = {held[n].id for n in evenly(held, 20, seed=1)}
    assert len(before - {more[n].id for n in evenly(more, 20, seed=1)}) <= 1

import tracemalloc
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.perception.speech.grouping import Grouping, find_voices, halves, likeness
from pipeline.perception.speech.interface import joined, stretches, turns_of
from pipeline.perception.speech.turns import (
    Windows,
    best_path,
    cut,
    label,
    means,
    over,
    pure,
    windows_in,
)
from pipeline.perception.speech.voices import unit


def voices_at(kinds, *, spread, seed=0):
    """Window embeddings 0.4 s apart, one direction per kind plus noise that lasts for a window."""
    draw = np.random.default_rng(seed)
    centres = np.eye(64)[:8] * 0.6 + 0.4 / 8.0
    noise = draw.normal(size=(len(kinds), 64)) * spread
    return unit((centres[list(kinds)] + noise).astype(np.float32))


def every(count, hop=0.4):
    return (np.arange(count) * hop + 0.8).astype(np.float32)


@st.composite
def sorted_stretches(draw):
    edges = sorted(draw(st.lists(st.integers(0, 400), min_size=0, max_size=16, unique=True)))
    edges = edges[: len(edges) // 2 * 2]
    return tuple((a / 20.0, b / 20.0) for a, b in zip(edges[::2], edges[1::2], strict=True))


def test_a_mask_becomes_the_seconds_of_its_runs():
    mask = np.array([1, 1, 0, 0, 1, 0, 1], bool)
    assert stretches(mask, 0.5) == ((0.0, 1.0), (2.0, 2.5), (3.0, 3.5))
    assert stretches(np.zeros(0, bool), 0.5) == ()


@given(sorted_stretches(), st.floats(0.0, 3.0))
def test_joining_leaves_only_gaps_that_are_long_enough(parts, gap):
    result = joined(parts, gap)
    assert all(later[0] - earlier[1] >= gap for earlier, later in pairwise(result))
    assert all(any(a <= start and stop <= b for a, b in result) for start, stop in parts)


def test_a_turn_spans_short_pauses_but_not_another_voice():
    parts = ((0.0, 1.0, 7), (1.5, 2.0, 7), (2.1, 2.5, 3), (2.6, 3.0, 7), (4.2, 5.0, 7))
    assert turns_of(parts, 1.0) == (
        (0.0, 2.0, 0), (2.1, 2.5, 1), (2.6, 3.0, 0), (4.2, 5.0, 0),
    )  # fmt: skip


def test_windows_fill_a_stretch_and_end_with_it():
    windows = windows_in(((1.0, 4.1), (6.0, 6.5)), 0.4)
    assert windows.start.tolist() == [100, 140, 180, 220, 250, 600]
    assert windows.stop.tolist() == [260, 300, 340, 380, 410, 650]
    assert windows.chunk.tolist() == [0, 0, 0, 0, 0, 1]


@given(sorted_stretches())
def test_windows_never_leave_their_stretch(chunks):
    windows = windows_in(chunks, 0.4)
    for start, stop, number in zip(windows.start, windows.stop, windows.chunk, strict=True):
        assert chunks[number][0] - 0.006 <= start / 100.0 < stop / 100.0
        assert stop / 100.0 <= max(chunks[number][1], chunks[number][0] + 0.01) + 0.006


def test_a_short_window_is_repeated_until_it_is_long_enough():
    mels = np.arange(200, dtype=np.float32)[:, None].repeat(40, axis=1)
    windows = Windows(np.array([10]), np.array([60]), np.array([0]))
    assert cut(mels, windows)[0, :, 0].tolist() == [10 + i % 50 for i in range(160)]


@given(
    st.lists(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=2), min_size=1, max_size=7),
    st.floats(0.0, 1.5),
)
def test_the_best_path_is_the_best_of_all_paths(scores, switch):
    table = np.array(scores)

    def worth(path):
        changes = sum(a != b for a, b in pairwise(path))
        return sum(table[i, k] for i, k in enumerate(path)) - switch * changes

    best = max(worth(path) for path in product(range(2), repeat=len(table)))
    assert worth(best_path(table, switch).tolist()) == pytest.approx(best)


def test_likeness_is_one_for_one_voice_and_less_for_two():
    one = voices_at([0] * 40, spread=0.05)
    two = voices_at([0, 1] * 20, spread=0.05)
    second = np.arange(40) % 2 == 1
    assert likeness(one, every(40), second) == pytest.approx(1.0, abs=0.02)
    assert likeness(two, every(40), second) < 0.5
    assert likeness(two, every(40), ~second) == pytest.approx(likeness(two, every(40), second))


def test_likeness_by_hand_leaves_out_windows_that_share_sound():
    a, b = np.eye(2, dtype=np.float32)
    mixed = unit(a + b)
    vectors = np.stack([a, mixed, a, b, b]).astype(np.float32)
    middles = np.array([0.0, 0.4, 2.0, 4.0, 6.0], np.float32)
    second = np.array([0, 0, 0, 1, 1], bool)
    within = (1.0 + np.sqrt(0.5)) / 2.0  # a-a and mixed-a; a-mixed share sound
    across = 2.0 * np.sqrt(0.5) / 6.0
    assert likeness(vectors, middles, second) == pytest.approx(across / np.sqrt(within))


def test_likeness_is_one_where_nothing_can_be_compared():
    vectors = voices_at([0, 1], spread=0.0)
    assert likeness(vectors, np.array([0.8, 1.2], np.float32), np.array([False, True])) == 1.0


def test_halves_finds_the_two_groups():
    kinds = np.array([0, 0, 1, 0, 1, 1, 1, 0, 0, 1])
    second = halves(voices_at(kinds, spread=0.03))
    assert (second == (kinds == 1)).all() or (second == (kinds == 0)).all()


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_as_many_voices_are_found_as_there_are(count):
    kinds = np.repeat(np.arange(count), 12).tolist() * 2
    labels = find_voices(voices_at(kinds, spread=0.06), every(len(kinds)), Grouping())
    assert len(set(zip(kinds, labels.tolist(), strict=True))) == count == len(set(labels.tolist()))


@pytest.mark.parametrize(("windows", "found"), [(5, 1), (6, 2)])
def test_a_voice_needs_its_least_seconds(windows, found):
    kinds = [0] * 30 + [1] * windows
    labels = find_voices(voices_at(kinds, spread=0.03), every(len(kinds)), Grouping(least=2.4))
    assert len(set(labels.tolist())) == found


def test_one_window_or_none_is_one_voice_or_none():
    assert find_voices(np.zeros((0, 8), np.float32), every(0), Grouping()).tolist() == []
    assert find_voices(voices_at([0], spread=0.0), every(1), Grouping()).tolist() == [0]


def test_labels_change_where_the_voice_does():
    chunks = ((0.0, 8.0),)
    windows = windows_in(chunks, 0.4)
    kinds = (windows.middles > 4.0).astype(int)
    vectors = voices_at(kinds, spread=0.0)
    parts = label(vectors, windows, voices_at([0, 1], spread=0.0), chunks, 0.5)
    assert [number for *_, number in parts] == [0, 1]
    assert parts[0][0] == 0.0
    assert parts[1][1] == 8.0
    assert parts[0][1] == parts[1][0] == pytest.approx(4.0, abs=0.4)


@given(st.floats(0.1, 20.0), st.sampled_from([0.1, 0.4, 0.7]))
def test_a_slot_asks_the_windows_over_it_as_a_table_of_all_does(seconds, hop):
    middles = windows_in(((3.0, 3.0 + seconds),), hop).middles.astype(np.float64)
    count = max(1, round(seconds * 10))
    times = 3.0 + (np.arange(count) + 0.5) * seconds / count
    distance = np.abs(times[:, None] - middles)
    wanted = np.where(distance <= 0.8, np.maximum(0.8 - distance, 1e-3), 0.0)
    places, weight = over(times, middles)
    table = np.zeros((len(times), len(middles)))
    np.add.at(table, (np.arange(len(times))[:, None], places), weight)
    assert table == pytest.approx(wanted / wanted.sum(axis=1, keepdims=True), abs=1e-9)


def test_a_slot_under_no_window_asks_the_next_one():
    places, weight = over(np.array([0.5, 3.0, 9.0]), np.array([0.8, 5.8]))
    assert (weight * places).sum(axis=1).tolist() == [0.0, 1.0, 1.0]
    assert weight.sum(axis=1).tolist() == [1.0, 1.0, 1.0]


def dialogue(minutes, *, turn, alike):
    """Two voices of this cosine in turn without a pause, seconds each: vectors, windows, voices, chunks."""
    chunks = ((0.0, minutes * 60.0),)
    windows = windows_in(chunks, 0.4)
    sound = np.arange(minutes * 6_000) // round(turn * 100) % 2  # who speaks in each mel frame
    share = np.add.reduceat(sound, np.stack([windows.start, windows.stop - 1], 1).ravel())[::2]
    voices = np.array([[1.0, 0.0], [alike, np.sqrt(1.0 - alike**2)]], np.float32)
    part = (share / 159.0).astype(np.float32)[:, None]
    return unit((1.0 - part) * voices[0] + part * voices[1]), windows, voices, chunks


@pytest.mark.parametrize("minutes", [1, 10, 60])
def test_short_turns_are_found_however_long_nobody_pauses(minutes):
    """Far windows counted 0.001 each: after ten minutes without a pause they drowned those over a slot."""
    parts = label(*dialogue(minutes, turn=2.0, alike=0.85), 0.5)
    assert len(parts) == minutes * 30
    assert [start for start, *_ in parts] == pytest.approx(np.arange(minutes * 30) * 2.0, abs=0.2)


def test_memory_grows_with_the_length_of_a_stretch_and_not_with_its_square():
    """Ten minutes without a pause took 216 MB, an hour 8 GB."""
    said = dialogue(10, turn=5.0, alike=0.6)
    tracemalloc.start()
    try:
        label(*said, 0.5)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10e6


def test_windows_come_in_batches_that_are_all_of_them():
    windows = windows_in(((0.0, 30.0),), 0.4)
    some = list(windows.batches())
    assert max(len(each.start) for each in some) == 32
    for name in ("start", "stop", "chunk"):
        whole = np.concatenate([getattr(each, name) for each in some])
        assert (whole == getattr(windows, name)).all()


def test_only_windows_inside_one_part_are_pure():
    windows = windows_in(((0.0, 4.0),), 0.4)
    assert pure(windows, ((0.0, 2.0, 0), (2.0, 4.0, 1))).tolist() == [0, 0, -1, -1, -1, 1, 1]


def test_a_voice_without_windows_stays_what_it_was():
    before = voices_at([0, 1], spread=0.0)
    after = means(voices_at([2], spread=0.0), np.array([0]), before)
    assert after[0] == pytest.approx(voices_at([2], spread=0.0)[0])
    assert after[1] == pytest.approx(before[1])

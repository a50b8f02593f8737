"""Tests of putting the pieces of one person's track together."""

import tracemalloc

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from manifests.record import FaceSample
from pipeline.perception.faces.looks import BINS, Look
from pipeline.perception.faces.rejoin import Join, Piece, likeliest, pairs, rejoined


def colours(bin_: int, share: float = 1.0) -> Look:
    """All six histograms with most in one place and the rest in the next."""
    one = [0.0] * BINS
    one[bin_], one[bin_ + 1] = share, 1.0 - share
    return tuple(one * 6)


RED, DARK_RED, BLUE = colours(2), colours(2, 0.9), colours(8)


def piece(
    start: int, stop: int, *, x: float = 100.0, side: float = 50.0, look: Look | None = RED
) -> Piece:
    samples = [
        FaceSample(frame=frame, box=(x, 80.0, side, side), score=0.9, facing=1.0)
        for frame in range(start, stop, 25)
    ]
    return Piece(samples, look)


def starts(pieces: list[Piece]) -> list[list[int]]:
    """Of each track the frames at which its pieces begin."""
    firsts = {each.samples[0].frame for each in pieces}
    return [[s.frame for s in track if s.frame in firsts] for track in rejoined(pieces)]


def test_one_person_who_was_away_is_one_track() -> None:
    assert starts([piece(0, 50), piece(101, 150, x=160.0, look=DARK_RED)]) == [[0, 101]]


@pytest.mark.parametrize(
    "later",
    [
        piece(101, 150, look=BLUE),
        piece(101, 150, look=None),
        piece(101, 150, x=2000.0),
        piece(101, 150, side=100.0),
        piece(151 + 1, 200),
        piece(20, 60),
    ],
    ids=["other colours", "unknown colours", "too far", "too large", "too late", "at once"],
)
def test_somebody_else_is_another_track(later: Piece) -> None:
    assert len(rejoined([piece(0, 50), later])) == 2


def test_two_people_who_were_hidden_are_told_apart_by_their_colours() -> None:
    pieces = [
        piece(0, 50, x=100.0, look=RED),
        piece(1, 50, x=200.0, look=BLUE),
        piece(100, 150, x=100.0, look=BLUE),
        piece(101, 150, x=200.0, look=DARK_RED),
    ]
    assert starts(pieces) == [[0, 101], [1, 100]]


def test_a_piece_goes_on_as_one_other_only() -> None:
    pieces = [piece(0, 50), piece(60, 110, look=DARK_RED), piece(61, 110)]
    assert sorted(starts(pieces)) == [[0, 61], [60]]


def test_a_chain_of_pieces_is_one_track_in_order_of_time() -> None:
    (track,) = rejoined([piece(120, 160), piece(0, 50), piece(60, 110)])
    frames = [sample.frame for sample in track]
    assert frames == sorted(frames)
    assert len(frames) == 6


def test_no_pieces_are_no_tracks() -> None:
    assert rejoined([]) == []


def test_just_below_and_just_above_the_longest_absence() -> None:
    rules = Join(most_gap=2.0)
    assert len(rejoined([piece(0, 26), piece(75, 100)], rules)) == 1
    assert len(rejoined([piece(0, 26), piece(76, 100)], rules)) == 2


# ---- many pieces -----------------------------------------------------------------------------------


def crowd(count: int, seconds: int, *, seed: int) -> list[Piece]:
    """Pieces of one to three looks at random times and places, each in colours of its own."""
    draw = np.random.default_rng(seed)
    return [
        piece(start, start + 25 * int(draw.integers(1, 4)), x=float(draw.uniform(0.0, 600.0)),
              look=tuple(draw.dirichlet(np.full(BINS, 3.0), 6).ravel().tolist()))
        for start in draw.integers(0, 25 * seconds, count).tolist()
    ]  # fmt: skip


def of_all_pairs(pieces: list[Piece], rules: Join) -> dict[int, int]:
    """What each piece goes on as, from a table of every piece with every other."""
    gains = np.array([[rules.gain(a, b) for b in pieces] for a in pieces])
    rows, columns = linear_sum_assignment(-gains)
    return {int(a): int(b) for a, b in zip(rows, columns, strict=True) if gains[a, b] > 0.0}


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("seconds", [5, 40, 400])
def test_the_pairs_are_those_of_the_whole_table(seconds: int, seed: int) -> None:
    pieces, rules = crowd(60, seconds, seed=seed), Join()
    wanted = of_all_pairs(pieces, rules)
    assert wanted
    assert likeliest(len(pieces), pairs(pieces, rules)) == wanted


def test_memory_grows_with_the_pairs_and_not_with_their_square() -> None:
    """A table of all pairs took 24 s and 377 MB for 4000 pieces of one shot."""
    pieces = [piece(60 * k, 60 * k + 26) for k in range(8_000)]
    tracemalloc.start()
    try:
        (track,) = rejoined(pieces)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(track) == 16_000
    assert peak < 50e6

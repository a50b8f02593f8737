"""Tests of putting the pieces of one person's track together."""

import pytest

from manifests.record import FaceSample
from pipeline.perception.faces.looks import BINS, Look
from pipeline.perception.faces.rejoin import Join, Piece, rejoined


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

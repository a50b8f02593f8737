"""Every frame is kept or has one reason, and the sums are exact."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.record import Decision, Interval, Span, Verdict, Why
from pipeline.audit.account import Account, account, account_whole
from pipeline.stages.s060_spans import Spans
from tests.examples import source, track

CLIP_REASONS = [Why.TOO_SMALL, Why.NO_POSE, Why.SIDE_VIEW, Why.STATIC, Why.ENLARGED, Why.FAILED]


def drop(why: Why) -> Decision:
    return Decision(
        subject="x",
        source="y",
        start=0,
        stop=1,
        person=0,
        stage="s",
        version=1,
        backend="b",
        backend_version="1",
        weights=None,
        measurement="m",
        value=None,
        unit="",
        comparator=">=",
        threshold=1.0,
        verdict=Verdict.DROPPED,
        reason=why,
    )


def test_a_frame_that_two_candidates_lost_takes_the_reason_furthest_along_the_flow() -> None:
    found = account(
        [None] * 4,
        [(Span(start=0, stop=3), drop(Why.STATIC)), (Span(start=1, stop=4), drop(Why.TOO_SMALL))],
    )
    assert found.dropped == {Why.STATIC: 3, Why.TOO_SMALL: 1}
    assert found.person_dropped == {Why.STATIC: 3, Why.TOO_SMALL: 3}


def test_a_frame_in_a_kept_candidate_is_kept_whoever_else_was_dropped() -> None:
    found = account(
        [None] * 4, [(Span(start=0, stop=4), None), (Span(start=0, stop=4), drop(Why.STATIC))]
    )
    assert (found.kept, found.dropped) == (4, {})
    assert (found.person_frames, found.person_kept) == (8, 4)


def test_a_frame_without_any_reason_is_an_error() -> None:
    with pytest.raises(ValueError, match="neither kept nor dropped"):
        account([None, Why.NO_SPEECH], [])


def test_a_source_dropped_whole_has_one_reason() -> None:
    assert account_whole(7, Why.NO_AUDIO).dropped == {Why.NO_AUDIO: 7}
    assert account_whole(0, Why.NOT_MEDIA).dropped == {}


@st.composite
def spans(draw: st.DrawFn, limit: int) -> tuple[tuple[int, int], ...]:
    edges = sorted(draw(st.lists(st.integers(0, limit), max_size=8, unique=True)))
    return tuple(zip(edges[::2], edges[1::2], strict=False))


@given(st.data(), st.integers(1, 1200))
def test_the_sums_are_exact_for_any_source(data: st.DataObject, frames: int) -> None:
    cuts = sorted({0, frames, *data.draw(st.lists(st.integers(1, frames), max_size=4))})
    shots = tuple(pairwise(cuts))
    people = tuple(
        track(n, range(a + data.draw(st.integers(0, 20)), b, 12))
        for n, (a, b) in enumerate(shots)
        if b - a > 25
    )
    audible = data.draw(spans(frames))[:1] or ((0, frames),)
    measured = source(
        frames, turns=data.draw(spans(frames)), shots=shots, tracks=people, audible=audible[0]
    )
    holes = tuple(Interval(start=a, stop=b) for a, b in data.draw(spans(frames)))
    assert measured.shots is not None
    shots_held = measured.shots.model_copy(update={"undecodable": holes})
    measured = measured.model_copy(update={"shots": shots_held})
    flow = Spans()
    chance = random.Random(data.draw(st.integers()))
    candidates = [
        (clip.span, chance.choice([None, *map(drop, CLIP_REASONS)])) for clip in flow(measured)
    ]
    found = account(flow.leftovers(measured), candidates)
    lost = sum(hole.stop - hole.start for hole in holes)
    assert not lost or found.dropped[Why.UNDECODABLE] == lost
    assert found.frames == frames == found.kept + sum(found.dropped.values())
    assert found.person_frames == found.person_kept + sum(found.person_dropped.values())
    total = found + account_whole(5, Why.NO_AUDIO) + Account()
    assert total.frames == frames + 5 == total.kept + sum(total.dropped.values())

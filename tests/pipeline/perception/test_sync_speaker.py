"""Who of several people speaks: a decision over scores."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.perception.sync import SyncScore, speaker_of


def score(speaking: float, *, offset: int = 0, confidence: float = 0.0) -> SyncScore:
    return SyncScore(offset=offset, confidence=confidence, speaking=speaking)


def test_the_one_ahead_by_enough_speaks() -> None:
    found = speaker_of([score(1.0), score(4.0, offset=3), score(2.0)], lead_from=2.0)
    assert found is not None
    assert (found.person, found.lead, found.offset) == (1, 2.0, None)


def test_nobody_is_named_where_two_are_too_close() -> None:
    assert speaker_of([score(3.9), score(4.0)], lead_from=0.5) is None


@pytest.mark.parametrize(("confidence", "offset"), [(2.9, None), (3.0, -4)])
def test_an_offset_is_given_only_where_it_is_believed(
    confidence: float, offset: int | None
) -> None:
    scores = [score(5.0, offset=-4, confidence=confidence), score(1.0)]
    found = speaker_of(scores, lead_from=1.0, offset_from=3.0)
    assert found is not None
    assert found.offset == offset


def test_one_person_alone_is_compared_with_lips_that_say_nothing() -> None:
    assert speaker_of([score(-2.0)], lead_from=0.0) is None
    found = speaker_of([score(2.0)], lead_from=1.0)
    assert found is not None
    assert found.lead == 2.0


def test_nobody_in_view_is_an_error() -> None:
    with pytest.raises(ValueError, match="got 0"):
        speaker_of([], lead_from=0.0)


@given(st.lists(st.floats(-50.0, 50.0), min_size=1, max_size=5, unique=True), st.randoms())
def test_the_order_of_the_people_does_not_matter(values: list[float], random: object) -> None:
    shuffled = sorted(values, key=lambda _: random.random())  # type: ignore[attr-defined]
    a, b = (speaker_of([score(v) for v in some], lead_from=0.5) for some in (values, shuffled))
    assert (a is None) == (b is None)
    if a is not None and b is not None:
        assert values[a.person] == shuffled[b.person]
        assert a.lead == b.lead

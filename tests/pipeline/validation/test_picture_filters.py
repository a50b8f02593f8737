"""What counts as a case of a picture filter."""

import pytest

from manifests.record import Shot, Shots, Source, Why
from pipeline.validation.picture_filters import CAMERA, Seen, case
from tests.examples import BACKEND, clip, source


def looked_over(change: float | None = 30.0) -> Source:
    """A surveyed source of one shot."""
    shot = Shot(start=0, stop=53, camera_motion=None, change=change)
    shots = Shots(backend=BACKEND, shots=(shot,), decoded_until=53)
    return source(53, turns=((0, 53),)).model_copy(update={"shots": shots})


@pytest.mark.parametrize("why", [Why.TOO_SMALL, Why.CLOSE_UP, Why.FACE_TURNED])
def test_a_filter_of_clips_is_not_asked_where_no_face_gave_a_clip(why: Why) -> None:
    unseen = case("talker", True, Seen(looked_over(), (), 1.0), why)
    assert (unseen.asked, unseen.value, unseen.dropped) == (False, None, True)
    seen = case("talker", False, Seen(looked_over(), (clip(),), 1.0), why)
    assert seen.asked and seen.value is not None and seen.dropped is False


@pytest.mark.parametrize("why", [Why.NOBODY, Why.FROZEN, CAMERA])
def test_what_is_measured_of_a_source_needs_no_clip(why: str) -> None:
    assert case("talker", True, Seen(looked_over(), (), 1.0), why).asked


def test_a_clip_whose_turn_cannot_be_told_is_asked_and_dropped() -> None:
    blurred = clip().person.model_copy(update={"facing": None})
    found = clip().model_copy(update={"person": blurred})
    told = case("talker", True, Seen(looked_over(), (found,), 1.0), Why.FACE_TURNED)
    assert (told.asked, told.value, told.dropped) == (True, None, True)


def test_a_still_shot_is_dropped_by_the_filters_that_act() -> None:
    still = clip().shot.model_copy(update={"change": 1.0})
    found = clip().model_copy(update={"shot": still})
    assert case("talker", True, Seen(looked_over(), (found,), 1.0), Why.FROZEN).dropped

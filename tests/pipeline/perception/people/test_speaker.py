"""Whose figure a face belongs to, and the box around one person through a span."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from manifests.record import Box
from pipeline.perception.people import Figure, SpeakerBoxes, holding

PICTURE = np.zeros((40, 60, 3), dtype=np.uint8)


def figure(x: float, y: float = 0.0, *, width: float = 100.0, score: float = 0.9) -> Figure:
    return Figure((x, y, width, 300.0), score)


def face_of(one: Figure, size: float = 40.0) -> Box:
    x, y, width, _ = one.box
    return x + width / 2.0 - size / 2.0, y + 0.4 * size, size, size


def test_a_figure_is_the_one_whose_head_the_face_is() -> None:
    left, right = figure(0.0), figure(60.0, score=0.5)
    assert holding([left, right], face_of(left)) == left
    assert holding([left, right], face_of(right)) == right


def test_a_face_before_another_persons_chest_is_not_theirs() -> None:
    tall, small = figure(0.0, width=200.0), figure(60.0, 120.0, width=80.0)
    assert holding([tall, small], face_of(small)) == small


def test_a_face_outside_every_figure_is_nobodys() -> None:
    assert holding([figure(0.0)], (300.0, 10.0, 40.0, 40.0)) is None
    assert holding([], (0.0, 0.0, 40.0, 40.0)) is None


def test_without_a_face_the_surest_figure_is_taken() -> None:
    assert holding([figure(0.0, score=0.5), figure(200.0, score=0.8)], None) == figure(
        200.0, score=0.8
    )
    assert holding([], None) is None


@given(st.permutations([0.0, 60.0, 130.0, 300.0]))
def test_the_order_of_the_figures_does_not_matter(places: list[float]) -> None:
    found = [figure(x) for x in places]
    assert holding(found, face_of(figure(130.0))) == figure(130.0)


def test_a_missed_person_keeps_the_last_box_and_has_none_before() -> None:
    one, other = figure(0.0), figure(300.0)
    seen = iter([[], [other], [one, other], [other], []])
    boxes = SpeakerBoxes(lambda _: next(seen))
    found = [boxes(PICTURE, face_of(one)) for _ in range(5)]
    assert found == [None, None, one.box, one.box, one.box]

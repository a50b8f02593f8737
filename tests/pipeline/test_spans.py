"""Candidates from measured sources, and reasons for every frame that is in none."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from manifests.record import Interval, Source, Why
from pipeline.stages.s060_spans import Spans, around, clip_id, cut_at_pauses, region
from tests.examples import source, track


def spans_of(measured: Source) -> list[tuple[int, int]]:
    return [(clip.span.start, clip.span.stop) for clip in Spans()(measured)]


def test_one_voice_one_shot_one_person_is_one_candidate() -> None:
    assert spans_of(source(200, turns=((5, 190),))) == [(5, 190)]


def test_a_turn_just_under_five_seconds_is_none_and_at_five_seconds_one() -> None:
    bare = Spans(silence=0.0)
    assert not bare(source(200, turns=((0, 124),)))
    assert len(bare(source(200, turns=((0, 125),)))) == 1


def test_a_turn_that_is_a_little_short_is_widened_by_silence_and_no_further() -> None:
    assert spans_of(source(200, turns=((30, 150),))) == [(28, 153)]
    assert spans_of(source(160, turns=((36, 150),))) == [(31, 156)]
    assert spans_of(source(152, turns=((30, 152),))) == [(27, 152)]  # all of it on the one side
    assert spans_of(source(200, turns=((60, 134),))) == []  # 74 frames and 25 at either end
    assert spans_of(source(200, turns=((60, 135),))) == [(35, 160)]
    assert spans_of(source(300, turns=((30, 190),))) == [(30, 190)]


def test_silence_is_parted_between_two_voices() -> None:
    measured = source(300, turns=((0, 100, 0), (140, 300, 1)))
    assert spans_of(measured) == [(140, 300)]  # 20 of 40 frames of silence: 120 in all
    assert spans_of(source(300, turns=((0, 105, 0), (145, 300, 1)))) == [(0, 125), (145, 300)]


def test_short_turns_of_one_voice_are_joined_across_a_pause_of_two_seconds() -> None:
    assert spans_of(source(300, turns=((0, 100), (150, 250)))) == [(0, 250)]
    assert Spans(silence=0.0)(source(300, turns=((0, 100), (151, 250)))) == ()
    assert spans_of(source(300, turns=((0, 100, 0), (150, 250, 1)))) == [(0, 125), (138, 263)]


def test_long_turns_of_one_voice_stay_two() -> None:
    assert spans_of(source(400, turns=((0, 130), (170, 400)))) == [(0, 130), (170, 400)]


def test_another_voice_in_the_pause_keeps_two_turns_apart() -> None:
    measured = source(300, turns=((0, 100, 0), (110, 130, 1), (140, 240, 0)))
    assert Spans(silence=0.0)(measured) == ()


def test_silence_is_not_taken_from_another_shot_or_from_where_nothing_decodes() -> None:
    shots = ((0, 30), (30, 300))
    measured = source(300, turns=((30, 150),), shots=shots, tracks=(track(0, range(30, 300, 12)),))
    assert spans_of(measured) == [(30, 155)]
    assert spans_of(with_holes(source(300, turns=((30, 150),)), (28, 30), (154, 160))) == []


def test_a_cut_in_the_middle_divides_a_turn() -> None:
    measured = source(400, turns=((0, 400),), shots=((0, 180), (180, 400)),
                      tracks=(track(0, range(0, 180, 12)), track(1, range(180, 400, 12))))  # fmt: skip
    assert spans_of(measured) == [(0, 180), (180, 400)]


def test_a_person_who_leaves_ends_the_candidate_half_way_to_the_look_that_missed_them() -> None:
    measured = source(400, turns=((0, 400),), tracks=(track(0, range(0, 240, 12)),))
    assert spans_of(measured) == [(0, (240 + 229) // 2)]


def test_two_people_in_view_are_two_candidates_with_half_of_the_picture_each() -> None:
    people = (track(0, range(0, 200, 12), x=300.0), track(1, range(0, 200, 12), x=900.0))
    left, right = Spans()(source(200, turns=((0, 200),), tracks=people))
    assert left.id != right.id
    assert left.person.region[0] + left.person.region[2] <= right.person.region[0] + 2
    assert left.person.in_view == right.person.in_view == 2


def test_a_long_run_is_cut_inside_its_pauses() -> None:
    measured = source(600, turns=((0, 600),), voiced=((0, 240), (260, 480), (490, 600)))
    assert spans_of(measured) == [(0, 250), (250, 600)] or spans_of(measured) == [
        (0, 250),
        (250, 485),
        (485, 600),
    ]
    assert all(start in (0, 250, 485) for start, _ in spans_of(measured))


@given(st.integers(376, 4000), st.data())
def test_pieces_cover_a_run_and_keep_the_limits(stop: int, data: st.DataObject) -> None:
    costs = {frame: data.draw(st.sampled_from([0.0, 1.0])) for frame in range(25, stop - 24, 12)}
    pieces = cut_at_pauses(0, stop, costs, least=125, most=375, target=250)
    assert pieces[0][0] == 0 and pieces[-1][1] == stop
    assert all(a[1] == b[0] for a, b in pairwise(pieces))
    assert all(125 <= b - a <= 375 for a, b in pieces)


def test_frames_outside_any_candidate_say_why() -> None:
    measured = source(
        500,
        turns=((50, 120), (200, 400)),
        audible=(0, 480),
        tracks=(track(0, range(204, 300, 12)),),
    )
    why = Spans().leftovers(measured)
    assert why[0] is Why.NO_SPEECH
    assert why[60] is Why.TURN_TOO_SHORT
    assert why[250] is Why.SPAN_TOO_SHORT
    assert why[390] is Why.NOBODY
    assert why[490] is Why.NO_AUDIO


def test_what_does_not_decode_is_said_to_be_so() -> None:
    measured = source(400, turns=((0, 400),))
    assert measured.shots is not None
    shots = measured.shots.model_copy(update={"decoded_until": 300})
    why = Spans().leftovers(measured.model_copy(update={"shots": shots}))
    assert why[299] is None and why[300] is Why.UNDECODABLE
    assert spans_of(measured.model_copy(update={"shots": shots}))[-1][1] == 300


def with_holes(measured: Source, *holes: tuple[int, int]) -> Source:
    assert measured.shots is not None
    undecodable = tuple(Interval(start=a, stop=b) for a, b in holes)
    shots = measured.shots.model_copy(update={"undecodable": undecodable})
    return measured.model_copy(update={"shots": shots})


def test_candidates_end_before_what_does_not_decode_and_begin_behind_it() -> None:
    talk = with_holes(source(400, turns=((0, 400),)), (150, 153), (390, 400))
    assert spans_of(talk) == [(0, 150), (153, 390)]
    why = Spans().leftovers(talk)
    assert why[149] is None and why[153] is None
    assert [why[frame] for frame in (150, 152, 390, 399)] == [Why.UNDECODABLE] * 4


def test_a_piece_beside_a_hole_that_is_short_says_so() -> None:
    talk = with_holes(source(400, turns=((0, 400),)), (100, 101))
    assert spans_of(talk) == [(101, 400)]
    why = Spans().leftovers(talk)
    assert set(why[:100]) == {Why.SPAN_TOO_SHORT}
    assert why[100] is Why.UNDECODABLE


def test_a_hole_outside_any_turn_costs_no_candidate() -> None:
    talk = source(400, turns=((100, 400),))
    assert spans_of(with_holes(talk, (40, 60))) == spans_of(talk)


@given(
    st.lists(st.integers(0, 400), max_size=8, unique=True), st.integers(0, 400), st.integers(0, 400)
)
def test_what_is_left_around_holes_is_all_that_is_in_none(
    edges: list[int], start: int, stop: int
) -> None:
    edges = sorted(edges)
    holes = tuple(Interval(start=a, stop=b) for a, b in zip(edges[::2], edges[1::2], strict=False))
    left = [frame for a, b in around(start, stop, holes) for frame in range(a, b)]
    lost = {frame for hole in holes for frame in range(hole.start, hole.stop)}
    assert left == [frame for frame in range(start, stop) if frame not in lost]
    assert all(a < b for a, b in around(start, stop, holes))


def test_an_id_depends_on_content_and_not_on_who_was_counted_first() -> None:
    face = (600.0, 200.0, 80.0, 100.0)
    name = clip_id("cd" * 32, 0, 200, face, 720)
    assert name == clip_id("cd" * 32, 0, 200, (601.0, 201.0, 80.0, 100.0), 720)
    assert name != clip_id("cd" * 32, 1, 200, face, 720)
    assert name != clip_id("ce" * 32, 0, 200, face, 720)
    assert len(name) == 24


def test_a_region_stays_inside_the_picture() -> None:
    x, y, width, height = region((10.0, 10.0, 80.0, 100.0), [], (640, 360))
    assert x >= 0 and y >= 0 and x + width <= 640 and y + height <= 360

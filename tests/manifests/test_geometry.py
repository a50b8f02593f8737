"""The 25 FPS grid, boxes and affine maps: cases computed by hand and what must always hold."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from manifests.geometry import (
    apply,
    centre,
    compose,
    crop_affine,
    fraction_outside,
    frame_of_seconds,
    grid_length,
    grid_to_source,
    iou,
    square_around,
    square_size,
    upright_affine,
    upright_size,
)

BASES = st.sampled_from(
    [Fraction(1, 1000), Fraction(1, 12800), Fraction(1, 90000), Fraction(1001, 30000), Fraction(1)]
)
STEPS = st.lists(st.integers(1, 5000), min_size=0, max_size=40)
ROTATIONS = st.sampled_from([0, 90, 180, 270])
ASPECTS = st.sampled_from([Fraction(1), Fraction(4, 3), Fraction(8, 9), Fraction(64, 45)])
SIZES = st.tuples(st.integers(2, 2000), st.integers(2, 2000))
POSITIONS = st.floats(-2000, 2000)
BOXES = st.tuples(POSITIONS, POSITIONS, st.floats(1, 2000), st.floats(1, 2000))


def timeline_of(steps: list[int], first: int = 0) -> np.ndarray:
    return np.cumsum([first, *steps]).astype(np.int64)


# ---- the grid --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "time_base"),
    [(25, Fraction(1, 12800)), (25, Fraction(1, 25)), (25, Fraction(1, 90000))],
)
def test_a_source_at_25_fps_maps_one_to_one(rate, time_base):
    ticks = int(1 / (rate * time_base))
    timeline = np.arange(100, dtype=np.int64) * ticks + 777
    got = grid_to_source(timeline, time_base=time_base, start=0, stop=100)
    assert np.array_equal(got, np.arange(100))
    assert grid_length(timeline, time_base=time_base, last_duration=ticks) == 100


def test_thirty_fps_takes_the_nearest_frame():
    timeline = np.arange(60, dtype=np.int64)
    got = grid_to_source(timeline, time_base=Fraction(1, 30), start=0, stop=6)
    # 0, 40, 80, 120, 160, 200 ms against frames every 33.3 ms: 0, 1.2, 2.4, 3.6, 4.8, 6
    assert got.tolist() == [0, 1, 2, 4, 5, 6]
    assert grid_length(timeline, time_base=Fraction(1, 30), last_duration=1) == 50


def test_the_earlier_frame_wins_a_tie():
    timeline = np.array([0, 80], dtype=np.int64)
    got = grid_to_source(timeline, time_base=Fraction(1, 1000), start=0, stop=4)
    assert got.tolist() == [0, 0, 1, 1]


def test_one_frame_is_shown_for_as_long_as_it_lasts():
    timeline = np.array([5], dtype=np.int64)
    assert grid_length(timeline, time_base=Fraction(1), last_duration=2) == 50
    got = grid_to_source(timeline, time_base=Fraction(1), start=0, stop=50)
    assert not got.any()


def test_a_long_timeline_in_fine_ticks_does_not_overflow():
    day = 24 * 3600 * 90000
    timeline = np.array([0, day, 2 * day], dtype=np.int64)
    start = 24 * 3600 * 25
    got = grid_to_source(timeline, time_base=Fraction(1, 90000), start=start, stop=start + 1)
    assert got.tolist() == [1]


def test_an_empty_timeline_and_a_backward_span_are_errors():
    empty = np.zeros(0, dtype=np.int64)
    with pytest.raises(ValueError, match="needs one timestamp"):
        grid_length(empty, time_base=Fraction(1), last_duration=1)
    for start, stop in [(-1, 3), (4, 3)]:
        with pytest.raises(ValueError, match="0 <= start <= stop"):
            grid_to_source(timeline_of([1]), time_base=Fraction(1), start=start, stop=stop)


@given(steps=STEPS, base=BASES, first=st.integers(-(10**9), 10**9), stop=st.integers(0, 60))
def test_the_chosen_frame_is_the_nearest_the_earlier_on_a_tie(steps, base, first, stop):
    timeline = timeline_of(steps, first)
    got = grid_to_source(timeline, time_base=base, start=0, stop=stop)
    times = [(int(tick) - first) * base for tick in timeline]
    for frame, index in enumerate(got):
        distances = [abs(time - Fraction(frame, 25)) for time in times]
        assert index == distances.index(min(distances))


@given(steps=STEPS, base=BASES, cut=st.integers(0, 50))
def test_a_window_of_the_grid_is_that_part_of_the_whole(steps, base, cut):
    timeline = timeline_of(steps)
    whole = grid_to_source(timeline, time_base=base, start=0, stop=50)
    part = grid_to_source(timeline, time_base=base, start=cut, stop=50)
    assert np.array_equal(part, whole[cut:])
    assert np.all(np.diff(whole) >= 0)


@given(steps=STEPS, base=BASES, scale=st.integers(2, 50), last=st.integers(1, 5000))
def test_the_grid_does_not_depend_on_the_time_base(steps, base, scale, last):
    timeline = timeline_of(steps)
    coarse = grid_to_source(timeline, time_base=base, start=0, stop=40)
    fine = grid_to_source(timeline * scale, time_base=base / scale, start=0, stop=40)
    assert np.array_equal(coarse, fine)
    lengths = [
        grid_length(timeline, time_base=base, last_duration=last),
        grid_length(timeline * scale, time_base=base / scale, last_duration=last * scale),
    ]
    assert lengths[0] == lengths[1]


@given(steps=STEPS, base=BASES, last=st.integers(1, 5000))
def test_every_grid_frame_lies_before_the_end_of_the_last_source_frame(steps, base, last):
    timeline = timeline_of(steps)
    frames = grid_length(timeline, time_base=base, last_duration=last)
    end = (int(timeline[-1]) + last) * base
    assert Fraction(frames, 25) <= end < Fraction(frames + 1, 25)


@given(frame=st.integers(0, 10**7))
def test_a_time_on_the_grid_is_its_own_frame(frame):
    assert frame_of_seconds(frame / 25) == frame
    assert frame_of_seconds(frame / 25 + 0.0399) == frame


# ---- boxes -----------------------------------------------------------------------------------------------------------


def test_boxes_by_hand():
    assert centre((0.0, 0.0, 3.0, 5.0)) == (1.0, 2.0)
    assert iou((0, 0, 2, 2), (1, 1, 2, 2)) == pytest.approx(1 / 7)
    assert iou((0, 0, 2, 2), (2, 0, 2, 2)) == 0.0
    assert fraction_outside((-1, 0, 4, 4), (10, 10)) == pytest.approx(0.25)
    assert fraction_outside((20, 20, 4, 4), (10, 10)) == 1.0
    assert square_around((10, 20, 40, 60), margin=0.0) == (0, 20, 60)
    assert square_around((10, 20, 40, 60), margin=0.25) == (-15, 5, 90)


@given(a=BOXES, b=BOXES)
def test_overlap_is_symmetric_bounded_and_whole_with_itself(a, b):
    assert iou(a, b) == pytest.approx(iou(b, a))
    assert 0.0 <= iou(a, b) <= 1.0 + 1e-9
    assert iou(a, a) == pytest.approx(1.0, abs=1e-6)


@given(box=BOXES, margin=st.floats(0, 2))
def test_the_square_is_even_and_holds_the_grown_box(box, margin):
    x, y, side = square_around(box, margin=margin)
    assert side % 2 == 0
    assert side >= max(box[2], box[3]) * (1 + 2 * margin) - 1e-6
    # Rounding the corner may cut at most half a pixel from a side.
    grow = margin * max(box[2], box[3])
    assert x <= box[0] - grow + 0.5 + 1e-6
    assert y <= box[1] - grow + 0.5 + 1e-6
    assert x + side >= box[0] + box[2] + grow - 0.5 - 1e-6
    assert y + side >= box[1] + box[3] + grow - 0.5 - 1e-6


@given(box=BOXES, size=SIZES)
def test_the_fraction_outside_is_a_share(box, size):
    assert -1e-9 <= fraction_outside(box, size) <= 1.0 + 1e-9


# ---- affine maps -----------------------------------------------------------------------------------------------------


def test_a_crop_maps_edges_to_edges():
    affine = crop_affine((10.0, 20.0, 100.0, 50.0), (200, 200))
    corners = np.array([[9.5, 19.5], [109.5, 69.5]], dtype=np.float32)
    assert apply(affine, corners).tolist() == [[-0.5, -0.5], [199.5, 199.5]]


@pytest.mark.parametrize(
    ("rotation", "corner"), [(0, (0, 0)), (90, (2, 0)), (180, (3, 2)), (270, (0, 3))]
)
def test_turning_a_4_by_3_picture_moves_its_first_pixel(rotation, corner):
    affine = upright_affine((4, 3), rotation=rotation, pixel_aspect=Fraction(1))
    assert apply(affine, np.zeros((1, 2), dtype=np.float32)).tolist() == [list(corner)]


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_map_turns_as_numpy_does(rotation):
    stored = np.arange(12).reshape(3, 4)
    turned = np.rot90(stored, -rotation // 90)
    affine = upright_affine((4, 3), rotation=rotation, pixel_aspect=Fraction(1))
    y, x = np.mgrid[:3, :4]
    places = apply(affine, np.stack([x, y], axis=-1).astype(np.float32)).astype(int)
    assert np.array_equal(turned[places[..., 1], places[..., 0]], stored)


def test_other_rotations_are_errors():
    with pytest.raises(ValueError, match="45"):
        upright_affine((4, 3), rotation=45, pixel_aspect=Fraction(1))


@given(size=SIZES, rotation=ROTATIONS, aspect=ASPECTS)
def test_the_corners_of_the_stored_picture_are_those_of_the_upright_one(size, rotation, aspect):
    affine = upright_affine(size, rotation=rotation, pixel_aspect=aspect)
    edges = np.array([[-0.5, -0.5], [size[0] - 0.5, size[1] - 0.5]], dtype=np.float32)
    got = np.sort(apply(affine, edges), axis=0)
    width, height = upright_size(size, rotation=rotation, pixel_aspect=aspect)
    assert np.allclose(got, [[-0.5, -0.5], [width - 0.5, height - 0.5]], atol=1e-2)


@given(size=SIZES, aspect=ASPECTS, rotation=ROTATIONS)
def test_the_upright_size_is_the_square_size_turned(size, aspect, rotation):
    width, height = square_size(size, pixel_aspect=aspect)
    got = upright_size(size, rotation=rotation, pixel_aspect=aspect)
    assert got == ((height, width) if rotation in (90, 270) else (width, height))


@given(
    box=BOXES, size=SIZES, aspect=ASPECTS, rotation=ROTATIONS, point=st.tuples(POSITIONS, POSITIONS)
)
def test_a_composed_map_is_one_after_the_other(box, size, aspect, rotation, point):
    assume(box[2] > 4 and box[3] > 4)
    inner = upright_affine(size, rotation=rotation, pixel_aspect=aspect)
    outer = crop_affine(box, (512, 512))
    points = np.array([point], dtype=np.float32)
    whole = apply(compose(outer, inner), points)
    assert np.allclose(whole, apply(outer, apply(inner, points)), rtol=1e-4, atol=0.1)


@given(box=BOXES, size=SIZES)
def test_a_crop_maps_the_box_to_the_whole_crop(box, size):
    affine = crop_affine(box, size)
    edges = np.array([[box[0] - 0.5, box[1] - 0.5], [box[0] + box[2] - 0.5, box[1] + box[3] - 0.5]])
    got = (edges @ np.asarray(affine)[:, :2].T) + np.asarray(affine)[:, 2]
    assert np.allclose(got, [[-0.5, -0.5], [size[0] - 0.5, size[1] - 0.5]], atol=1e-5)

"""Faces and tracks: the bundled network on a portrait and real clips, the association on drawn boxes."""

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.geometry import grid_length, grid_to_source
from pipeline.perception.faces import (
    Face,
    FaceDetector,
    FaceFinder,
    FaceWatcher,
    Gate,
    Sampling,
    follow,
)
from pipeline.perception.faces.detector import facing, square, unique
from pipeline.perception.faces.looks import BINS, look, unlike
from pipeline.perception.faces.tracks import motion

PORTRAIT = skimage.data.astronaut()  # 512x512, one face of about 104 pixels
SHARED = Path(
    os.environ.get("COSPEECH_SHARED", Path(__file__).resolve().parents[3] / ".." / "shared")
)
VIDEO = SHARED / "media" / "video"
needs_clips = pytest.mark.skipif(not VIDEO.is_dir(), reason=f"no real clips under {VIDEO}")


@pytest.fixture(scope="module")
def finder() -> Iterator[FaceFinder]:
    loaded = FaceDetector().load()
    yield loaded
    loaded.close()


def canvas(size: tuple[int, int], *faces: tuple[int, int, float]) -> np.ndarray:
    """A grey picture with the portrait at (x, y), scaled."""
    picture = np.full((size[1], size[0], 3), 110, np.uint8)
    for x, y, scale in faces:
        small = cv2.resize(PORTRAIT, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        picture[y : y + small.shape[0], x : x + small.shape[1]] = small
    return picture


def face(x: float, y: float = 100.0, size: float = 50.0, score: float = 0.9) -> Face:
    return Face((x, y, size, size), score, 1.0)


# ---- the network -----------------------------------------------------------------------------------


def test_a_portrait_has_one_frontal_face_where_it_is(finder: FaceFinder) -> None:
    (found,) = finder(PORTRAIT)
    x, y, width, height = found.box
    assert x < 225 < x + width and y < 120 < y + height
    assert 80 < height < 130 and found.score > 0.8 and found.facing > 0.9


def test_two_people_are_two_faces(finder: FaceFinder) -> None:
    found = finder(canvas((640, 360), (20, 30, 0.5), (340, 30, 0.5)))
    assert sorted(round(f.box[0] / 320) for f in found) == [0, 1]


def test_a_picture_without_people_has_no_face(finder: FaceFinder) -> None:
    assert finder(skimage.data.coffee()) == []
    assert finder(np.zeros((90, 160, 3), np.uint8)) == []


def test_a_small_face_is_found_only_on_a_closer_look(finder: FaceFinder) -> None:
    picture = canvas((640, 360), (150, 90, 0.27))
    assert finder(picture, closer=False) == []
    (found,) = finder(picture)
    assert found.box[0] == pytest.approx(150 + 0.27 * 174, abs=12)
    assert found.box[1] == pytest.approx(90 + 0.27 * 68, abs=12)


@pytest.mark.parametrize("x", [40, 150, 400])
def test_a_small_face_is_measured_from_nearby(finder: FaceFinder, x: int) -> None:
    """As large as in the portrait by itself. At 40, the first look's only box was none and 1.6 times too large."""
    (large,) = finder(PORTRAIT)
    (found,) = finder(canvas((640, 360), (x, 90, 0.27)))
    assert found.box[3] == pytest.approx(0.27 * large.box[3], rel=0.15)


def test_what_is_larger_from_nearby_is_another_face() -> None:
    class Whole:
        def process(self, image: np.ndarray) -> object:
            points = [SimpleNamespace(x=0.5, y=0.5)] * 6
            box = SimpleNamespace(xmin=0.0, ymin=0.0, width=1.0, height=1.0)
            place = SimpleNamespace(relative_bounding_box=box, relative_keypoints=points)
            return SimpleNamespace(detections=[SimpleNamespace(location_data=place, score=[0.9])])

        def close(self) -> None: ...

    far = Face((100.0, 100.0, 13.0, 14.0), 0.9, 1.0)
    picture = np.zeros((360, 640, 3), np.uint8)
    assert FaceFinder(FaceDetector(), Whole())._measured([far], picture) == []
    as_large = FaceDetector(around=1.0)
    assert len(FaceFinder(as_large, Whole())._measured([far], picture)) == 1


def test_only_so_many_small_faces_are_looked_at_again_and_what_is_none_from_nearby_is_none() -> (
    None
):
    looks: list[tuple[int, ...]] = []

    class Crowd:
        def process(self, image: np.ndarray) -> object:
            looks.append(image.shape)
            return SimpleNamespace(detections=None)

        def close(self) -> None: ...

    limits = FaceDetector(most_again=3)
    some = [Face((20.0 * at, 10.0, 12.0, 12.0), 0.9, 1.0) for at in range(10)]
    far = FaceFinder(limits, Crowd())._measured(some, np.zeros((360, 640, 3), np.uint8))
    assert far == some[3:] and looks == [(48, 48, 3)] * 3


@given(
    st.tuples(*[st.floats(-50.0, 700.0)] * 2, *[st.floats(1.0, 400.0)] * 2),
    st.integers(1, 640),
    st.integers(1, 480),
)
def test_the_square_around_a_box_lies_in_the_picture(
    box: tuple[float, float, float, float], width: int, height: int
) -> None:
    left, top, side = square(box, 4.0, width, height)
    assert 0 <= left <= width - side and 0 <= top <= height - side and side >= 1
    x, y = box[0] + box[2] / 2.0, box[1] + box[3] / 2.0
    if side >= 2 and 0.0 <= x <= width and 0.0 <= y <= height:
        assert left - 0.5 <= x <= left + side + 0.5 and top - 0.5 <= y <= top + side + 0.5


def test_the_same_picture_gives_the_same_faces_whatever_came_before(finder: FaceFinder) -> None:
    first = finder(PORTRAIT)
    finder(canvas((640, 360), (340, 30, 0.5)))
    assert finder(PORTRAIT) == first


def test_a_view_of_a_larger_picture_is_accepted(finder: FaceFinder) -> None:
    assert len(finder(canvas((800, 600), (200, 60, 1.0))[20:, 100:])) == 1


def test_scores_below_the_least_are_left_out() -> None:
    strict = FaceDetector(min_score=0.99, tile_score=0.99).load()
    assert strict(PORTRAIT) == []
    strict.close()


def test_the_detector_survives_pickling_and_names_its_weights() -> None:
    detector = FaceDetector(long_side=480)
    assert pickle.loads(pickle.dumps(detector)) == detector
    assert detector.missing() is None
    assert detector.weights is not None and len(detector.weights) == 64
    assert "mediapipe" in detector.version


@pytest.mark.slow
def test_loading_and_looking_leave_standard_error_alone() -> None:
    code = (
        "import numpy as np; from pipeline.perception.faces import FaceDetector;"
        "f = FaceDetector().load(); f(np.zeros((90, 160, 3), np.uint8)); f.close()"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


# ---- one face --------------------------------------------------------------------------------------

FRONTAL = np.array([(40.0, 40.0), (60.0, 40.0), (50.0, 50.0), (50.0, 61.0)])


def test_a_face_whose_nose_is_in_the_middle_is_frontal() -> None:
    assert facing(FRONTAL) == pytest.approx(1.0)


def test_a_nose_beyond_the_eyes_is_a_side_view() -> None:
    points = FRONTAL.copy()
    points[1, 0], points[2, 0] = 46.0, 34.0
    assert facing(points) < 0.4


def test_points_that_coincide_are_not_frontal() -> None:
    assert facing(np.zeros((4, 2))) == 0.0


@given(st.floats(0.0, 6.28), st.floats(0.2, 5.0), st.floats(-9.0, 9.0), st.floats(-30.0, 30.0))
def test_facing_does_not_change_with_size_place_and_tilt(
    angle: float, scale: float, turn: float, move: float
) -> None:
    points = FRONTAL.copy()
    points[2, 0] += turn
    spin = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    assert facing(points @ spin.T * scale + move) == pytest.approx(facing(points), abs=1e-6)


def test_a_face_scales_and_moves_with_its_picture() -> None:
    scaled = Face((10.0, 20.0, 30.0, 40.0), 0.9, 1.0).scaled(2.0, 3.0)
    assert scaled.box == (20.0, 60.0, 60.0, 120.0)
    assert scaled.moved(1.0, 2.0).box == (21.0, 62.0, 60.0, 120.0)


def test_of_overlapping_boxes_the_surest_stays() -> None:
    kept = unique([face(0, score=0.7), face(5, score=0.9), face(200, score=0.8)])
    assert [f.box[0] for f in kept] == [5, 200]


# ---- sampling --------------------------------------------------------------------------------------


def shown_at(timeline: np.ndarray, time_base: Fraction) -> np.ndarray:
    """The source frame at each grid frame; timeline: ticks, the last frame for as long as the one before it."""
    frames = grid_length(
        timeline, time_base=time_base, last_duration=int(timeline[-1] - timeline[-2])
    )
    return grid_to_source(timeline, time_base=time_base, start=0, stop=frames)


def steady(rate: Fraction, seconds: int) -> np.ndarray:
    return shown_at(np.arange(int(rate * seconds)), 1 / rate)


class Stand(FaceFinder):
    """Stands for the network where one face is always in view."""

    def __init__(self) -> None:
        """No network is loaded."""

    def __call__(self, rgb: np.ndarray, *, closer: bool = True) -> list[Face]:
        return [face(20.0, 20.0, 20.0)]

    def closer(self, rgb: np.ndarray) -> list[Face]:
        raise AssertionError("a face was found without")


def searched(shown: np.ndarray, sampling: Sampling, *, lost: range = range(0)) -> list[int]:
    """The source frames that are looked at; lost: those that do not decode."""
    watcher = FaceWatcher(Stand(), shown, sampling)
    for index in sorted(set(range(int(shown[-1]) + 1)) - set(lost)):
        if watcher.wants(index):
            watcher.add(index, np.zeros((60, 60, 3), np.uint8))
    return [index for index, _ in watcher.finish()]


@pytest.mark.parametrize("rate", [1, 2, 10, 12, 15, 24, 25, 30, 48, 50, 60])
def test_pictures_are_searched_once_a_second_at_every_rate(rate: int) -> None:
    assert searched(steady(Fraction(rate), 30), Sampling()) == list(range(0, 30 * rate, rate))


@pytest.mark.parametrize("rate", [24, 30, 60])
def test_looks_at_a_broadcast_rate_stay_with_the_clock(rate: int) -> None:
    exact = Fraction(rate * 1000, 1001)
    found = searched(steady(exact, 60), Sampling())
    assert found == [round(second * exact) for second in range(60)]


def test_a_picture_that_is_shown_for_long_is_searched_once() -> None:
    assert searched(np.repeat(np.arange(4), 70), Sampling()) == [0, 1, 2, 3]


def test_the_next_picture_stands_for_one_that_does_not_decode() -> None:
    found = searched(steady(Fraction(25), 5), Sampling(), lost=range(20, 60))
    assert found == [0, 60, 75, 100]


@given(st.lists(st.integers(4, 300), min_size=2, max_size=60))
def test_looks_are_bounded_by_time_and_no_further_apart_than_pictures_are(gaps: list[int]) -> None:
    ticks = np.cumsum([0, *gaps])  # of 10 ms
    shown = shown_at(ticks, Fraction(1, 100))
    found = searched(shown, Sampling())
    assert len(found) <= len(shown) // 25 + 1
    between = np.diff(ticks[found])
    assert max(between, default=0) <= 100 + max(gaps)  # each is up to half a gap from its second


def test_an_empty_video_is_looked_at_closely_only_now_and_then(finder: FaceFinder) -> None:
    small = canvas((640, 360), (150, 90, 0.27))
    empty = np.zeros_like(small)
    shown = steady(Fraction(10), 12)
    watcher = FaceWatcher(finder, shown, Sampling(every=1.0, closer_every=4.0))
    for second in range(12):
        watcher.add(10 * second, small if second >= 2 else empty)
    seen = [bool(faces) for _, faces in watcher.finish()]
    assert seen == [False] * 4 + [True] * 8  # the closer looks are at 0 and 4 s, then at each


# ---- tracks ----------------------------------------------------------------------------------------


def test_a_face_that_drifts_is_one_track() -> None:
    (track,) = follow([(25 * k, [face(100 + 20 * k)]) for k in range(6)], [(0, 150)])
    assert track.person == 0 and (track.start, track.stop) == (0, 126)


def test_two_people_are_numbered_from_left_to_right() -> None:
    samples = [(25 * k, [face(400), face(100)]) for k in range(4)]
    tracks = follow(samples, [(0, 100)])
    assert [(t.person, t.samples[0].box[0]) for t in tracks] == [(0, 100), (1, 400)]


def test_people_are_numbered_by_first_appearance() -> None:
    samples = [(25 * k, [face(400)] + ([face(100)] if k > 1 else [])) for k in range(4)]
    assert [t.samples[0].box[0] for t in follow(samples, [(0, 100)])] == [400, 100]


def test_a_track_outlives_a_few_missed_samples_but_not_many() -> None:
    def seen(missing: range) -> int:
        samples = [(25 * k, [] if k in missing else [face(100)]) for k in range(14)]
        return len(follow(samples, [(0, 350)]))

    assert seen(range(3, 7)) == 1
    assert seen(range(3, 8)) == 2


def test_a_cut_ends_every_track() -> None:
    samples = [(25 * k, [face(100)]) for k in range(8)]
    tracks = follow(samples, [(0, 90), (90, 200)])
    assert [(t.start, t.stop) for t in tracks] == [(0, 76), (100, 176)]


def test_samples_inside_a_transition_belong_to_nobody() -> None:
    samples = [(25 * k, [face(100)]) for k in range(8)]
    (track, _) = follow(samples, [(0, 60), (110, 200)])
    assert [s.frame for s in track.samples] == [0, 25, 50]


def test_a_face_elsewhere_or_of_another_size_is_another_person() -> None:
    gate = Gate(least_samples=1)
    assert len(follow([(0, [face(100)]), (25, [face(300)])], [(0, 50)], gate)) == 2
    bigger = Face((75.0, 75.0, 100.0, 100.0), 0.9, 1.0)
    assert len(follow([(0, [face(100)]), (25, [bigger])], [(0, 50)], gate)) == 2


def test_a_single_detection_is_chance() -> None:
    assert follow([(0, [face(100)]), (25, [])], [(0, 50)]) == ()


def test_people_who_come_close_keep_their_numbers() -> None:
    samples = [(25 * k, [face(100 + 20 * k), face(300 - 20 * k, 130)]) for k in range(5)]
    left, right = follow(samples, [(0, 125)])
    assert [s.box[1] for s in left.samples] == [100.0] * 5
    assert [s.box[1] for s in right.samples] == [130.0] * 5


def crossing(
    *, step: int, frames: int, speed: float, hidden: range = range(0), looks: bool = False
) -> list[tuple[int, list[Face]]]:
    """Two people who pass each other: the one at height 100 to the right, the one at 120 to the left.

    speed: pixels a second of each; hidden: frames in which the second is behind the first.
    """
    samples = []
    for frame in range(0, frames, step):
        away = speed * frame / 25
        here = face(100 + away, 100)
        there = face(400 - away, 120)
        if looks:
            here, there = replace(here, look=RED), replace(there, look=BLUE)
        samples.append((frame, [here] if frame in hidden else [here, there]))
    return samples


RED, BLUE = (tuple(np.eye(BINS)[k].repeat(6).reshape(BINS, 6).T.ravel().tolist()) for k in (2, 9))


def heights(samples: list[tuple[int, list[Face]]]) -> list[set[float]]:
    return [{s.box[1] for s in track.samples} for track in follow(samples, [(0, 1000)])]


def test_people_who_walk_past_each_other_keep_their_numbers() -> None:
    assert heights(crossing(step=5, frames=150, speed=60.0)) == [{100.0}, {120.0}]


def test_who_is_hidden_while_they_pass_is_found_again() -> None:
    samples = crossing(step=5, frames=150, speed=60.0, hidden=range(50, 75))
    assert heights(samples) == [{100.0}, {120.0}]


def test_colours_tell_people_apart_where_their_ways_do_not() -> None:
    def met(looks: bool) -> list[set[float]]:
        there = crossing(step=25, frames=75, speed=60.0, looks=looks)
        back = [(150 - frame, faces) for frame, faces in there[::-1]]
        one = replace(face(225, 110), look=RED if looks else None)
        return heights([*there, (80, [one]), *back])

    assert met(looks=True)[0] <= {100.0, 110.0} and met(looks=True)[1] <= {120.0}


def test_a_face_of_other_colours_is_another_person() -> None:
    first, second = (replace(face(100), look=look) for look in (RED, BLUE))
    gate = Gate(least_samples=1)
    assert len(follow([(0, [first]), (25, [second])], [(0, 50)], gate)) == 2
    assert len(follow([(0, [first]), (25, [replace(second, look=None)])], [(0, 50)], gate)) == 1


def test_a_velocity_is_kept_and_then_forgotten() -> None:
    step, grown = motion(5, 0.6, 1.0)
    assert step[1, 1] == pytest.approx(np.exp(-0.2))
    assert step[0, 1] == pytest.approx(1.0 - np.exp(-0.2))
    long, settled = motion(2500, 0.6, 1.0)
    assert long[0, 1] == pytest.approx(1.0)  # goes on for a second's worth, then stands
    assert settled[1, 1] == pytest.approx(0.36)
    assert np.linalg.eigvalsh(grown).min() > 0.0


@given(st.integers(1, 60), st.integers(1, 60))
def test_two_steps_are_as_one_of_both_lengths(first: int, second: int) -> None:
    (a, grown_a), (b, grown_b) = motion(first, 0.6, 1.0), motion(second, 0.6, 1.0)
    whole, grown = motion(first + second, 0.6, 1.0)
    assert np.allclose(b @ a, whole)
    assert np.allclose(b @ grown_a @ b.T + grown_b, grown)


# ---- colours ----


def test_colours_of_the_same_picture_are_alike_and_of_another_shirt_not() -> None:
    box = (200.0, 80.0, 100.0, 100.0)
    shirt = PORTRAIT.copy()
    shirt[220:] = (20, 60, 200)
    same, other = look(PORTRAIT, box), look(shirt, box)
    assert len(same) == 6 * BINS
    assert sum(same) == pytest.approx(6.0)
    assert unlike(same, same) == pytest.approx(0.0, abs=1e-6)
    assert 0.1 < unlike(same, other) == unlike(other, same) <= 1.0


def test_a_chest_outside_the_picture_is_not_compared() -> None:
    low = look(PORTRAIT[:190], (200.0, 80.0, 100.0, 100.0))
    assert sum(low) == pytest.approx(3.0)
    assert unlike(low, look(PORTRAIT, (200.0, 80.0, 100.0, 100.0))) < 0.1
    assert unlike(low, tuple([0.0] * len(low))) == 0.0


def test_samples_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="rising order"):
        follow([(5, []), (5, [])], [(0, 10)])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 12), max_size=4, unique=True), min_size=1, max_size=12))
def test_tracks_do_not_depend_on_the_order_of_faces_and_use_each_once(
    places: list[list[int]],
) -> None:
    samples = [(10 * k, [face(60.0 * x) for x in sorted(row)]) for k, row in enumerate(places)]
    turned = [(frame, faces[::-1]) for frame, faces in samples]
    whole = [(0, 10 * len(places))]
    tracks = follow(samples, whole, Gate(least_samples=1))
    assert tracks == follow(turned, whole, Gate(least_samples=1))
    assert [t.person for t in tracks] == list(range(len(tracks)))
    used = sorted((s.frame, s.box[0]) for t in tracks for s in t.samples)
    assert used == sorted((frame, f.box[0]) for frame, faces in samples for f in faces)


# ---- real clips ------------------------------------------------------------------------------------


def real(name: str, finder: FaceFinder) -> tuple[tuple[int, tuple[Face, ...]], ...]:
    """The faces of a real clip, one picture a second."""
    with av.open(str(VIDEO / name)) as container:
        video = container.streams.video[0]
        shown = steady(Fraction(video.average_rate), 60)
        watcher = FaceWatcher(finder, shown, Sampling())
        for index, frame in enumerate(container.decode(video)):
            if watcher.wants(index):
                ratio = 640 / max(frame.width, frame.height)
                size = round(frame.width * ratio), round(frame.height * ratio)
                picture = frame.reformat(*size, format="rgb24", interpolation="AREA")
                watcher.add(index, picture.to_ndarray())
    return watcher.finish()


@needs_clips
def test_two_real_presenters_are_two_tracks(finder: FaceFinder) -> None:
    tracks = follow(real("panda_R_YVZHusX4w.mp4", finder), [(0, 201)])
    assert len(tracks) == 2
    assert tracks[0].samples[0].box[0] < tracks[1].samples[0].box[0]


@needs_clips
@pytest.mark.parametrize(
    "name",
    [
        "moviepy_bbb_432_433.webm",
        pytest.param("psd_testvideo.mp4", marks=pytest.mark.slow),
    ],
)
def test_landscapes_and_an_animated_rabbit_have_no_face(name: str, finder: FaceFinder) -> None:
    assert not any(faces for _, faces in real(name, finder))


@needs_clips
def test_a_crowd_from_behind_makes_no_track(finder: FaceFinder) -> None:
    assert follow(real("mmpose_demo_street.mp4", finder), [(0, 5)]) == ()


@needs_clips
@pytest.mark.slow
def test_real_side_views_face_away_and_kept_clips_do_not(finder: FaceFinder) -> None:
    def median(name: str) -> float:
        return float(np.median([faces[0].facing for _, faces in real(name, finder) if faces]))

    assert max(median(f"svid_side_{k}.mp4") for k in (1, 2)) < 0.65
    kept = ("latentsync_demo2.mp4", "svid_half_body_1.mp4", "svid_half_body_3.mp4")
    assert min(median(name) for name in kept) > 0.65

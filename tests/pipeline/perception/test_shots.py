"""Shots, transitions and camera motion: drawn pictures with known answers, then real clips."""

import os
import pickle
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Run
from pipeline.flow import build
from pipeline.perception.shots import (
    Blends,
    CameraMotion,
    Cuts,
    Gradual,
    Kind,
    PySceneDetect,
    ShotDetector,
    ShotError,
    Stretch,
)
from pipeline.perception.shots.blends import mixture, runs
from pipeline.perception.shots.camera import median_speed
from pipeline.perception.shots.cuts import contours_changed, left_when_shifted
from pipeline.perception.shots.detector import thumb
from pipeline.perception.shots.pushes import off_pan, off_push
from pipeline.perception.shots.rolling import BLOCK, Rolling, quiet
from pipeline.stages.s040_shots import FindShots

RATE = Fraction(25)
SHARED = Path(
    os.environ.get("COSPEECH_SHARED", Path(__file__).resolve().parents[3] / ".." / "shared")
)
VIDEO = SHARED / "media" / "video"
needs_clips = pytest.mark.skipif(not VIDEO.is_dir(), reason=f"no real clips under {VIDEO}")


def coloured(seed: int, size: tuple[int, int] = (128, 72)) -> np.ndarray:
    """A blurred random picture, BGR: no two seeds look alike."""
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2.0), None, 0, 255, cv2.NORM_MINMAX)


def texture(seed: int, size: tuple[int, int] = (128, 72)) -> np.ndarray:
    """The same, grey."""
    return cv2.cvtColor(coloured(seed, size), cv2.COLOR_BGR2GRAY)


def watch(pictures: list[np.ndarray], rate: Fraction = RATE) -> tuple[Stretch, ...]:
    watcher = ShotDetector().start(rate)
    for index, picture in enumerate(pictures):
        watcher.add(index, picture)
    return watcher.finish()


def mixed(a: np.ndarray, b: np.ndarray, steps: int) -> list[np.ndarray]:
    """A dissolve from a to b."""
    shares = (np.arange(1, steps + 1) / (steps + 1)).tolist()
    return [cv2.addWeighted(a, 1.0 - share, b, share, 0.0) for share in shares]


def spans(stretches: tuple[Stretch, ...], kind: Kind = Kind.SHOT) -> list[tuple[int, int]]:
    return [(s.first, s.stop) for s in stretches if s.kind is kind]


def test_no_pictures_make_no_stretches() -> None:
    assert ShotDetector().start(RATE).finish() == ()


def test_one_still_picture_is_one_shot_that_does_not_move() -> None:
    (shot,) = watch([texture(1)] * 60)
    assert (shot.first, shot.stop, shot.kind) == (0, 60, Kind.SHOT)
    assert shot.camera_motion == pytest.approx(0.0, abs=1e-4)


def test_a_cut_starts_a_shot_at_its_first_frame() -> None:
    assert spans(watch([texture(1)] * 40 + [texture(2)] * 40)) == [(0, 40), (40, 80)]


def test_two_cuts_close_together_are_both_found() -> None:
    pictures = [texture(1)] * 40 + [texture(2)] * 6 + [texture(3)] * 40
    assert spans(watch(pictures)) == [(0, 40), (40, 46), (46, 86)]


def test_a_dissolve_belongs_to_neither_neighbour() -> None:
    a, b = texture(1), texture(2)
    stretches = watch([a] * 50 + mixed(a, b, 20) + [b] * 50)
    (transition,) = spans(stretches, Kind.TRANSITION)
    assert transition[0] <= 50 and transition[1] >= 69
    assert transition[1] - transition[0] <= 45
    assert spans(stretches) == [(0, transition[0]), (transition[1], 120)]


def test_a_fade_through_black_is_one_transition() -> None:
    a, b, black = texture(1), texture(2), np.zeros((72, 128), np.uint8)
    pictures = [a] * 40 + mixed(a, black, 12) + [black] * 10 + mixed(black, b, 12) + [b] * 40
    (transition,) = spans(watch(pictures), Kind.TRANSITION)
    assert transition[0] <= 40 and transition[1] >= 74


def test_black_before_the_first_picture_is_no_shot() -> None:
    stretches = watch([np.zeros((72, 128), np.uint8)] * 30 + [texture(1)] * 40)
    assert spans(stretches, Kind.TRANSITION) == [(0, 30)]


def test_a_video_that_is_dark_throughout_is_a_shot() -> None:
    assert spans(watch([texture(1) // 32] * 60)) == [(0, 60)]


def test_a_picture_of_one_pixel_is_a_shot_without_a_measured_motion() -> None:
    (shot,) = watch([np.zeros((1, 1), np.uint8)] * 30)
    assert shot.camera_motion is None


def test_a_plain_picture_has_no_measured_motion() -> None:
    (shot,) = watch([np.full((72, 128), 120, np.uint8)] * 30)
    assert shot.camera_motion is None


@pytest.mark.parametrize("speed", [0.05, 0.1, 0.2])
def test_a_pan_is_measured_in_frame_widths_per_second(speed: float) -> None:
    scene = texture(4, (400, 72))
    step = speed * 128 / float(RATE)
    pictures = [cv2.getRectSubPix(scene, (128, 72), (64.0 + step * k, 35.5)) for k in range(75)]
    (shot,) = watch(pictures)
    assert shot.camera_motion == pytest.approx(speed, rel=0.1)


def test_a_hand_in_one_border_is_no_camera_motion() -> None:
    before = texture(5)
    after = before.copy()
    after[:, 96:] = np.roll(before[:, 96:], 4, axis=0)
    assert CameraMotion().shift(before, after) == pytest.approx(0.0, abs=1e-3)


def test_the_frame_rate_does_not_change_the_speed() -> None:
    scene = texture(4, (400, 72))
    for rate in (Fraction(24), Fraction(60)):
        step = 0.1 * 128 / float(rate)
        count = int(3 * rate)
        pictures = [
            cv2.getRectSubPix(scene, (128, 72), (64.0 + step * k, 35.5)) for k in range(count)
        ]
        (shot,) = watch(pictures, rate)
        assert shot.camera_motion == pytest.approx(0.1, rel=0.1)


def test_frame_numbers_of_the_source_come_back_where_frames_are_missing() -> None:
    watcher = ShotDetector().start(RATE)
    for place in range(80):
        watcher.add(100 + 3 * place, texture(1 if place < 40 else 2))
    assert spans(watcher.finish()) == [(100, 220), (220, 338)]


def test_numbers_that_do_not_rise_and_changing_sizes_are_refused() -> None:
    watcher = ShotDetector().start(RATE)
    watcher.add(3, texture(1))
    with pytest.raises(ShotError, match="must rise, got 3 after 3"):
        watcher.add(3, texture(1))
    with pytest.raises(ShotError, match="keep the shape"):
        watcher.add(4, texture(1, (64, 36)))
    with pytest.raises(ShotError, match="positive, got 0"):
        ShotDetector().start(Fraction(0))


def test_the_detector_survives_pickling() -> None:
    detector = ShotDetector(cuts=Cuts(spike=4.0))
    assert pickle.loads(pickle.dumps(detector)) == detector


# ---- hard cuts, and what is none --------------------------------------------------------------------


def grey(seed: int) -> np.ndarray:
    """The picture of this seed as the detector sees it."""
    return cv2.resize(texture(seed), (32, 18), interpolation=cv2.INTER_AREA)


def test_a_closer_view_of_the_same_picture_is_a_cut() -> None:
    wide = texture(1)
    close = cv2.resize(wide[12:60, 20:106], (128, 72))
    assert spans(watch([wide] * 40 + [close] * 40)) == [(0, 40), (40, 80)]


@pytest.mark.parametrize("frames", [1, 3, 6])
def test_a_flash_is_no_boundary(frames: int) -> None:
    scene = texture(1) // 2
    lights = [
        cv2.add(scene, np.full_like(scene, round(120 * (1 - k / frames)))) for k in range(frames)
    ]
    assert spans(watch([scene] * 40 + lights + [scene] * 40)) == [(0, 80 + frames)]


def test_a_lamp_that_fails_for_a_moment_is_no_boundary() -> None:
    assert spans(watch([texture(1)] * 40 + [texture(1) // 4] * 3 + [texture(1)] * 40)) == [(0, 83)]


def test_a_cut_soon_after_a_flash_is_found() -> None:
    scene = texture(1) // 2
    flash = cv2.add(scene, np.full_like(scene, 120))
    pictures = [scene] * 40 + [flash] * 2 + [scene] * 8 + [texture(2)] * 40
    assert spans(watch(pictures)) == [(0, 50), (50, 90)]


def test_a_shaken_camera_is_no_boundary() -> None:
    scene, rng = texture(1, (160, 104)), np.random.default_rng(0)
    places = np.array((79.5, 51.5)) + rng.normal(0.0, 4.0, (60, 2)).clip(-14, 14)
    pictures = [cv2.getRectSubPix(scene, (128, 72), (float(x), float(y))) for x, y in places]
    assert spans(watch(pictures)) == [(0, 60)]


@pytest.mark.parametrize("held", [2, 3, 4, 5])
@pytest.mark.parametrize("speed", [0.15, 0.3])
def test_pictures_that_stay_for_several_frames_turn_no_pan_into_cuts(
    held: int, speed: float
) -> None:
    scene, step = cv2.resize(texture(4, (200, 24)), (600, 72)), speed * 128 / float(RATE)
    places = [64.0 + step * (k - k % held) for k in range(150)]
    pan = [cv2.getRectSubPix(scene, (128, 72), (place, 35.5)) for place in places]
    film = np.stack([thumb(picture) for picture in (*pan, *[texture(1)] * 40)])
    assert Cuts().find(film, fps=25.0) == ([150], [])


def test_a_short_bright_shot_is_no_flash() -> None:
    before, bright = texture(1) // 4, texture(2) // 2 + 90
    pictures = [before] * 40 + [bright] * 4 + [before] * 40
    assert spans(watch(pictures)) == [(0, 40), (40, 44), (44, 84)]


def test_the_light_that_dies_away_after_a_flash_is_no_transition() -> None:
    scene = texture(1) // 2
    light = [cv2.add(scene, np.full_like(scene, round(200 * (1 - k / 7)))) for k in range(7)]
    pictures = [scene] * 60 + light + [scene] * 30 + [texture(2)] * 60
    assert spans(watch(pictures, Fraction(60))) == [(0, 97), (97, 157)]


def test_an_inset_or_a_banner_is_no_boundary() -> None:
    scene = texture(1)
    inset, banner = scene.copy(), scene.copy()
    inset[4:26, 84:122] = texture(2)[4:26, 84:122]
    banner[58:68] = 73
    for shown in (inset, banner):
        assert spans(watch([scene] * 40 + [shown] * 30 + [scene] * 40)) == [(0, 110)]


def test_contours_tell_another_picture_from_a_brighter_one() -> None:
    scene = grey(1) // 2 + 40
    assert contours_changed(scene, scene) == (0.0, 0.0)
    assert min(contours_changed(scene, grey(2))) > 0.6
    assert contours_changed(np.zeros((18, 32), np.uint8), np.zeros((18, 32), np.uint8)) == (
        1.0,
        1.0,
    )


def test_a_shifted_picture_leaves_nothing_and_another_one_nearly_all() -> None:
    scene = texture(3, (40, 26))
    assert left_when_shifted(scene[4:22, 4:36], scene[6:24, 3:35], farthest=4) < 0.1
    assert left_when_shifted(grey(1), grey(2), farthest=4) > 0.5
    assert (
        left_when_shifted(np.zeros((3, 3), np.uint8), np.ones((3, 3), np.uint8), farthest=4) == 1.0
    )


# ---- gradual transitions ----------------------------------------------------------------------------


def scenery(seed: int) -> np.ndarray:
    """A picture with large and small things in it, as real ones have them."""
    large = cv2.GaussianBlur(coloured(seed + 50), (0, 0), 12.0)
    large = cv2.normalize(large, None, 0, 255, cv2.NORM_MINMAX)
    both = cv2.addWeighted(large, 0.8, coloured(seed), 0.2, 0.0)
    return cv2.cvtColor(both, cv2.COLOR_BGR2GRAY)


def replaced(a: np.ndarray, b: np.ndarray, steps: int) -> list[np.ndarray]:
    """A wipe from the left."""
    edges = [round(128 * k / (steps + 1)) for k in range(1, steps + 1)]
    return [np.concatenate((b[:, :edge], a[:, edge:]), axis=1) for edge in edges]


def pushed(a: np.ndarray, b: np.ndarray, steps: int) -> list[np.ndarray]:
    """b comes in from the right and pushes a out."""
    edges = [round(128 * k / (steps + 1)) for k in range(1, steps + 1)]
    return [np.concatenate((a[:, edge:], b[:, :edge]), axis=1) for edge in edges]


def covered(a: np.ndarray, b: np.ndarray, steps: int) -> list[np.ndarray]:
    """b comes in from below and covers a."""
    edges = [round(72 * k / (steps + 1)) for k in range(1, steps + 1)]
    return [np.concatenate((a[: 72 - edge], b[:edge])) for edge in edges]


@pytest.mark.parametrize("way", [mixed, replaced, pushed, covered])
@pytest.mark.parametrize("steps", [12, 25])
def test_every_way_from_one_shot_to_the_next_is_one_transition(
    way: Callable[[np.ndarray, np.ndarray, int], list[np.ndarray]], steps: int
) -> None:
    a, b = scenery(1), scenery(2)
    stretches = watch([a] * 60 + way(a, b, steps) + [b] * 60)
    ((first, stop),) = spans(stretches, Kind.TRANSITION)
    common = min(stop, 60 + steps) - max(first, 60)
    assert common >= 0.5 * (max(stop, 60 + steps) - min(first, 60))
    assert len(spans(stretches)) == 2


def test_a_pan_is_neither_a_push_nor_a_wipe() -> None:
    scene = texture(4, (400, 72))
    pictures = [cv2.getRectSubPix(scene, (128, 72), (64.0 + 4.0 * k, 35.5)) for k in range(60)]
    assert spans(watch(pictures)) == [(0, 60)]


def test_the_middle_of_a_push_is_known_from_every_side() -> None:
    a, b = grey(1).astype(np.int16), grey(2).astype(np.int16)
    middle = np.concatenate((a[:, 16:], b[:, :16]), axis=1)
    for turn in range(4):
        ends = [np.rot90(each, turn)[None] for each in (a, b, middle)]
        assert off_push(*ends) == pytest.approx([0.0])
    assert off_push(a[None], b[None], ((a + b) // 2)[None])[0] > 0.2


def test_a_pan_is_known_by_what_both_ends_show() -> None:
    scene = texture(5, (60, 18)).astype(np.int16)
    assert off_pan(scene[None, :, :32], scene[None, :, 18:50]) == pytest.approx([0.0])
    assert off_pan(grey(1)[None].astype(np.int16), grey(2)[None].astype(np.int16))[0] > 0.4


def test_white_in_between_is_a_transition_and_a_white_video_is_a_shot() -> None:
    white = np.full((72, 128), 255, np.uint8)
    stretches = watch([texture(1)] * 40 + [white] * 10 + [texture(2)] * 40)
    assert spans(stretches, Kind.TRANSITION) == [(40, 50)]
    assert spans(watch([white] * 40)) == [(0, 40)]


# ---- any length -------------------------------------------------------------------------------------


def long_film() -> np.ndarray:
    """Twice as many small pictures as are kept, with a cut or a dissolve every 150."""
    pictures: list[np.ndarray] = []
    while len(pictures) < 2 * BLOCK:
        seed = len(pictures) // 150
        pictures += [grey(seed)] * 130
        pictures += mixed(grey(seed), grey(seed + 1), 20) if seed % 2 else [grey(seed)] * 20
    return np.stack(pictures)


def test_a_long_video_is_cut_as_if_it_were_seen_at_once_and_is_not_kept() -> None:
    film = long_film()
    cuts, gradual = Cuts(), Gradual()
    rolling = Rolling(cuts, gradual, Blends(), fps=25.0)
    most = 0
    for picture in film:
        rolling.add(picture)
        most = max(most, len(rolling._kept))
    found, between = rolling.finish()
    sudden, flashes = cuts.find(film, fps=25.0)
    assert most < BLOCK + 1
    assert found == sudden and len(found) > 20
    assert between == gradual.find(film, fps=25.0, flashes=flashes) and len(between) > 20


def test_black_that_is_longer_than_what_is_kept_is_one_transition() -> None:
    film = np.concatenate((np.stack([grey(1)] * 50), np.zeros((2 * BLOCK, 18, 32), np.uint8)))
    rolling = Rolling(Cuts(), Gradual(), Blends(), fps=25.0)
    for picture in film:
        rolling.add(picture)
    places = {k for first, stop in rolling.finish()[1] for k in range(first, stop)}
    assert places == set(range(50, len(film)))


def test_a_quiet_place_is_the_last_one_outside_of_all_spans() -> None:
    assert quiet([], 0, 100) == 100
    assert quiet([(80, 101)], 0, 100) == 79
    assert quiet([(10, 300)], 0, 100) == 100


# ---- measures ---------------------------------------------------------------------------------------


def test_a_mixture_has_no_residual_and_a_cut_half_of_its_change() -> None:
    a, b = np.full((3, 4), 20, np.uint8), np.full((3, 4), 120, np.uint8)
    change, residual = mixture(np.stack([a, (a + b) // 2, b]), half=1)
    assert change == pytest.approx([100.0]) and residual == pytest.approx([0.0])
    _, residual = mixture(np.stack([a, a, b]), half=1)
    assert residual == pytest.approx([0.5])
    assert len(mixture(np.stack([a, b]), half=1)[0]) == 0


def test_a_pan_is_no_gradual_transition() -> None:
    scene = texture(6, (200, 18))
    assert Blends().find(np.stack([scene[:, k : k + 32] for k in range(100)])) == ()


@given(st.lists(st.booleans(), max_size=40))
def test_runs_cover_exactly_the_true_flags(flags: list[bool]) -> None:
    inside = {k for first, stop in runs(np.array(flags, dtype=bool)) for k in range(first, stop)}
    assert inside == {k for k, flag in enumerate(flags) if flag}


def test_a_median_of_nothing_is_not_measured() -> None:
    assert median_speed(np.array([])) is None
    assert median_speed(np.array([0.1, 0.3, 0.2])) == pytest.approx(0.2)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from([0, 1, 2, 3]), min_size=1, max_size=60))
def test_stretches_are_contiguous_and_cover_every_frame(seeds: list[int]) -> None:
    scenes = [texture(k) if k else np.zeros((72, 128), np.uint8) for k in range(4)]
    stretches = watch([scenes[k] for k in seeds])
    assert stretches[0].first == 0 and stretches[-1].stop == len(seeds)
    assert all(a.stop == b.first for a, b in pairwise(stretches))
    assert all(s.first < s.stop for s in stretches)


# ---- real clips ------------------------------------------------------------------------------------


def real(name: str, *, window: float = 0.0) -> tuple[Stretch, ...]:
    """The stretches of a real clip; with a window, of a pan over it at that many widths per second."""
    with av.open(str(VIDEO / name)) as container:
        video = container.streams.video[0]
        rate = Fraction(video.average_rate)
        frames = [_small(frame, window) for frame in container.decode(video)]
    if window:
        step = window * 128 / float(rate)
        frames = [_cut(frame, step * k) for k, frame in enumerate(frames[: int(20 / step)])]
    return watch(frames, rate)


def _small(frame: av.VideoFrame, window: float) -> np.ndarray:
    ratio = (160 if window else 128) / max(frame.width, frame.height)
    size = (max(2, round(frame.width * ratio)), max(2, round(frame.height * ratio)))
    small = frame.reformat(*size, format="gray", interpolation="FAST_BILINEAR")
    return small.to_ndarray()


def _cut(picture: np.ndarray, left: float) -> np.ndarray:
    height = picture.shape[0]
    return cv2.getRectSubPix(picture, (128, height), (63.5 + left, (height - 1) / 2))


@needs_clips
@pytest.mark.parametrize(
    ("name", "cuts"),
    [
        ("infinitetalk_dubbing_12.mp4", [297, 585]),
        ("psd_goldeneye_vfr_drop3.mp4", [60, 140]),
        pytest.param("wav2lip_test.mov", [318, 438], marks=pytest.mark.slow),
        ("tango_oliver_silent_101099.mp4", []),  # an inset graphic changes twice
        ("panda_CpO_paJZ9bI.mp4", []),  # the camera moves
        ("tango_1wrQ6Msp7wM.mp4", []),
    ],
)
def test_real_cuts_are_found_and_nothing_else(name: str, cuts: list[int]) -> None:
    stretches = real(name)
    assert [s.first for s in stretches[1:]] == cuts
    assert not spans(stretches, Kind.TRANSITION)


@needs_clips
@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "latentsync_demo2.mp4",
        "svid_dialogue_case1_2.mp4",
        "svid_half_body_1.mp4",
        "svid_half_body_3.mp4",
    ],
)
def test_a_real_tripod_clip_is_one_still_shot(name: str) -> None:
    (shot,) = real(name)
    assert shot.camera_motion is not None and shot.camera_motion < 0.01


@needs_clips
def test_real_fades_and_dissolves_lie_in_transitions() -> None:
    transitions = spans(real("psd_testvideo.mp4"), Kind.TRANSITION)
    for middle in (15, 198, 377, 540):
        assert any(first <= middle < stop for first, stop in transitions)
    assert all(stop <= 30 or first >= 179 for first, stop in transitions)


@needs_clips
@pytest.mark.parametrize("middle", [84, 167])
def test_the_darkest_frames_of_real_fades_lie_in_a_transition(middle: int) -> None:
    transitions = spans(real("psd_fades.mp4"), Kind.TRANSITION)
    assert any(first <= middle < stop for first, stop in transitions)


@needs_clips
def test_a_pan_over_a_real_clip_is_told_from_the_clip_itself() -> None:
    (still,), (panned,) = (
        real("tango_oliver_silent_101099.mp4"),
        real("tango_oliver_silent_101099.mp4", window=0.1),
    )
    assert still.camera_motion is not None and still.camera_motion < 0.01
    assert panned.camera_motion == pytest.approx(0.1, rel=0.15)


# ---- PySceneDetect ----------------------------------------------------------------------------------


def test_pyscenedetect_finds_a_cut_and_a_fade_through_black() -> None:
    black = np.zeros((72, 128, 3), np.uint8)
    out_of = [cv2.convertScaleAbs(coloured(2), alpha=1.0 - k / 10) for k in range(10)]
    into = [cv2.convertScaleAbs(coloured(3), alpha=k / 10) for k in range(10)]
    pictures = [coloured(1)] * 40 + [coloured(2)] * 30 + out_of + [black] * 6 + into
    watcher = PySceneDetect().start(RATE)
    for index, picture in enumerate([*pictures, *[coloured(3)] * 40]):
        watcher.add(index, picture)
    first, second, fade, third = watcher.finish()
    assert (first.first, first.stop, second.first) == (0, 40, 40)
    assert fade.kind is Kind.TRANSITION
    assert 70 < fade.first <= 80 and 86 <= fade.stop < 96
    assert third.stop == 136


def test_pyscenedetect_takes_a_dark_video_for_one_shot() -> None:
    watcher = PySceneDetect().start(RATE)
    for index in range(30):
        watcher.add(index, np.zeros((72, 128, 3), np.uint8))
    assert [(part.first, part.stop, part.kind) for part in watcher.finish()] == [(0, 30, Kind.SHOT)]


def test_the_shot_backend_is_one_line_of_settings() -> None:
    stage = next(
        s for s in build(Run(shots={"backend": "pyscenedetect"})).on_survey if s.name == "shots"
    )
    assert isinstance(stage, FindShots)
    assert isinstance(stage.detector, PySceneDetect)
    assert stage.detector.name == "pyscenedetect"

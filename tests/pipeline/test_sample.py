"""The built-in sample: same bytes, planted truth, and a figure that real detectors accept."""

import contextlib
import csv
import io
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from pipeline import config
from pipeline.__main__ import app
from pipeline.sample import cast, encode, faults, film, head, limbs, motion, portrait, voice, write
from pipeline.sample.cast import SECOND_TAKES, TAKES, Take
from pipeline.sample.film import Scene
from pipeline.stages.s130_split import SIDES, Splitting
from tests.conftest import ROOT

SECONDS = 2.0


def take(name: str) -> Take:
    return next(one for one in TAKES + SECOND_TAKES if one.name == name)


@pytest.fixture(scope="module")
def ada_frames() -> list[np.ndarray]:
    return list(film.frames(Scene((take("ada"),), SECONDS)))


@pytest.fixture(scope="module")
def ada_sound() -> voice.Speech:
    return film.speech_of(take("ada"), SECONDS)


def decoded_sound(media: bytes) -> np.ndarray:
    with av.open(io.BytesIO(media)) as container:
        frames = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return np.concatenate(frames)


# The voice


def test_a_voice_says_the_same_samples_again_after_another_text() -> None:
    first = voice.speak("A bright bubble rises.", cast.ADA.voice)
    voice.speak("Something else entirely.", cast.BEN.voice)
    again = voice.speak("A bright bubble rises.", cast.ADA.voice)
    assert np.array_equal(first.samples, again.samples)
    assert first.phones == again.phones


def test_an_unknown_voice_is_named_in_the_error() -> None:
    with pytest.raises(voice.VoiceError, match="no-such-voice"):
        voice.speak("hello", voice.Voice("no-such-voice"))


def test_voices_of_different_rate_do_not_mix() -> None:
    one = voice.Speech(np.zeros(10, np.float32), 22050, ())
    with pytest.raises(voice.VoiceError, match="22050 and 16000"):
        voice.mix(one, replace(one, sample_rate=16000))


def test_fit_gives_exactly_the_seconds_and_moves_the_phonemes_with_the_sound() -> None:
    samples = np.concatenate([np.zeros(1000), np.full(5000, 0.5)]).astype(np.float32)
    spoken = voice.Speech(samples, 1000, (voice.Phone(1.0, "a"), voice.Phone(5.5, "b")))
    cut = voice.fit(spoken, seconds=4.0, lead=0.5)
    assert len(cut.samples) == 4000
    assert [(phone.second, phone.symbol) for phone in cut.phones] == [(0.5, "a")]
    assert not cut.samples[:500].any()
    assert cut.samples[500] > 0


@given(st.floats(0.1, 0.9), st.integers(0, 100))
def test_level_brings_a_tone_of_any_loudness_to_the_same(size: float, phase: int) -> None:
    tone = (size * np.sin(np.arange(8000) * 0.05 + phase)).astype(np.float32)
    brought = voice.level(tone)
    assert np.sqrt(np.mean(brought**2)) == pytest.approx(voice.SPOKEN_LEVEL, rel=0.05)


def test_silence_stays_silence() -> None:
    assert not voice.level(np.zeros(100, np.float32)).any()


def test_silero_hears_the_speech_as_one_run(ada_sound: voice.Speech) -> None:
    silero_vad = pytest.importorskip("silero_vad")
    torch = pytest.importorskip("torch")
    model = silero_vad.load_silero_vad(onnx=True)
    sound = torch.from_numpy(soxr.resample(ada_sound.samples, ada_sound.sample_rate, 16000))
    spans = silero_vad.get_speech_timestamps(sound, model, return_seconds=True)
    assert spans
    assert spans[0]["start"] < 0.3
    assert spans[-1]["end"] > SECONDS - 0.3
    pauses = [late["start"] - early["end"] for early, late in pairwise(spans)]
    assert max(pauses, default=0.0) < 0.6


# Lips and limbs


def test_lips_open_with_loudness_and_close_on_closed_phonemes() -> None:
    rate = 16000
    loud = np.sin(np.arange(rate) * 0.1).astype(np.float32) * 0.5
    sound = np.concatenate([np.zeros(rate, np.float32), loud, loud])
    phones = (voice.Phone(0.0, "_"), voice.Phone(1.0, "a"), voice.Phone(2.0, "m"))
    opening, _ = motion.lips(voice.Speech(sound, rate, phones), np.arange(75) / 25)
    assert opening[10] < 0.05
    assert opening[37] > 0.7
    assert opening[62] < 0.2


@given(st.floats(0.0, 1.0), st.floats(-1.0, 1.0))
def test_lips_move_only_the_lower_face(opening: float, spread: float) -> None:
    x, y = np.meshgrid(np.float32([224.0]), np.float32([60.0, 90.0, 199.0]))
    _, source_y, cavity = head.move_lips(x, y, head.Look(opening=opening, spread=spread))
    assert np.allclose(source_y, y)
    assert not cavity.any()


def test_a_wider_mouth_shows_more_of_its_inside() -> None:
    x, y = portrait.grid()
    dark = [head.move_lips(x, y, head.Look(opening=size))[2].sum() for size in (0.3, 0.6, 1.0)]
    assert dark[0] < dark[1] < dark[2]


def test_a_hand_has_five_fingers_and_its_stated_length() -> None:
    wrist = np.zeros(3)
    straight = limbs.HandShape(curl=(0.0, 0.0, 0.0, 0.0))
    bones = limbs.hand_bones(wrist, 0.0, straight, side=1.0, length=100.0, colour=(200, 150, 120))
    assert len(bones) == 4 * 4 + 3
    assert max(bone.end[0] for bone in bones) == pytest.approx(97.0, abs=3.0)


def test_left_and_right_hands_mirror_each_other() -> None:
    shape, skin = limbs.HandShape(roll=0.4), (200.0, 150.0, 120.0)
    up = -np.pi / 2
    hands = [
        limbs.hand_bones(np.zeros(3), up, shape, side=side, length=80.0, colour=skin)
        for side in (-1.0, 1.0)
    ]
    for left, right in zip(*hands, strict=True):
        assert left.end == pytest.approx(right.end * np.array([-1.0, 1.0, 1.0]), abs=1e-9)


def test_bones_off_the_canvas_draw_nothing() -> None:
    bone = limbs.Bone(np.array([-90.0, 5, 0]), np.array([-60.0, 5, 0]), 5.0, 5.0, (9.0, 9.0, 9.0))
    patch, _ = limbs.draw_bones([bone], size=(50, 50))
    assert patch.size == 0


# The figure before the detectors


def test_the_detectors_find_face_body_and_hands(ada_frames: list[np.ndarray]) -> None:
    solutions = pytest.importorskip("mediapipe").solutions
    seen = ada_frames[::5]
    with (
        solutions.face_detection.FaceDetection(model_selection=1) as faces,
        solutions.holistic.Holistic(model_complexity=1, refine_face_landmarks=True) as holistic,
    ):
        counts, face, body, hands = [], 0, 0, 0
        for frame in seen:
            small = cv2.resize(frame, (640, 360), interpolation=cv2.INTER_AREA)
            counts.append(len(faces.process(small).detections or []))
            found = holistic.process(frame)
            face += found.face_landmarks is not None
            body += found.pose_landmarks is not None
            hands += found.left_hand_landmarks is not None
            hands += found.right_hand_landmarks is not None
    assert counts == [1] * len(seen)
    assert face == body == len(seen)
    assert hands >= len(seen)


def test_the_figure_moves_and_the_room_does_not(ada_frames: list[np.ndarray]) -> None:
    change = np.abs(ada_frames[0].astype(int) - ada_frames[20].astype(int)).max(axis=2)
    assert change[:, :200].max() == 0
    assert (change > 20).sum() > 2000


# Files


def test_one_speaker_renders_to_the_same_bytes() -> None:
    scene = Scene((take("eva"),), 0.4)
    assert film.render(scene) == film.render(scene)


@pytest.mark.parametrize(
    ("fps", "frames"), [(cast.PAL, 175), (cast.FILM_30, 210), (cast.NTSC, 209)]
)
def test_frame_count_never_exceeds_the_sound(fps: Fraction, frames: int) -> None:
    assert film.frame_count(7.0, fps) == frames


def test_sound_stays_where_it_was_put() -> None:
    picture = encode.encode_video(
        [np.zeros((64, 64, 3), np.uint8)] * 25, fps=Fraction(25), size=(64, 64)
    )
    sound = np.zeros(22050, np.float32)
    sound[11025:11525] = 0.6 * np.sin(np.arange(500) * 0.3)
    heard = decoded_sound(encode.join(picture, sound, sample_rate=22050))
    delay = int(np.argmax(np.correlate(heard[:22050], sound, mode="full"))) - (len(sound) - 1)
    assert abs(delay) <= 2


def test_join_without_sound_leaves_no_sound_stream() -> None:
    picture = encode.encode_video(
        [np.zeros((64, 64, 3), np.uint8)] * 50, fps=Fraction(25), size=(64, 64)
    )
    with av.open(
        io.BytesIO(encode.join(picture, None, sample_rate=22050, seconds=1.0))
    ) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        assert sum(1 for _ in container.decode(video=0)) == 25


def test_a_truncated_file_cannot_be_opened() -> None:
    picture = encode.encode_video(
        [np.zeros((64, 64, 3), np.uint8)] * 25, fps=Fraction(25), size=(64, 64)
    )
    with pytest.raises(av.error.InvalidDataError):
        av.open(io.BytesIO(faults.truncate(picture)))


# The folder


def small_contents(seconds: float) -> dict[str, bytes]:
    """The sample's files from pictures of 64x64 black: all of the folder but the drawing."""
    films = {
        name: encode.encode_video(
            [np.zeros((64, 64, 3), np.uint8)] * 100, fps=scene.takes[0].fps, size=(64, 64)
        )
        for name, scene in faults.scenes(seconds).items()
    }
    return faults.files(films, seconds)


def test_truth_and_sources_list_every_file_once() -> None:
    plan = faults.sources(5.0)
    names = [source.truth.file for source in plan]
    assert sorted(names) == sorted(small_contents(5.0))
    rows = list(csv.DictReader(io.StringIO(write.source_table(plan))))
    assert [row["locator"] for row in rows] == names
    assert tuple(rows[0]) == write.SOURCE_COLUMNS
    truth = write.truth_table([source.truth for source in plan]).splitlines()
    assert truth[0].split("\t") == [
        "file", "expect", "why", "first_second", "last_second", "detail",
    ]  # fmt: skip
    assert {len(line.split("\t")) for line in truth} == {6}


def test_each_fault_is_planted_and_only_good_sources_are_kept() -> None:
    truths = [source.truth for source in faults.sources(7.0)]
    assert all((truth.why == "kept") == (truth.expect == "keep") for truth in truths)
    assert {truth.why for truth in truths} == set(faults.Reason.__args__)
    assert {
        source.take.person.name for source in faults.sources(7.0) if source.truth.why == "kept"
    } == {take.person.name for take in TAKES}


UNPROVEN = ("overlapped_speech", "not_the_speaker")
"""Planted faults that no filter drops yet: their clips are kept."""


def clips_kept() -> list[faults.Source]:
    """The sources whose clips a run keeps."""
    plan = faults.sources(write.SECONDS)
    return [one for one in plan if one.truth.why in ("kept", *UNPROVEN)]


def test_every_person_looks_and_sounds_like_nobody_else() -> None:
    people = [take.person for take in TAKES]
    assert len(people) >= 6
    for what in ("name", "face", "build", "voice"):
        assert len({getattr(person, what) for person in people}) == len(people), what
    voices = {person.voice for person in people} | {cast.NARRATOR, cast.INTERRUPTER}
    assert len(voices) == len(people) + 2


def test_no_two_clips_that_are_kept_show_one_motion_or_the_same_words() -> None:
    takes = [source.take for source in clips_kept()]
    for what in ("name", "seed", "text"):
        assert len({getattr(take, what) for take in takes}) == len(takes), what
    seconds = np.arange(round(25 * write.SECONDS)) / 25
    openings = [motion.lips(film.speech_of(take, write.SECONDS), seconds)[0] for take in takes]
    alike = np.corrcoef(openings) - np.eye(len(takes))
    assert np.abs(alike).max() < 0.5


def test_two_people_or_more_are_on_each_side_and_unproven_faults_in_train_alone() -> None:
    settings = config.load(ROOT / "manifests" / "sources" / "sample.yaml", ()).split
    assert settings.mode == "auto"
    split = Splitting(salt=settings.salt, val=settings.val, test=settings.test)
    sides = split.assign({f"speaker:{take.person.name}": 130 for take in TAKES}, {}).sides
    assert min(list(sides.values()).count(side) for side in SIDES) >= 2
    faulty = [source.take.person.name for source in clips_kept() if source.truth.why in UNPROVEN]
    assert {sides[f"speaker:{name}"] for name in faulty} == {"train"}


def test_a_complete_folder_is_left_alone_and_a_damaged_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    black = encode.encode_video(
        [np.zeros((64, 64, 3), np.uint8)] * 25, fps=Fraction(25), size=(64, 64)
    )
    made: list[int] = []

    def render(films: dict[str, Scene], workers: int) -> dict[str, bytes]:
        made.append(workers)
        return dict.fromkeys(films, black)

    monkeypatch.setattr(write, "_render", render)
    table = write.make_sample(tmp_path, seconds=5.0)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert write.make_sample(tmp_path, seconds=5.0) == table == tmp_path / "sources.csv"
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    assert len(made) == 1
    content = (tmp_path / "ben.mp4").read_bytes()
    (tmp_path / "ben.mp4").write_bytes(b"damaged")
    write.make_sample(tmp_path, seconds=5.0)
    assert len(made) == 2
    assert (tmp_path / "ben.mp4").read_bytes() == content
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with contextlib.suppress(OSError):
        write.write_whole(tmp_path / "taken", b"bytes")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize(("seconds", "workers"), [(4.9, 2), (7.0, 0)])
def test_values_out_of_range_are_refused(tmp_path: Path, seconds: float, workers: int) -> None:
    with pytest.raises(ValueError, match="at least"):
        write.make_sample(tmp_path, seconds=seconds, workers=workers)


@pytest.mark.xdist_group("build")
@pytest.mark.timeout(900)
def test_the_command_names_the_list_and_leaves_a_whole_sample_as_it_is(
    sample: Path, tmp_path: Path
) -> None:
    """What is written into a new folder, the other tests of this file say."""
    before = {file: file.stat().st_mtime_ns for file in sample.iterdir()}
    done = CliRunner().invoke(app, ["sample", str(sample)])
    assert (done.exit_code, done.output) == (0, f"{sample / 'sources.csv'}\n")
    assert {file: file.stat().st_mtime_ns for file in sample.iterdir()} == before
    (tmp_path / "file").write_text("")
    assert CliRunner().invoke(app, ["sample", str(tmp_path / "file")]).exit_code != 0

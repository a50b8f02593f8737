"""Sync without weights: plumbing on a made mouth and voice, worth on real footage."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.perception.sync import BACKENDS, Embedded, Lips, SyncBackend, SyncError, SyncScore
from pipeline.perception.sync.lipvoice import bridged, mouth

SHARED = Path(os.environ.get("COSPEECH_SHARED", Path(__file__).parents[3] / ".." / "shared"))
FRAMES = 150
RIM = {48: (-20, 0), 54: (20, 0), 50: (-5, -8), 51: (0, -9), 52: (5, -8), 56: (5, 8), 57: (0, 9)}
RIM |= {58: (-5, 8), 61: (-5, -2), 62: (0, -2), 63: (5, -2), 65: (5, 2), 66: (0, 2), 67: (-5, 2)}
LOWER = (56, 57, 58, 65, 66, 67)


def syllables(frames: int) -> np.ndarray:
    """An opening between 0 and 1 that does not repeat."""
    noise = np.random.default_rng(7).normal(size=frames + 8)
    return np.clip(np.convolve(noise, np.hanning(7), mode="same")[4:-4] / 3.0 + 0.4, 0.0, 1.5)


def talking(opening: np.ndarray) -> np.ndarray:
    """A pose whose lower lip and chin follow an opening."""
    pose = np.zeros((len(opening), 133, 3), np.float32)
    face = pose[:, 23:91]
    face[:, :, 2] = 1.0
    for joint, (x, y) in RIM.items():
        face[:, joint, 0], face[:, joint, 1] = 200 + x, 300 + y
        if joint in LOWER:
            face[:, joint, 1] += 15 * opening
    for eye, x in ((range(36, 42), 170), (range(42, 48), 230)):
        face[:, list(eye), :2] = (x, 235)
    for joint in range(5, 12):
        face[:, joint, 0], face[:, joint, 1] = 200 + 15 * (joint - 8), 345 + 12 * opening
    face[:, 27, :2], face[:, 33, :2] = (200, 230), (200, 270)
    face[:, 8, 0], face[:, 8, 1] = 200, 350 + 12 * opening
    return pose


def voice(opening: np.ndarray) -> np.ndarray:
    """As the mouth opens, the sound moves from a murmur at 300 Hz to 750 Hz; some hiss throughout."""
    share = np.repeat(np.clip(opening, 0.0, 1.0), 640)
    t = np.arange(len(share)) / 16000.0
    low, high = np.sin(2 * np.pi * 300.0 * t), np.sin(2 * np.pi * 750.0 * t)
    hiss = np.random.default_rng(3).normal(size=len(t))
    return (6000 * (share * high + (1.0 - share) * low) + 30 * hiss).astype(np.int16)


def measured(late: int, *, margin: int, pose: np.ndarray | None = None) -> SyncScore:
    opening = syllables(FRAMES + 80)
    start, stop = 40 - late - margin, 40 - late + FRAMES + margin
    visual = talking(opening[40 : 40 + FRAMES]) if pose is None else pose
    score = Embedded().load()
    return score(Lips(None, visual), voice(opening[start:stop]), margin=margin)


@pytest.mark.parametrize("late", [-15, -7, -1, 0, 1, 8, 15])
def test_a_planted_offset_is_found(late: int) -> None:
    assert measured(late, margin=15).offset == late


@pytest.mark.parametrize("margin", [0, 6, 15, 20])
def test_an_offset_is_found_with_any_margin(margin: int) -> None:
    found = measured(5, margin=margin)
    assert found.offset == 5
    assert found.confidence > 0.5  # three estimates of a drawn mouth agree less than of a real one


def test_another_voice_is_less_sure_than_the_own() -> None:
    opening = syllables(FRAMES + 30)
    own = measured(0, margin=15)
    foreign = Embedded().load()(
        Lips(None, talking(opening[15:-15])), voice(opening[::-1].copy()), margin=15
    )
    assert foreign.confidence < own.confidence
    assert foreign.speaking < own.speaking


def test_unseen_lips_are_no_evidence() -> None:
    pose = talking(syllables(FRAMES))
    pose[: FRAMES // 2 + 1, :, 2] = 0.0
    assert measured(0, margin=15, pose=pose) == SyncScore(0, 0.0, 0.0, 0.0)


def test_a_still_mouth_does_not_speak_and_has_no_offset() -> None:
    found = measured(0, margin=15, pose=talking(np.full(FRAMES, 0.5)))
    assert abs(found.confidence) < 1e-3
    assert found.speaking < -1.0


def test_a_silent_voice_is_nobodys() -> None:
    found = Embedded().load()(
        Lips(None, talking(syllables(FRAMES))), np.zeros((FRAMES + 30) * 640, np.int16), margin=15
    )
    assert found.confidence == 0.0 and found.speaking < -1.0


def test_frames_without_a_face_are_bridged() -> None:
    points = np.zeros((4, 1, 2))
    points[:, 0, 0] = (1.0, 99.0, 99.0, 4.0)
    found = np.array([True, False, False, True])
    np.testing.assert_allclose(bridged(points, found)[:, 0, 0], (1.0, 2.0, 3.0, 4.0))


@settings(max_examples=10, deadline=None)
@given(scale=st.floats(0.3, 5.0), x=st.floats(-1000.0, 1000.0), y=st.floats(-1000.0, 1000.0))
def test_the_mouth_does_not_depend_on_place_and_size_of_the_face(
    scale: float, x: float, y: float
) -> None:
    pose = talking(syllables(60))
    moved = pose.copy()
    moved[:, :, :2] = pose[:, :, :2] * np.float32(scale) + np.array([x, y], np.float32)
    a, b = mouth(pose), mouth(moved)
    assert a is not None
    assert b is not None
    np.testing.assert_allclose(a[:, :4], b[:, :4], atol=0.02)


def test_sound_of_another_length_is_refused() -> None:
    lips = Lips(None, talking(syllables(FRAMES)))
    with pytest.raises(SyncError, match="margin 15, has 115200 samples, got 10"):
        Embedded().load()(lips, np.zeros(10, np.int16), margin=15)


def test_a_picture_too_short_for_every_offset_is_refused() -> None:
    lips = Lips(None, talking(syllables(50)))
    with pytest.raises(SyncError, match="got 20"):
        Embedded().load()(lips, np.zeros(50 * 640, np.int16), margin=0)


def test_every_backend_is_named_as_in_the_registry_and_survives_pickling() -> None:
    for name, make in BACKENDS.items():
        backend = make(weights=None)
        assert isinstance(backend, SyncBackend)
        assert backend.name == name
        assert pickle.loads(pickle.dumps(backend)) == backend
        assert (backend.missing() is None) == (name == "embedded")


def test_running_twice_gives_the_same() -> None:
    assert measured(3, margin=15) == measured(3, margin=15)


@pytest.mark.slow
def test_on_real_footage_planted_offsets_move_the_answer_and_another_voice_lowers_it() -> None:
    from research.truth.sync_clips import read  # decodes and follows as the pipeline does

    media = SHARED / "media" / "video"
    if not media.is_dir():
        pytest.skip(f"needs the shared media folder, not at {media}")
    clip, other = (
        next(read(media / name)) for name in ("svid_side_2.mp4", "svid_dialogue_case1_2.mp4")
    )
    score = Embedded().load()
    start, stop = 30, len(clip) - 30
    late = {
        p: score(clip.lips(start, stop), clip.audio(start, stop, late=p), margin=15)
        for p in (-9, 0, 9)
    }
    assert [found.offset - late[0].offset for found in late.values()] == [-9, 0, 9]
    assert min(found.confidence for found in late.values()) > 4.0
    foreign = score(clip.lips(start, stop), other.audio(start, stop), margin=15)
    assert foreign.confidence < 4.0

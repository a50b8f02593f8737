import pickle
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import soxr

from pipeline.perception.speech import BACKENDS, Embedded, SpeechBackend, detector, voices
from pipeline.sample.voice import Voice, room, speak

MAN = Voice("en+m3", pitch=38, tract=0.9)
WOMAN = Voice("en-us+f3", pitch=58, tract=1.06)
TEXTS = (
    "the morning train was late again, so we walked along the river and talked about the plan",
    "nobody had told me that the meeting was moved, and the room was empty when I arrived",
    "if you look at the numbers for the last three years you can see where this is going",
    "she opened the window and listened to the rain for a while before she gave an answer",
)
KEEP = (
    "latentsync_demo2", "svid_dialogue_case1_2", "svid_half_body_1", "svid_half_body_3",
    "tango_1wrQ6Msp7wM",
)  # fmt: skip
NO_SPEECH = (
    "infinitetalk_cmp0_source", "infinitetalk_dubbing_12", "liveportrait_s18", "liveportrait_s20",
)  # fmt: skip


def say(text, voice):
    speech = speak(text, voice)
    return soxr.resample(speech.samples, speech.sample_rate, 16_000).astype(np.float32)


def sixteen_bit(samples):
    return np.round(np.clip(room(samples, seed=0), -1.0, 1.0) * 32_767.0).astype(np.int16)


def read(path: Path):
    resampler = av.AudioResampler(format="s16", layout="mono", rate=16_000)
    with av.open(str(path)) as container:
        frames = [f for frame in container.decode(audio=0) for f in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray().ravel() for frame in frames])


@pytest.fixture(scope="module")
def listen():
    return Embedded().load()


def test_the_backend_fulfils_the_interface_and_can_be_sent_to_a_worker():
    backend = BACKENDS["embedded"]()
    assert isinstance(backend, SpeechBackend)
    assert backend.missing() is None
    assert pickle.loads(pickle.dumps(backend)) == backend
    assert "silero-vad=6.2.3" in backend.version
    assert len(backend.weights or "") == 64


@pytest.mark.slow
def test_listening_imports_no_audio_stack():
    code = (
        "import sys; from pipeline.perception.speech import Embedded; Embedded().load();"
        "print([n for n in ('librosa', 'webrtcvad', 'torchaudio', 'numba') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("count", [0, 1, 100, 16_000])
def test_silence_of_any_length_holds_nobody(listen, count):
    heard = listen(np.zeros(count, np.int16))
    assert heard.voiced == heard.turns == heard.overlaps == heard.music == ()
    assert heard.voices.shape == (0, 256)


def test_one_voice_is_one_turn(listen):
    samples = sixteen_bit(np.concatenate([say(text, MAN) for text in TEXTS]))
    heard = listen(samples)
    assert [speaker for *_, speaker in heard.turns] == [0]
    assert heard.turns[0][1] - heard.turns[0][0] > 0.9 * len(samples) / 16_000
    assert np.linalg.norm(heard.voices, axis=1) == pytest.approx([1.0])


def test_two_voices_are_told_apart_and_change_where_they_do(listen):
    parts = [say(text, (MAN, WOMAN)[i % 2]) for i, text in enumerate(TEXTS)]
    heard = listen(sixteen_bit(np.concatenate(parts)))
    changes = np.cumsum([len(part) for part in parts])[:-1] / 16_000
    assert [speaker for *_, speaker in heard.turns] == [0, 1, 0, 1]
    starts = [start for start, *_ in heard.turns[1:]]
    assert starts == pytest.approx(changes, abs=0.7)
    assert float(heard.voices[0] @ heard.voices[1]) < Embedded.same_voice


def test_the_same_samples_give_the_same_answer(listen):
    samples = sixteen_bit(say(TEXTS[0], WOMAN))
    first, second = listen(samples), Embedded().load()(samples)
    assert (first.voiced, first.turns) == (second.voiced, second.turns)
    assert (first.voices == second.voices).all()


def test_an_encoder_is_never_handed_all_windows_of_a_long_recording(listen):
    handed = []

    def encode(mels):
        handed.append(len(mels))
        return np.eye(1, 256, dtype=np.float32).repeat(len(mels), axis=0)

    sound = np.random.default_rng(0).normal(size=16_000 * 60).astype(np.float32)
    turns, heard = replace(listen, encode=encode).speakers(sound, ((0.0, 60.0),))
    assert turns == ((0.0, 60.0, 0),)
    assert len(heard) == 1
    assert (sum(handed), max(handed)) == (147, 32)


def test_stretches_are_sorted_and_inside_the_sound(listen):
    pause = np.zeros(40_000, np.float32)
    samples = sixteen_bit(np.concatenate([say(TEXTS[0], MAN), pause, say(TEXTS[1], MAN), pause]))
    heard = listen(samples)
    for parts in (heard.voiced, [turn[:2] for turn in heard.turns]):
        flat = [edge for part in parts for edge in part]
        assert flat == sorted(flat)
        assert flat[0] >= 0.0
        assert flat[-1] <= len(samples) / 16_000
    assert len(heard.turns) == 2


def test_a_threshold_nobody_reaches_leaves_silence():
    assert Embedded(threshold=1.0).load()(sixteen_bit(say(TEXTS[0], MAN))).voiced == ()


def test_whole_blocks_give_the_probabilities_of_single_frames():
    import torch
    from silero_vad import load_silero_vad
    from silero_vad.sequence_vad import SileroVADSequence

    samples = say(TEXTS[0], MAN)
    path = detector.model_path()
    assert path is not None
    blocks = SileroVADSequence(str(path)).audio_forward(samples)
    single = load_silero_vad(onnx=True)
    padded = np.pad(samples, (0, -len(samples) % 512)).reshape(-1, 512)
    frames = [single(torch.from_numpy(frame.copy()), 16_000).item() for frame in padded]
    assert blocks == pytest.approx(frames, abs=1e-6)


def resemblyzer():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("resemblyzer")


@pytest.mark.slow
def test_the_mel_spectrogram_is_resemblyzers():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        audio = pytest.importorskip("resemblyzer.audio")
        samples = say(TEXTS[1], WOMAN)
        theirs = audio.wav_to_mel_spectrogram(samples)
    ours = voices.mel(samples)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 1e-6 * theirs.max()


@pytest.mark.slow
def test_the_encoder_is_resemblyzers():
    library = resemblyzer()
    import torch

    theirs = library.VoiceEncoder("cpu", verbose=False)
    mels = voices.mel(say(TEXTS[2], MAN))[:320].reshape(2, 160, 40)
    with torch.no_grad():
        expected = theirs(torch.from_numpy(mels)).numpy()
    path = voices.model_path()
    assert path is not None
    assert voices.load_encoder(path)(mels) == pytest.approx(expected, abs=1e-5)


def test_quiet_speech_is_raised_and_loud_speech_left():
    tone = np.sin(np.arange(16_000) / 5.0).astype(np.float32)
    raised = tone * 0.001 * voices.gain(tone * np.float32(0.001))
    assert 20.0 * np.log10(np.sqrt(np.mean(raised**2))) == pytest.approx(-30.0, abs=0.01)
    assert voices.gain(tone) == 1.0
    assert voices.gain(np.zeros(10, np.float32)) == voices.gain(np.zeros(0, np.float32)) == 1.0


def test_a_mel_spectrogram_does_not_depend_on_its_blocks(monkeypatch):
    samples = say(TEXTS[0], MAN)
    whole = voices.mel(samples)
    monkeypatch.setattr(voices, "_BLOCK", 37)
    assert voices.mel(samples) == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize("name", KEEP)
def test_a_real_speaker_is_one_voice_over_five_seconds(shared, listen, name):
    heard = listen(read(shared / "media" / "video" / f"{name}.mp4"))
    assert len(heard.voices) == 1
    assert max(stop - start for start, stop, _ in heard.turns) >= 5.0


@pytest.mark.parametrize("name", NO_SPEECH)
def test_singing_music_and_silence_give_no_run_of_speech(shared, listen, name):
    heard = listen(read(shared / "media" / "video" / f"{name}.mp4"))
    assert sum(stop - start for start, stop in heard.voiced) < 0.5


def test_two_people_on_one_telephone_line_are_two_voices(shared, listen):
    heard = listen(read(shared / "media" / "audio" / "sample.wav"))
    assert len(heard.voices) == 2

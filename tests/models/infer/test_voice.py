"""A voice from files made here: which sound comes out, and what is said of files that have none."""

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from models.infer.video import write_video
from models.infer.voice import VoiceError, read_voice
from tests.models.making import voice

MP4 = "movie.mp4"


def tone(seconds: float, rate: int, channels: int = 1) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    wave = (8_000 * np.sin(2 * np.pi * 440.0 * time)).astype(np.int16)
    return wave if channels == 1 else np.stack([wave] * channels, axis=1)


def loudest_pitch(sound: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(spectrum.argmax() * 16_000 / len(sound))


def encode(file: Path, sound: np.ndarray, *, rate: int, codec: str, form: str) -> Path:
    with av.open(str(file), "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(sound[None], format="s16", layout="mono")
        frame.sample_rate = rate
        container.mux(stream.encode(frame))  # type: ignore[union-attr]
        container.mux(stream.encode(None))  # type: ignore[union-attr]
    return file


def test_sound_as_a_dataset_has_it_is_read_to_the_bit(tmp_path: Path) -> None:
    for name in ("voice.wav", "voice.flac"):
        soundfile.write(tmp_path / name, voice(0, 30), 16_000)
        read = read_voice(tmp_path / name)
        assert read.dtype == np.int16 and np.array_equal(read, voice(0, 30))


@pytest.mark.parametrize(("rate", "channels"), [(44_100, 2), (8_000, 1), (48_000, 6)])
def test_any_rate_and_channels_become_sixteen_kilohertz_mono(
    tmp_path: Path, rate: int, channels: int
) -> None:
    soundfile.write(tmp_path / "voice.wav", tone(1.0, rate, channels), rate)
    read = read_voice(tmp_path / "voice.wav")
    assert abs(len(read) - 16_000) <= 640 and len(read) % 640 == 0
    assert loudest_pitch(read[:16_000]) == pytest.approx(440.0, abs=2.0)


def test_the_sound_of_a_movie_is_its_voice(tmp_path: Path) -> None:
    pictures = (np.zeros((64, 64, 3), np.uint8) for _ in range(50))
    write_video(tmp_path / MP4, pictures, sound=tone(2.0, 16_000))
    read = read_voice(tmp_path / MP4)
    assert abs(len(read) - 32_000) <= 2_048 + 640
    assert loudest_pitch(read[4_000:28_000]) == pytest.approx(440.0, abs=2.0)


@given(samples=st.integers(1, 3_000))
def test_silence_fills_the_last_frame(
    tmp_path_factory: pytest.TempPathFactory, samples: int
) -> None:
    file = tmp_path_factory.getbasetemp() / "part.wav"
    soundfile.write(file, np.full(samples, 1_000, np.int16), 16_000)
    read = read_voice(file)
    assert len(read) == -(-samples // 640) * 640
    assert (read[:samples] == 1_000).all() and not read[samples:].any()


def test_recordings_that_were_joined_are_one_voice_whatever_their_rates(tmp_path: Path) -> None:
    first = encode(tmp_path / "a.aac", tone(1.0, 44_100), rate=44_100, codec="aac", form="adts")
    second = encode(tmp_path / "b.aac", tone(1.0, 16_000), rate=16_000, codec="aac", form="adts")
    (tmp_path / "joined.aac").write_bytes(first.read_bytes() + second.read_bytes())
    read = read_voice(tmp_path / "joined.aac")
    assert 2.0 <= len(read) / 16_000 <= 2.3
    assert loudest_pitch(read[4_000:14_000]) == pytest.approx(440.0, abs=4.0)
    assert loudest_pitch(read[20_000:30_000]) == pytest.approx(440.0, abs=4.0)


# ---- what is no voice --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"", b"no sound here\n", b"RIFF\x24\x00\x00\x00WAVE", bytes(5_000), b"\x93NUMPY\x01\x00"],
    ids=["empty", "text", "only-a-head", "zeros", "array"],
)
def test_a_file_that_is_no_sound_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "voice.wav").write_bytes(content)
    with pytest.raises(VoiceError, match=r"voice\.wav (cannot be read as sound|has no sound)"):
        read_voice(tmp_path / "voice.wav")


def test_a_file_that_is_not_there_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(VoiceError, match=r"absent\.wav cannot be read as sound: No such file"):
        read_voice(tmp_path / "absent.wav")
    with pytest.raises(VoiceError, match="cannot be read as sound"):
        read_voice(tmp_path)


def test_a_movie_without_sound_and_a_sound_without_samples_are_named(tmp_path: Path) -> None:
    write_video(tmp_path / MP4, (np.zeros((64, 64, 3), np.uint8) for _ in range(5)))
    with pytest.raises(VoiceError, match=r"movie\.mp4 has no sound$"):
        read_voice(tmp_path / MP4)
    soundfile.write(tmp_path / "voice.wav", np.zeros(0, np.int16), 16_000)
    with pytest.raises(VoiceError, match="has no sound that decodes"):
        read_voice(tmp_path / "voice.wav")


def test_a_movie_that_was_cut_short_is_named(tmp_path: Path) -> None:
    encode(tmp_path / "a.mp4", tone(1.0, 16_000), rate=16_000, codec="aac", form="mp4")
    content = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(content[: len(content) // 2])
    with pytest.raises(VoiceError, match="cannot be read as sound"):
        read_voice(tmp_path / "a.mp4")


def test_a_voice_that_is_too_long_is_refused_and_not_cut(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "voice.wav", voice(0, 50), 16_000)
    assert len(read_voice(tmp_path / "voice.wav", longest=2.0)) == 32_000
    with pytest.raises(VoiceError, match="has more than 2 s of sound"):
        read_voice(tmp_path / "voice.wav", longest=1.99)


@pytest.mark.parametrize(
    "content",
    [
        "ffconcat version 1.0\nfile 'secret.wav'\n",
        "#EXTM3U\n#EXTINF:1,\nsecret.wav\n#EXT-X-ENDLIST\n",
    ],
    ids=["concat", "playlist"],
)
def test_a_file_that_only_names_another_is_not_followed(tmp_path: Path, content: str) -> None:
    soundfile.write(tmp_path / "secret.wav", voice(0, 30), 16_000)
    (tmp_path / "voice.m3u8").write_text(content)
    with pytest.raises(VoiceError, match=r"voice\.m3u8 cannot be read as sound"):
        read_voice(tmp_path / "voice.m3u8")

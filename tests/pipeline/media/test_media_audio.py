"""Sound on the grid: where clicks land, that windows equal the whole, what is refused."""

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import soxr

from pipeline.media.audio import AudioRange, NoAudio, read_all, read_audio, read_sound
from pipeline.media.probe import probe

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
CODECS = {
    "pcm.mkv": ("-c:a", "pcm_s16le"),
    "flac.mkv": ("-c:a", "flac"),
    "aac.mp4": ("-c:a", "aac", "-b:a", "128k"),
    "aac.mkv": ("-c:a", "aac", "-b:a", "128k"),
    "aac.ts": ("-c:a", "aac", "-b:a", "128k"),
    "mp3.mp4": ("-c:a", "libmp3lame", "-b:a", "128k"),
    "opus.webm": ("-c:v", "libvpx", "-c:a", "libopus", "-ar", "48000"),
    "vorbis.webm": ("-c:v", "libvpx", "-c:a", "libvorbis"),
}


def clicks(rate: int, seconds: float, *, channels: int = 1) -> np.ndarray:
    """Short smooth pulses at 0.5, 1.0, 1.5 ... seconds."""
    time = np.arange(int(rate * seconds)) / rate
    signal = np.zeros_like(time)
    for at in np.arange(0.5, seconds - 0.1, 0.5):
        signal += 0.8 * np.exp(-(((time - at) * 4000.0) ** 2))
    return np.repeat(signal[:, None], channels, axis=1).astype(np.float32)


@pytest.fixture
def with_sound(make, tmp_path: Path):
    """A file with a still picture and this sound."""

    def build(name: str, sound: np.ndarray, rate: int, *arguments: str) -> Path:
        wave = tmp_path / "sound.wav"
        soundfile.write(wave, sound, rate, subtype="FLOAT")
        seconds = len(sound) / rate
        picture = f"color=gray:size=64x48:rate=25:duration={seconds}"
        video = () if "-c:v" in arguments else X264
        return make(name, "-f", "lavfi", "-i", picture, "-i", wave, *video, *arguments)

    return build


def tone(rate: int, frequency: float, seconds: float = 2.0) -> np.ndarray:
    time = np.arange(int(rate * seconds)) / rate
    return (0.5 * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


@pytest.mark.parametrize("name", CODECS)
def test_clicks_are_heard_when_they_were_made(with_sound, name):
    path = with_sound(name, clicks(44100, 4.0), 44100, *CODECS[name])
    found = probe(path)
    assert found.audio is not None
    track = read_all(path, found)
    for at in np.arange(0.5, 3.9, 0.5):
        middle = round(at * 16000) - track.first
        near = track.samples[middle - 400 : middle + 400].astype(float)
        if name == "aac.ts":  # A transport stream does not say how long the encoder's delay is.
            assert abs(int(near.argmax()) - 400) <= 16000 * 1024 / 44100 + 16
        else:
            assert abs(int(near.argmax()) - 400) <= 16  # 1 ms


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 32000, 44056, 44100, 48000, 96000])
def test_every_rate_keeps_time_and_level(with_sound, rate):
    path = with_sound("a.mkv", tone(rate, 440.0), rate, "-c:a", "pcm_s16le", "-ar", str(rate))
    found = probe(path)
    got = read_audio(path, found, start=10, stop=40).astype(float) / 32768
    expected = tone(16000, 440.0)[6400:25600]
    assert np.abs(got - expected).max() < 0.002


def test_sixteen_kilohertz_mono_passes_through_untouched(with_sound):
    generator = np.random.default_rng(7)
    noise = generator.integers(-30000, 30000, 32000).astype(np.int16)
    path = with_sound("a.mkv", noise.astype(np.float32) / 32768, 16000, "-c:a", "pcm_s16le")
    found = probe(path)
    assert np.array_equal(read_audio(path, found, start=0, stop=50), noise)


def test_what_lies_above_eight_kilohertz_does_not_fold_back(with_sound):
    path = with_sound("a.mkv", tone(48000, 10000.0), 48000, "-c:a", "pcm_s16le")
    got = read_audio(path, probe(path), start=5, stop=45)
    assert np.abs(got).max() <= 3  # 70 dB below the tone


def test_speech_frequencies_pass_and_chunks_leave_no_seam(with_sound):
    generator = np.random.default_rng(3)
    source = soxr.resample(generator.standard_normal(12000 * 11) * 0.1, 12000, 44100)
    path = with_sound("a.mkv", source.astype(np.float32), 44100, "-c:a", "pcm_s16le")
    ours = read_all(path, probe(path)).samples[200:-200] / 32768
    theirs = soxr.resample(source, 44100, 16000, quality="VHQ")[200:-200]
    assert np.abs(ours - theirs).max() < 3 / 32768


def test_channels_are_averaged_for_mono_and_kept_for_playback(with_sound):
    both = np.stack([tone(48000, 440.0), -tone(48000, 440.0) / 2], axis=1)
    path = with_sound("a.mkv", both, 48000, "-c:a", "pcm_s16le")
    found = probe(path)
    mono = read_audio(path, found, start=0, stop=50).astype(float) / 32768
    assert mono[:100].shape == (100,)
    assert abs(np.abs(mono).max() - 0.125) < 0.003
    stereo = read_sound(path, found, start=10, stop=20)
    assert stereo.shape == (19200, 2)
    assert np.abs(stereo / 32768 - both[19200:38400]).max() < 1e-4


def test_more_than_two_channels_become_one(with_sound):
    six = np.repeat(tone(48000, 440.0)[:, None], 6, axis=1)
    path = with_sound("a.mkv", six, 48000, "-c:a", "flac")
    found = probe(path)
    assert found.audio is not None
    assert found.audio.channels == 6
    assert read_sound(path, found, start=0, stop=10).shape == (19200, 1)


@pytest.mark.parametrize("name", ["aac.mp4", "mp3.mp4", "opus.webm", "vorbis.webm", "flac.mkv"])
def test_a_window_equals_the_same_part_of_the_whole(with_sound, name):
    path = with_sound(name, clicks(44100, 4.0, channels=2), 44100, *CODECS[name])
    found = probe(path)
    track = read_all(path, found)
    first, last = found.audible
    for start, stop in [(first, last), (first, first + 1), (33, 61), (last - 7, last), (50, 50)]:
        window = read_audio(path, found, start=start, stop=stop)
        assert window.dtype == np.int16
        assert len(window) == 640 * (stop - start)
        assert np.array_equal(window, track.window(start=start, stop=stop))
    whole = read_sound(path, found, start=first, stop=last)
    part = read_sound(path, found, start=33, stop=61)
    assert np.array_equal(part, whole[(33 - first) * 1920 : (61 - first) * 1920])


def test_a_long_track_is_read_in_parts_without_seams(with_sound):
    path = with_sound("a.mkv", tone(44100, 200.0, 65.0), 44100, "-c:a", "flac")
    found = probe(path)
    track = read_all(path, found)
    assert len(track.samples) == 65 * 16000
    expected = tone(16000, 200.0, 65.0)[1000:-1000]
    assert np.abs(track.samples[1000:-1000] / 32768 - expected).max() < 0.002
    window = read_audio(path, found, start=740, stop=760)
    assert np.array_equal(window, track.window(start=740, stop=760))


@pytest.mark.parametrize(("shift", "at"), [("0.5", 1.0), ("-0.3", 1.2)])
def test_late_and_early_sound_stays_in_step_with_the_picture(make, tmp_path, shift, at):
    wave = tmp_path / "sound.wav"
    soundfile.write(wave, clicks(48000, 4.0), 48000)
    picture = ("-f", "lavfi", "-i", "color=gray:size=64x48:rate=25:duration=4")
    arguments = (*picture, "-itsoffset", shift, "-i", wave, *X264, "-c:a", "pcm_s16le")
    options = ("-copyts", "-avoid_negative_ts", "disabled")
    path = make("a.mkv", *arguments, *options)
    found = probe(path)
    track = read_all(path, found)
    near = track.samples[round(at * 16000) - track.first - 500 :][:1000]
    assert abs(int(np.argmax(near)) - 500) <= 32  # the container counts in milliseconds


def test_silence_is_never_added_at_the_ends(with_sound):
    path = with_sound("a.mkv", tone(16000, 440.0, 2.0), 16000, "-c:a", "pcm_s16le")
    found = probe(path)
    assert found.audible == (0, 50)
    with pytest.raises(AudioRange, match=r"\[40, 51\).*decodes from 0.000 to 2.000 s"):
        read_audio(path, found, start=40, stop=51)
    with pytest.raises(AudioRange, match="not inside"):
        read_all(path, found).window(start=40, stop=51)
    with pytest.raises(AudioRange):
        read_sound(path, found, start=49, stop=51)


def test_a_backward_window_and_an_odd_rate_are_errors(with_sound):
    path = with_sound("a.mkv", tone(16000, 440.0, 1.0), 16000, "-c:a", "pcm_s16le")
    found = probe(path)
    with pytest.raises(ValueError, match="start <= stop"):
        read_audio(path, found, start=5, stop=4)
    with pytest.raises(ValueError, match="multiple of 25"):
        read_sound(path, found, start=0, stop=4, sample_rate=44056)


def test_a_source_without_sound_says_so(make, moving):
    path = make("a.mp4", *moving(), *X264, "-an")
    found = probe(path)
    with pytest.raises(NoAudio, match="no sound"):
        read_all(path, found)


def break_packets(path: Path, numbers: slice) -> None:
    with av.open(str(path)) as container:
        packets = [bytes(p) for p in container.demux(audio=0) if p.size]
    content = path.read_bytes()
    for packet in packets[numbers]:
        content = content.replace(packet, bytes(len(packet)))
    path.write_bytes(content)


def test_damaged_packets_leave_a_hole_and_time_stays_right(with_sound):
    path = with_sound("a.mkv", clicks(48000, 4.0), 48000, "-c:a", "flac")
    intact = read_all(path, probe(path))
    break_packets(path, slice(20, 24))
    found = probe(path)
    track = read_all(path, found)
    ((start, stop),) = track.holes
    assert 0.2 < (stop - start) / 16000 < 0.5
    assert not track.samples[start + 50 - track.first : stop - 50 - track.first].any()
    assert len(track.samples) == len(intact.samples)
    after = stop + 100 - track.first
    assert np.abs(track.samples[after:].astype(int) - intact.samples[after:]).max() <= 1
    assert np.array_equal(read_audio(path, found, start=0, stop=90), track.window(start=0, stop=90))


def test_a_damaged_end_is_where_the_sound_stops(with_sound):
    path = with_sound("a.mkv", tone(48000, 440.0, 4.0), 48000, "-c:a", "flac")
    break_packets(path, slice(25, None))
    found = probe(path)
    track = read_all(path, found)
    assert len(track.samples) < 3.0 * 16000
    with pytest.raises(AudioRange):
        read_audio(path, found, start=0, stop=90)


def test_a_hole_longer_than_a_chunk_is_a_hole(with_sound):
    path = with_sound("a.mkv", tone(48000, 440.0, 30.0), 48000, "-c:a", "flac")
    break_packets(path, slice(60, 240))
    found = probe(path)
    track = read_all(path, found)
    ((start, stop),) = track.holes
    assert 15 < (stop - start) / 16000 < 20
    assert len(track.samples) == 30 * 16000
    window = read_audio(path, found, start=700, stop=740)
    assert np.array_equal(window, track.window(start=700, stop=740))
    assert window.any()

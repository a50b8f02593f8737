import numpy as np
import pytest

from pipeline.perception.speech.music import activation, find_music
from pipeline.sample.voice import Voice, speak

TEXT = (
    "the morning train was late again so we walked along the river and talked about the plan " * 2
)


def chord(seconds, notes=(220.0, 277.2, 329.6)):
    time = np.arange(round(seconds * 16_000)) / 16_000
    partials = [np.sin(2.0 * np.pi * f * k * time) / k for f in notes for k in (1, 2, 3, 4)]
    return (0.05 * np.sum(partials, axis=0)).astype(np.float32)


def noise(seconds, level=0.02):
    return (np.random.default_rng(0).normal(size=round(seconds * 16_000)) * level).astype(
        np.float32
    )


@pytest.mark.parametrize("count", [0, 1, 1_023, 20_000])
def test_what_is_shorter_than_a_block_is_not_measured(count):
    assert activation(np.zeros(count, np.float32)).shape == (0,)
    assert find_music(np.zeros(count, np.float32), 2.8) == ()


def test_silence_and_noise_hold_no_music():
    assert activation(np.zeros(160_000, np.float32)).max() == 0.0
    assert activation(noise(10.0)).max() < 2.0


def test_speech_activates_less_than_a_held_chord():
    import soxr

    spoken = speak(TEXT, Voice("en+m3"))
    speech = soxr.resample(spoken.samples, spoken.sample_rate, 16_000).astype(np.float32)
    speech = speech + noise(len(speech) / 16_000, 0.001)[: len(speech)]
    assert activation(speech).max() < 2.8 < activation(chord(10.0) + noise(10.0, 0.001)).min()


def test_music_is_found_where_it_sounds():
    sound = np.concatenate([noise(10.0), noise(10.0, 0.001) + chord(10.0), noise(10.0)])
    ((start, stop),) = find_music(sound, 2.8)
    assert start == pytest.approx(10.0, abs=1.7)
    assert stop == pytest.approx(20.0, abs=1.7)


def test_loudness_does_not_matter():
    sound = chord(6.0) + noise(6.0, 0.001)
    assert activation(sound * np.float32(0.1)) == pytest.approx(activation(sound), abs=1e-3)


def test_a_long_sound_is_measured_as_its_parts_are():
    sound = np.concatenate([chord(20.0), noise(20.0), chord(20.0)])
    late = activation(sound[30 * 80 * 256 :])
    assert activation(sound)[30:] == pytest.approx(late, abs=1e-5)

"""Instrumental music, made up: four styles of chords, melody and percussion, seeded. Never counted with real music."""

from collections.abc import Callable, Mapping
from typing import cast

import numpy as np
from jaxtyping import Float32, Float64

from pipeline.perception.speech.interface import SAMPLE_RATE

Wave = Float32[np.ndarray, " samples"]
Tone = Callable[[float, float, np.random.Generator], Float64[np.ndarray, " samples"]]
"""(hertz, seconds) to a note."""

MINOR, MAJOR = (0, 3, 7), (0, 4, 7)
PROGRESSIONS = (
    ((0, MAJOR), (7, MAJOR), (9, MINOR), (5, MAJOR)),
    ((9, MINOR), (5, MAJOR), (0, MAJOR), (7, MAJOR)),
)
"""Roots in semitones over the key, with the chord's steps."""
SCALE = (0, 2, 4, 5, 7, 9, 11, 12)


def times(seconds: float) -> Float64[np.ndarray, " samples"]:
    """Seconds at each sample."""
    return np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def piano(
    hertz: float, seconds: float, draw: np.random.Generator
) -> Float64[np.ndarray, " samples"]:
    """Eight partials that die away, the higher the sooner."""
    t = times(seconds)
    parts = [np.sin(2 * np.pi * k * hertz * t) / k * np.exp(-t * (2.0 + k)) for k in range(1, 9)]
    return np.sum(parts, axis=0) * np.minimum(1.0, t / 0.005)


def strings(
    hertz: float, seconds: float, draw: np.random.Generator
) -> Float64[np.ndarray, " samples"]:
    """A slow swell with vibrato of 5 Hz."""
    t = times(seconds)
    phase = 2 * np.pi * hertz * t + 0.15 * hertz / 50.0 * np.sin(
        2 * np.pi * 5.0 * t + draw.uniform(0, 6)
    )
    parts = [np.sin(k * phase) / k for k in range(1, 12)]
    return np.sum(parts, axis=0) * np.minimum(1.0, np.minimum(t, seconds - t) / (0.25 * seconds))


def plucked(
    hertz: float, seconds: float, draw: np.random.Generator
) -> Float64[np.ndarray, " samples"]:
    """A string of noise through its own delay (Karplus & Strong 1983)."""
    from scipy.signal import lfilter

    period, count = max(2, round(SAMPLE_RATE / hertz)), round(seconds * SAMPLE_RATE)
    burst = np.zeros(count)
    burst[:period] = draw.uniform(-1.0, 1.0, min(period, count))[:period]
    back = np.zeros(period + 2)
    back[[0, period, period + 1]] = 1.0, -0.498, -0.498
    return cast(np.ndarray, lfilter([1.0], back, burst))  # a pair only where its state is given


def square(
    hertz: float, seconds: float, draw: np.random.Generator
) -> Float64[np.ndarray, " samples"]:
    """Odd partials up to 5 kHz, cut short."""
    t = times(seconds)
    parts = [np.sin(2 * np.pi * k * hertz * t) / k for k in range(1, 40, 2) if k * hertz < 5_000.0]
    return np.sum(parts, axis=0) * np.exp(-3.0 * t)


STYLES: Mapping[str, tuple[Tone, Tone, float]] = {
    "piano": (piano, piano, 0.0),
    "strings": (strings, strings, 0.0),
    "guitar and drums": (plucked, plucked, 0.6),
    "electronic": (square, strings, 1.0),
}
"""Melody, chords, loudness of the drums."""


def tune(style: str, seed: int, seconds: float = 20.0) -> Wave:
    """A piece in a seeded key, at a seeded pace, of 0.1 RMS."""
    draw = np.random.default_rng([seed, sorted(STYLES).index(style)])
    melody, chords, drums = STYLES[style]
    beat, key = 60.0 / float(draw.uniform(70, 130)), 55.0 * 2.0 ** (draw.integers(0, 12) / 12.0)
    progression = PROGRESSIONS[int(draw.integers(len(PROGRESSIONS)))]
    sound = np.zeros(round((seconds + 4.0) * SAMPLE_RATE))

    def place(note: Float64[np.ndarray, " samples"], at: float, level: float) -> None:
        first = round(at * SAMPLE_RATE)
        room = min(len(note), len(sound) - first)
        sound[first : first + room] += level * note[:room]

    for step in range(int(seconds / beat)):
        root, steps = progression[step // 4 % 4]
        if step % 4 == 0:
            for up in steps:
                place(
                    chords(2.0 * key * 2.0 ** ((root + up) / 12.0), 4.0 * beat, draw),
                    step * beat,
                    0.3,
                )
        if draw.random() < 0.7:
            place(
                melody(8.0 * key * 2.0 ** (int(draw.choice(SCALE)) / 12.0), beat, draw),
                step * beat,
                0.4,
            )
        if drums:
            place(drum(draw, low=step % 2 == 0), step * beat, drums)
    sound = sound[: round(seconds * SAMPLE_RATE)]
    return (sound * (0.1 / np.std(sound))).astype(np.float32)


def drum(draw: np.random.Generator, *, low: bool) -> Float64[np.ndarray, " samples"]:
    """A kick that falls in pitch, or a burst of noise."""
    t = times(0.2)
    if low:
        return np.sin(2 * np.pi * (50.0 * t + 5.0 * (1.0 - np.exp(-t * 30.0)))) * np.exp(-t * 18.0)
    return draw.normal(size=len(t)) * np.exp(-t * 30.0) * 0.5


def tunes(seeds: range) -> dict[str, Wave]:
    """A piece of every style for every seed."""
    return {f"{style} {seed}": tune(style, seed) for seed in seeds for style in STYLES}

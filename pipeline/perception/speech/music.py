"""Where music sounds, also under speech: partials that hold their pitch, which voices do not for long.

Continuous frequency activation: Seyerlehner, Pohle, Schedl & Widmer 2007, "Automatic music detection in
television productions" (DAFx-07), section 3. An estimate, unproven: see `research/speech_turns.py`,
table "music".
"""

from itertools import pairwise

import numpy as np
from jaxtyping import Float32

from pipeline.perception.speech.interface import SAMPLE_RATE, Stretch, joined

_WINDOW = 1_024
_HOP = 256
_HALF = 80
"""Frames of half a block; a block lasts 2.56 s, blocks begin every 1.28 s."""
_STEP = _HALF * _HOP / SAMPLE_RATE
_BINS = slice(6, 400)
"""94 Hz to 6.2 kHz."""
_AROUND = 21
"""Bins over which the spectrum is levelled, 328 Hz; from the paper."""
_ABOVE_DB = 3.0
_STRONGEST = 5
_AT_ONCE = 24


def find_music(samples: Float32[np.ndarray, " samples"], threshold: float) -> tuple[Stretch, ...]:
    """Stretches whose activation reaches the threshold. samples: 16 kHz, between -1 and 1."""
    found = np.flatnonzero(activation(samples) >= threshold)
    return joined(tuple((float(i * _STEP), float((i + 2) * _STEP)) for i in found), 1e-6)


def activation(samples: Float32[np.ndarray, " samples"]) -> Float32[np.ndarray, " block"]:
    """How steadily the five steadiest partials sound, 0 to 5, per block of 2.56 s, every 1.28 s.

    Differs from the paper: 16 kHz, and what stands 3 dB above its neighbourhood counts as a partial.
    """
    count = max(0, (len(samples) - _WINDOW) // _HOP + 1) // _HALF
    if count < 2:
        return np.zeros(0, np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP]
    halves = np.concatenate(
        [
            _steadiness(windows[first * _HALF : min(first + _AT_ONCE, count) * _HALF])
            for first in range(0, count, _AT_ONCE)
        ]
    )
    return np.array([_peaks((a + b) / 2.0) for a, b in pairwise(halves)], np.float32)


def _steadiness(windows: Float32[np.ndarray, "n 1024"]) -> Float32[np.ndarray, "half bin"]:
    """Fraction of the frames of each half block in which a bin stands out."""
    from scipy.ndimage import uniform_filter1d  # half a second that no other command should wait

    spectrum = np.fft.rfft(windows * np.hanning(_WINDOW).astype(np.float32), axis=1)
    level = 10.0 * np.log10(np.square(spectrum.real) + np.square(spectrum.imag) + 1e-12)
    out = level - uniform_filter1d(level, _AROUND, axis=1) > _ABOVE_DB
    return out[:, _BINS].reshape(-1, _HALF, _BINS.stop - _BINS.start).mean(axis=1, dtype=np.float32)


def _peaks(steadiness: Float32[np.ndarray, " bin"]) -> float:
    """Sum of the heights of the strongest peaks over the higher of the valleys beside each."""
    slope = np.sign(np.diff(steadiness))
    steps = np.flatnonzero(slope)
    if len(steps) < 2:
        return 0.0
    turns = np.flatnonzero(slope[steps[:-1]] != slope[steps[1:]])
    corners = np.concatenate(([0], steps[turns + 1], [len(steadiness) - 1]))
    values = steadiness[corners]
    heights = values[1:-1] - np.maximum(values[:-2], values[2:])
    return float(np.sort(heights[heights > 0.0])[-_STRONGEST:].sum())

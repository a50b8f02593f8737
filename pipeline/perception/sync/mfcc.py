"""Mel-frequency cepstra as the lip-sync and active-speaker networks were trained on: 13
coefficients at 100 Hz.

The definition is the widespread one of Davis & Mermelstein 1980 with the constants the networks
expect: pre-emphasis 0.97, 25 ms rectangular windows every 10 ms, 512-point power spectrum, 26
triangles on the mel scale from 0 Hz to half the rate, natural logarithm, orthonormal DCT-II, sine
lifter 22, and the logarithm of the window's energy in place of coefficient 0.
"""

from functools import cache

import numpy as np
from jaxtyping import Float, Float32, Int16

from manifests.geometry import SAMPLE_RATE, SAMPLES_PER_FRAME

WINDOW = SAMPLE_RATE * 25 // 1000
STEP = SAMPLE_RATE * 10 // 1000
STEPS_PER_FRAME = SAMPLES_PER_FRAME // STEP
FFT = 512
BANDS = 26
COEFFICIENTS = 13
LIFTER = 22
EMPHASIS = 0.97
TINY = float(np.finfo(np.float64).eps)


def mfcc(sound: Int16[np.ndarray, " samples"]) -> Float32[np.ndarray, "step 13"]:
    """Cepstra of 16 kHz mono sound, one row per 10 ms; the row's window starts at that time.

    The last window is filled with zeros. Raises ValueError for empty sound.
    """
    from scipy.fft import dct  # half a second that no other command should wait

    if len(sound) == 0:
        raise ValueError("cepstra need one sample, got 0")
    power = _power(_windows(_emphasised(sound)))
    energy = power.sum(axis=1)
    bands = power @ triangles().T
    whole = np.asarray(dct(np.log(np.maximum(bands, TINY)), type=2, axis=1, norm="ortho"))
    cepstra = whole[:, :COEFFICIENTS]
    cepstra *= 1.0 + LIFTER / 2.0 * np.sin(np.pi * np.arange(COEFFICIENTS) / LIFTER)
    cepstra[:, 0] = np.log(np.maximum(energy, TINY))
    return cepstra.astype(np.float32)


def band_power(sound: Int16[np.ndarray, " samples"]) -> Float[np.ndarray, "step 26"]:
    """Power of 16 kHz mono sound in the 26 mel bands, one row per 10 ms. Raises ValueError for
    empty sound.
    """
    if len(sound) == 0:
        raise ValueError("band power needs one sample, got 0")
    return _power(_windows(_emphasised(sound))) @ triangles().T


@cache
def triangles() -> Float[np.ndarray, "band bin"]:
    """The 26 triangular bands over the bins of the power spectrum; corners at whole bins."""
    top = 2595.0 * np.log10(1.0 + SAMPLE_RATE / 2.0 / 700.0)
    hertz = 700.0 * (10.0 ** (np.linspace(0.0, top, BANDS + 2) / 2595.0) - 1.0)
    corners = np.floor((FFT + 1) * hertz / SAMPLE_RATE)
    low, middle, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    bins = np.arange(FFT // 2 + 1)
    rising = np.where(
        (bins >= low) & (bins < middle), (bins - low) / np.maximum(middle - low, 1.0), 0.0
    )
    falling = np.where(
        (bins >= middle) & (bins < high), (high - bins) / np.maximum(high - middle, 1.0), 0.0
    )
    return rising + falling


def _emphasised(sound: Int16[np.ndarray, " samples"]) -> Float[np.ndarray, " samples"]:
    wave = sound.astype(np.float64)
    return np.concatenate((wave[:1], wave[1:] - EMPHASIS * wave[:-1]))


def _windows(wave: Float[np.ndarray, " samples"]) -> Float[np.ndarray, "step window"]:
    steps = 1 + max(0, -(-(len(wave) - WINDOW) // STEP))
    padded = np.zeros((steps - 1) * STEP + WINDOW)
    padded[: min(len(wave), len(padded))] = wave[: len(padded)]
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::STEP]


def _power(windows: Float[np.ndarray, "step window"]) -> Float[np.ndarray, "step bin"]:
    return np.abs(np.fft.rfft(windows, FFT)) ** 2 / FFT

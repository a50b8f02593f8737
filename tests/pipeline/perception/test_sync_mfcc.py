"""The cepstra that the networks were trained on."""

import numpy as np
import pytest

from pipeline.perception.sync.mfcc import band_power, mfcc, triangles

# Three rows of the reference package's answer (python_speech_features 0.6, defaults) for `chirp`.
REFERENCE = {
    0: (17.3809, -16.1568, 29.0457, 26.6452, 20.1498, 3.3190, 35.4456, -3.9298, 1.7935, 19.0379),
    10: (19.1081, 0.8907, 11.2262, -26.3692, -34.8127, -33.2408, 21.0719, 7.5202, 25.2243, 27.5692),
    23: (18.0837, -13.7159, -14.7127, -24.1171, 15.1380, 15.4145, 15.9018, -38.0842, -12.1081),
}


def chirp() -> np.ndarray:
    t = np.arange(4000)
    tone = 6000 * np.sin(2 * np.pi * t * t / 90000.0) * np.cos(t / 500.0)
    return (tone + ((t * 7919) % 101 - 50) * 8).astype(np.int16)


def test_cepstra_are_those_of_the_reference_package() -> None:
    found = mfcc(chirp())
    assert found.shape == (24, 13)
    for row, values in REFERENCE.items():
        np.testing.assert_allclose(found[row, : len(values)], values, atol=2e-4)


def test_silence_gives_finite_cepstra() -> None:
    assert np.isfinite(mfcc(np.zeros(1600, np.int16))).all()


def test_a_louder_sound_moves_the_energy_and_leaves_the_shape() -> None:
    quiet = mfcc(chirp() // 4)
    loud = mfcc(chirp() // 4 * 4)
    np.testing.assert_allclose(loud[:, 0] - quiet[:, 0], np.log(16.0), atol=1e-3)
    np.testing.assert_allclose(loud[:, 1:], quiet[:, 1:], atol=1e-2)


def test_a_tone_falls_into_the_band_around_it() -> None:
    tone = (8000 * np.sin(2 * np.pi * 918.0 * np.arange(16000) / 16000.0)).astype(np.int16)
    assert band_power(tone).mean(axis=0).argmax() == 8


def test_the_triangles_cover_every_bin_between_the_first_and_the_last_corner() -> None:
    covered = triangles().sum(axis=0)
    assert (covered[3:250] > 0.0).all()


def test_empty_sound_is_refused() -> None:
    with pytest.raises(ValueError, match="got 0"):
        mfcc(np.zeros(0, np.int16))

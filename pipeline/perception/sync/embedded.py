"""Sync without weights: how far the lips open against how open the voice sounds.

Loudness is a poor witness of the lips: a loud /i/ is spoken with a nearly closed mouth, and many
syllables repeat. What the lips do is heard better in the balance of the bands. An open jaw raises
the first formant (Fant 1960, ch. 1.2; Lindblom & Sundberg 1971), so energy between 0.6 and 1 kHz
and, as lips release the sound, between 1.6 and 4 kHz rises with the opening, energy below 0.5 kHz
(closed vowels, nasals, murmur) and above 4 kHz (fricatives, jaw raised) falls; spread lips raise
the second formant above 1.6 kHz and rounded ones lower it to about 1 kHz. The signs below say just
that; nothing is fitted.

Measured on 20 people with MediaPipe's face joints (`benchmarks/sync_offsets.py`): an offset planted
between two halves of a clip, 2 to 4 s each, was found within a frame in 0.62 of the cases, in 21 of
21 from confidence 3 on; the plain correlation of opening and loudness found 0.06. The signs are one
of five tables tried on these people; chosen on the others for each person (the same table for 19 of
20): 0.55. Of 380 faces given another person's voice, 0.08 reached confidence 3 and none 5. An error
of one frame is common.
"""

from dataclasses import dataclass, field
from importlib import metadata

import numpy as np
from jaxtyping import Bool, Float, Float32, Int16

from manifests import keypoints as kp
from manifests.geometry import FPS
from pipeline.perception.sync.interface import (
    REACH,
    Lips,
    Scorer,
    SyncScore,
    check,
    heard_at,
    offsets,
    trimmed,
)
from pipeline.perception.sync.mfcc import band_power

# Groups of the 26 mel bands, by their centres in Hz: 70-230, 310-520, 650-920, 1080-1440,
# 1640-2410, 2700-3810, 4230-7200.
GROUPS = (
    slice(0, 3),
    slice(3, 6),
    slice(6, 9),
    slice(9, 12),
    slice(12, 16),
    slice(16, 20),
    slice(20, 26),
)
OPENS = np.array([-1.0, -1.0, 1.0, 0.0, 1.0, 1.0, -1.0])
SPREADS = np.array([0.0, 0.0, 0.0, -1.0, 1.0, 0.0, 0.0])
SMOOTH = (
    np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9.0
)  # lips move before and after the sound they shape
PASS_HZ = (0.6, 10.0)  # slower is the head and the mood, faster is the detector's noise
FLOOR = 1e-4  # of the mean power: what is quieter counts as silence
RIVAL = 5  # frames from the best offset on which another offset is a rival and not the same peak
STILL = 1e-4  # of the face height between nose bridge and chin: lips that move less do not move
SEEN = 0.5  # share of frames in which the lips must have been found


@dataclass(frozen=True, slots=True)
class Embedded:
    """Lip opening and width against the balance of the voice's bands; CPU, no weights.

    Confidence: the correlation at the best offset less the best one five or more frames away, times
    the square root of the number of frames. Speaking: the correlation at the best offset, times the
    same. Both are 0 where the lips were found in less than half of the frames or do not move.
    """

    name: str = field(default="embedded", init=False)
    weights: None = field(default=None, init=False)
    face_size: None = field(default=None, init=False)
    face_margin: float = field(default=0.0, init=False)
    # On 20 people 380 foreign voices stayed below 5 and offsets above 3 were right; but the signs were chosen on the
    # same people. Until it is shown on others, no sound is moved.
    sure_from: float | None = field(default=None, init=False)

    @property
    def version(self) -> str:
        """Of the method, numpy and scipy."""
        return f"1, numpy {np.__version__}, scipy {metadata.version('scipy')}"

    def missing(self) -> str | None:
        """Nothing is ever missing."""
        return None

    def load(self, device: str = "cpu") -> Scorer:
        """The measurement itself; it runs on the CPU whatever the device."""
        return measure


def measure(lips: Lips, sound: Int16[np.ndarray, " samples"], *, margin: int) -> SyncScore:
    """Sync of one person and one voice; see `Embedded`."""
    check(lips, sound, margin=margin)
    mouth = mouth_shape(lips.pose)
    if mouth is None:
        return SyncScore(offset=0, confidence=0.0, speaking=0.0)
    frames = len(mouth)
    curve = correlations(mouth, voice_shape(sound, frames=frames + 2 * margin), margin=margin)
    best = int(np.argmax(curve))
    rivals = np.abs(np.arange(len(curve)) - best) >= RIVAL
    scale = float(np.sqrt(frames - 2 * trimmed(margin)))
    return SyncScore(
        offset=best - REACH,
        confidence=float(curve[best] - curve[rivals].max()) * scale,
        speaking=float(curve[best]) * scale,
    )


def correlations(
    mouth: Float[np.ndarray, "time 2"], voice: Float[np.ndarray, "heard 2"], *, margin: int
) -> Float[np.ndarray, " offset"]:
    """Correlation of opening and width with what the voice says of them, at each offset from -15 to
    15 frames.
    """
    ends = trimmed(margin)
    seen = standard(mouth[ends : len(mouth) - ends])
    heard = (standard(voice[heard_at(lag, len(mouth), margin=margin)]) for lag in offsets())
    return np.array([(seen * part).mean(axis=0).sum() / np.sqrt(2.0) for part in heard])


def standard(
    series: Float[np.ndarray, "time feature"], *, least: float = 1e-3
) -> Float[np.ndarray, "time feature"]:
    """Each feature with mean 0 and deviation 1 over time; one that moves less than `least` fades to
    0.
    """
    return (series - series.mean(axis=0)) / (series.std(axis=0) + least)


# ---- the mouth -----------------------------------------------------------------------------------


def mouth_shape(pose: Float32[np.ndarray, "time 133 3"]) -> Float[np.ndarray, "time 2"] | None:
    """Opening and width of the mouth over time, band-passed, deviation 1; None where the lips were
    found too rarely.
    """
    face = pose[:, kp.FACE].astype(np.float64)
    found: Bool[np.ndarray, " time"] = np.all(face[:, _USED, 2] > 0.0, axis=1)
    if found.mean() < SEEN:
        return None
    points = bridged(face[:, :, :2], found)
    inner = sum(_apart(points, a, b) for a, b in ((61, 67), (62, 66), (63, 65)))
    outer = sum(_apart(points, a, b) for a, b in ((50, 58), (51, 57), (52, 56)))
    jaw, lower, width = (_apart(points, a, b) for a, b in ((33, 8), (33, 57), (48, 54)))
    height = float(np.median(_apart(points, 27, 8)))
    moved = band_pass(np.stack((inner, outer, jaw, lower, width), axis=1)) / max(height, 1.0)
    parts = standard(moved, least=STILL)
    return np.stack((parts[:, :4] @ np.array([2.0, 1.0, 1.0, 1.0]), parts[:, 4]), axis=1)


_USED = (
    8,
    33,
    48,
    50,
    51,
    52,
    54,
    56,
    57,
    58,
    61,
    62,
    63,
    65,
    66,
    67,
)  # of the 68: chin, bridge and tip of the nose, lips


def bridged(
    points: Float[np.ndarray, "time joint 2"], found: Bool[np.ndarray, " time"]
) -> Float[np.ndarray, "time joint 2"]:
    """The points with a straight line over the frames in which they were not found."""
    flat = points.reshape(len(points), -1)
    known = np.flatnonzero(found)
    columns = [np.interp(np.arange(len(flat)), known, column[known]) for column in flat.T]
    return np.stack(columns, axis=1).reshape(points.shape)


def _apart(points: Float[np.ndarray, "time joint 2"], a: int, b: int) -> Float[np.ndarray, " time"]:
    return np.linalg.norm(points[:, a] - points[:, b], axis=1)


# ---- the voice -----------------------------------------------------------------------------------


def voice_shape(
    sound: Int16[np.ndarray, " samples"], *, frames: int
) -> Float[np.ndarray, "heard 2"]:
    """How open and how spread the mouth sounds, per frame of 40 ms, band-passed."""
    power = band_power(sound)[: 4 * frames]
    power = np.pad(power, ((0, 4 * frames - len(power)), (0, 0)), mode="edge")
    power = power.reshape(frames, 4, -1).mean(axis=1)
    grouped = np.stack([power[:, group].sum(axis=1) for group in GROUPS], axis=1)
    loudness = np.log(grouped + FLOOR * grouped.mean() + 1.0)
    parts = standard(band_pass(loudness))
    parts = np.stack([np.convolve(part, SMOOTH, mode="same") for part in parts.T], axis=1)
    return np.stack((parts @ OPENS, parts @ SPREADS), axis=1)


def band_pass(series: Float[np.ndarray, "time feature"]) -> Float[np.ndarray, "time feature"]:
    """What moves at syllable rate, without delay."""
    from scipy.signal import butter, sosfiltfilt  # over a second that no other command should wait

    return sosfiltfilt(butter(2, PASS_HZ, "bandpass", fs=FPS, output="sos"), series, axis=0)

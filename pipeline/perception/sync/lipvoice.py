"""Correlation of lips and a voice at every offset, after both are projected onto a few common axes.

The axes are linear: weights over what is seen of the mouth, and weights over the balance of the voice's bands in the
frames around. They are either given by phonetics (`embedded.SIGNS`) or fitted by canonical correlation (Hotelling 1936)
on people whose voice and picture belong together (`fitted.py`). The voice is read every 10 ms, so offsets are found in
quarters of a frame and finer.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int16

from manifests import keypoints as kp
from manifests.geometry import FPS
from pipeline.perception.sync.interface import REACH, trimmed
from pipeline.perception.sync.mfcc import STEPS_PER_FRAME, band_power

# Groups of the 26 mel bands, by their centres in Hz: 70-230, 310-520, 650-920, 1080-1440, 1640-2410, 2700-3810,
# 4230-7200.
GROUPS = tuple(
    slice(*ends) for ends in ((0, 3), (3, 6), (6, 9), (9, 12), (12, 16), (16, 20), (20, 26))
)
TAPS = (
    -2,
    -1,
    0,
    1,
    2,
)  # frames of voice around a frame of lips: lips move before and after the sound they shape
PASS_HZ = (0.6, 10.0)  # slower is the head and the mood, faster is the detector's noise
FLOOR = 1e-4  # of the mean power: what is quieter counts as silence
RIVAL = 5  # frames from the best offset on which another offset is a rival and not the same peak
STILL = 1e-4  # of the face height between nose bridge and chin: lips that move less do not move
SEEN = 0.5  # fraction of frames in which the lips must have been found
AGREE = 0.25  # frames by which two estimates may differ before half of the confidence is gone
QUARTERS = np.arange(
    -REACH * STEPS_PER_FRAME, REACH * STEPS_PER_FRAME + 1
)  # offsets tried, in steps of 10 ms


@dataclass(frozen=True, slots=True)
class Axes:
    """Common axes of mouth and voice.

    visual: weights over the mouth's features; audio: over the voice's band groups in the frames around, tap by tap;
    weight: what each axis counts in the sum.
    """

    visual: Float[np.ndarray, "feature axis"]
    audio: Float[np.ndarray, "tapped axis"]
    weight: Float[np.ndarray, " axis"]


@dataclass(frozen=True, slots=True)
class Peak:
    """The best offset of a curve. offset: frames; clear: correlation above the best rival; height: correlation.

    At either end of the offsets tried a curve may rise on beyond them: no peak was seen there, and `clear` is 0.
    """

    offset: float
    clear: float
    height: float


# ---- curves --------------------------------------------------------------------------------------


def curve(
    visual: Float[np.ndarray, "time feature"],
    audio: Float[np.ndarray, "step band"],
    axes: Axes,
    *,
    margin: int,
) -> Float[np.ndarray, " quarter"]:
    """Correlation of mouth and voice at each offset from -15 to 15 frames in quarters of a frame.

    heard: `STEPS_PER_FRAME` rows per frame of picture and per frame of `margin` on each side.
    """
    ends, frames = trimmed(margin), len(visual)
    watched = standard(visual[ends : frames - ends] @ axes.visual)
    voice = around(audio) @ axes.audio
    at = (np.arange(ends, frames - ends) + margin) * STEPS_PER_FRAME
    shifted = voice[np.clip(at + QUARTERS[:, None], 0, len(voice) - 1)]
    shifted = (shifted - shifted.mean(axis=1, keepdims=True)) / (
        shifted.std(axis=1, keepdims=True) + 1e-3
    )
    return (watched * shifted).mean(axis=1) @ axes.weight


def peak(values: Float[np.ndarray, " quarter"]) -> Peak:
    """The highest point, between the steps by the parabola through it and its neighbours."""
    best = int(np.argmax(values))
    rivals = np.abs(np.arange(len(values)) - best) >= RIVAL * STEPS_PER_FRAME
    between, inside = 0.0, 0 < best < len(values) - 1
    if inside:
        left, top, right = (float(values[best + step]) for step in (-1, 0, 1))
        bend = left - 2.0 * top + right
        between = 0.5 * (left - right) / bend if bend < 0.0 else 0.0
    return Peak(
        offset=(float(QUARTERS[best]) + between) / STEPS_PER_FRAME,
        clear=float(values[best] - values[rivals].max()) if inside else 0.0,
        height=float(values[best]),
    )


def agreement(peaks: tuple[Peak, ...]) -> float:
    """1 where several estimates give the same offset, a half where they differ by `AGREE` frames, falling to 0.

    0 as well where one of them names an end of the offsets tried: all that point beyond it would agree.
    """
    found = [one.offset for one in peaks]
    if max(map(abs, found)) >= REACH:
        return 0.0
    return 1.0 / (1.0 + ((max(found) - min(found)) / AGREE) ** 2)


def standard(
    series: Float[np.ndarray, "time feature"], *, least: float = 1e-3
) -> Float[np.ndarray, "time feature"]:
    """Each feature with mean 0 and deviation 1 over time; one that moves less than `least` fades to 0."""
    return (series - series.mean(axis=0)) / (series.std(axis=0) + least)


# ---- the mouth -----------------------------------------------------------------------------------

# Of the 68 face joints: chin, bridge and tip of the nose, lips.
_USED = (8, 33, 48, 50, 51, 52, 54, 56, 57, 58, 61, 62, 63, 65, 66, 67)
MEASURES = (
    6  # inner and outer opening, chin and lower lip below the nose, width, upper lip below the nose
)


def mouth(pose: Float32[np.ndarray, "time 133 3"]) -> Float[np.ndarray, "time 6"] | None:
    """The mouth's six measures over time, band-passed, deviation 1; None where the lips were found too rarely."""
    face = pose[:, kp.FACE].astype(np.float64)
    found: Bool[np.ndarray, " time"] = np.all(face[:, _USED, 2] > 0.0, axis=1)
    if found.mean() < SEEN:
        return None
    points = bridged(face[:, :, :2], found)
    inner = sum(_apart(points, a, b) for a, b in ((61, 67), (62, 66), (63, 65)))
    outer = sum(_apart(points, a, b) for a, b in ((50, 58), (51, 57), (52, 56)))
    others = (_apart(points, a, b) for a, b in ((33, 8), (33, 57), (48, 54), (33, 51)))
    height = float(np.median(_apart(points, 27, 8)))
    moved = band_pass(np.stack((inner, outer, *others), axis=1), sample_rate=FPS) / max(height, 1.0)
    return standard(moved, least=STILL)


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


def bands(sound: Int16[np.ndarray, " samples"], *, frames: int) -> Float[np.ndarray, "step 7"]:
    """Loudness of the seven groups every 10 ms, each over the 40 ms that begin there, band-passed, deviation 1."""
    steps = frames * STEPS_PER_FRAME
    power = band_power(sound)[:steps]
    power = np.pad(power, ((0, steps + STEPS_PER_FRAME - 1 - len(power)), (0, 0)), mode="edge")
    power = np.lib.stride_tricks.sliding_window_view(power, STEPS_PER_FRAME, axis=0).mean(axis=-1)
    grouped = np.stack([power[:, group].sum(axis=1) for group in GROUPS], axis=1)
    loudness = np.log(grouped + FLOOR * grouped.mean() + 1.0)
    return standard(band_pass(loudness, sample_rate=FPS * STEPS_PER_FRAME))


def around(audio: Float[np.ndarray, "step band"]) -> Float[np.ndarray, "step tapped"]:
    """Each row beside those of the frames around it, tap by tap; at the ends the last row repeats."""
    at = np.arange(len(audio))[:, None] + np.array(TAPS) * STEPS_PER_FRAME
    return audio[np.clip(at, 0, len(audio) - 1)].reshape(len(audio), -1)


def band_pass(
    series: Float[np.ndarray, "time feature"], *, sample_rate: float
) -> Float[np.ndarray, "time feature"]:
    """What moves at syllable rate, without delay."""
    from scipy.signal import butter, sosfiltfilt  # over a second that no other command should wait

    return sosfiltfilt(butter(2, PASS_HZ, "bandpass", fs=sample_rate, output="sos"), series, axis=0)

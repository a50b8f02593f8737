"""How a speaker moves: lips from the sound and its phonemes; arms, hands and head from a seed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.sample.head import Look
from pipeline.sample.limbs import HandShape
from pipeline.sample.voice import Samples, Speech

Track = NDArray[np.float64]
"""One value per frame, (frames,)."""

CLOSED = ("p", "b", "m")
ROUNDED = ("u", "o", "O", "U", "w", "y", "Y", "@U", "oU", "W")
WIDE = ("i", "e", "E", "I", "s", "z", "j", "a")
OPEN = ("a", "A", "0", "V", "O", "3", "@", "aI", "aU")


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm in one frame: wrist in portrait pixels from the chest's middle, elbow lift, hand."""

    wrist: tuple[float, float]
    lift: float
    hand: HandShape


@dataclass(frozen=True, slots=True)
class Moment:
    """A whole figure in one frame: head, left and right arm (as seen), and the body's sway."""

    look: Look
    arms: tuple[Arm, Arm]
    sway: tuple[float, float]


def loudness(samples: Samples, sample_rate: int, times: Track) -> Track:
    """Root mean square in a 60 ms window around each time (seconds), relative to the loud parts."""
    squares = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    middle = np.round(times * sample_rate).astype(int)
    half = round(0.03 * sample_rate)
    low = np.clip(middle - half, 0, len(samples))
    high = np.clip(middle + half, 0, len(samples))
    energy = (squares[high] - squares[low]) / np.maximum(high - low, 1)
    level = np.sqrt(np.maximum(energy, 0.0))
    loud = float(np.percentile(level, 90)) if level.size else 0.0
    return np.clip(level / max(loud, 1e-6), 0.0, 1.3) if loud > 1e-4 else np.zeros_like(level)


def _smooth(track: Track, sigma: float) -> Track:
    reach = int(np.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = np.pad(track, reach, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid").astype(np.float64)


def lips(speech: Speech, times: Track) -> tuple[Track, Track]:
    """Opening (0 to 1) and spread (-1 rounded to 1 wide) at each time in seconds."""
    level = loudness(speech.samples, speech.sample_rate, times)
    starts = np.array([phone.second for phone in speech.phones] or [0.0])
    symbols = [phone.symbol.lstrip("',%=|;") for phone in speech.phones] or ["_"]
    at = np.clip(np.searchsorted(starts, times, side="right") - 1, 0, len(symbols) - 1)
    factor, spread = np.empty(len(times)), np.empty(len(times))
    for frame, index in enumerate(at):
        symbol = symbols[index]
        factor[frame] = 1.15 if symbol.startswith(OPEN) else 0.75
        if symbol.startswith(CLOSED):
            factor[frame] = 0.1
        spread[frame] = -1.0 if symbol.startswith(ROUNDED) else 0.0
        if symbol.startswith(WIDE):
            spread[frame] = 0.8
    opening = np.clip(_smooth(0.92 * level**0.7 * factor, 0.55), 0.02, 1.0)
    return opening, _smooth(spread, 1.0) * np.clip(opening * 2.5, 0.2, 1.0)


def wander(random: np.random.Generator, times: Track, *, period: float, size: float) -> Track:
    """A slow aimless movement: three sines around `period` seconds, about +/- size."""
    track = np.zeros_like(times)
    for fraction in (1.0, 0.6, 0.37):
        phase, stretch = random.uniform(0, 2 * np.pi), random.uniform(0.85, 1.15)
        track += fraction * np.sin(2 * np.pi * times / (period * fraction * stretch) + phase)
    return size * track / 1.6


def _ease(times: Track, knots: Track, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Minimum-jerk moves between knots: (frames, values.shape[1])."""
    at = np.clip(np.searchsorted(knots, times, side="right") - 1, 0, len(knots) - 2)
    span = knots[at + 1] - knots[at]
    # Each stroke takes the first 60 % of its interval, then the pose stays.
    fraction = np.clip((times - knots[at]) / np.maximum(span * 0.6, 0.2), 0, 1)
    fraction = fraction**3 * (10 - 15 * fraction + 6 * fraction**2)
    return values[at] + (values[at + 1] - values[at]) * fraction[:, None]


def _hand_keys(random: np.random.Generator, count: int, *, energy: float) -> NDArray[np.float64]:
    """Key poses: wrist x (outwards), wrist y, lift, four curls, thumb, fan, roll, bend, tilt."""
    keys = np.empty((count, 12))
    for row in range(count):
        raised = random.uniform(0.35, 1.0) * energy
        curl = random.choice([0.03, 0.12, 0.25, 0.4])
        back = random.random() < 0.25
        keys[row] = [
            random.uniform(58, 100) + 45 * raised * random.random(),
            432 - 110 * raised + random.uniform(-12, 12),
            random.uniform(0.0, 0.5),
            *np.clip(
                curl + random.uniform(-0.06, 0.12, 4) + np.array([0, 0.02, 0.05, 0.08]), 0, 0.9
            ),
            random.uniform(0.45, 1.0),
            random.uniform(0.8, 1.5),
            (np.pi - random.uniform(0.0, 0.5)) if back else random.uniform(-0.3, 0.55),
            random.uniform(-0.12, 0.3),
            random.uniform(-0.15, 0.25),
        ]
    return keys


def _arm_track(
    random: np.random.Generator, times: Track, *, energy: float, beat: float
) -> NDArray[np.float64]:
    count = int(np.ceil(times[-1] / beat)) + 3 if len(times) else 2
    knots = np.cumsum(random.uniform(0.75, 1.25, count) * beat) - beat
    knots[0] = min(knots[0], -0.5)
    track = _ease(times, knots, _hand_keys(random, count, energy=energy))
    track[:, 0] += wander(random, times, period=1.7, size=2.5)
    track[:, 1] += wander(random, times, period=1.3, size=3.5)
    for finger in range(4):
        track[:, 3 + finger] += wander(random, times, period=1.1, size=0.05)
    track[:, 3:7] = np.clip(track[:, 3:7], 0.0, 0.95)
    return track


def _arm(row: NDArray[np.float64], side: float) -> Arm:
    curl = (float(row[3]), float(row[4]), float(row[5]), float(row[6]))
    hand = HandShape(
        curl=curl, thumb=float(row[7]), fan=float(row[8]), roll=float(row[9]),
        bend=float(side * row[10]), tilt=float(row[11]),
    )  # fmt: skip
    return Arm((float(side * row[0]), float(row[1])), float(row[2]), hand)


def _blinks(random: np.random.Generator, times: Track) -> Track:
    blink = np.zeros_like(times)
    second = random.uniform(0.8, 2.0)
    while len(times) and second < times[-1]:
        blink = np.maximum(blink, np.clip(1.25 - np.abs(times - second) / 0.10, 0, 1))
        second += random.uniform(1.8, 3.6)
    return blink


def moments(
    speech: Speech, *, frames: int, fps: float, seed: int, energy: float = 1.0
) -> list[Moment]:
    """The figure's state at each frame of a clip; frame i is seen at i / fps seconds.

    energy: how high and wide the hands go, 1 is lively.
    """
    random = np.random.default_rng(seed)
    times = np.arange(frames) / fps
    opening, spread = lips(speech, times)
    blink = _blinks(random, times)
    yaw = wander(random, times, period=3.1, size=0.07)
    pitch = wander(random, times, period=2.3, size=0.05)
    roll = wander(random, times, period=3.7, size=0.03)
    nod = 1.6 * _smooth(loudness(speech.samples, speech.sample_rate, times), 3.0)
    shift_x, shift_y = (wander(random, times, period=p, size=1.6) for p in (4.1, 2.7))
    sway_x, sway_y = (wander(random, times, period=p, size=s) for p, s in ((4.6, 2.2), (3.3, 1.0)))
    left = _arm_track(random, times, energy=energy, beat=0.9)
    right = _arm_track(random, times, energy=energy, beat=0.8)
    return [
        Moment(
            Look(
                float(opening[i]), float(spread[i]), float(blink[i]), float(yaw[i]),
                float(pitch[i]), float(roll[i]),
                (float(sway_x[i] + shift_x[i]), float(sway_y[i] + shift_y[i] + nod[i])),
            ),
            (_arm(left[i], -1.0), _arm(right[i], 1.0)),
            (float(sway_x[i]), float(sway_y[i])),
        )
        for i in range(frames)
    ]  # fmt: skip

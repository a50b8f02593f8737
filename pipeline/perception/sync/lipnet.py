"""A small network whose outputs for a mouth and for a voice move together where the two belong together.

Two stacks of convolutions over time, one over the joints of mouth and jaw, one over the mel bands of the voice, end in
a few numbers per moment; how alike both are over a stretch, offset by offset, is a curve as of `lipvoice.curve`.
Trained by contrast of own voices with shifted and foreign ones (as Chung, Chung & Kang 2019, arXiv:1809.08001, train a
network of SyncNet's kind) on the people whom `research/lists/folds.tsv` has in `fit`, by `research/truth/sync_net.py`.
The weights in `lipnet.npz` are this project's own, under its licence, and hold nobody's picture or sound. The forward
pass is numpy: 0.2 million numbers need no library that takes seconds to load.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Float32, Int16

from manifests import keypoints as kp
from manifests.files import sha256_of
from manifests.geometry import FPS
from pipeline.perception.sync.interface import trimmed
from pipeline.perception.sync.lipvoice import FLOOR, QUARTERS, SEEN, bridged
from pipeline.perception.sync.mfcc import STEPS_PER_FRAME, band_power

WEIGHTS = Path(__file__).with_name("lipnet.npz")

POINTS = (*range(5, 12), *range(48, 68))
"""Of the 68 face joints: the jaw around the chin, the lips."""
INPUTS = 2 * len(POINTS)
_EYES = slice(36, 42), slice(42, 48)
_BRIDGE, _NOSE, _CHIN = 27, 33, 8
_USED = (_BRIDGE, _NOSE, *range(36, 48), *POINTS)
_INNER = POINTS.index(62), POINTS.index(66)
SLOWEST_HZ = 0.6
"""What moves more slowly is the head and the mood."""
STEADY = 3.0
"""Frames: standard deviation of the Gaussian over the eye line, so that its own trembling turns no mouth."""
LEAST = 0.004
"""Face heights, added to the opening's deviation: lips that move less do not move."""
FARTHEST = 8.0
"""Deviations of the opening at which a joint's movement is cut off."""

Stack = tuple[tuple[str, int, int], ...]
PICTURE: Stack = (("in", 5, 1), ("mix", 3, 1), ("mix", 3, 2), ("out", 1, 1))
VOICE: Stack = (("in", 5, 1), ("mix", 5, 1), ("mix", 5, 2), ("mix", 5, 4), ("out", 1, 1))
"""Layers: kind, taps, frames or steps between taps."""


# ---- what goes in ----------------------------------------------------------------------------------------------------


def moved(pose: Float32[np.ndarray, "time 133 3"]) -> Float32[np.ndarray, "time 54"] | None:
    """Jaw and lips in the face's own frame (eye line, face height, nose), without what is slow, by the opening's
    deviation; None where they were found in too few frames."""
    face = pose[:, kp.FACE].astype(np.float64)
    found: Bool[np.ndarray, " time"] = np.all(face[:, _USED, 2] > 0.0, axis=1)
    if found.mean() < SEEN:
        return None
    from scipy.ndimage import gaussian_filter1d  # over a second that no other command should wait

    at = bridged(face[:, :, :2], found)
    left, right = (at[:, eye].mean(axis=1) for eye in _EYES)
    along = gaussian_filter1d(right - left, STEADY, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    down = np.stack((-along[:, 1], along[:, 0]), axis=1)
    height = max(float(np.median(np.linalg.norm(at[:, _BRIDGE] - at[:, _CHIN], axis=1))), 1.0)
    origin = gaussian_filter1d(at[:, _NOSE], 1.0, axis=0)
    off = at[:, POINTS] - origin[:, None]
    own = np.stack([np.einsum("tpc,tc->tp", off, axis) for axis in (along, down)], axis=-1) / height
    quick = _without_slow(own.reshape(len(own), INPUTS), sample_rate=FPS)
    lips = quick.reshape(len(quick), -1, 2)
    opening = float((lips[:, _INNER[1], 1] - lips[:, _INNER[0], 1]).std())
    return (quick / (opening + LEAST)).clip(-FARTHEST, FARTHEST).astype(np.float32)


def spoken(sound: Int16[np.ndarray, " samples"], *, frames: int) -> Float32[np.ndarray, "step 26"]:
    """Log power of the mel bands every 10 ms, without what is slow, deviation 1 over all of them."""
    steps = frames * STEPS_PER_FRAME
    power = band_power(sound)[:steps]
    power = np.pad(power, ((0, steps - len(power)), (0, 0)), mode="edge")
    return loudness(power, floor=FLOOR)


def loudness(
    power: Float[np.ndarray, "step 26"], *, floor: float
) -> Float32[np.ndarray, "step 26"]:
    """See `spoken`; floor: what counts as silence, of the mean power."""
    logs = np.log(power + floor * power.mean() + 1.0)
    quick = _without_slow(logs, sample_rate=FPS * STEPS_PER_FRAME)
    return (quick / (quick.std() + 1e-3)).astype(np.float32)


def _without_slow(
    series: Float[np.ndarray, "time feature"], *, sample_rate: float
) -> Float[np.ndarray, "time feature"]:
    from scipy.signal import butter, sosfiltfilt

    return sosfiltfilt(
        butter(2, SLOWEST_HZ, "highpass", fs=sample_rate, output="sos"), series, axis=0
    )


# ---- the network -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LipNet:
    """Several networks that were trained alike, from other random beginnings; their curves are averaged.

    tensors: of each network, by `picture.<layer>.weight` (out, in, taps), `.bias`, and for mixing layers
    `.scale`, `.shift` of the normalisation before them; `voice.…` likewise.
    """

    members: tuple[Mapping[str, Float32[np.ndarray, "..."]], ...]

    def curve(
        self,
        visual: Float32[np.ndarray, "time 54"],
        audio: Float32[np.ndarray, "step 26"],
        *,
        margin: int,
    ) -> Float[np.ndarray, " quarter"]:
        """Likeness of mouth and voice, -1 to 1, at each offset from -15 to 15 frames in quarters of a frame.

        audio: `STEPS_PER_FRAME` rows per frame of picture and per frame of `margin` on each side.
        """
        ends, frames = trimmed(margin), len(visual)
        at = (np.arange(ends, frames - ends) + margin) * STEPS_PER_FRAME
        found = np.zeros(len(QUARTERS))
        for tensors in self.members:
            mouth = forward(tensors, "picture", PICTURE, visual)[ends : frames - ends]
            voice = forward(tensors, "voice", VOICE, audio)
            shifted = voice[np.clip(at + QUARTERS[:, None], 0, len(voice) - 1)]
            found += np.einsum("te,qte->q", centred(mouth[None])[0], centred(shifted))
        return found / len(self.members)


def centred(rows: Float[np.ndarray, "*some time code"]) -> Float[np.ndarray, "*some time code"]:
    """Each number without its mean over time, all of a stretch together of length 1."""
    rows = rows - rows.mean(axis=-2, keepdims=True)
    return rows / (np.sqrt(np.square(rows).sum(axis=(-2, -1), keepdims=True)) + 1e-3)


def forward(
    tensors: Mapping[str, Float32[np.ndarray, "..."]],
    name: str,
    stack: Stack,
    rows: Float32[np.ndarray, "time feature"],
) -> Float32[np.ndarray, "time code"]:
    """One stack over a sequence; zeros beyond its ends."""
    for number, (kind, _, step) in enumerate(stack):
        key = f"{name}.{number}"
        weight, bias = tensors[f"{key}.weight"], tensors[f"{key}.bias"]
        if kind == "mix":
            scaled = normalised(rows) * tensors[f"{key}.scale"] + tensors[f"{key}.shift"]
            rows = rows + gelu(convolved(scaled, weight, bias, step))
        else:
            rows = convolved(rows, weight, bias, step)
            rows = gelu(rows) if kind == "in" else rows
    return rows


def convolved(
    rows: Float32[np.ndarray, "time in"],
    weight: Float32[np.ndarray, "out in taps"],
    bias: Float32[np.ndarray, " out"],
    step: int,
) -> Float32[np.ndarray, "time out"]:
    """A convolution over time with as many rows out as in."""
    taps = weight.shape[2]
    reach = step * (taps // 2)
    padded = np.pad(rows, ((reach, reach), (0, 0)))
    found = np.tile(bias, (len(rows), 1))
    for tap in range(taps):
        found += padded[tap * step : tap * step + len(rows)] @ weight[:, :, tap].T
    return found


def normalised(rows: Float32[np.ndarray, "time feature"]) -> Float32[np.ndarray, "time feature"]:
    """Each row with mean 0 and deviation 1 (Ba, Kiros & Hinton 2016, arXiv:1607.06450)."""
    off = rows - rows.mean(axis=1, keepdims=True)
    return off / np.sqrt(np.square(off).mean(axis=1, keepdims=True) + 1e-5)


def gelu(values: Float32[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
    """Hendrycks & Gimpel 2016, arXiv:1606.08415, with the error function itself."""
    from scipy.special import erf

    return (0.5 * values * (1.0 + erf(values / np.sqrt(2.0)))).astype(np.float32)


@cache
def shipped() -> LipNet:
    """The networks in `lipnet.npz`."""
    with np.load(WEIGHTS, allow_pickle=False) as stored:
        names = sorted({name.partition("/")[0] for name in stored.files})
        return LipNet(
            tuple(
                {
                    key.partition("/")[2]: stored[key].astype(np.float32)
                    for key in stored.files
                    if key.startswith(f"{name}/")
                }
                for name in names
            )
        )


@cache
def weights_sha256() -> str:
    """Of `lipnet.npz`."""
    return sha256_of(WEIGHTS)

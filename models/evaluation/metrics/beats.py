"""Whether motion and voice have their beats together: four published beat scores, by name, in seconds.

A motion beat is a moment at which movement pauses, an audio beat an onset of the voice. A score is the mean of
exp(-d^2 / (2 sigma^2)) over the beats of one kind, d seconds from each to the nearest of the other kind. Random beats
score `chance_level`, which differs more between the variants than systems do: never read one without the other.

On 16 real clips (136 s, detected poses as they are) librosa found 6.9 onsets a second, and true motion scored with its
own and with shuffled voices: mint .54 and .57, at 25 FPS .80 and .84, DiffGesture .91 and .91, EMAGE .65 and .65,
TalkSHOW .95 and .94. None of them told a voice from another there.
"""

import getpass
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Literal

import numpy as np
from filelock import FileLock
from jaxtyping import Float64, Int64
from scipy.special import erfcx

from manifests import keypoints as kp
from manifests.motion import Pose
from models.evaluation.metrics.body import FPS, GESTURE, Voice, filled, known

Times = Float64[np.ndarray, " _times"]
"""Seconds from the clip's start."""
Finder = Callable[[Pose], list[Times]]
"""Motion beats: one list, or one for each joint; none where the joints are not known."""

SEEN = 0.5
"""Fraction of the frames in which a joint is known, from which its beats count; gaps run straight."""
PAUSING = (kp.NOSE, *range(kp.LEFT_SHOULDER, kp.RIGHT_WRIST + 1))
"""Stand for EMAGE's 13 upper-body joints of SMPL-X, six of which (spine, collar) have no place in our 133."""
TURN = {"shoulder": 0.0035, "elbow": 0.0071}
"""DiffGesture's mean change of the arms' angles in half turns per frame at 15 FPS, mean of both sides (its code,
test_ted.py): measured in 3D on TED, here divided by in the picture."""
LEAST_TURN = 0.03
"""By which the change of angle rises beside a beat, in such means (the same file)."""


@dataclass(frozen=True, slots=True)
class BeatAlignment:
    """One published score.

    sigma: seconds. over: whose beats are averaged. find: motion beats of a pose. still: what a joint that has no beats
    scores, None where it is left out.
    """

    sigma: float
    over: Literal["motion", "onsets"]
    find: Finder
    still: float | None
    source: str

    def score(self, beats: list[Times], onsets: Times) -> float | None:
        """Mean over the lists of motion beats; None without onsets or where nothing is left."""
        if not len(onsets):
            return None
        scores = [self._one(moved, onsets) for moved in beats]
        found = [score for score in scores if score is not None]
        return float(np.mean(found)) if found else None

    def __call__(self, pose: Pose, voice: Voice) -> float | None:
        """pose: 25 FPS; voice: 16 kHz."""
        return self.score(self.find(pose), onsets(voice))

    def _one(self, moved: Times, onsets: Times) -> float | None:
        if not len(moved):
            return self.still
        pair = (moved, onsets) if self.over == "motion" else (onsets, moved)
        return nearness(*pair, sigma=self.sigma)


def nearness(
    beats: Float64[np.ndarray, " beats"], others: Float64[np.ndarray, " others"], *, sigma: float
) -> float:
    """Mean over `beats` of exp(-d^2 / (2 sigma^2)), d to the nearest of `others`; all in seconds, neither empty."""
    apart = np.abs(beats[:, None] - others[None, :]).min(axis=1)
    return float(np.exp(-(apart**2) / (2.0 * sigma**2)).mean())


def chance_level(rate: float, sigma: float) -> float:
    """What beats score that know nothing of the others, which come `rate` times a second at random (Poisson).

    The nearest is then exponentially far with 2 rate: a sqrt(pi / 2) erfcx(a / sqrt 2), a = 2 rate sigma.
    """
    a = 2.0 * rate * sigma
    return float(a * np.sqrt(np.pi / 2.0) * erfcx(a / np.sqrt(2.0)))


@cache
def detector() -> Callable[..., np.ndarray]:
    """librosa's onset detector, compiled.

    Its first call on a machine compiles and keeps machine code; two processes that do so at once were seen to crash, so
    the first call in each process waits for that of another.
    """
    with FileLock(Path(tempfile.gettempdir()) / f"cospeech-librosa-{getpass.getuser()}.lock"):
        from librosa.onset import onset_detect

        click = np.zeros(16_000, np.float32)
        click[8_000] = 1.0
        onset_detect(y=click, sr=16_000, hop_length=512)
    return onset_detect


SPECTRUM = 2_048
"""Samples of one of the detector's spectra, 0.128 s."""


def onsets(voice: Voice) -> Times:
    """Onsets of a voice by librosa's detector (spectral flux, hop of 512 samples), as DiffGesture and EMAGE find them.

    mint takes the beats of music, which speech does not have; papers that score speech with it take onsets. None in a
    voice that is shorter than one spectrum.
    """
    return np.frombuffer(_onsets(voice.tobytes()), np.float64)


@lru_cache(maxsize=64)
def _onsets(voice: bytes) -> bytes:
    """A voice is asked for once by each score and generator, one after the other."""
    samples = np.frombuffer(voice, np.int16)
    if len(samples) < SPECTRUM:
        return b""
    sound = samples.astype(np.float32) / 32_768.0
    found = detector()(y=sound, sr=16_000, hop_length=512, units="time")
    return np.asarray(found, dtype=np.float64).tobytes()


# ---- motion beats --------------------------------------------------------------------------------


def slow_moments(pose: Pose, *, order: int) -> list[Times]:
    """Where the gesture joints' speeds, summed, are below those of `order` frames on both sides (mint).

    As there, the first frame has speed 0, which hides beats in the `order` frames after it.
    """
    joints = _seen(pose, GESTURE)
    if not joints or len(pose) < 2:
        return []
    steps = np.linalg.norm(np.diff(filled(pose)[:, joints], axis=0), axis=-1).sum(axis=1)
    return [minima(np.concatenate([[0.0], steps]), order=order) / FPS]


def arm_turns(pose: Pose) -> list[Times]:
    """Where the arms' angles change least (DiffGesture): at shoulders and elbows, each by its usual change.

    A detector's own tremble makes some 8 beats a second of it, 5 after `manifests.motion.smooth`.
    """
    joints = tuple(range(kp.LEFT_SHOULDER, kp.RIGHT_WRIST + 1))
    if len(_seen(pose, joints)) < len(joints) or len(pose) < 5:
        return []
    places = filled(pose)
    neck = (places[:, kp.LEFT_SHOULDER] + places[:, kp.RIGHT_SHOULDER]) / 2.0
    changes = []
    for side in (0, 1):
        shoulder, elbow, wrist = (places[:, kp.LEFT_SHOULDER + side + 2 * i] for i in range(3))
        changes.append(_turning(shoulder - neck, elbow - shoulder) / TURN["shoulder"])
        changes.append(_turning(elbow - shoulder, wrist - elbow) / TURN["elbow"])
    change = np.mean(changes, axis=0) * FPS / 15.0
    least = minima(change, order=1)
    deep = np.maximum(change[least - 1], change[least + 1]) - change[least] >= LEAST_TURN
    return [(least[deep] + 1) / FPS]


def joint_pauses(pose: Pose, *, order: int, threshold: float = 0.1) -> list[Times]:
    """For each upper-body joint, where its speed is least within `order` frames and yet above `threshold` (EMAGE).

    threshold: of the joint's mean speed. Differs from EMAGE: the mean is the clip's, not a dataset's; the joints are
    places in the picture, not axis-angles; nothing is cut off at the ends (it leaves out 2 s at each).
    """
    joints = _seen(pose, PAUSING)
    if not joints or len(pose) < 3:
        return []
    speeds = np.linalg.norm(np.gradient(filled(pose)[:, joints], axis=0), axis=-1)
    pauses = []
    for speed in speeds.T:
        least = minima(speed, order=order)
        pauses.append(least[speed[least] > threshold * speed.mean()] / FPS)
    return pauses


def minima(values: Float64[np.ndarray, " time"], *, order: int) -> Int64[np.ndarray, " found"]:
    """Frames whose value is strictly below each of the `order` before and after; never the first or the last."""
    padded = np.pad(values, order, mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * order + 1)
    others = np.delete(around, order, axis=1)
    return np.flatnonzero((values[:, None] < others).all(axis=1))


def _turning(
    first: Float64[np.ndarray, "time 2"], second: Float64[np.ndarray, "time 2"]
) -> Float64[np.ndarray, " steps"]:
    """By how much the angle between two limbs changes from frame to frame, in half turns."""
    cross = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    angle = np.arctan2(np.abs(cross), (first * second).sum(axis=-1)) / np.pi
    return np.abs(np.diff(angle))


def _seen(pose: Pose, joints: tuple[int, ...]) -> list[int]:
    shares = known(pose).mean(axis=0)
    return [joint for joint in joints if shares[joint] >= SEEN]


VARIANTS: dict[str, BeatAlignment] = {
    "mint": BeatAlignment(
        sigma=3 / 60, over="motion", find=partial(slow_moments, order=4), still=0.0,
        source="Li et al. 2021 (AIST++): sigma 3 frames and order 10 at 60 FPS, kept in seconds",
    ),
    "mint_25fps": BeatAlignment(
        sigma=3 / 25, over="motion", find=partial(slow_moments, order=10), still=0.0,
        source="the same code run on 25 FPS: sigma 3 frames and order 10",
    ),
    "diffgesture": BeatAlignment(
        sigma=0.1, over="onsets", find=arm_turns, still=None,
        source="Zhu et al. 2023 (DiffGesture), released code",
    ),
    "emage": BeatAlignment(
        sigma=0.3, over="onsets", find=partial(joint_pauses, order=6), still=0.0,
        source="Liu et al. 2024 (EMAGE), released code: order 7 at 30 FPS",
    ),
    "talkshow": BeatAlignment(
        sigma=0.5, over="onsets", find=partial(slow_moments, order=4), still=None,
        source="sigma 0.5 s over onsets, as reported on TalkSHOW's data; its motion beats are not published: mint's",
    ),
}  # fmt: skip
"""At 3 onsets and 1.2 motion beats a second, random beats score .30, .55, .25, .55 and .71 (`chance_level`)."""

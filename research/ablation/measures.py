"""How well generated motion keeps to the truth of the synthetic data, clip by clip."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from manifests import keypoints as kp
from manifests.motion import Pose, neck_path
from models.evaluation.metrics.body import distance
from models.evaluation.metrics.lips import agreement, lip_opening
from research.ablation.world import (
    FRAMES,
    JAW_LEFT,
    JAW_RIGHT,
    LAG,
    MODES,
    NOSE_ROOT,
    STROKE,
    Clip,
    direction,
)  # fmt: skip

BONES = (
    (kp.LEFT_SHOULDER, kp.RIGHT_SHOULDER), (kp.LEFT_SHOULDER, kp.LEFT_ELBOW),
    (kp.LEFT_ELBOW, kp.LEFT_WRIST), (kp.RIGHT_SHOULDER, kp.RIGHT_ELBOW),
    (kp.RIGHT_ELBOW, kp.RIGHT_WRIST), (NOSE_ROOT, kp.NOSE_TIP), (JAW_RIGHT, JAW_LEFT),
)  # fmt: skip
"""What keeps its length while a person of this world talks."""
AROUND = 6
"""Frames on both sides of the expected moment in which the hand's fastest one is looked for: strokes are 15 apart."""
ON_TIME = 1
"""Frames by which it may miss: 3 of 13 are right by chance."""
OTHERS = 5
"""Voices of other people that a motion is held against."""


@dataclass(frozen=True, slots=True)
class Scores:
    """One clip. mouth, wrong_mouth: correlation of its lip opening with that of its own voice, and the mean over other
    people's; 0 for a mouth that does not move. beats, wrong_beats: share of the beats after which the right hand is
    fastest on time. body: mean error of the bones' lengths, pixels. moved: share of the beats with a stroke of at least
    half the true length. modes: the direction of each of those."""

    mouth: float
    wrong_mouth: float
    beats: float
    wrong_beats: float
    body: float
    moved: float
    modes: tuple[int, ...]

    @property
    def follows(self) -> float:
        """How far the lips follow the right voice rather than a wrong one."""
        return self.mouth - self.wrong_mouth

    @property
    def on_beat(self) -> float:
        """How far the hand follows the right beats rather than wrong ones."""
        return self.beats - self.wrong_beats


def scores_of(poses: Sequence[Pose], truth: Sequence[Clip], *, lips: np.ndarray) -> list[Scores]:
    """Of all clips, each with those of other people as its chance; clips of one person lie side by side, in equal
    number. lips: (clips, time), the lip opening that each clip's heard voice makes."""
    each = sum(clip.person == truth[0].person for clip in truth)
    return [
        _scores(pose, truth, place, lips, [(place + (n + 1) * each) % len(truth) for n in range(OTHERS)])
        for place, pose in enumerate(poses)
    ]  # fmt: skip


def _scores(
    pose: Pose, truth: Sequence[Clip], place: int, lips: np.ndarray, others: list[int]
) -> Scores:
    clip, opening, speed = truth[place], lip_opening(pose), hand_speed(pose)
    strokes = [stroke(pose, beat, clip.body.arm) for beat in within(clip.speech.beats)]
    moved = [path for path in strokes if np.linalg.norm(path) >= STROKE / 2.0]
    return Scores(
        mouth=correlation(opening, lips[place]),
        wrong_mouth=float(np.mean([correlation(opening, lips[other]) for other in others])),
        beats=on_time(speed, clip.speech.beats),
        wrong_beats=float(np.mean([on_time(speed, truth[o].speech.beats) for o in others])),
        body=body_error(pose, clip.pose),
        moved=len(moved) / len(strokes),
        modes=tuple(nearest_mode(path) for path in moved),
    )


def correlation(first: Float64[np.ndarray, " time"], second: Float64[np.ndarray, " time"]) -> float:
    """Of two lip openings, frame by frame; 0 where one is constant: a still mouth follows nothing."""
    return agreement(first, second, reach=0).now or 0.0


def hand_speed(pose: Pose) -> Float64[np.ndarray, " time"]:
    """Of the right wrist beside the neck, pixels a frame, over two frames; 0 at the ends."""
    path = _wrist(pose)
    speed = np.zeros(len(path))
    speed[1:-1] = np.linalg.norm(path[2:] - path[:-2], axis=1) / 2.0
    return speed


def within(beats: tuple[int, ...]) -> list[int]:
    """Those whose movement lies wholly in the clip."""
    return [beat for beat in beats if AROUND <= beat + LAG < FRAMES - AROUND]


def on_time(speed: Float64[np.ndarray, " time"], beats: tuple[int, ...]) -> float:
    """Share of the beats whose fastest moment around the lag is at the lag."""
    peaks = [int(speed[beat + LAG - AROUND :][: 2 * AROUND + 1].argmax()) for beat in within(beats)]
    return float(np.mean([abs(peak - AROUND) <= ON_TIME for peak in peaks]))


def stroke(pose: Pose, beat: int, arm: float) -> Float64[np.ndarray, " 2"]:
    """Where the right hand goes after a beat, in arm lengths."""
    path = _wrist(pose)
    return (path[beat + LAG + 3] - path[beat + LAG - 3]) / arm


def nearest_mode(path: Float64[np.ndarray, " 2"]) -> int:
    """The mode whose direction is nearest."""
    return int(np.argmax([path @ direction(mode) for mode in range(MODES)]))


def spread_of_modes(found: Sequence[int]) -> float:
    """How many modes are in use, as the exponential of their entropy: 1 to 3; 0 where nothing moved."""
    if not found:
        return 0.0
    shares = np.array(list(Counter(found).values())) / len(found)
    return float(np.exp(-(shares * np.log(shares)).sum()))


def body_error(pose: Pose, truth: Pose) -> float:
    """Mean over frames and `BONES` of how far a length is from the person's, in pixels."""
    return float(np.mean([np.abs(distance(pose, *b) - distance(truth, *b)).mean() for b in BONES]))


def _wrist(pose: Pose) -> Float64[np.ndarray, "time 2"]:
    return pose[:, kp.RIGHT_WRIST, :2].astype(np.float64) - neck_path(pose)

"""Which scale of classifier-free guidance a trained model generates with, measured on validation clips."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.data.features import Features
from models.data.index import Motions
from models.evaluation.metrics.body import FPS
from models.evaluation.metrics.smoothness import jitter, speed
from models.systems.csg405.condition import Sampling
from models.systems.csg405.trained import Trained

SCALES = (1.0, 1.5, 2.0, 3.0)
"""1 is no guidance; the released code of the main paper takes 3.5, most motion models 2 to 3."""
CLIPS, SECONDS = 8, 10
"""What one scale is measured on: at most so many clips, of each at most so many seconds."""


@dataclass(frozen=True, slots=True)
class Guidance:
    """The scale to generate with, and what was measured. errors: by scale, see `unlike`; clips: how many."""

    scale: float = 1.0
    errors: dict[str, float] | None = None
    clips: int = 0


def measured_guidance(trained: Trained, motions: Motions, voices: Features) -> Guidance:
    """The scale at which generated motion moves most like the recorded; 1 where there are no clips to measure on.

    Each clip's voice moves its own middle pose, with the same noise at every scale.
    """
    numbers = range(min(CLIPS, len(motions)))
    measured = {scale: mean_error(trained, motions, voices, numbers, scale) for scale in SCALES}
    errors = {scale: error for scale, error in measured.items() if error is not None}
    if not errors:
        return Guidance()
    best = min(errors, key=lambda scale: errors[scale])
    return Guidance(best, {f"{scale:g}": error for scale, error in errors.items()}, len(numbers))


def mean_error(
    trained: Trained, motions: Motions, voices: Features, numbers: Sequence[int], scale: float
) -> float | None:
    """Mean of `unlike` over clips; None where no clip can tell."""
    how = Sampling(steps=min(Sampling().steps, trained.config.noise.steps), scale=scale)
    errors: list[float] = []
    for number in numbers:
        frames = min(motions.entries[number].frames, int(SECONDS * FPS))
        recorded = motions.pose(number)[:frames]
        voice = voices.rows(motions.entries[number], 0, frames)
        made = trained.generate(voice, recorded[frames // 2], seed=number, how=how)
        if (error := unlike(made, recorded)) is not None:
            errors.append(error)
    return float(np.mean(errors)) if errors else None


def unlike(made: np.ndarray, recorded: np.ndarray) -> float | None:
    """Mean absolute logarithm of the ratios of speed and of jitter, (frames, 133, 3) each; 0 where both are alike.

    None where one of the two cannot be measured or stands still.
    """
    ratios: list[float] = []
    for measure in (speed, jitter):
        ours, theirs = measure(made), measure(recorded)
        if not ours or not theirs:
            return None
        ratios.append(abs(math.log(ours / theirs)))
    return float(np.mean(ratios))

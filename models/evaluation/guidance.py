"""Which scale of classifier-free guidance a trained model generates with, measured on validation clips."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from models.data.index import Motions
from models.evaluation.metrics.body import FPS
from models.evaluation.metrics.smoothness import jitter, speed

Generate = Callable[[int, int, float], Float32[np.ndarray, "time 133 3"]]
"""Motion of the first frames of a clip, from its own voice and middle pose, by (its number, frames, scale)."""

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


def measured_guidance(generate: Generate, motions: Motions) -> Guidance:
    """The scale at which generated motion moves most like the recorded; 1 where there are no clips to measure on.

    generate: the same noise for a clip at every scale.
    """
    numbers = range(min(CLIPS, len(motions)))
    measured = {scale: mean_error(generate, motions, numbers, scale) for scale in SCALES}
    errors = {scale: error for scale, error in measured.items() if error is not None}
    if not errors:
        return Guidance()
    best = min(errors, key=lambda scale: errors[scale])
    return Guidance(best, {f"{scale:g}": error for scale, error in errors.items()}, len(numbers))


def mean_error(
    generate: Generate, motions: Motions, numbers: Sequence[int], scale: float
) -> float | None:
    """Mean of `unlike` over clips; None where no clip can tell."""
    errors: list[float] = []
    for number in numbers:
        frames = min(motions.entries[number].frames, int(SECONDS * FPS))
        recorded = motions.pose(number)[:frames]
        if (error := unlike(generate(number, frames, scale), recorded)) is not None:
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

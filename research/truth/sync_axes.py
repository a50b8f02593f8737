"""Axes of mouth and voice fitted by canonical correlation on some people, for others to be measured with.

Nobody knows the offset that a clip came with. So the fit begins with the offsets of which the unfitted signs are sure,
fits, finds the offsets of all of its people anew, and fits again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from pipeline.perception.sync.embedded import SIGNS
from pipeline.perception.sync.lipvoice import Axes, around, curve, peak, standard
from pipeline.perception.sync.mfcc import STEPS_PER_FRAME

AXES = 2
RIDGE = 0.1  # of each feature's variance
ROUNDS = 2
SURE = 3.0  # confidence from which an offset is used to fit: signs were right in 21 of 21 halves above it
EDGE = 15  # frames at both ends of a clip that are not fitted on, so that every offset has sound


@dataclass(frozen=True, slots=True)
class Follow:
    """A mouth and its voice over a whole clip.

    lips: for the signs; visual: for the fit; late: frames by which the voice is late, None where that is not sure.
    """

    lips: Float[np.ndarray, "time 6"]
    visual: Float[np.ndarray, "time feature"]
    audio: Float[np.ndarray, "step band"]
    late: float | None = None


def fitted(people: Sequence[Follow]) -> Axes:
    """Axes over `visual`, from people whose offsets are found on the way."""
    known = [replace(one, late=late_of(one.lips, one.audio, SIGNS)) for one in people]
    axes = canonical(known)
    for _ in range(ROUNDS):
        known = [replace(one, late=late_of(one.visual, one.audio, axes)) for one in people]
        axes = canonical(known)
    return axes


def late_of(visual: np.ndarray, audio: np.ndarray, axes: Axes) -> float | None:
    """Frames by which a whole clip's voice is late by some axes; None where they are not sure."""
    found = peak(curve(visual[EDGE:-EDGE], audio, axes, margin=EDGE))
    return found.offset if found.clear * np.sqrt(len(visual) - 2 * EDGE) >= SURE else None


def canonical(people: Sequence[Follow]) -> Axes:
    """Regularised canonical correlation (Hotelling 1936; Vinod 1976) of mouths and voices at their known offsets.

    An axis counts by its correlation r as r / (1 - r^2), the best weight for noise of equal variance.
    """
    pairs = [_aligned(one) for one in people if one.late is not None]
    if not pairs:
        raise ValueError(f"a fit needs a sure offset, got none from {len(people)} people")
    x = np.concatenate([visual for visual, _ in pairs])
    y = np.concatenate([audio for _, audio in pairs])
    roots = [np.linalg.cholesky(m.T @ m / len(m) + RIDGE * np.eye(m.shape[1])) for m in (x, y)]
    between = np.linalg.solve(roots[0], x.T @ y / len(x)) @ np.linalg.inv(roots[1]).T
    left, r, right = np.linalg.svd(between, full_matrices=False)
    weight = r[:AXES] / (1.0 - r[:AXES] ** 2)
    return Axes(
        visual=np.linalg.solve(roots[0].T, left[:, :AXES]),
        audio=np.linalg.solve(roots[1].T, right[:AXES].T),
        weight=weight / weight.sum(),
    )


def _aligned(one: Follow) -> tuple[np.ndarray, np.ndarray]:
    """Standardised rows of mouth and voice that belong to each other."""
    assert one.late is not None
    frames = np.arange(EDGE, len(one.visual) - EDGE)
    steps = frames * STEPS_PER_FRAME + round(one.late * STEPS_PER_FRAME)
    return standard(one.visual[frames]), standard(around(one.audio)[steps])

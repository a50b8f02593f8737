"""Axes of mouth and voice fitted by canonical correlation on some people, for others to be measured with.

    python -m research.truth.sync_fit [--shared FOLDER]   prints pipeline/perception/sync/fitted.py

Nobody knows the offset that a clip came with. So the fit begins with the offsets of which the unfitted signs are sure,
fits, finds the offsets of all of its people anew, and fits again.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from manifests.errors import run_command
from pipeline.perception.sync.embedded import SIGNS
from pipeline.perception.sync.lipvoice import Axes, around, curve, peak, standard
from pipeline.perception.sync.mfcc import STEPS_PER_FRAME
from pipeline.validation.footage import shared_folder

AXES = 2
RIDGE = 0.1  # of each feature's variance
ROUNDS = 2
SURE = 3.0  # confidence from which an offset is used to fit: signs were right in 21 of 21 halves above it
EDGE = 15  # frames at both ends of a clip that are not fitted on, so that every offset has sound


@dataclass(frozen=True, slots=True)
class Follow:
    """A mouth and its voice over a whole clip.

    lips: for the signs; seen: for the fit; late: frames by which the voice is late, None where that is not sure.
    """

    lips: Float[np.ndarray, "time 6"]
    seen: Float[np.ndarray, "time feature"]
    heard: Float[np.ndarray, "step band"]
    late: float | None = None


def fitted(people: Sequence[Follow]) -> Axes:
    """Axes over `seen`, from people whose offsets are found on the way."""
    known = [replace(one, late=_late(one.lips, one.heard, SIGNS)) for one in people]
    axes = canonical(known)
    for _ in range(ROUNDS):
        known = [replace(one, late=_late(one.seen, one.heard, axes)) for one in people]
        axes = canonical(known)
    return axes


def _late(seen: np.ndarray, heard: np.ndarray, axes: Axes) -> float | None:
    found = peak(curve(seen[EDGE:-EDGE], heard, axes, margin=EDGE))
    return found.offset if found.clear * np.sqrt(len(seen) - 2 * EDGE) >= SURE else None


def canonical(people: Sequence[Follow]) -> Axes:
    """Regularised canonical correlation (Hotelling 1936; Vinod 1976) of mouths and voices at their known offsets.

    An axis counts by its correlation r as r / (1 - r^2), the best weight for noise of equal variance.
    """
    pairs = [_aligned(one) for one in people if one.late is not None]
    if not pairs:
        raise ValueError(f"a fit needs a sure offset, got none from {len(people)} people")
    x = np.concatenate([seen for seen, _ in pairs])
    y = np.concatenate([heard for _, heard in pairs])
    roots = [np.linalg.cholesky(m.T @ m / len(m) + RIDGE * np.eye(m.shape[1])) for m in (x, y)]
    between = np.linalg.solve(roots[0], x.T @ y / len(x)) @ np.linalg.inv(roots[1]).T
    left, r, right = np.linalg.svd(between, full_matrices=False)
    weight = r[:AXES] / (1.0 - r[:AXES] ** 2)
    return Axes(
        seen=np.linalg.solve(roots[0].T, left[:, :AXES]),
        heard=np.linalg.solve(roots[1].T, right[:AXES].T),
        weight=weight / weight.sum(),
    )


def _aligned(one: Follow) -> tuple[np.ndarray, np.ndarray]:
    """Standardised rows of mouth and voice that belong to each other."""
    assert one.late is not None
    frames = np.arange(EDGE, len(one.seen) - EDGE)
    steps = frames * STEPS_PER_FRAME + round(one.late * STEPS_PER_FRAME)
    return standard(one.seen[frames]), standard(around(one.heard)[steps])


# ---- the table that ships ------------------------------------------------------------------------

OPENING = '''"""Common axes of mouth and voice, fitted on real people: statistics of them, nobody's picture or sound.

Printed by `python -m research.truth.sync_fit`: canonical correlation with a ridge of {ridge} of each variance, on
{people} clips of one talking person each (public demonstration and test clips, which are not part of the
project), {frames} frames. Weights are in hundredths of the largest.
"""

import numpy as np

from pipeline.perception.sync.lipvoice import Axes

# fmt: off
'''


def module(axes: dict[str, Axes], *, people: int, frames: int) -> str:
    """The source of `pipeline/perception/sync/fitted.py`."""
    parts = [OPENING.format(ridge=RIDGE, people=people, frames=frames)]
    for name, one in axes.items():
        weight = ", ".join(f"{value:.3f}" for value in one.weight)
        parts.append(
            f"{name} = Axes(\n    seen=np.array(\n{_rows(one.seen)}\n    ) / 100.0,\n"
            f"    heard=np.array(\n{_rows(one.heard)}\n    ) / 100.0,\n    weight=np.array([{weight}]),\n)\n"
        )
    return "\n".join(parts)


def _rows(weights: Float[np.ndarray, "row axis"]) -> str:
    whole = np.round(100.0 * weights / np.abs(weights).max(axis=0)).astype(int)
    flat = [f"[{a}, {b}]" for a, b in whole.tolist()]
    lines = [", ".join(flat[at : at + 9]) for at in range(0, len(flat), 9)]
    return "        [" + ",\n         ".join(lines) + "]"


def main() -> None:
    """Print the module."""
    from research.truth.sync_judges import followed  # it needs the fit, which this module is for

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=shared_folder())
    shared = parser.parse_args().shared
    alone, watched = followed(shared)
    frames = sum(len(one.lips) for one in alone)
    axes = {"LIPS": fitted(alone), "LIGHT_ASD": fitted(watched)}
    print(module(axes, people=len(alone), frames=frames), end="")


if __name__ == "__main__":
    run_command(main)

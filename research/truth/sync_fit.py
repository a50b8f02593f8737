"""The table of axes that ships, fitted on all people.

python -m research.truth.sync_fit [--shared FOLDER]   prints pipeline/perception/sync/fitted.py
"""

import argparse
from pathlib import Path

import numpy as np
from jaxtyping import Float

from manifests.errors import run_command
from pipeline.perception.sync.lipvoice import Axes
from pipeline.validation.footage import shared_folder
from research.truth.sync_axes import RIDGE, fitted
from research.truth.sync_judges import followed

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
            f"{name} = Axes(\n    visual=np.array(\n{_rows(one.visual)}\n    ) / 100.0,\n"
            f"    audio=np.array(\n{_rows(one.audio)}\n    ) / 100.0,\n    weight=np.array([{weight}]),\n)\n"
        )
    return "\n".join(parts)


def _rows(weights: Float[np.ndarray, "row axis"]) -> str:
    whole = np.round(100.0 * weights / np.abs(weights).max(axis=0)).astype(int)
    flat = [f"[{a}, {b}]" for a, b in whole.tolist()]
    lines = [", ".join(flat[at : at + 9]) for at in range(0, len(flat), 9)]
    return "        [" + ",\n         ".join(lines) + "]"


def main() -> None:
    """Print the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=shared_folder())
    shared = parser.parse_args().shared
    alone, watched = followed(shared)
    frames = sum(len(one.lips) for one in alone)
    axes = {"LIPS": fitted(alone), "LIGHT_ASD": fitted(watched)}
    print(module(axes, people=len(alone), frames=frames), end="")


if __name__ == "__main__":
    run_command(main)

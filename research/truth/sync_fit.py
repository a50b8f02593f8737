"""What the sync backends know of real people: axes of lips and voice, and the small network.

    python -m research.truth.sync_fit [--shared FOLDER] [--net FILE]

Prints `pipeline/perception/sync/fitted.py` and writes `lipnet.npz`, both fitted on all people of `fit` and on nobody
who is reported (research/folds.py). Then, on standard error, what people of `fit` say who were left out, a third of
them at a time: the limits of the backends' decisions are set on that, since on people who were fitted on, own voices
look better than they are.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from manifests.errors import run_command
from pipeline.perception.sync.fitted import LIGHT_ASD, LIPS
from pipeline.perception.sync.lipnet import WEIGHTS, moved, shipped
from pipeline.perception.sync.lipvoice import Axes
from pipeline.perception.sync.mfcc import STEPS_PER_FRAME, band_power
from pipeline.validation.footage import shared_folder
from research.cases import clips
from research.folds import Fold, fold_of
from research.truth.sync_axes import RIDGE, Follow, fitted, late_of
from research.truth.sync_clips import Person, people, speakers
from research.truth.sync_judges import Fit, Visual, follow_of, kept, picture_features
from research.truth.sync_net import Example, trained, write

PARTS = 3
"""Of the people of `fit`: each part is measured by what is fitted on the others."""

OPENING = '''"""Common axes of mouth and voice, fitted on real people: statistics of them, nobody's picture or sound.

Printed by `python -m research.truth.sync_fit`: canonical correlation with a ridge of {ridge} of each variance, on
{clips} stretches of {people} talking people (public demonstration and test clips, which are not part of the
project), {frames} frames. Weights are in hundredths of the largest.
"""

import numpy as np

from pipeline.perception.sync.lipvoice import Axes

# fmt: off
'''


def everybody(shared: Path, fold: Fold) -> list[Person]:
    """The people of a fold who speak alone in view, with their voice, stretch by stretch."""
    names = (*speakers(), *clips("sync/more"))
    found = people(shared / "media" / "video", kept(), names)
    return [one for one in found if one.sound is not None and fold_of(one.who) == fold]


def fit(cast: Sequence[Person], visual: Visual) -> Fit:
    """All that is fitted. visual: Light-ASD's picture features by the face's name, empty where it is not here."""
    alone = {one.name: found for one in cast if (found := follow_of(one, None)) is not None}
    lips = fitted(list(alone.values()))
    light = None
    if visual:
        beside = [follow_of(one, visual[one.name]) for one in cast if one.name in alone]
        light = fitted([one for one in beside if one is not None])
    examples = [
        example
        for one in cast
        if one.name in alone and (example := example_of(one, alone[one.name], lips)) is not None
    ]
    return Fit(lips, light, trained(examples, on_progress=_progress))


def shipped_fit() -> Fit:
    """What ships: of all people of `fit`."""
    return Fit(LIPS, LIGHT_ASD, shipped())


def example_of(person: Person, follow: Follow, axes: Axes) -> Example | None:
    """What the network is trained on; None where the mouth was found too rarely."""
    mouth = moved(person.pose)
    if mouth is None or person.sound is None:
        return None
    power = band_power(person.sound)[: len(person) * STEPS_PER_FRAME]
    return Example(
        person.who, mouth, power.astype(np.float32), late_of(follow.visual, follow.audio, axes)
    )


def parted(cast: Sequence[Person]) -> dict[str, int]:
    """The part of each person, in turn in the order of their names."""
    return {name: at % PARTS for at, name in enumerate(sorted({one.who for one in cast}))}


def _progress(member: int, step: int, loss: float) -> None:
    if step % 100 == 99:
        print(f"network {member}, step {step + 1}, loss {loss:.2f}", file=sys.stderr, flush=True)


def module(axes: dict[str, Axes], *, clips: int, people: int, frames: int) -> str:
    """The source of `pipeline/perception/sync/fitted.py`."""
    parts = [OPENING.format(ridge=RIDGE, clips=clips, people=people, frames=frames)]
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
    """Print the axes' module, write the network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=shared_folder())
    parser.add_argument("--net", type=Path, default=WEIGHTS)
    given = parser.parse_args()
    cast = everybody(given.shared, "fit")
    found = fit(cast, picture_features(given.shared, cast))
    write(found.net, given.net)
    axes = {"LIPS": found.lips} | ({} if found.light is None else {"LIGHT_ASD": found.light})
    frames = sum(len(one) for one in cast)
    names = {one.who for one in cast}
    print(module(axes, clips=len(cast), people=len(names), frames=frames), end="")


if __name__ == "__main__":
    run_command(main)

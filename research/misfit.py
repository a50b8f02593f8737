"""How far a person's own motion is from single frames of it: from where on a generated motion is of another body.

    python -m research.misfit DATASET

Each clip of a dataset of real footage against its clearest frame and one frame of each second. Prints a Markdown table.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from models.data.index import Motions
from models.infer.fitting import misfit
from models.infer.reference import clearest

PERCENTILES = (50, 90, 95, 99)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dataset", type=Path)
    motions = Motions.open(parser.parse_args().dataset)
    measured = np.array(list(misfits(motions)))
    print(f"{len(motions)} clips, {len(measured)} frames as references\n")
    print("| | " + " | ".join(f"{percent} %" for percent in PERCENTILES) + " |")
    print("|---|" + "---:|" * len(PERCENTILES))
    for name, values in zip(
        ("ratio of shoulder widths", "neck, shoulder widths"), measured.T, strict=True
    ):
        cells = " | ".join(f"{value:.2f}" for value in np.percentile(values, PERCENTILES))
        print(f"| {name} | {cells} |")


def misfits(motions: Motions) -> Iterator[tuple[float, float]]:
    """(ratio of shoulder widths, 1 or more; distance of the necks in shoulder widths) of each clip and frame."""
    for number in range(len(motions)):
        pose = motions.pose(number)
        for frame in (clearest(pose), *range(0, len(pose), 25)):
            found = misfit(pose, pose[frame])
            if found.reference_shoulders and found.shoulders and found.neck is not None:
                ratio = found.shoulders / found.reference_shoulders
                yield max(ratio, 1.0 / ratio), found.neck / found.reference_shoulders


if __name__ == "__main__":
    main()

"""Real people pasted small into a large frame: does the face's measured height say how small they are?

    python -m research.tiny

Real clips labelled `keep` or `any`: six frames each, shrunk so that the face has a given share of a 1280x720 frame's
height, on a blurred copy of the frame itself. `none`: no face was found, which drops as `nobody_in_view`.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from av import logging

from manifests.errors import run_command
from pipeline.perception.faces import FaceDetector, FaceFinder
from pipeline.rules import CLIP_RULES
from pipeline.validation.footage import media_folder, read_labels
from research.frozen import read

SHARES = (0.03, 0.045, 0.075, 0.1)
FRAME = (1280, 720)


def main() -> None:
    """The command."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    logging.set_level(logging.FATAL)
    folder, finder = media_folder(), FaceDetector().load()
    least = next(rule.threshold for rule in CLIP_RULES if rule.why == "figure_too_small")
    found: dict[float, list[float]] = {share: [] for share in SHARES}
    for label in sorted(read_labels(folder).values(), key=lambda each: each.file):
        if label.expect in ("keep", "any") and label.seconds > 5:
            for share, height in pasted(folder / "video" / label.file, finder):
                found[share].append(height)
    print(
        f"face, of the frame's height | pictures | none | below {least:g} | kept | measured, median"
    )
    for share, heights in found.items():
        seen = np.array([height for height in heights if height > 0.0])
        small = int((seen < least).sum())
        print(
            f"{share:g} | {len(heights)} | {len(heights) - len(seen)} | {small} | {len(seen) - small} | "
            f"{np.median(seen) if len(seen) else 0.0:.3f}",
            flush=True,
        )


def pasted(path: Path, finder: FaceFinder) -> list[tuple[float, float]]:
    """(share, measured height over the frame's, 0 where no face was found) for each picture that shows one face."""
    rows: list[tuple[float, float]] = []
    for picture in list(read(path, most=126))[::25]:
        rgb = np.ascontiguousarray(picture[..., ::-1])
        faces = finder(rgb, closer=True)
        if len(faces) != 1:
            continue
        for share in SHARES:
            shrink = share * FRAME[1] / faces[0].box[3]
            size = (round(rgb.shape[1] * shrink), round(rgb.shape[0] * shrink))
            if shrink >= 1.0 or size[0] > FRAME[0] or size[1] > FRAME[1]:
                continue
            small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
            large = cv2.GaussianBlur(cv2.resize(rgb, FRAME), (0, 0), 25)
            x, y = (FRAME[0] - size[0]) // 3, FRAME[1] - size[1]
            large[y : y + size[1], x : x + size[0]] = small
            heights = [face.box[3] / FRAME[1] for face in finder(large, closer=True)]
            rows.append((share, max(heights, default=0.0)))
    return rows


if __name__ == "__main__":
    run_command(main)

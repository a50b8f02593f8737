"""One row of frames with their skeletons, of a few people: a picture that shows what a dataset holds."""

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from jaxtyping import UInt8

from manifests import keypoints as kp
from pipeline.audit.errors import LookError
from pipeline.audit.look import Kept, Picture, chosen, read
from pipeline.media.draw import contact_sheet, draw_pose

PEOPLE = 3
FRAMES = 2
"""Of each person."""
TILE = 192, 256
QUALITY = 90
ENDINGS = ".jpg", ".png"


def write_filmstrip(dataset: Path, file: Path, *, clips: Sequence[str] = ()) -> Path:
    """A row of frames of the first clip of each of three people, or of the clips named by the beginnings of their ids.

    file: a name that ends in .jpg or .png. The same dataset gives the same bytes. Raises LookError where the folder is
    no dataset, has no clips, or the file cannot be written.
    """
    if file.suffix not in ENDINGS:
        raise LookError(f"a strip ends in {' or '.join(ENDINGS)}, got {file}")
    rows = chosen(dataset, clips, most=len(clips)) if clips else one_of_each(dataset)
    if not rows:
        raise LookError(f"{dataset} has no clips to draw")
    tiles = [tile for row in rows for tile in tiles_of(read(dataset, row))]
    strip = contact_sheet(tiles, columns=len(tiles), tile=TILE)
    file.parent.mkdir(parents=True, exist_ok=True)
    quality = [cv2.IMWRITE_JPEG_QUALITY, QUALITY] if file.suffix == ".jpg" else []
    if not cv2.imwrite(str(file), cv2.cvtColor(strip, cv2.COLOR_RGB2BGR), quality):
        raise LookError(f"{file} cannot be written")
    return file


def one_of_each(dataset: Path) -> list[dict[str, Any]]:
    """The row of clips.parquet that is the first of its identity, for the first few identities by name."""
    first: dict[str, dict[str, Any]] = {}
    for row in chosen(dataset, (), most=sys.maxsize):
        first.setdefault(row["identity"], row)
    return [first[identity] for identity in sorted(first)[:PEOPLE]]


def tiles_of(kept: Kept) -> list[Picture]:
    """The middle of a few frames with their skeletons."""
    wanted = frames_of(kept)
    valid_from = kept.clip.pose.valid_from if kept.clip.pose else 0.5
    tiles: list[Picture] = []
    with av.open(io.BytesIO(kept.video), "r") as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number in wanted:
                picture = frame.to_ndarray(format="rgb24")
                drawn = draw_pose(picture, kept.pose[number], valid_from=valid_from)
                tiles.append(middle(drawn))
    return tiles


def frames_of(kept: Kept) -> list[int]:
    """One frame of each equal part of the clip: the most joints of both hands, then the hands furthest apart."""
    hands = np.stack([kept.pose[:, kp.LEFT_HAND], kept.pose[:, kp.RIGHT_HAND]], axis=1)
    seen = (hands[..., 2] > 0.0).sum(axis=(1, 2))
    apart = np.linalg.norm(hands[:, 0, 0, :2] - hands[:, 1, 0, :2], axis=1)
    parts = np.array_split(np.arange(len(seen)), FRAMES)
    return [int(max(part, key=lambda frame: (seen[frame], apart[frame]))) for part in parts]


def middle(picture: Picture) -> UInt8[np.ndarray, "h kept 3"]:
    """The picture cut at both sides to the shape of a tile."""
    height, width = picture.shape[:2]
    keep = min(width, height * TILE[0] // TILE[1])
    left = (width - keep) // 2
    return picture[:, left : left + keep]

"""Which of the detected figures is the speaker: the one whose head their face is."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import UInt8

from manifests.geometry import centre
from manifests.record import Box
from pipeline.perception.people.detector import Figure

HEAD = 0.9
"""Heights of the face box from a figure's top edge to the middle of its face: hair and brow above, half a face below
(median over the frames of 20 real clips)."""


def holding(figures: Sequence[Figure], face: Box | None) -> Figure | None:
    """The figure that a face belongs to, None where no figure holds the face's middle; without a face the surest.

    Of several that hold it the one whose own head would be nearest to it, in the middle of its upper edge.
    """
    if face is None:
        return max(figures, key=lambda each: each.score, default=None)
    x, y = centre(face)

    def from_its_head(each: Figure) -> float:
        left, top, width, _ = each.box
        return math.dist((x, y), (left + width / 2.0, top + HEAD * face[3]))

    around = [each for each in figures if is_inside(x, y, each.box)]
    return min(around, key=from_its_head, default=None)


def is_inside(x: float, y: float, box: Box) -> bool:
    """Whether a point lies in a box."""
    return box[0] <= x <= box[0] + box[2] and box[1] <= y <= box[1] + box[3]


class SpeakerBoxes:
    """Boxes around one person through the pictures of one span, in order."""

    def __init__(self, find: Callable[[UInt8[np.ndarray, "h w 3"]], list[Figure]]) -> None:
        self._find = find
        self._last: Box | None = None

    def __call__(self, image: UInt8[np.ndarray, "h w 3"], face: Box | None = None) -> Box | None:
        """The box in this picture; where the detector misses the person the last one, None before any."""
        found = holding(self._find(image), face)
        if found is not None:
            self._last = found.box
        return self._last

"""Two people in one picture: is the pose of each what it is when the other is not there?

Cut-out real people stand side by side before a real picture (`research.truth.scenes`); each one's part of the picture
is cut as the spans do, and looked at by the embedded backend.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from manifests import keypoints as kp
from manifests.geometry import centre
from manifests.record import Box
from pipeline.perception.faces import FaceFinder
from pipeline.perception.pose import MediaPipePose
from pipeline.stages.s060_spans import region
from research.truth.scenes import Cutout, Cutting, backdrop, cutouts, paste, reported

FRAME = (1280, 720)
FACE = 72.0  # height of every face, pixels
TOP = 200.0  # of the faces' middles, pixels
FRAMES = 25  # at 25 a second
APART = (2.5, 3.5, 5.0)  # of the faces' middles, in face heights; shoulders are about 3 wide
VALID = MediaPipePose().valid_from

Picture = UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True, slots=True)
class Compared:
    """One person beside another, against the same person alone.

    alone, beside: (frame, 133, 3) in pixels of the picture; own, other: (frame, 2) middles of the two true faces.
    """

    apart: float
    alone: Float[np.ndarray, "frame 133 3"]
    beside: Float[np.ndarray, "frame 133 3"]
    own: Float[np.ndarray, "frame 2"]
    other: Float[np.ndarray, "frame 2"]

    @property
    def wrong(self) -> Float[np.ndarray, " frame"]:
        """Whether the body's nose is nearer to the other's face than to the own, or a face height away from both."""
        nose = self.beside[:, kp.NOSE]
        to_own, to_other = (
            np.linalg.norm(nose[:, :2] - face, axis=1) for face in (self.own, self.other)
        )
        return (nose[:, 2] > 0) & ((to_other < to_own) | (to_own > FACE))


def compared(folder: Path, finder: FaceFinder) -> Iterator[Compared]:
    """Each person with one other, at every distance, both of them."""
    how = Cutting(rate=25, seconds=FRAMES / 25 + 0.1, face=FACE)
    people = cutouts(folder, reported(), finder, how)
    back = cv2.resize(backdrop(folder), FRAME)
    for pair in zip(people[::2], people[1::2], strict=True):
        for apart in APART:
            for who in (0, 1):
                yield beside(pair, apart, who, back)


def beside(pair: tuple[Cutout, Cutout], apart: float, who: int, back: Picture) -> Compared:
    """One of two people; the left one is in front."""
    places = [FRAME[0] / 2.0 + side * apart * FACE / 2.0 for side in (-1.0, 1.0)]
    both, faces = drawn(pair, places, back, (1, 0))
    single, _ = drawn(pair, places, back, (who,))
    middle: list[Box] = [tuple(np.median(each, axis=0).tolist()) for each in faces]
    free = region(middle[who], [], FRAME)
    cut = region(middle[who], [middle[1 - who]], FRAME)
    own, other = (np.array([centre(box) for box in faces[k]]) for k in (who, 1 - who))
    return Compared(
        apart, poses(single, faces[who], free), poses(both, faces[who], cut), own, other
    )


def drawn(
    pair: tuple[Cutout, Cutout], places: Sequence[float], back: Picture, who: Sequence[int]
) -> tuple[list[Picture], list[list[Box]]]:
    """The pictures with some of the people in them, the last one in front, and the true faces of both."""
    pictures, faces = [back.copy() for _ in range(FRAMES)], list[list[Box]]()
    corners = [
        np.round((x, TOP) - np.median([centre(box) for box in person.faces], axis=0)).astype(int)
        for person, x in zip(pair, places, strict=True)
    ]
    for k in who:
        for step, picture in enumerate(pictures):
            n = pair[k].at(step)
            paste(picture, pair[k].pictures[n], pair[k].opacity[n], corners[k])
    for person, corner in zip(pair, corners, strict=True):
        boxes = [person.faces[person.at(step)] for step in range(FRAMES)]
        faces.append([(x + corner[0], y + corner[1], w, h) for x, y, w, h in boxes])
    return pictures, faces


def poses(pictures: list[Picture], faces: list[Box], part: Box) -> Float[np.ndarray, "frame 133 3"]:
    """Poses in pixels of the whole picture, looked for in a part of it, as the stage does."""
    x, y, width, height = (int(side) for side in part)
    cuts = [np.ascontiguousarray(p[y : y + height, x : x + width]) for p in pictures]
    with MediaPipePose().track() as tracker:
        found = tracker.many(cuts, [(f[0] - x, f[1] - y, f[2], f[3]) for f in faces])
    found[..., :2] += np.where(found[..., 2:] > 0, (x, y), 0)
    return found


def errors(some: Sequence[Compared]) -> str:
    """One row a distance: median distance of the joints seen in both, in pixels, and what is lost or wrong."""
    groups = list(kp.GROUPS)
    lines = [
        f"| faces apart, face heights | wrong person | {' | '.join(groups)} | seen alone, not beside |",
        "|---" * (len(groups) + 3) + "|",
    ]
    for apart in APART:
        these = [each for each in some if each.apart == apart]
        wrong = np.concatenate([each.wrong for each in these]).mean()
        alone, together = (
            np.concatenate([getattr(each, name) for each in these]) for name in ("alone", "beside")
        )
        off = np.linalg.norm(alone[..., :2] - together[..., :2], axis=-1)
        first, second = alone[..., 2], together[..., 2]
        both = (first >= VALID) & (second >= VALID)
        cells = [middle(off[:, g][both[:, g]]) for g in kp.GROUPS.values()]
        lost = 1.0 - both.sum() / (first >= VALID).sum()
        lines.append(
            f"| {apart:g} | {100 * wrong:.1f} % | {' | '.join(cells)} | {100 * lost:.0f} % |"
        )
    return "\n".join(lines) + "\n"


def middle(distances: Float[np.ndarray, " n"]) -> str:
    """The median in pixels, a dash where there is nothing to compare."""
    return f"{np.median(distances):.1f}" if distances.size else "-"

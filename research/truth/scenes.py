"""Real people cut out of their clips and moved across each other before a real landscape, so that who is who is known.

Each person is cut out by the selfie segmentation inside MediaPipe's wheel, scaled to one face height, and keeps what
they do: sway, turn, gesture. Seeded; five pictures a second.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Protocol

import av
import cv2
import numpy as np
from jaxtyping import Float, UInt8

from manifests.geometry import FPS, centre, iou
from manifests.record import Box
from pipeline.perception.faces import Face, FaceFinder
from research.cases import clip, clips

FRAME = (640, 360)
RATE = 5  # pictures a second
STEP = FPS // RATE  # grid frames from one picture to the next
SECONDS = 12
FACE = 44.0  # height of every face, pixels
TOP = 110.0  # of the faces' middles, pixels


def tuned() -> tuple[str, ...]:
    """Clips of the people on whom the rule's numbers were set."""
    return clips("scenes/tuned")


def reported() -> tuple[str, ...]:
    """Clips of the others, on whom it is reported."""
    return clips("scenes/reported")


def backdrop(folder: Path) -> UInt8[np.ndarray, "h w 3"]:
    """A picture without people."""
    return list(sampled(folder / clip("scenes/backdrop")))[45]


class Segmenter(Protocol):
    """What tells a person from what is behind them."""

    def process(self, image: np.ndarray) -> object: ...


@dataclass(frozen=True, slots=True)
class Cutout:
    """One person: pictures with their opacity, and where the face is in each (None where it was not found)."""

    name: str
    pictures: tuple[UInt8[np.ndarray, "h w 3"], ...]
    opacity: tuple[Float[np.ndarray, "h w"], ...]
    faces: tuple[Box, ...]

    def at(self, step: int) -> int:
        """The picture shown at a step: there and back again where the clip is short."""
        last = len(self.pictures) - 1
        return last - abs(last - step % (2 * last))


@dataclass(frozen=True, slots=True)
class Scene:
    """Where two people are at each step, who of them is in front, and which face a board hides.

    places: (step, person, x and y), middle of the face in pixels; hidden: (person, first step, stop) or None.
    """

    kind: str
    people: tuple[int, int]
    places: Float[np.ndarray, "step 2 2"]
    front: int
    hidden: tuple[int, int, int] | None = None


# ---- people ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cutting:
    """How people are cut out. rate: pictures a second; seconds: at most; face: height of the median face, pixels."""

    rate: int = RATE
    seconds: float = SECONDS
    face: float = FACE


def cutouts(
    folder: Path, names: tuple[str, ...], finder: FaceFinder, how: Cutting | None = None
) -> list[Cutout]:
    """The people of some clips."""
    how = how or Cutting()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation

        with SelfieSegmentation(model_selection=0) as segment:
            return [cut_out(folder / name, finder, segment, how) for name in names]


def cut_out(path: Path, finder: FaceFinder, segment: Segmenter, how: Cutting) -> Cutout:
    """One person, scaled so that the median face has the wanted height."""
    pictures = [shrunk(picture, 1280) for picture in sampled(path, how)]
    found = [largest(finder(picture, closer=False)) for picture in pictures]
    boxes = filled([face.box for face in found if face], [face is not None for face in found])
    scale = how.face / float(np.median([box[3] for box in boxes]))
    small, opacity = [], []
    for picture in pictures:
        mask = getattr(segment.process(picture), "segmentation_mask")  # noqa: B009 - a namedtuple made at run time
        size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
        small.append(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
        opacity.append(np.clip(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), 0.0, 1.0))
    faces: list[Box] = [(x * scale, y * scale, w * scale, h * scale) for x, y, w, h in boxes]
    return Cutout(path.name, tuple(small), tuple(opacity), tuple(faces))


def sampled(path: Path, how: Cutting | None = None) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """RGB pictures of the first seconds, at the wanted rate (not above the clip's own)."""
    how = how or Cutting()
    most = (
        min(how.seconds, 10.0) if path.suffix == ".mov" else how.seconds
    )  # a title from 10.6 s on
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        start, wanted = None, 0
        for frame in container.decode(stream):
            start = frame.time if start is None else start
            due = (frame.time - start) * how.rate + 1e-6
            if frame.time - start >= most:
                return
            if due >= wanted:
                wanted = int(due) + 1
                yield frame.to_ndarray(format="rgb24")


def shrunk(picture: UInt8[np.ndarray, "h w 3"], longest: int) -> UInt8[np.ndarray, "h2 w2 3"]:
    """Not larger than `longest` pixels."""
    scale = min(1.0, longest / max(picture.shape[:2]))
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def largest(faces: list[Face]) -> Face | None:
    """The largest face."""
    return max(faces, key=lambda face: face.box[3], default=None)


def filled(found: list[Box], seen: list[bool]) -> list[Box]:
    """A box for every picture: where none was found that of the one before (the first found at the start)."""
    taken, boxes = -1, []
    for each in seen:
        taken += each
        boxes.append(found[max(0, taken)])
    return boxes


# ---- scenes ----------------------------------------------------------------------------------------


def scenes(people: int, kinds: tuple[str, ...], *, seed: int) -> list[Scene]:
    """Every pair in every kind of scene, with seeded speeds, sides and heights."""
    rng = np.random.default_rng(seed)
    return [scene(kind, pair, rng) for pair in combinations(range(people), 2) for kind in kinds]


def scene(kind: str, pair: tuple[int, int], rng: np.random.Generator) -> Scene:
    """One scene. cross: both walk; pass: one stands; return: they meet and go back; hidden: a board before a face.

    Speeds: 0.7 to 6 face heights a second of one to the other, log-uniform: leaning over to slow walking.
    """
    steps = np.arange(SECONDS * RATE) / RATE
    speed = float(np.exp(rng.uniform(np.log(0.8), np.log(6.0))))
    way = np.clip((steps - 1.0) * speed, 0.0, 7.0)  # faces gone, after a second of rest
    if kind == "return":
        way = np.minimum(way, np.clip(6.6 - (steps - 1.0) * speed, 0.0, 7.0))
    apart = np.full_like(steps, 2.2) if kind == "hidden" else 3.5 - way
    share = 0.5 if kind in ("cross", "hidden", "return") else 0.0
    turned = 1.0 if rng.random() < 0.5 else -1.0
    x = np.stack([-share * apart, (1.0 - share) * apart], axis=1) * turned
    y = rng.uniform(-0.3, 0.3, 2) + np.zeros_like(x)
    places = np.stack([x, y], axis=-1) * FACE + (FRAME[0] / 2.0, TOP)
    hidden = None
    if kind == "hidden":
        first = int(rng.integers(3 * RATE, 5 * RATE))
        hidden = (int(rng.integers(2)), first, first + int(rng.integers(RATE, 3 * RATE + 1)))
    return Scene(kind, pair, places, int(rng.integers(2)), hidden)


def shown(
    one: Scene, people: list[Cutout], back: UInt8[np.ndarray, "h w 3"]
) -> Iterator[tuple[UInt8[np.ndarray, "h w 3"], tuple[Box, Box]]]:
    """Each picture of a scene and the true boxes of the two faces."""
    for step in range(len(one.places)):
        picture = back.copy()
        boxes = [(0.0, 0.0, 1.0, 1.0)] * 2
        for who in (1 - one.front, one.front):
            person = people[one.people[who]]
            k = person.at(step)
            middle = np.median([centre(box) for box in person.faces], axis=0)
            corner = np.round(one.places[step, who] - middle).astype(int)
            paste(picture, person.pictures[k], person.opacity[k], corner)
            x, y, width, height = person.faces[k]
            boxes[who] = (x + corner[0], y + corner[1], width, height)
        if one.hidden and one.hidden[1] <= step < one.hidden[2]:
            x, y, width, height = (round(side) for side in boxes[one.hidden[0]])
            picture[max(0, y - height) : y + 2 * height, max(0, x - 10) : x + width + 10] = 90
        yield picture, (boxes[0], boxes[1])


def paste(
    picture: UInt8[np.ndarray, "h w 3"],
    person: UInt8[np.ndarray, "a b 3"],
    opacity: Float[np.ndarray, "a b"],
    corner: np.ndarray,
) -> None:
    """Lay a cut-out over a picture, its left upper corner at (x, y); what lies outside is left out."""
    x, y = int(corner[0]), int(corner[1])
    x0, y0 = max(0, x), max(0, y)
    x1 = min(picture.shape[1], x + person.shape[1])
    y1 = min(picture.shape[0], y + person.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    part = (slice(y0 - y, y1 - y), slice(x0 - x, x1 - x))
    cover = opacity[part][..., None]
    under = picture[y0:y1, x0:x1]
    picture[y0:y1, x0:x1] = np.round(person[part] * cover + under * (1.0 - cover))


def whose(box: Box, truth: tuple[Box, Box], front: int) -> int | None:
    """Who a detected face is: the true face it overlaps most, of like ones the front one's; None for neither."""
    shares = [iou(box, each) for each in truth]
    best = max((front, 1 - front), key=lambda who: round(shares[who], 1))
    return best if shares[best] > 0.25 else None

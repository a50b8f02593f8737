"""Finds faces in one picture with the network that MediaPipe carries (BlazeFace, full range)."""

import importlib.util
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from manifests.geometry import centre
from manifests.record import Box
from pipeline.packages import version_of
from pipeline.perception.faces.looks import Look
from pipeline.perception.quiet import without
from pipeline.weight_hashes import known_sha256

MODEL = "modules/face_detection/face_detection_full_range_sparse.tflite"
NOISE = re.compile(
    rb"inference_feedback_manager|XNNPACK delegate|before absl::InitializeLog|MessageFactory"
)
RIGHT_EYE, LEFT_EYE, NOSE, MOUTH = range(4)  # of the network's six points; the ears are not used


class FaceError(RuntimeError):
    """The face network cannot be loaded."""


@dataclass(frozen=True, slots=True)
class Face:
    """One detected face."""

    box: Box  # forehead to chin, pixels of the picture that was looked at
    score: float  # the network's, 0.6 to 1
    facing: float  # 1 frontal, 0 profile; see `facing`
    look: Look | None = None  # the colours of head and chest, where somebody took them

    def scaled(self, x: float, y: float) -> "Face":
        """The same face in a picture that is `x` times as wide and `y` times as high."""
        left, top, width, height = self.box
        return replace(self, box=(left * x, top * y, width * x, height * y))

    def moved(self, x: float, y: float) -> "Face":
        """The same face seen from an origin that lies `x` pixels left and `y` above."""
        left, top, width, height = self.box
        return replace(self, box=(left + x, top + y, width, height))


@dataclass(frozen=True, slots=True)
class FaceDetector:
    """How faces are looked for.

    The network sees 192x192 pixels. In a whole 16:9 picture it finds every face from 0.15 of the
    frame height on, 0.57 of those at 0.10 and none at 0.06; in the 2x2 tiles all at 0.08 and 0.73
    at 0.06 (30 real faces pasted into landscapes, each size). `tile_score` keeps out the false
    faces seen in tiles: legs and hair in a street 0.66 and 0.71, a blurred kitchen 0.63.

    All that by the first look. The box around a face of a few of those pixels is up to three times
    too large, so a small face is looked at again in a square around it; what is not found there
    either is taken for none (docs/decisions/0011-people.md, figures in docs/truth.md).
    """

    min_score: float = 0.6  # the graph itself reports nothing below 0.6
    tile_score: float = 0.72
    long_side: int = 640  # pixels of the RGB pictures it wants; two tiles across are 384 wide
    overlap: float = 0.1  # of neighbouring tiles, ratio of half the picture; a tile face is smaller
    largest_in_tile: float = 0.45  # of the tile's height; a larger face is a part of one
    small: float = 0.15  # of the picture's height; a smaller face is looked at again
    around: float = 4.0  # side of the square it is then looked at in, face boxes
    most_grown: float = 1.3  # the nearby box over the far one, which comes out too large if wrong
    most_again: int = 4  # small faces of one picture, the surest; more are taken as they are

    name: ClassVar[str] = "mediapipe-face-full-range"

    @property
    def version(self) -> str:
        """Our version and that of the installed mediapipe."""
        return f"2+mediapipe-{_version()}"

    @property
    def weights(self) -> str | None:
        """SHA-256 of the network in the wheel; None where it is not installed."""
        return _weights() if self.missing() is None else None

    def missing(self) -> str | None:
        """What has to be installed first; None where everything is there."""
        root = _root()
        if root is None or not (root / MODEL).is_file():
            return (
                f"mediapipe {_version()} carries no face network; 0.10.21 is the last version that"
                " does: pip install --no-deps mediapipe==0.10.21"
            )
        return None

    def load(self) -> "FaceFinder":
        """The network, ready to run: once per worker. Raises FaceError where it is missing."""
        if (missing := self.missing()) is not None:
            raise FaceError(missing)
        with without(NOISE):
            from mediapipe.python.solutions.face_detection import FaceDetection

            graph = FaceDetection(min_detection_confidence=self.min_score, model_selection=1)
            graph.process(np.zeros((64, 64, 3), dtype=np.uint8))  # chatters once
        return FaceFinder(self, graph)


@runtime_checkable
class _Graph(Protocol):
    def process(self, image: np.ndarray) -> object: ...

    def close(self) -> None: ...


class FaceFinder:
    """A loaded network. Each picture is looked at by itself: no state is kept between calls."""

    def __init__(self, detector: FaceDetector, graph: _Graph) -> None:
        self._detector = detector
        self._graph = graph

    def __call__(self, rgb: UInt8[np.ndarray, "h w 3"], *, closer: bool = True) -> list[Face]:
        """Faces in an upright RGB picture, the surest first; boxes in its pixels.

        closer: look again in 2x2 tiles where the whole picture shows no face: four looks more. Each
        small face that is found costs one more, `most_again` at most.
        """
        sure = [f for f in self._look(rgb) if f.score >= self._detector.min_score]
        faces = self._measured(sure, rgb)
        return faces if faces or not closer else self.closer(rgb)

    def closer(self, rgb: UInt8[np.ndarray, "h w 3"]) -> list[Face]:
        """Faces in the four overlapping tiles of a picture: those too small for one look."""
        limits, found = self._detector, list[Face]()
        height, width = rgb.shape[:2]
        high, wide = (round(side * (1.0 + limits.overlap) / 2.0) for side in (height, width))
        for top in (0, height - high):
            for left in (0, width - wide):
                tile = rgb[top : top + high, left : left + wide]
                found += (
                    face.moved(left, top)
                    for face in self._look(tile)
                    if face.score >= limits.tile_score
                    and face.box[3] <= limits.largest_in_tile * high
                )
        return self._measured(unique(found), rgb)

    def _measured(self, faces: Sequence[Face], rgb: UInt8[np.ndarray, "h w 3"]) -> list[Face]:
        """The same faces, the small ones with the box that a look from nearby gives them, if it finds them."""
        limits, kept = self._detector, list[Face]()
        left = limits.most_again
        for face in faces:
            if left == 0 or face.box[3] >= limits.small * rgb.shape[0]:
                kept.append(face)
                continue
            left -= 1
            if (near := self._nearby(face, rgb)) is not None:
                kept.append(near)
        return unique(kept)

    def _nearby(self, face: Face, rgb: UInt8[np.ndarray, "h w 3"]) -> Face | None:
        """A face as seen in a square around it; None where there is none."""
        left, top, side = square(face.box, self._detector.around, rgb.shape[1], rgb.shape[0])
        near = self._look(rgb[top : top + side, left : left + side])
        same = [
            f
            for f in (f.moved(left, top) for f in near)
            if _shared(f.box, face.box) > 0.5
            and f.box[3] <= self._detector.most_grown * face.box[3]
        ]
        middle = centre(face.box)
        best = min(same, key=lambda f: math.dist(centre(f.box), middle), default=None)
        return None if best is None else replace(best, score=face.score)

    def close(self) -> None:
        """Give the graph's memory and threads back."""
        self._graph.close()

    def _look(self, rgb: UInt8[np.ndarray, "h w 3"]) -> list[Face]:
        """One run of the network."""
        found = getattr(self._graph.process(np.ascontiguousarray(rgb)), "detections")  # noqa: B009 - a namedtuple made at run time
        size = np.array((rgb.shape[1], rgb.shape[0]), dtype=np.float64)
        return unique([_face(detection, size) for detection in found or ()])


def unique(faces: Sequence[Face], *, most_shared: float = 0.5) -> list[Face]:
    """The surest first, without those that overlap a surer one.

    most_shared: intersection over the smaller of the two boxes.
    """
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: (-face.score, face.box)):
        if all(_shared(face.box, other.box) <= most_shared for other in kept):
            kept.append(face)
    return kept


def square(box: Box, sides: float, width: int, height: int) -> tuple[int, int, int]:
    """(left, top, side) of the square around a box, `sides` times its longer side, within a picture."""
    x, y, wide, high = box
    side = max(1, min(round(sides * max(wide, high)), width, height))
    left = min(max(0, round(x + wide / 2.0 - side / 2.0)), width - side)
    top = min(max(0, round(y + high / 2.0 - side / 2.0)), height - side)
    return left, top, side


def facing(points: Float[np.ndarray, "point 2"]) -> float:
    """How frontal a face is, roughly the cosine of the head's turn: 1 frontal, 0 profile.

    points: (x, y) of right eye, left eye, nose tip, mouth centre. The smaller of two estimates: one
    from the eyes' distance over that from eyes to mouth (0.9 on frontal faces), one from the nose's
    shift along the eye line in eye distances (taken as 0.6 at a turn of 45 degrees).
    """
    right, left, nose, mouth = (points[k] for k in (RIGHT_EYE, LEFT_EYE, NOSE, MOUTH))
    middle, across = (right + left) / 2.0, left - right
    apart, down = float(np.hypot(*across)), float(np.hypot(*(mouth - middle)))
    if apart == 0.0 or down == 0.0:
        return 0.0
    shift = abs(float((nose - middle) @ across)) / apart**2
    return min(1.0, apart / down / 0.9, 1.0 / float(np.hypot(1.0, shift / 0.6)))


@runtime_checkable
class _Point(Protocol):
    x: float
    y: float


def _face(detection: object, size: Float[np.ndarray, "2"]) -> Face:
    """A face from MediaPipe's message, whose numbers are ratios of the picture's size."""
    location = getattr(detection, "location_data")  # noqa: B009 - a protobuf message without types
    box = location.relative_bounding_box
    relative: Sequence[_Point] = location.relative_keypoints
    points = np.array([(point.x, point.y) for point in relative]) * size
    corner, extent = np.array((box.xmin, box.ymin)) * size, np.array((box.width, box.height)) * size
    score = float(getattr(detection, "score")[0])  # noqa: B009 - as above
    return Face(
        (float(corner[0]), float(corner[1]), float(extent[0]), float(extent[1])),
        score,
        facing(points),
    )


def _shared(a: Box, b: Box) -> float:
    """Intersection over the smaller of two boxes."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(0.0, width) * max(0.0, height) / min(a[2] * a[3], b[2] * b[3])


@cache
def _root() -> Path | None:
    spec = importlib.util.find_spec("mediapipe")
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


@cache
def _version() -> str:
    return "none" if _root() is None else version_of("mediapipe") or "none"


@cache
def _weights() -> str:
    root = _root()
    assert root is not None
    return known_sha256(root / MODEL)

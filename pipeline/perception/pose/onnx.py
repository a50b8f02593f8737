"""The reference pose backend: RTMPose, DWPose and RTMW exports with 133 joints, run by ONNX
Runtime, the crops of several pictures at once.

All three share one recipe: an affine crop around the person (mmpose's rule), ImageNet normalisation
of RGB, and two vectors per joint, one along x and one along y, whose maxima are the position
(SimCC, Li et al. 2022, arXiv:2107.03332; RTMPose, Jiang et al. 2023, arXiv:2303.07399; DWPose, Yang
et al. 2023, arXiv:2307.15880).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from manifests import keypoints as kp
from manifests.record import Box
from pipeline.perception import sessions
from pipeline.perception.people import PersonDetector, SpeakerBoxes
from pipeline.perception.sessions import Device, WeightsError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

MEAN = np.array([123.675, 116.28, 103.53], dtype=np.float32)
STD = np.array([58.395, 57.12, 57.375], dtype=np.float32)
PADDING = 1.25
SPLIT_RATIO = 2.0

Score = Literal["min", "mean"]


@dataclass(frozen=True, slots=True)
class OnnxPose:
    """A whole-body SimCC model in a local ONNX file.

    path: the file; people: who finds the person's box in each picture, else the whole picture is their box; sha256:
    refused if the file has another one; threads: of one operator, 1 is the same everywhere; batch: pictures that go
    through the network at once; score: how the two maxima become one confidence: the smaller one as in mmpose, or
    their mean as in rtmlib. The confidence is the network's own response, about 0 to 1, sometimes a little above.
    """

    name: ClassVar[str] = "onnx"

    path: Path = Path()
    people: PersonDetector | None = None
    sha256: str | None = None
    device: Device = "cpu"
    threads: int = 1
    batch: int = 8
    score: Score = "min"
    valid_from: float = 0.3

    @property
    def version(self) -> str:
        """Version of the installed onnxruntime, or "none"."""
        return sessions.version()

    @property
    def weights(self) -> str | None:
        """SHA-256 of the file, with `people` over its file and theirs; None where one is absent."""
        own = sessions.file_hash(self.path)
        return sessions.joint_hash(own, self.people.weights) if self.people else own

    def missing(self) -> str | None:
        """None where onnxruntime is installed, offers the device, and the files are there."""
        what = "csg-data weights fetch dwpose, or any RTMPose, DWPose or RTMW export of 133 joints"
        own = sessions.lacking(self.path, device=self.device, what=what, setting="pose.weights")
        return own or (self.people.missing() if self.people else None)

    @contextmanager
    def track(self) -> Iterator["OnnxTracker"]:
        """A tracker; the sessions are loaded once per process.

        Raises WeightsError for a file of another hash or shape.
        """
        session = sessions.session(
            self.path, device=self.device, threads=self.threads, sha256=self.sha256
        )
        boxes = SpeakerBoxes(self.people.load()) if self.people else None
        yield OnnxTracker(session, score=self.score, batch=self.batch, boxes=boxes)


class OnnxTracker:
    """One model that looks at each picture by itself; only the box of a missed person is remembered."""

    def __init__(
        self,
        session: "InferenceSession",
        *,
        score: Score = "min",
        batch: int = 8,
        boxes: SpeakerBoxes | None = None,
    ) -> None:
        shape = tuple(session.get_inputs()[0].shape)
        self._session = session
        self._score: Score = score
        self._input = session.get_inputs()[0].name
        self._size = input_size(shape)
        self._fixed = shape[0] if isinstance(shape[0], int) else None
        self._batch = self._fixed or batch
        self._boxes = boxes

    def __call__(
        self, image: UInt8[np.ndarray, "h w 3"], face: Box | None = None
    ) -> Float32[np.ndarray, "133 3"]:
        """See `PoseTracker`."""
        return self.many([image], [face])[0]

    def many(
        self, images: Sequence[UInt8[np.ndarray, "h w 3"]], faces: Sequence[Box | None]
    ) -> Float32[np.ndarray, "n 133 3"]:
        """See `PoseTracker`."""
        boxes = [self._box(image, face) for image, face in zip(images, faces, strict=True)]
        return self.inside(images, boxes)

    def inside(
        self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]], boxes: Sequence[Box]
    ) -> Float32[np.ndarray, "n 133 3"]:
        """Poses of the people in these boxes, one for each pair of a picture and a box; a picture may come twice.

        Raises WeightsError for a model of another number of joints.
        """
        windows = [crop_window(box, self._size) for box in boxes]
        pairs = list(zip(images, windows, strict=True))
        found = [
            pose
            for first in range(0, len(pairs), self._batch)
            for pose in self._run(pairs[first : first + self._batch])
        ]
        return np.stack(found) if found else np.zeros((0, kp.JOINTS, 3), dtype=np.float32)

    def _run(
        self, some: Sequence[tuple[UInt8[np.ndarray, "_ _ 3"], Box]]
    ) -> list[Float32[np.ndarray, "133 3"]]:
        """One call of the network."""
        crops = np.stack([crop(image, window, self._size) for image, window in some])
        blob = normalise(crops)
        if self._fixed:  # an export of fixed batch size takes no fewer
            empty = np.zeros((self._fixed - len(blob), *blob.shape[1:]), dtype=np.float32)
            blob = np.concatenate([blob, empty])
        outputs = self._session.run(None, {self._input: blob})
        along_x, along_y = (np.asarray(vectors) for vectors in outputs[:2])
        if along_x.shape[1] != kp.JOINTS:
            raise WeightsError(f"a whole-body model has {kp.JOINTS} joints, got {along_x.shape[1]}")
        return [
            to_picture(decode(x, y, score=self._score), window, self._size)
            for (_, window), x, y in zip(some, along_x, along_y, strict=False)  # without the fill
        ]

    def _box(self, image: UInt8[np.ndarray, "h w 3"], face: Box | None) -> Box:
        found = self._boxes(image, face) if self._boxes else None
        return found or (0.0, 0.0, float(image.shape[1]), float(image.shape[0]))


# ---- the recipe ----------------------------------------------------------------------------------


def input_size(shape: tuple[int | str | None, ...]) -> tuple[int, int]:
    """(width, height) that a model with this input shape takes.

    Raises WeightsError unless it is fixed.
    """
    width, height = shape[-1], shape[-2]
    if len(shape) != 4 or not isinstance(width, int) or not isinstance(height, int):
        raise WeightsError(f"a pose model takes (batch, 3, height, width), fixed, got {shape}")
    return width, height


def crop_window(box: Box, size: tuple[int, int]) -> Box:
    """mmpose's window: the box padded by 1.25, then grown to the aspect of the input's (width,
    height).

    Returns (centre x, centre y, width, height). Pixel centres count as integers and edges too, as
    there.
    """
    width, height = box[2] * PADDING, box[3] * PADDING
    aspect = size[0] / size[1]
    if width > height * aspect:
        height = width / aspect
    else:
        width = height * aspect
    return box[0] + box[2] / 2.0, box[1] + box[3] / 2.0, width, height


def crop(
    image: UInt8[np.ndarray, "h w 3"], window: Box, size: tuple[int, int]
) -> UInt8[np.ndarray, "height width 3"]:
    """The window resampled to (width, height) = size; black outside the picture.

    The map is found from three points in single precision, as in mmpose: OpenCV rounds places to 1/32 pixel, so the
    last digits of the matrix decide pixels (by up to 8 grey levels in a tenth of the crops when it was exact instead).
    """
    import cv2

    half_in, half_out = window[2] / 2.0, size[0] / 2.0
    source = three_points((window[0], window[1]), half_in)
    target = three_points((size[0] / 2.0, size[1] / 2.0), half_out)
    matrix = cv2.getAffineTransform(source, target)
    return cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def three_points(middle: tuple[float, float], half: float) -> Float32[np.ndarray, "3 2"]:
    """The middle of a window, the point `half` above it, and the one `half` left of that."""
    points = np.array([middle, (middle[0], middle[1] - half), middle], dtype=np.float32)
    points[2] = points[1] - (points[0] - points[1])[::-1]
    return points


def normalise(images: UInt8[np.ndarray, "n h w 3"]) -> Float32[np.ndarray, "n 3 h w"]:
    """RGB by ImageNet's mean and deviation, channels first."""
    scaled = (images.astype(np.float32) - MEAN) / STD
    return np.ascontiguousarray(np.moveaxis(scaled, -1, 1))


def decode(
    along_x: Float32[np.ndarray, "joints columns"],
    along_y: Float32[np.ndarray, "joints rows"],
    *,
    score: Score = "min",
) -> Float64[np.ndarray, "joints 3"]:
    """x, y in pixels of the model's input, and the response; 0, 0, 0 where that is not above 0."""
    places = np.stack([along_x.argmax(axis=1), along_y.argmax(axis=1)], axis=1) / SPLIT_RATIO
    peaks = np.stack([along_x.max(axis=1), along_y.max(axis=1)]).astype(np.float64)
    confidence = peaks.min(axis=0) if score == "min" else peaks.mean(axis=0)
    found = np.concatenate([places, confidence[:, None]], axis=1)
    found[confidence <= 0.0] = 0.0
    return found


def to_picture(
    found: Float64[np.ndarray, "joints 3"], window: Box, size: tuple[int, int]
) -> Float32[np.ndarray, "joints 3"]:
    """Joints of the model's input as joints of the picture; missing ones stay 0, 0, 0."""
    points = found.copy()
    corner = (window[0] - window[2] / 2.0, window[1] - window[3] / 2.0)
    points[:, :2] = found[:, :2] / size * window[2:] + corner
    points[found[:, 2] <= 0.0] = 0.0
    return points.astype(np.float32)

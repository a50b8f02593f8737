"""The reference pose backend: RTMPose, DWPose and RTMW exports with 133 joints, run by ONNX
Runtime.

All three share one recipe: an affine crop around the person (mmpose's rule), ImageNet normalisation
of RGB, and two vectors per joint, one along x and one along y, whose maxima are the position
(SimCC, Li et al. 2022, arXiv:2107.03332; RTMPose, Jiang et al. 2023, arXiv:2303.07399; DWPose, Yang
et al. 2023, arXiv:2307.15880).
"""

import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import cv2
import numpy as np
from jaxtyping import Float32, Float64, UInt8

from manifests import keypoints as kp
from manifests.record import Box

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

MEAN = np.array([123.675, 116.28, 103.53], dtype=np.float32)
STD = np.array([58.395, 57.12, 57.375], dtype=np.float32)
PADDING = 1.25
SPLIT_RATIO = 2.0

Score = Literal["min", "mean"]
Device = Literal["cpu", "cuda"]


class WeightsError(ValueError):
    """A weights file that is not the one that was asked for, or not a model of this kind."""


@dataclass(frozen=True, slots=True)
class OnnxPose:
    """A whole-body SimCC model in a local ONNX file.

    path: the file; sha256: refused if the file has another one; threads: of one operator, 1 is the
    same everywhere; score: how the two maxima become one confidence: the smaller one as in mmpose,
    or their mean as in rtmlib. The confidence is the network's own response, about 0 to 1,
    sometimes a little above.
    """

    name: ClassVar[str] = "onnx"

    path: Path = Path()
    sha256: str | None = None
    device: Device = "cpu"
    threads: int = 1
    score: Score = "min"
    valid_from: float = 0.3

    @property
    def version(self) -> str:
        """Version of the installed onnxruntime, or "none"."""
        return _version()

    @property
    def weights(self) -> str | None:
        """SHA-256 of the file; None where there is none."""
        return _sha256(self.path, _stamp(self.path)) if self.path.is_file() else None

    def missing(self) -> str | None:
        """None where onnxruntime is installed, offers the device, and the file is there."""
        if _version() == "none":
            return "onnxruntime is not installed: pip install onnxruntime"
        if self.path == Path():
            return (
                "no file is set (pose.weights): an RTMPose, DWPose or RTMW export with 133 joints"
            )
        if not self.path.is_file():
            return f"no weights at {self.path}: an RTMPose, DWPose or RTMW export with 133 joints"
        if self.device == "cuda" and _providers(self.device)[0] not in _available():
            return "this onnxruntime has no CUDA: pip install onnxruntime-gpu"
        return None

    @contextmanager
    def track(self) -> Iterator["OnnxTracker"]:
        """A tracker; the session is loaded once per process.

        Raises WeightsError for a file of another hash or shape.
        """
        if self.sha256 is not None and self.weights != self.sha256:
            raise WeightsError(f"{self.path.name} has SHA-256 {self.weights}, wanted {self.sha256}")
        session = _session(self.path, _stamp(self.path), self.device, self.threads)
        yield OnnxTracker(session, self.score)


class OnnxTracker:
    """One model that looks at each picture by itself."""

    def __init__(self, session: "InferenceSession", score: Score = "min") -> None:
        self._session = session
        self._score: Score = score
        self._input = session.get_inputs()[0].name
        self._size = input_size(tuple(session.get_inputs()[0].shape))

    def __call__(
        self, image: UInt8[np.ndarray, "h w 3"], box: Box | None = None
    ) -> Float32[np.ndarray, "133 3"]:
        """See `PoseTracker`. box: around the person; the whole picture without one."""
        window = crop_window(box or (0.0, 0.0, image.shape[1], image.shape[0]), self._size)
        blob = normalise(crop(image, window, self._size))
        outputs = self._session.run(None, {self._input: blob})
        along_x, along_y = (np.asarray(vectors) for vectors in outputs[:2])
        if along_x.shape[1] != kp.JOINTS:
            raise WeightsError(f"a whole-body model has {kp.JOINTS} joints, got {along_x.shape[1]}")
        found = decode(along_x[0], along_y[0], score=self._score)
        return to_picture(found, window, self._size)


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
    """The window resampled to (width, height) = size; black outside the picture."""
    scale = size[0] / window[2]
    matrix = np.array(
        [
            [scale, 0.0, size[0] / 2.0 - window[0] * scale],
            [0.0, scale, size[1] / 2.0 - window[1] * scale],
        ]
    )
    return cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def normalise(image: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "1 3 h w"]:
    """RGB by ImageNet's mean and deviation, as a batch of one."""
    scaled = (image.astype(np.float32) - MEAN) / STD
    return np.ascontiguousarray(np.moveaxis(scaled, -1, 0)[None])


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


# ---- loading -------------------------------------------------------------------------------------


def _providers(device: Device) -> list[str]:
    return {
        "cpu": ["CPUExecutionProvider"],
        "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"],
    }[device]


@cache
def _session(path: Path, stamp: int, device: Device, threads: int) -> "InferenceSession":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        path.read_bytes(), sess_options=options, providers=_providers(device)
    )


def _available() -> list[str]:
    import onnxruntime

    return onnxruntime.get_available_providers()


@cache
def _version() -> str:
    found = importlib.util.find_spec("onnxruntime") is not None
    if not found:
        return "none"
    names = ("onnxruntime", "onnxruntime-gpu")
    installed = {d.metadata["Name"] for d in importlib.metadata.distributions()}
    return next((importlib.metadata.version(n) for n in names if n in installed), "unknown")


def _stamp(path: Path) -> int:
    return path.stat().st_mtime_ns


@cache
def _sha256(path: Path, stamp: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

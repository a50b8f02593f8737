"""Finds whole figures in one picture: RTMDet or YOLOX as an ONNX file, run by ONNX Runtime.

RTMDet (Lyu et al. 2022, arXiv:2212.07784) as mmdeploy exports it has its suppression inside and gives corners and
scores. YOLOX (Ge et al. 2021, arXiv:2107.08430) as its authors export it gives one row per cell of three grids, which
are decoded here. Both look at a picture shrunk into the upper left of a grey square; both were trained on OpenCV's
channel order, blue first. Only RTMDet's was normalised. Tried on ten real clips: with normalisation YOLOX finds nobody
(best score 0.00, without 0.92), without it RTMDet's mean best score falls from 0.86 to 0.54.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from jaxtyping import Float, Float32, Int64, UInt8

from manifests.record import Box
from pipeline.perception import sessions
from pipeline.perception.sessions import Device, WeightsError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Kind = Literal["rtmdet", "yolox"]

GREY = 114  # of the padding, as in both trainings
MEAN = np.array([103.53, 116.28, 123.675], dtype=np.float32)  # ImageNet's, blue first
STD = np.array([57.375, 57.12, 58.395], dtype=np.float32)
STRIDES = (8, 16, 32)  # pixels a cell of YOLOX's three grids
PERSON = 0  # COCO's first class


@dataclass(frozen=True, slots=True)
class Figure:
    """One detected person."""

    box: Box  # pixels of the picture that was looked at, inside it
    score: float  # the network's, 0 to 1


@dataclass(frozen=True, slots=True)
class PersonDetector:
    """A person detector in a local ONNX file; which of the two kinds it is, its outputs say.

    min_score: on the network's own scale, 0.3 as in rtmlib; overlap: of two boxes of one person, intersection over
    union, above which the weaker goes, 0.45 as in rtmlib (RTMDet's own, 0.6, is inside the file and comes first); side:
    pixels of the square that a file of free input size is shown: rtmdet-nano was trained at 320 (at 640 its best score
    falls below 0.6 in 4 of 10 clips).
    """

    name: ClassVar[str] = "onnx-person"

    path: Path = Path()
    sha256: str | None = None
    device: Device = "cpu"
    threads: int = 1
    min_score: float = 0.3
    overlap: float = 0.45
    side: int = 320

    @property
    def version(self) -> str:
        """Our version and that of the installed onnxruntime."""
        return f"2+onnxruntime-{sessions.version()}"

    @property
    def weights(self) -> str | None:
        """SHA-256 of the file; None where there is none."""
        return sessions.file_hash(self.path)

    def missing(self) -> str | None:
        """None where onnxruntime is installed, offers the device, and the file is there."""
        return sessions.lacking(
            self.path,
            device=self.device,
            what="a person detector: csg-data weights fetch rtmdet-person or yolox-nano",
            setting="pose.detector",
        )

    def load(self) -> "FigureFinder":
        """The network, ready to run. Raises WeightsError for a file of another hash or kind."""
        return FigureFinder(
            self,
            sessions.session(
                self.path, device=self.device, threads=self.threads, sha256=self.sha256
            ),
        )


class FigureFinder:
    """A loaded network. Each picture is looked at by itself."""

    def __init__(self, detector: PersonDetector, session: "InferenceSession") -> None:
        self._detector = detector
        self._session = session
        self._input = session.get_inputs()[0].name
        self._outputs = [output.name for output in session.get_outputs()]
        self._kind: Kind = kind_of(self._outputs)
        self._side = square_side(tuple(session.get_inputs()[0].shape), otherwise=detector.side)

    def __call__(self, rgb: UInt8[np.ndarray, "h w 3"]) -> list[Figure]:
        """People in an upright RGB picture, the surest first; boxes in its pixels, cut at its edges."""
        small, scale = letterbox(rgb, self._side)
        outputs = self._session.run(None, {self._input: as_input(small, self._kind)})
        rows = np.asarray(outputs[0], dtype=np.float32)[0]
        if self._kind == "rtmdet":
            labels = dict(zip(self._outputs, outputs, strict=True)).get("labels")
            classes = None if labels is None else np.asarray(labels, dtype=np.int64)[0]
            corners, scores = people_among(rows, classes)
        else:
            corners, scores = decode_grids(rows, self._side)
        sure = scores > self._detector.min_score
        corners, scores = corners[sure], scores[sure]
        kept = surest(corners, scores, overlap=self._detector.overlap)
        return figures(corners[kept] / scale, scores[kept], (rgb.shape[1], rgb.shape[0]))


# ---- the recipe ------------------------------------------------------------------------------------


def kind_of(outputs: list[str]) -> Kind:
    """Which network has outputs of these names. Raises WeightsError for another."""
    if outputs[:1] == ["dets"]:
        return "rtmdet"
    if len(outputs) == 1:
        return "yolox"
    raise WeightsError(f"a person detector gives dets and labels, or one table, got {outputs}")


def square_side(shape: tuple[int | str | None, ...], *, otherwise: int) -> int:
    """Pixels of the square input: the file's own where it is fixed. Raises WeightsError where it is not square."""
    height, width = shape[-2:]
    if isinstance(height, int) and isinstance(width, int):
        if height != width:
            raise WeightsError(f"a person detector takes a square, got {width}x{height}")
        return width
    return otherwise


def letterbox(
    rgb: UInt8[np.ndarray, "h w 3"], side: int
) -> tuple[UInt8[np.ndarray, "side side 3"], float]:
    """The picture scaled into the upper left of a grey square, and by how much it was scaled."""
    import cv2

    scale = min(side / rgb.shape[0], side / rgb.shape[1])
    width, height = max(1, int(rgb.shape[1] * scale)), max(1, int(rgb.shape[0] * scale))
    square = np.full((side, side, 3), GREY, dtype=np.uint8)
    square[:height, :width] = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_LINEAR)
    return square, scale


def as_input(rgb: UInt8[np.ndarray, "side side 3"], kind: Kind) -> Float32[np.ndarray, "1 3 s s"]:
    """Blue first; normalised for RTMDet, 0 to 255 for YOLOX."""
    bgr = rgb[..., ::-1].astype(np.float32)
    if kind == "rtmdet":
        bgr = (bgr - MEAN) / STD
    return np.ascontiguousarray(np.moveaxis(bgr, -1, 0)[None])


def people_among(
    rows: Float32[np.ndarray, "boxes 5"], labels: Int64[np.ndarray, " boxes"] | None
) -> tuple[Float32[np.ndarray, "people 4"], Float32[np.ndarray, " people"]]:
    """Corners in pixels of the square, and scores, of RTMDet's rows that are people.

    labels: the class of each row, of COCO's eighty or of the one that a person detector knows; None where a file says
    nothing of it, which is then about people alone.
    """
    people = rows if labels is None else rows[labels == PERSON]
    return people[:, :4], people[:, 4]


def decode_grids(
    rows: Float32[np.ndarray, "cells 85"], side: int
) -> tuple[Float32[np.ndarray, "cells 4"], Float32[np.ndarray, " cells"]]:
    """Corners in pixels of the square, and the score of a person, from YOLOX's rows.

    A row: centre as an offset from its cell and the log of its size, both in strides; objectness; a score per class.
    Raises WeightsError where the number of rows is not that of the square's three grids.
    """
    cells = [
        np.stack(np.meshgrid(np.arange(side // s), np.arange(side // s)), axis=-1).reshape(-1, 2)
        for s in STRIDES
    ]
    origin = np.concatenate(cells).astype(np.float32)
    stride = np.repeat(STRIDES, [len(each) for each in cells]).astype(np.float32)[:, None]
    if len(rows) != len(origin):
        raise WeightsError(
            f"YOLOX has {len(origin)} rows for a square of {side} pixels, got {len(rows)}"
        )
    middle, half = (rows[:, :2] + origin) * stride, np.exp(rows[:, 2:4]) * stride / 2.0
    return np.concatenate([middle - half, middle + half], axis=1), rows[:, 4] * rows[:, 5 + PERSON]


def surest(
    corners: Float32[np.ndarray, "boxes 4"],
    scores: Float32[np.ndarray, " boxes"],
    *,
    overlap: float,
) -> list[int]:
    """Which boxes stay, the surest first, when those that overlap a surer one by more than `overlap` go."""
    import cv2

    sides = corners[:, 2:] - corners[:, :2]
    left_top_sides = np.concatenate([corners[:, :2], sides], axis=1)
    kept = cv2.dnn.NMSBoxes(left_top_sides.tolist(), scores.tolist(), 0.0, overlap)
    return [int(index) for index in np.asarray(kept, dtype=np.int64).reshape(-1)]


def figures(
    corners: Float[np.ndarray, "boxes 4"],
    scores: Float[np.ndarray, " boxes"],
    size: tuple[int, int],
) -> list[Figure]:
    """Corners as boxes, cut at the edges of a picture of this (width, height); empty ones go."""
    cut = np.clip(corners.astype(np.float64), 0.0, np.array([*size, *size], dtype=np.float64))
    return [
        Figure((left, top, right - left, bottom - top), float(score))
        for (left, top, right, bottom), score in zip(cut.tolist(), scores, strict=True)
        if right - left >= 1.0 and bottom - top >= 1.0
    ]

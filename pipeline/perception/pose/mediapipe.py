"""The embedded pose backend: MediaPipe Holistic, whose models come inside its wheel, mapped to the
133 joints.

`docs/pose-mapping.md` is written from `SOURCES` and says for each joint where it comes from and
what its confidence means.
"""

import importlib.util
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from manifests.record import Box
from pipeline.packages import version_of
from pipeline.perception.pose.mediapipe_map import PARTS, Part, to_wholebody
from pipeline.perception.quiet import without
from pipeline.weight_hashes import known_sha256

NOISE = re.compile(
    rb"inference_feedback_manager|landmark_projection_calculator|XNNPACK delegate"
    rb"|before absl::InitializeLog|MessageFactory"
)

GRAPH = "mediapipe/modules/holistic_landmark/holistic_landmark_cpu.binarypb"
MODELS = (
    "pose_detection/pose_detection.tflite",
    "pose_landmark/pose_landmark_full.tflite",
    "face_detection/face_detection_short_range.tflite",
    "face_landmark/face_landmark_with_attention.tflite",
    "holistic_landmark/hand_recrop.tflite",
    "hand_landmark/hand_landmark_full.tflite",
)
LANDMARKS: dict[Part, str] = {
    "pose": "pose_landmarks",
    "face": "face_landmarks",
    "left_hand": "left_hand_landmarks",
    "right_hand": "right_hand_landmarks",
}
_HANDS = "handlandmarksleftandrightcpu__handlandmarksfromposecpu_"
PRESENCES: dict[Part, str] = {
    "face": "facelandmarksfromposecpu__facelandmarkcpu__face_presence_score",
    "left_hand": f"{_HANDS}1__handlandmarkcpu__hand_presence_score",
    "right_hand": f"{_HANDS}2__handlandmarkcpu__hand_presence_score",
}
"""Streams inside the graph that carry how sure the face and hand networks are that they look at
one, 0 to 1."""


SIDE_INPUTS: dict[str, int | bool] = {
    "model_complexity": 1,
    "smooth_landmarks": False,
    "enable_segmentation": False,
    "smooth_segmentation": False,
    "refine_face_landmarks": True,
    "use_prev_landmarks": True,
}


@runtime_checkable
class _Point(Protocol):
    x: float
    y: float
    visibility: float


@dataclass(frozen=True, slots=True)
class MediaPipePose:
    """MediaPipe Holistic on one person: BlazePose (full), the attention face mesh, the full hand
    network.

    Landmarks are raw: the graph's own temporal filter is off. The graph follows the body from
    picture to picture and looks for it anew where it is less than half sure.
    """

    name: ClassVar[str] = "mediapipe"

    valid_from: float = 0.5
    batch: int = 1

    @property
    def version(self) -> str:
        """Version of the installed mediapipe, or "none"."""
        return _version()

    @property
    def weights(self) -> str | None:
        """SHA-256 over the six models of the wheel, in the order of `MODELS`."""
        return _weights() if _root() is not None else None

    def missing(self) -> str | None:
        """None where the wheel with its models is installed."""
        root = _root()
        if root is None:
            return "mediapipe is not installed: pip install --no-deps mediapipe==0.10.21"
        absent = [name for name in MODELS if not (root / "modules" / name).is_file()]
        if absent:
            return (
                f"mediapipe {_version()} has no {absent[0]}: 0.10.21 is the last that carries its"
                " models: pip install --no-deps mediapipe==0.10.21"
            )
        return None

    @contextmanager
    def track(self) -> Iterator["MediaPipeTracker"]:
        """A new graph; it takes about 0.2 s to its first picture, as resetting an old one would."""
        with ExitStack() as chatter:
            chatter.enter_context(without(NOISE))
            graph = self._graph()
            try:
                yield MediaPipeTracker(graph, chatter.close)
            finally:
                graph.close()

    def _graph(self) -> "_Graph":
        from mediapipe.framework.calculator_pb2 import (
            CalculatorGraphConfig,  # pyright: ignore[reportAttributeAccessIssue] - made by protobuf at run time
        )
        from mediapipe.python.solution_base import SolutionBase

        root = _root()
        assert root is not None  # `missing` says so first
        config = CalculatorGraphConfig()
        config.ParseFromString((root.parent / GRAPH).read_bytes())
        # One thread per graph: two workers with a pool each on two cores take 1.5 times as long for the same bytes.
        config.num_threads = 1
        return SolutionBase(
            graph_config=config,
            side_inputs=SIDE_INPUTS,
            outputs=[*LANDMARKS.values(), *PRESENCES.values()],
        )


@runtime_checkable
class _Graph(Protocol):
    def process(self, input_data: dict[str, np.ndarray]) -> object: ...

    def close(self) -> None: ...


class MediaPipeTracker:
    """One graph following one person."""

    def __init__(self, graph: _Graph, settled: Callable[[], None]) -> None:
        self._graph = graph
        self._settled = settled

    def __call__(
        self, image: UInt8[np.ndarray, "h w 3"], face: Box | None = None
    ) -> Float32[np.ndarray, "133 3"]:
        """See `PoseTracker`. Raises RuntimeError if the graph fails."""
        found = self._graph.process({"image": np.ascontiguousarray(image)})
        self._settled()  # the libraries chatter until their first picture is through
        size = (image.shape[1], image.shape[0])
        parts: dict[Part, Float64[np.ndarray, "points 3"]] = {}
        for part in PARTS:
            points = _landmarks(found, part, size)
            if points is not None:
                parts[part] = points
        return to_wholebody(parts)

    def many(
        self, images: Sequence[UInt8[np.ndarray, "h w 3"]], faces: Sequence[Box | None]
    ) -> Float32[np.ndarray, "n 133 3"]:
        """See `PoseTracker`; the graph takes one picture after the other."""
        return np.stack([self(image, face) for image, face in zip(images, faces, strict=True)])


def _landmarks(
    found: object, part: Part, size: tuple[int, int]
) -> Float64[np.ndarray, "points 3"] | None:
    """x, y in pixels (centres at integers) and confidence; None where the part was not found."""
    landmarks = getattr(found, LANDMARKS[part])
    if landmarks is None:
        return None
    points: list[_Point] = landmarks.landmark
    table = np.array([(point.x, point.y, point.visibility) for point in points], dtype=np.float64)
    table[:, :2] = table[:, :2] * size - 0.5
    if part in PRESENCES:
        table[:, 2] = getattr(found, PRESENCES[part])
    return table


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
    return known_sha256(*(root / "modules" / name for name in MODELS))

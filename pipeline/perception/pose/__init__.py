"""Whole-body pose of one person: 133 joints per picture, behind one narrow interface with several
backends.

A tracker follows one person through one span and starts fresh, so the pose is a pure function of
the pictures it is shown and their order.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8

from manifests.record import Box
from pipeline.perception.people import PersonDetector
from pipeline.perception.pose.mediapipe import MediaPipePose
from pipeline.perception.pose.mmpose import MMPose
from pipeline.perception.pose.onnx import OnnxPose
from pipeline.perception.sessions import Device


@runtime_checkable
class PoseTracker(Protocol):
    """Follows one person through the pictures of one span, in order."""

    def __call__(
        self, image: UInt8[np.ndarray, "h w 3"], face: Box | None = None
    ) -> Float32[np.ndarray, "133 3"]:
        """x, y in pixels of this RGB picture (centres at integers) and confidence of each joint.

        A joint that was not found, or for which the backend has no source, is 0, 0, 0. Others may
        lie outside. face: where the person's face is about, so that nobody else is followed.
        """
        ...

    def many(
        self, images: Sequence[UInt8[np.ndarray, "h w 3"]], faces: Sequence[Box | None]
    ) -> Float32[np.ndarray, "n 133 3"]:
        """The same for the next pictures of the span; equal to one call after the other, but for rounding."""
        ...


@runtime_checkable
class PoseBackend(Protocol):
    """A pose backend. Small and picklable; loads nothing until `track`."""

    name: ClassVar[str]
    """The key in `BACKENDS`."""

    @property
    def version(self) -> str:
        """Name and version of the library that computes it."""
        ...

    @property
    def weights(self) -> str | None:
        """SHA-256 of the weights that are used."""
        ...

    @property
    def valid_from(self) -> float:
        """Confidence from which a joint counts as seen."""
        ...

    @property
    def batch(self) -> int:
        """Pictures it is best given at once."""
        ...

    def missing(self) -> str | None:
        """None where this backend works, else what it lacks and how to get it."""
        ...

    def track(self) -> AbstractContextManager[PoseTracker]:
        """A tracker that knows nothing yet."""
        ...


def _onnx(
    file: Path | None = None, detector: Path | None = None, device: Device = "cpu"
) -> OnnxPose:
    people = PersonDetector(detector, device=device) if detector else None
    return OnnxPose(file or Path(), people=people, device=device)


def _mmpose(
    folder: Path | None = None, detector: Path | None = None, device: Device = "cpu"
) -> MMPose:
    people = PersonDetector(detector, device=device) if detector else None
    if folder is None:
        return MMPose(people=people, device=device)
    files = folder / "config.py", folder / "checkpoint.pth"
    return MMPose(*files, people=people, device=device)


BACKENDS: dict[str, Callable[..., PoseBackend]] = {
    "mediapipe": MediaPipePose,
    "onnx": _onnx,
    "mmpose": _mmpose,
}

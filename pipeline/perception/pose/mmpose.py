"""A thin adapter to mmpose's own inference, for those who have it installed and its configs and
checkpoints at hand."""

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8

from manifests import keypoints as kp
from manifests.record import Box
from pipeline.packages import version_of
from pipeline.perception.people import PersonDetector, SpeakerBoxes
from pipeline.perception.sessions import file_hash, joint_hash

INSTALL = "pip install --no-deps mmpose==1.3.2 mmdet==3.3.0; pip install mmengine mmcv==2.1.0"


@dataclass(frozen=True, slots=True)
class MMPose:
    """A top-down whole-body model of mmpose: its config, its checkpoint, a torch device.

    people: as in `OnnxPose`. The same networks run faster through that; this one serves to compare, and for models that
    have no export.
    """

    name: ClassVar[str] = "mmpose"

    config: Path = Path()
    checkpoint: Path = Path()
    people: PersonDetector | None = None
    device: str = "cpu"
    batch: int = 1
    valid_from: float = 0.3

    @property
    def version(self) -> str:
        """Version of the installed mmpose, or "none"."""
        return version_of("mmpose") or "none" if _installed() else "none"

    @property
    def weights(self) -> str | None:
        """SHA-256 of the checkpoint, with `people` over it and their file; None where one is absent."""
        own = file_hash(self.checkpoint)
        return joint_hash(own, self.people.weights) if self.people else own

    def missing(self) -> str | None:
        """None where mmpose is installed and both files are there."""
        if not _installed():
            return f"mmpose is not installed: {INSTALL}"
        if self.config == Path():
            return "no folder is set (pose.weights): one with config.py and checkpoint.pth of mmpose's model zoo"
        for path in (self.config, self.checkpoint):
            if not path.is_file():
                return f"no file at {path}: get it from mmpose's model zoo"
        return self.people.missing() if self.people else None

    @contextmanager
    def track(self) -> Iterator["MMPoseTracker"]:
        """A tracker; the model is loaded once per process."""
        from mmpose.apis import inference_topdown  # pyright: ignore[reportMissingImports]  # optional

        boxes = SpeakerBoxes(self.people.load()) if self.people else None
        model = _model(self.config, self.checkpoint, self.device)
        yield MMPoseTracker(model, inference_topdown, boxes)


@lru_cache(maxsize=1)
def _model(config: Path, checkpoint: Path, device: str) -> object:
    from mmpose.apis import init_model  # pyright: ignore[reportMissingImports]  # optional

    return init_model(str(config), str(checkpoint), device=device)


@runtime_checkable
class _Instances(Protocol):
    keypoints: Float32[np.ndarray, "people joints 2"]
    keypoint_scores: Float32[np.ndarray, "people joints"]


@runtime_checkable
class _Sample(Protocol):
    pred_instances: _Instances


@runtime_checkable
class _Infer(Protocol):
    def __call__(self, model: object, img: np.ndarray, bboxes: np.ndarray) -> list[_Sample]: ...


class MMPoseTracker:
    """One model that looks at each picture by itself."""

    def __init__(self, model: object, infer: _Infer, boxes: SpeakerBoxes | None = None) -> None:
        self._model = model
        self._infer = infer
        self._boxes = boxes

    def __call__(
        self, image: UInt8[np.ndarray, "h w 3"], face: Box | None = None
    ) -> Float32[np.ndarray, "133 3"]:
        """See `PoseTracker`. Raises ValueError for a model that does not have 133 joints."""
        found = self._boxes(image, face) if self._boxes else None
        left, top, width, height = found or (0.0, 0.0, image.shape[1], image.shape[0])
        corners = np.array([[left, top, left + width, top + height]], dtype=np.float32)
        bgr = np.ascontiguousarray(image[..., ::-1])
        instances = self._infer(self._model, bgr, corners)[0].pred_instances
        scores = instances.keypoint_scores[0]
        if len(scores) != kp.JOINTS:
            raise ValueError(f"a whole-body model has {kp.JOINTS} joints, got {len(scores)}")
        pose = np.concatenate([instances.keypoints[0], scores[:, None]], axis=1).astype(np.float32)
        pose[scores <= 0.0] = 0.0
        return pose

    def many(
        self, images: Sequence[UInt8[np.ndarray, "h w 3"]], faces: Sequence[Box | None]
    ) -> Float32[np.ndarray, "n 133 3"]:
        """See `PoseTracker`; one after the other: mmpose's own inference takes one picture."""
        return np.stack([self(image, face) for image, face in zip(images, faces, strict=True)])


def _installed() -> bool:
    return importlib.util.find_spec("mmpose") is not None

"""The pose stage: what a backend sees in a person's part of the picture, in pixels of the whole picture."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from manifests.record import Box
from pipeline.perception.pose import PoseTracker
from pipeline.stage import need
from pipeline.stages.s070_pose import EstimatePose
from tests.pipeline.spanned import of_video

SEEN = (10.0, 20.0)
"""Where the nose is in each picture that the tracker is shown."""


class Tracker:
    """Sees a nose, and of a picture in every fourth place nothing."""

    def __init__(self) -> None:
        self.shown: list[tuple[int, int]] = []

    def __call__(self, image: np.ndarray, face: Box | None = None) -> np.ndarray:
        pose = np.zeros((133, 3), np.float32)
        if len(self.shown) % 4:
            pose[0] = (*SEEN, 0.9)
        self.shown.append((image.shape[1], image.shape[0]))
        return pose

    def many(self, images: Sequence[np.ndarray], faces: Sequence[Box | None]) -> np.ndarray:
        return np.stack([self(*each) for each in zip(images, faces, strict=True)])


@dataclass(frozen=True)
class Eyes:
    """A backend that keeps its trackers."""

    name: ClassVar[str] = "mediapipe"
    version: str = "1"
    weights: None = None
    valid_from: float = 0.5
    batch: int = 3
    trackers: list[Tracker] = field(default_factory=list)

    def missing(self) -> str | None:
        return None

    @contextmanager
    def track(self) -> Iterator[PoseTracker]:
        self.trackers.append(Tracker())
        yield self.trackers[-1]


@pytest.mark.parametrize(
    ("region", "longest", "size", "scale"),
    [
        ((0.0, 0.0, 100.0, 80.0), 640, (100, 80), 1.0),
        ((200.0, 40.0, 100.0, 200.0), 640, (100, 200), 1.0),
        ((120.0, 0.0, 200.0, 200.0), 100, (100, 100), 2.0),
    ],
)
def test_a_joint_lies_where_the_person_is(
    tmp_path: Path, region: Box, longest: int, size: tuple[int, int], scale: float
) -> None:
    some, frames = of_video(tmp_path, start=10, frames=8, region=region)
    eyes = Eyes()
    section = need(EstimatePose(eyes, longest)(some, frames).pose, "pose")
    assert eyes.trackers[-1].shown == [size] * 8
    pose = frames.store.read_array(need(section.array, "array"))
    assert pose.shape == (8, 133, 3) and section.found == 0.75
    # Centres lie at integers, thus the corner of a shrunk picture half a source pixel off.
    nose = [corner - 0.5 + scale * (at + 0.5) for corner, at in zip(region, SEEN, strict=False)]
    assert pose[1, 0] == pytest.approx([*nose, 0.9], abs=1e-3)
    assert not pose[[0, 4]].any() and not pose[:, 1:].any()


def test_each_span_is_tracked_afresh_for_as_many_frames_as_it_has(tmp_path: Path) -> None:
    eyes = Eyes()
    for frames in (5, 12):
        some, given = of_video(tmp_path, start=0, frames=frames, region=(0.0, 0.0, 64.0, 64.0))
        section = need(EstimatePose(eyes)(some, given).pose, "pose")
        assert len(given.store.read_array(need(section.array, "array"))) == frames
    assert [len(tracker.shown) for tracker in eyes.trackers] == [5, 12]

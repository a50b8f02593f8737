"""PySceneDetect's detectors as a shot backend: adaptive for cuts, threshold for fades through black.

They know nothing of other transitions, and take flashes, jolts and insets for cuts; what that costs on films with known
boundaries is in docs/decisions/0008.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from pipeline.packages import opencv_version, version_of
from pipeline.perception.shots.detector import Boundaries, ShotDetector


@dataclass(frozen=True, slots=True)
class PySceneDetect(ShotDetector):
    """PySceneDetect's AdaptiveDetector and ThresholdDetector, as they come but for scenes of two frames allowed."""

    adaptive_threshold: float = (
        3.0  # PySceneDetect's own; ratio of a frame's change to those around it
    )
    least_change: float = 15.0  # PySceneDetect's own `min_content_val`, 0 to 255
    threshold: float = (
        12.0  # PySceneDetect's own; mean brightness below which a picture is black, 0 to 255
    )

    name: ClassVar[str] = "pyscenedetect"
    version: ClassVar[str] = f"1+scenedetect-{version_of('scenedetect')}+opencv-{opencv_version()}"
    coloured: ClassVar[bool] = True

    def boundaries(self, fps: Fraction) -> Boundaries:
        """PySceneDetect fed with one video's pictures."""
        return Scenes(self, fps)


class Scenes:
    """The two detectors over one video."""

    def __init__(self, detector: PySceneDetect, fps: Fraction) -> None:
        # Slow to import, and no run with another backend needs it.
        from scenedetect import FrameTimecode
        from scenedetect.detectors import AdaptiveDetector, ThresholdDetector

        self._black = detector.threshold
        self._time = lambda place: FrameTimecode(place, fps=fps)
        self._adaptive = AdaptiveDetector(
            adaptive_threshold=detector.adaptive_threshold,
            min_content_val=detector.least_change,
            min_scene_len=2,
        )
        self._fades = ThresholdDetector(
            threshold=detector.threshold, min_scene_len=0, add_final_scene=True
        )
        self._means = list[float]()
        self._cuts = list[int]()
        self._middles = list[int]()

    def add(self, picture: UInt8[np.ndarray, "h w 3"]) -> None:
        """Take the next picture, BGR."""
        time = self._time(len(self._means))
        self._means.append(float(picture.mean()))
        self._cuts += (cut.frame_num for cut in self._adaptive.process_frame(time, picture))
        self._middles += (cut.frame_num for cut in self._fades.process_frame(time, picture))

    def finish(self) -> tuple[list[int], list[tuple[int, int]]]:
        """Places that start a new shot, and the black [first, stop) between two shots.

        A video that is dark throughout has no black between anything.
        """
        dark = np.array(self._means) < self._black
        if dark.all() or not dark.any():
            return self._cuts, []
        last = self._time(len(self._means) - 1)
        self._middles += (cut.frame_num for cut in self._fades.post_process(last))
        return self._cuts, [grown(dark, min(middle, len(dark) - 1)) for middle in self._middles]


def grown(dark: np.ndarray, at: int) -> tuple[int, int]:
    """The run [first, stop) of dark pictures around one of them."""
    first, stop = at, at + 1
    while first > 0 and dark[first - 1]:
        first -= 1
    while stop < len(dark) and dark[stop]:
        stop += 1
    return first, stop

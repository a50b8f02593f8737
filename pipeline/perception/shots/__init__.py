"""Where one camera setting ends and the next begins, and how much the camera moves in between."""

from pipeline.perception.shots.blends import Blends
from pipeline.perception.shots.camera import CameraMotion
from pipeline.perception.shots.cuts import Cuts
from pipeline.perception.shots.detector import (
    Kind,
    ShotDetector,
    ShotError,
    ShotWatcher,
    Stretch,
)
from pipeline.perception.shots.gradual import Gradual

__all__ = [
    "Blends",
    "CameraMotion",
    "Cuts",
    "Gradual",
    "Kind",
    "ShotDetector",
    "ShotError",
    "ShotWatcher",
    "Stretch",
]

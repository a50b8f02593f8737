"""Where one camera setting ends and the next begins, and how much the camera moves in between."""

from pipeline.perception.shots.blends import Blends
from pipeline.perception.shots.camera import CameraMotion
from pipeline.perception.shots.detector import (
    Kind,
    ShotDetector,
    ShotError,
    ShotWatcher,
    Stretch,
)

__all__ = [
    "Blends",
    "CameraMotion",
    "Kind",
    "ShotDetector",
    "ShotError",
    "ShotWatcher",
    "Stretch",
]

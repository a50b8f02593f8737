"""Where one camera setting ends and the next begins, and how much the camera moves in between."""

from collections.abc import Callable

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
from pipeline.perception.shots.new_pictures import NewPictures
from pipeline.perception.shots.pyscenedetect import PySceneDetect

BACKENDS: dict[str, Callable[[], ShotDetector]] = {
    "embedded": ShotDetector,
    "pyscenedetect": PySceneDetect,
}

__all__ = [
    "BACKENDS",
    "Blends",
    "CameraMotion",
    "Cuts",
    "Gradual",
    "Kind",
    "NewPictures",
    "PySceneDetect",
    "ShotDetector",
    "ShotError",
    "ShotWatcher",
    "Stretch",
]

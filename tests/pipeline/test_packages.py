"""Versions from metadata are what the libraries say of themselves."""

import cv2
import numpy as np
import onnxruntime
import scenedetect
import scipy
import torch

from pipeline.packages import opencv_version, version_of
from pipeline.perception.shots import PySceneDetect, ShotDetector


def test_opencvs_version_is_the_librarys_own_without_the_packagings() -> None:
    assert opencv_version() == cv2.__version__
    assert ShotDetector.version.endswith(f"+opencv-{cv2.__version__}")
    assert PySceneDetect.version.endswith(f"+opencv-{cv2.__version__}")


def test_a_packages_version_is_the_librarys_own() -> None:
    for package, library in (
        ("numpy", np),
        ("onnxruntime", onnxruntime),
        ("scenedetect", scenedetect),
        ("scipy", scipy),
        ("torch", torch),
    ):
        assert version_of(package) == library.__version__


def test_what_is_not_installed_has_no_version() -> None:
    assert version_of("no-such-package-anywhere") is None

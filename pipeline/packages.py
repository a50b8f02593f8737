"""Versions of installed packages, read from their metadata: so that naming a library in a key does not import it."""

import importlib.metadata
import re
from functools import cache

OPENCV = (
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
"""The names under which the one module `cv2` is published."""


@cache
def version_of(package: str) -> str | None:
    """The version of an installed package by the name it is published under; None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


@cache
def opencv_version() -> str:
    """What `cv2.__version__` says: the package's version without the number of its packaging, 4.13.0 for 4.13.0.92.

    Asks the library itself where it came in no package, in several that overwrite each other, or in one that numbers
    its versions otherwise.
    """
    found = [version for name in OPENCV if (version := version_of(name)) is not None]
    plain = re.fullmatch(r"(\d+\.\d+\.\d+)\.\d+", found[0]) if len(found) == 1 else None
    if plain is not None:
        return plain[1]
    import cv2

    return cv2.__version__

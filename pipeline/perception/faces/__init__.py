"""Faces in sparsely sampled pictures, and the people they belong to."""

from pipeline.perception.faces.detector import Face, FaceDetector, FaceError, FaceFinder
from pipeline.perception.faces.tracks import Gate, face_at, follow
from pipeline.perception.faces.watcher import FaceWatcher, Sampling, with_looks

__all__ = [
    "Face",
    "FaceDetector",
    "FaceError",
    "FaceFinder",
    "FaceWatcher",
    "Gate",
    "Sampling",
    "face_at",
    "follow",
    "with_looks",
]

"""Which pictures of a video are searched for faces, and which of them more closely."""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from jaxtyping import UInt8

from pipeline.perception.faces.detector import Face, FaceError, FaceFinder
from pipeline.perception.faces.looks import look


@dataclass(frozen=True, slots=True)
class Sampling:
    """How often a video is searched.

    One look costs as much as decoding two or three frames of 720p, so once a second is what the
    survey's budget of half a bare decode allows. A closer look costs four looks, so a video without
    faces gets one only every `closer_every` seconds; once that shows a face, every sample gets one
    until no face is found any more.
    """

    every: float = 1.0  # seconds between two looks
    closer_every: float = 4.0  # seconds between two closer looks that find nothing


class FaceWatcher:
    """Sees the pictures of one video in order and keeps the faces of those it looks at."""

    def __init__(self, finder: FaceFinder, rate: Fraction, sampling: Sampling) -> None:
        if rate <= 0:
            raise FaceError(f"a frame rate must be positive, got {rate}")
        self._finder = finder
        self._step = max(1, round(float(rate) * sampling.every))
        self._closer_step = max(1, round(float(rate) * sampling.closer_every))
        self._samples: list[tuple[int, tuple[Face, ...]]] = []
        self._next = 0
        self._next_closer = 0

    def wants(self, index: int) -> bool:
        """Whether this source frame is to be searched: ask before scaling a picture."""
        return index >= self._next

    def see(self, index: int, rgb: UInt8[np.ndarray, "h w 3"]) -> None:
        """Search an upright RGB picture; boxes are kept in its pixels."""
        faces = self._finder(rgb, closer=False)
        if not faces and index >= self._next_closer:
            faces = self._finder.closer(rgb)
            self._next_closer = index + (1 if faces else self._closer_step)
        seen = tuple(replace(face, look=look(rgb, face.box)) for face in faces)
        self._samples.append((index, seen))
        self._next = index + self._step

    def finish(self) -> tuple[tuple[int, tuple[Face, ...]], ...]:
        """(source frame, faces) for each picture that was searched, in order."""
        return tuple(self._samples)

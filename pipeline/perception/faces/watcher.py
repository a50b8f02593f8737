"""Which pictures of a video are searched for faces, and which of them more closely."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64, UInt8

from manifests.geometry import FPS
from pipeline.perception.faces.detector import Face, FaceFinder
from pipeline.perception.faces.looks import look


@dataclass(frozen=True, slots=True)
class Sampling:
    """How often a video is searched.

    One look costs as much as decoding two or three frames of 720p, so once a second is what the
    survey's budget of half a bare decode allows. A closer look costs four looks, and each of a picture's first
    few small faces one more, so a video without
    faces gets one only every `closer_every` seconds; once that shows a face, every sample gets one
    until no face is found any more.
    """

    every: float = 1.0  # seconds between two looks
    closer_every: float = 4.0  # seconds between two closer looks that find nothing


class FaceWatcher:
    """Sees the pictures of one video in order and keeps the faces of those it looks at.

    shown: the source frame at each frame of the 25 FPS grid, rising. Looks are due at times, not after so many source
    frames: where a variable rate falls they would lie further apart than a track may do without its face.
    """

    def __init__(
        self, finder: FaceFinder, shown: Int64[np.ndarray, " grid"], sampling: Sampling
    ) -> None:
        self._finder = finder
        self._step = max(1, round(FPS * sampling.every))
        self._closer_step = max(1, round(FPS * sampling.closer_every))
        self._due = shown[:: self._step]  # the source frame of each look
        self._samples: list[tuple[int, tuple[Face, ...]]] = []
        self._next = 0  # look
        self._next_closer = 0  # grid frame

    def wants(self, index: int) -> bool:
        """Whether this source frame is to be searched: ask before scaling a picture."""
        return self._next < len(self._due) and bool(index >= self._due[self._next])

    def add(self, index: int, rgb: UInt8[np.ndarray, "h w 3"]) -> None:
        """Search an upright RGB picture; boxes are kept in its pixels."""
        # A picture that is shown for long, or comes after some that do not decode, stands for all looks due by then.
        self._next = int(np.searchsorted(self._due, index, side="right"))
        frame = (self._next - 1) * self._step
        faces = self._finder(rgb, closer=False)
        if not faces and frame >= self._next_closer:
            faces = self._finder.closer(rgb)
            self._next_closer = frame + (1 if faces else self._closer_step)
        self._samples.append((index, with_looks(faces, rgb)))

    def finish(self) -> tuple[tuple[int, tuple[Face, ...]], ...]:
        """(source frame, faces) for each picture that was searched, in order."""
        return tuple(self._samples)


def with_looks(faces: Iterable[Face], rgb: UInt8[np.ndarray, "h w 3"]) -> tuple[Face, ...]:
    """The faces of a picture with the colours of head and chest, by which tracks that broke are rejoined."""
    return tuple(replace(face, look=look(rgb, face.box)) for face in faces)

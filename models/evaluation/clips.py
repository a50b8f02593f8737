"""The clips that are evaluated on, read one at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float32, Int16, UInt8

from models.data.index import Motions
from models.evaluation.metrics.pictures import Film
from models.infer.generator import Person


@dataclass(frozen=True, slots=True)
class EvalClip:
    """A clip that is evaluated on. person: whom a generator is to move, by the clip's first frame. film: its video."""

    id: str
    pose: Float32[np.ndarray, "_time 133 3"]
    sound: Int16[np.ndarray, " _samples"]
    person: Person
    film: Film | None


def read_clip(motions: Motions, number: int) -> EvalClip:
    """A clip by its number. Raises DatasetError."""
    entry, pose = motions.entries[number], motions.pose(number)
    first = motions.frames(number)
    film = None if first is None else partial(_film, motions, number)
    picture = None if first is None else next(first, None)
    person = Person(pose[0], picture, f"clip {entry.id}, frame 0")
    return EvalClip(entry.id, pose, motions.sound(number), person, film)


def _film(motions: Motions, number: int) -> Iterator[UInt8[np.ndarray, "_height _width 3"]]:
    frames = motions.frames(number)
    assert frames is not None
    return frames

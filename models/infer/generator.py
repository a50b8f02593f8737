"""What a trained system is to whoever uses it: a voice and a person in, motion and perhaps frames out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int16, UInt8

from models.data.features import Recipe


@dataclass(frozen=True, slots=True)
class Person:
    """Whom to move. pose: in pixels of the 512 crop. picture: the crop in RGB, where there is one. origin: in words."""

    pose: Float32[np.ndarray, "133 3"]
    picture: UInt8[np.ndarray, "side side 3"] | None
    origin: str


@dataclass(frozen=True, slots=True)
class Motion:
    """What a generator makes of a voice, at 25 FPS. frames: in RGB, of systems that make them; else None."""

    pose: Float32[np.ndarray, "time 133 3"]
    frames: UInt8[np.ndarray, "time height width 3"] | None = None


@runtime_checkable
class Generator(Protocol):
    """A trained system with its settings of generating."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """Where it came from: `dataset`, `without`, `pose_backend`, `crop`, as far as they are known."""
        ...

    @property
    def generation(self) -> Any:
        """The settings it generates with, a dataclass, none of them open."""
        ...

    @property
    def audio_recipe(self) -> Recipe:
        """How its audio features are computed, so that those of a dataset's clips are computed once."""
        ...

    def encode_audio(self, sound: Int16[np.ndarray, " samples"]) -> np.ndarray:
        """The audio features of a voice (16 kHz, 640 samples for each frame): as `audio_recipe` makes them."""
        ...

    def generate(self, audio_features: np.ndarray, person: Person, *, seed: int) -> Motion:
        """Motion for a voice, another one for another seed. audio_features: of `encode_audio`. Raises UserError."""
        ...

"""Who speaks when in a recording: voiced stretches, turns of one voice, and what sounds beneath,
behind one narrow interface with several backends."""

from collections.abc import Callable

from pipeline.perception.speech.embedded import Embedded
from pipeline.perception.speech.interface import (
    SpeechBackend,
    SpeechError,
    SpeechFunction,
    SpeechResult,
)
from pipeline.perception.speech.pyannote import Pyannote
from pipeline.perception.speech.segmentation import Segmentation

BACKENDS: dict[str, Callable[..., SpeechBackend]] = {
    "embedded": Embedded,
    "segmentation": Segmentation,
    "pyannote": Pyannote,
}

__all__ = [
    "BACKENDS",
    "Embedded",
    "Pyannote",
    "Segmentation",
    "SpeechBackend",
    "SpeechError",
    "SpeechFunction",
    "SpeechResult",
]

"""The reference speech backend: a pyannote.audio 4 diarization pipeline from a local folder, offline, telemetry off.

stub
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pipeline.perception.speech.heard import Listen, SpeechError


@dataclass(frozen=True, slots=True)
class Pyannote:
    """stub"""

    name: ClassVar[str] = "pyannote"
    same_voice: ClassVar[float] = 0.7

    folder: Path | None = None
    merge: float = 1.0

    @property
    def version(self) -> str:
        return "0"

    @property
    def weights(self) -> str | None:
        return None

    def missing(self) -> str | None:
        return "no folder"

    def load(self) -> Listen:
        raise SpeechError("no folder")

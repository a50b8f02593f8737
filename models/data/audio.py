"""Sound as one vector per video frame: the embedded encoder, which needs no weights."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float32, Int16

from pipeline.perception.speech.voices import mel

ROWS_PER_FRAME = 4
"""Spectra every 10 ms, frames every 40 ms."""
QUIET = 1e-6
"""Power below which nothing is heard; about -60 dB of loud speech in the mel bands."""


@dataclass(frozen=True, slots=True)
class LogMel:
    """40 log-mel bands, four spectra side by side per frame: 160 numbers, about 0 to 1.

    The spectrogram is that of the speaker encoder (`pipeline.perception.speech.voices.mel`).
    """

    name: ClassVar[str] = "logmel"
    version: ClassVar[str] = "1"
    weights: ClassVar[str | None] = None
    size: ClassVar[int] = 40 * ROWS_PER_FRAME

    def __call__(self, sound: Int16[np.ndarray, " samples"]) -> Float32[np.ndarray, "frames size"]:
        """sound: 16 kHz, 640 samples per frame; frame i sees the 40 ms that begin at its time. Raises ValueError."""
        frames, rest = divmod(len(sound), 640)
        if rest or not frames:
            raise ValueError(f"sound needs 640 samples for each frame, got {len(sound)}")
        spectra = mel(sound.astype(np.float32) / 32_768.0)[: frames * ROWS_PER_FRAME]
        loud = np.log10(np.maximum(spectra, QUIET)) / -np.log10(QUIET) + 1.0
        return loud.reshape(frames, self.size).astype(np.float32)

"""The speech backend that needs no download: silero-vad for speech, resemblyzer's encoder for
voices, both from their wheels, on one thread."""

from dataclasses import dataclass, field
from functools import cache
from typing import ClassVar

import numpy as np
from jaxtyping import Float32, Int16

from pipeline.packages import version_of
from pipeline.perception.speech import detector, music, voices
from pipeline.perception.speech.grouping import Grouping, find_voices
from pipeline.perception.speech.interface import (
    SAMPLE_RATE,
    Measures,
    SpeechError,
    SpeechFunction,
    SpeechResult,
    Stretch,
    joined,
    turns_of,
)
from pipeline.perception.speech.turns import Part, cut, label, means, pure, windows_in
from pipeline.weight_hashes import known_sha256

LIBRARIES = ("silero-vad", "onnxruntime", "resemblyzer", "torch", "numpy", "scipy")
_PASSES = 2
"""Labellings; from the second on a voice is the mean of windows in which nobody else was heard."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """Speech, turns and voices; measured by `research/speech_turns.py`.

    threshold: silero's speech probability. merge: pauses shorter than this, in seconds, do not end
    a turn. bridge: pauses shorter than this do not end a window. switch: what a change of voice
    costs, as a difference of cosines summed over slots of 0.1 s.
    """

    name: ClassVar[str] = "embedded"
    same_voice: ClassVar[float] = 0.77
    """Between the most alike of different people over 5 s (0.74) and the least alike twentieth of one person's (0.81):
    `research/speech_turns.py`, table "voices"."""
    measures: ClassVar[Measures] = frozenset({"turns", "music"})

    threshold: float = 0.5
    merge: float = 1.0
    bridge: float = 0.3
    switch: float = 0.5
    music: float = 2.8
    grouping: Grouping = field(default_factory=Grouping)

    @property
    def version(self) -> str:
        """This backend's own version, then the libraries'."""
        return " ".join(("2", *(f"{name}={version_of(name)}" for name in LIBRARIES)))

    @property
    def weights(self) -> str | None:
        """SHA-256 over the detector's and the encoder's files, in this order; None where one is
        absent."""
        paths = (detector.model_path(), voices.model_path())
        return _sha256(*(path for path in paths if path)) if all(paths) else None

    def missing(self) -> str | None:
        """None where both wheels with their networks are installed."""
        for name in ("onnxruntime", "torch"):
            if version_of(name) is None:
                return f"{name} is not installed: pip install {name}"
        if detector.model_path() is None:
            found = version_of("silero-vad") or "(none)"
            return f"silero-vad {found} has no {detector.MODEL}: pip install silero-vad==6.2.3"
        if voices.model_path() is None:
            return (
                "resemblyzer's encoder is not installed: pip install --no-deps resemblyzer==0.1.4"
            )
        return None

    def load(self) -> SpeechFunction:
        """Both networks in memory."""
        vad_path, voice_path = detector.model_path(), voices.model_path()
        if (lack := self.missing()) or vad_path is None or voice_path is None:
            raise SpeechError(f"speech backend embedded: {lack}")
        return _Diarizer(
            self,
            detector.load_detector(vad_path, self.threshold),
            voices.load_encoder(voice_path),
        )


@dataclass(frozen=True, slots=True)
class _Diarizer:
    """The loaded backend."""

    backend: Embedded
    detect: detector.Detect
    encode: voices.Encode

    def __call__(self, samples: Int16[np.ndarray, " samples"]) -> SpeechResult:
        sound = samples.astype(np.float32) / 32_768.0
        voiced = self.detect(sound)
        turns, found_speech = self.speakers(sound, voiced)
        return SpeechResult(
            voiced=voiced,
            turns=turns,
            overlaps=(),
            music=music.find_music(sound, self.backend.music),
            voices=found_speech,
        )

    def speakers(
        self, sound: Float32[np.ndarray, " samples"], voiced: tuple[Stretch, ...]
    ) -> tuple[tuple[tuple[float, float, int], ...], Float32[np.ndarray, "speakers D"]]:
        """Turns, and the voice of each speaker."""
        if not voiced:
            return (), np.zeros((0, voices.SIZE), np.float32)
        chunks = joined(voiced, self.backend.bridge)
        windows = windows_in(chunks, self.backend.grouping.hop)
        gain = voices.gain(
            np.concatenate(
                [sound[round(a * SAMPLE_RATE) : round(b * SAMPLE_RATE)] for a, b in voiced]
            )
        )
        mels = voices.mel(sound) * np.float32(gain**2)
        vectors = np.concatenate([self.encode(cut(mels, some)) for some in windows.batches()])
        labels = find_voices(vectors, windows.middles, self.backend.grouping)
        found = np.zeros((int(labels.max()) + 1, voices.SIZE), np.float32)
        parts: tuple[Part, ...] = ()
        for _ in range(_PASSES):
            found = means(vectors, labels, found)
            parts = label(vectors, windows, found, chunks, self.backend.switch)
            labels = pure(windows, parts)
        order = list(dict.fromkeys(voice for *_, voice in parts))
        return turns_of(parts, self.backend.merge), means(vectors, labels, found)[order]


_sha256 = cache(known_sha256)
"""Once per process: what was loaded stays loaded, whatever becomes of the file."""

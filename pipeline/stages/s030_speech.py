"""Speech: speaker turns, overlapped speech and music over the whole sound track of a source."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np

from manifests.geometry import FPS, SAMPLES_PER_FRAME
from manifests.record import Backend, Interval, Source, Speech, Turn, Why
from pipeline.perception.speech import SpeechBackend, SpeechFunction
from pipeline.stage import need
from pipeline.store import Store
from pipeline.verdict import Refusal


@dataclass(frozen=True, slots=True)
class HearSpeech:
    """Speaker turns on the 25 FPS grid (Yang et al. 2025, section 3.2, speaks of PyAnnote)."""

    name: ClassVar = "speech"
    version: ClassVar = 1
    reads: ClassVar = frozenset({"media"})
    writes: ClassVar = "speech"

    backend: SpeechBackend

    def __call__(self, source: Source, store: Store, /) -> Source:
        from pipeline.media.audio import NoAudio, read_all

        media, fetched = need(source.media, "media"), need(source.fetched, "fetched")
        try:
            track = read_all(Path(fetched.path), media)
        except NoAudio as error:
            raise Refusal(Why.NO_AUDIO, str(error)) from error
        found_speech = loaded(self.backend)(track.samples)
        first = track.first / SAMPLES_PER_FRAME

        def gridded(parts: tuple[tuple[float, float], ...]) -> tuple[Interval, ...]:
            return tuple(on_grid(a, b, first, media.grid_frames) for a, b in parts)

        speech = Speech(
            backend=Backend(
                name=self.backend.name, version=self.backend.version, weights=self.backend.weights
            ),
            sound=store.put_array(track.samples),
            sound_start=track.first,
            sound_samples=len(track.samples),
            voiced=gridded(found_speech.voiced),
            turns=tuple(
                Turn(start=start, stop=stop, speaker=speaker)
                for a, b, speaker in found_speech.turns
                for start, stop in outside(on_grid(a, b, first, media.grid_frames), track.holes)
            ),
            overlaps=gridded(found_speech.overlaps)
            if "overlaps" in self.backend.measures
            else None,
            music=gridded(found_speech.music) if "music" in self.backend.measures else None,
            voices=store.put_array(found_speech.voices.astype(np.float32))
            if len(found_speech.voices)
            else None,
        )
        return source.model_copy(update={"speech": speech})


@lru_cache(maxsize=2)
def loaded(backend: SpeechBackend) -> SpeechFunction:
    """The backend's networks, loaded once per worker."""
    return backend.load()


def outside(span: Interval, holes: tuple[tuple[int, int], ...]) -> list[tuple[int, int]]:
    """The parts of a span in which all sound decodes; holes: 16 kHz samples after the first video timestamp."""
    parts = [(span.start, span.stop)]
    for begin, end in holes:
        low, high = begin // SAMPLES_PER_FRAME, -(-end // SAMPLES_PER_FRAME)
        parts = [
            part
            for start, stop in parts
            for part in ((start, min(stop, low)), (max(start, high), stop))
        ]
    return [(start, stop) for start, stop in parts if stop > start]


def on_grid(start: float, stop: float, first: float, frames: int) -> Interval:
    """Seconds from the first sample, which lies at grid frame `first`, as grid frames inside the source."""
    begin = min(max(0, round(first + start * FPS)), frames)
    return Interval(start=begin, stop=max(begin, min(round(first + stop * FPS), frames)))

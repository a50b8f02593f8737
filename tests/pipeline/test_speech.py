"""The speech stage: what a backend hears in the sound of a file, on the grid."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from manifests.geometry import SAMPLES_PER_FRAME
from manifests.record import Fetched, Interval, Origin, Source, Turn, Why
from pipeline.perception.speech import SpeechFunction, SpeechResult
from pipeline.perception.speech.interface import Measures
from pipeline.stage import need
from pipeline.stages.s020_probe import Probe
from pipeline.stages.s030_speech import HearSpeech
from pipeline.store import Store
from pipeline.verdict import Refusal
from tests.pipeline.media.conftest import Make, make, moving

__all__ = ["make", "moving"]


@dataclass(frozen=True, slots=True)
class Halves:
    """A backend for which one voice speaks in the first half of any sound, another in the second, over music."""

    name: ClassVar[str] = "halves"
    same_voice: ClassVar[float] = 0.5
    measures: ClassVar[Measures] = frozenset({"turns", "music"})
    version: str = field(default="1", init=False)
    weights: None = field(default=None, init=False)

    def missing(self) -> str | None:
        return None

    def load(self) -> SpeechFunction:
        def hear(samples: np.ndarray) -> SpeechResult:
            end = len(samples) / 16_000
            half = end / 2.0
            return SpeechResult(
                voiced=((0.0, end),),
                turns=((0.0, half, 0), (half, end, 1)),
                overlaps=(),
                music=((half, end),),
                voices=np.eye(2, dtype=np.float32),
            )

        return hear


def probed(path: Path, store: Store) -> Source:
    fetched = Fetched(sha256="ee" * 32, bytes=1, path=str(path))
    return Probe()(Source(origin=Origin(locator=path.name), fetched=fetched), store)


def test_turns_are_those_of_the_file_on_its_grid(make: Make, moving, tmp_path: Path) -> None:
    store = Store(tmp_path / "work")
    for seconds in (2.0, 4.0):
        source = probed(make(f"{seconds:g}.mkv", *moving(seconds=seconds), "-c:a", "flac"), store)
        speech = need(HearSpeech(Halves())(source, store).speech, "speech")
        frames = round(25 * seconds)
        middle = frames // 2
        assert speech.turns == (
            Turn(start=0, stop=middle, speaker=0),
            Turn(start=middle, stop=frames, speaker=1),
        )
        assert speech.voiced == (Interval(start=0, stop=frames),)
        assert speech.music == (Interval(start=middle, stop=frames),)
        assert speech.overlaps is None  # this backend does not tell
        assert speech.sound_samples == frames * SAMPLES_PER_FRAME
        assert len(store.read_array(speech.sound)) == speech.sound_samples
        assert np.array_equal(store.read_array(need(speech.voices, "voices")), np.eye(2))


def test_a_file_without_sound_is_refused(make: Make, moving, tmp_path: Path) -> None:
    store = Store(tmp_path / "work")
    source = probed(make("silent.mp4", *moving(), "-an"), store)
    with pytest.raises(Refusal) as refusal:
        HearSpeech(Halves())(source, store)
    assert refusal.value.why is Why.NO_AUDIO

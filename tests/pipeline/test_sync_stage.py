"""The sync stage: when the audio window moves, and by how much."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from manifests.geometry import SAMPLES_PER_FRAME
from manifests.record import Clip, Source
from pipeline.perception.sync import ActiveSpeaker, Embedded, Lips, Scorer, SyncNet, SyncScore
from pipeline.run.frames import SpanFrames
from pipeline.stage import describe, fingerprint, need
from pipeline.stages.s090_sync import MeasureSync
from pipeline.store import Store
from tests.examples import clip, source

SURE = 2.0


@dataclass(frozen=True, slots=True)
class Says:
    """A backend that says what it is told to."""

    offset: int
    confidence: float
    sure_from: float | None = SURE
    name: str = field(default="says", init=False)
    version: str = field(default="1", init=False)
    weights: None = field(default=None, init=False)
    face_size: None = field(default=None, init=False)
    face_margin: float = field(default=0.0, init=False)

    def missing(self) -> str | None:
        return None

    def load(self, device: str = "cpu") -> Scorer:
        def score(lips: Lips, sound: np.ndarray, *, margin: int) -> SyncScore:
            return SyncScore(self.offset, self.confidence, 1.0, float(self.offset))

        return score


def seen(store: Store, *, until: int) -> tuple[Clip, Source]:
    """A clip with a pose, of a source with sound up to a frame."""
    some = clip(start=100, frames=150)
    pose = need(some.pose, "pose").model_copy(
        update={"array": store.put_array(np.zeros((some.span.frames, 133, 3), np.float32))}
    )
    origin = source(300, turns=((0, 300),))
    speech = need(origin.speech, "speech").model_copy(
        update={
            "sound": store.put_array(np.zeros(until * SAMPLES_PER_FRAME, np.int16)),
            "sound_start": 0,
            "sound_samples": until * SAMPLES_PER_FRAME,
        }
    )
    return some.model_copy(update={"pose": pose}), origin.model_copy(update={"speech": speech})


def shifted(folder: Path, backend: Says, *, until: int = 300) -> int:
    store = Store(folder)
    some, origin = seen(store, until=until)
    measured = MeasureSync(backend)(some, SpanFrames(origin, some, store))
    return need(measured.sync, "sync").shifted


@pytest.mark.parametrize("offset", [2, -2, 7, -15])
def test_the_window_follows_an_offset_that_is_sure(tmp_path: Path, offset: int) -> None:
    assert shifted(tmp_path, Says(offset, SURE)) == offset


@pytest.mark.parametrize("offset", [1, -1, 0])
def test_less_than_two_frames_are_left_alone(tmp_path: Path, offset: int) -> None:
    assert shifted(tmp_path, Says(offset, 9.0)) == 0


def test_an_offset_that_is_less_than_sure_moves_nothing(tmp_path: Path) -> None:
    assert shifted(tmp_path, Says(7, SURE - 0.01)) == 0


@pytest.mark.parametrize(
    ("says", "until", "apart"),
    [
        (Says(7, SURE), 300, 0),  # moved
        (Says(7, SURE), 252, 7),  # no sound is there
        (Says(1, SURE), 300, 1),
        (Says(7, SURE - 0.01), 252, 0),
        (Says(-1, SURE), 300, 1),
        (Says(-7, 99.0, sure_from=None), 300, 0),
    ],
)
def test_what_is_surely_late_or_early_and_stays_so_is_on_record(
    tmp_path: Path, says: Says, until: int, apart: int
) -> None:
    store = Store(tmp_path)
    some, origin = seen(store, until=until)
    section = need(MeasureSync(says)(some, SpanFrames(origin, some, store)).sync, "sync")
    assert section.apart == apart


def test_a_backend_that_was_never_shown_to_be_right_moves_nothing(tmp_path: Path) -> None:
    assert shifted(tmp_path, Says(7, 99.0, sure_from=None)) == 0


@pytest.mark.parametrize(("until", "moved"), [(257, 7), (256, 0)])
def test_silence_is_never_padded_in(tmp_path: Path, until: int, moved: int) -> None:
    """The clip ends at frame 250: sound that is 7 frames late is needed up to 257."""
    assert shifted(tmp_path, Says(7, 9.0), until=until) == moved


@pytest.mark.parametrize("late", [7, -7])
def test_a_moved_window_holds_the_sound_that_was_late(tmp_path: Path, late: int) -> None:
    """The sound counts its own frames, from frame 20 of the grid on, and is late by some: what belongs to the picture's
    frame 100 lies at 100 + late.
    """
    store = Store(tmp_path)
    some, origin = seen(store, until=300)
    track = np.repeat(np.arange(20, 300, dtype=np.int16) - late, SAMPLES_PER_FRAME)
    speech = need(origin.speech, "speech").model_copy(
        update={
            "sound": store.put_array(track),
            "sound_start": 20 * SAMPLES_PER_FRAME,
            "sound_samples": len(track),
        }
    )
    origin = origin.model_copy(update={"speech": speech})
    frames = SpanFrames(origin, some, store)
    shift = need(MeasureSync(Says(late, SURE))(some, frames).sync, "sync").shifted
    assert frames.sound(shift=shift)[::SAMPLES_PER_FRAME].tolist() == list(range(100, 250))


@pytest.mark.parametrize(("offset", "moved"), [(-7, -7), (-15, 0)])
def test_no_sound_is_taken_from_before_the_first(tmp_path: Path, offset: int, moved: int) -> None:
    store = Store(tmp_path)
    some, origin = seen(store, until=300)
    first = 90 * SAMPLES_PER_FRAME
    speech = need(origin.speech, "speech").model_copy(
        update={"sound_start": first, "sound_samples": 300 * SAMPLES_PER_FRAME - first}
    )
    origin = origin.model_copy(update={"speech": speech})
    measured = MeasureSync(Says(offset, SURE))(some, SpanFrames(origin, some, store))
    assert need(measured.sync, "sync").shifted == moved


def test_from_when_on_a_backend_is_sure_is_in_the_key_of_what_it_measured() -> None:
    keys = {fingerprint(MeasureSync(Says(7, 9.0, sure_from=sure))) for sure in (None, 1.0, 2.0)}
    assert len(keys) == 3
    facts = describe(MeasureSync(ActiveSpeaker("light-asd")))
    assert ActiveSpeaker("light-asd").sure_from in flat(facts)


def flat(facts: object) -> list[object]:
    if isinstance(facts, dict):
        return [leaf for fact in facts.values() for leaf in flat(fact)]
    return [facts]


def test_only_what_docs_truth_has_measured_is_ever_sure() -> None:
    assert [backend.sure_from for backend in (SyncNet(), ActiveSpeaker("lr-asd"))] == [None] * 2
    assert [backend.sure_from for backend in (Embedded(), ActiveSpeaker("light-asd"))] == [
        1.25,
        0.8,
    ]

"""Tests of the people stage: what becomes of the looks at a source."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from manifests.geometry import grid_length
from manifests.record import Source
from pipeline.perception.faces import Face, FaceDetector, FaceFinder
from pipeline.stages.s050_people import FindPeople
from pipeline.store import Store
from tests.examples import media, source


class OneFace(FaceFinder):
    """Stands for the face network where one unmoving face is in every picture."""

    def __init__(self) -> None:
        """No network is loaded."""

    def __call__(self, rgb: np.ndarray, *, closer: bool = True) -> list[Face]:
        return [Face((20.0, 10.0, 20.0, 20.0), 0.9, 1.0)]


@dataclass(frozen=True)
class Still(FaceDetector):
    """A detector that loads it."""

    def load(self) -> FaceFinder:
        return OneFace()


@dataclass(frozen=True, slots=True)
class Grey:
    """Stands for a decoded picture."""

    index: int

    def rgb(self, size: tuple[int, int]) -> np.ndarray:
        return np.full((size[1], size[0], 3), 110, np.uint8)


def seen(
    timeline: np.ndarray,
    time_base: Fraction,
    store: Store,
    detector: FaceDetector | None = None,
    size: tuple[int, int] = (64, 48),
) -> Source:
    """A source in one shot with these timestamps, looked at from its first picture to its last."""
    frames = grid_length(timeline, time_base=time_base, last_duration=1)
    facts = media(frames).model_copy(
        update={
            "upright_size": size,
            "time_base": time_base,
            "rate": Fraction(len(timeline) * 25, frames),
            "timeline": store.put_array(timeline),
            "source_frames": len(timeline),
        }
    )
    whole = source(frames, turns=()).model_copy(update={"media": facts, "people": None})
    watcher = FindPeople(detector=detector or Still()).watch(whole, store)
    for index in range(len(timeline)):
        watcher.add(Grey(index))  # pyright: ignore[reportArgumentType]
    return watcher.finish(whole)


@pytest.mark.parametrize("slow_first", [False, True])
def test_a_face_is_followed_where_a_variable_rate_falls(slow_first: bool, tmp_path: Path) -> None:
    """Looks were counted in frames of the mean rate: 40 s at 2 frames a second had one every 5.5 s, and no track."""
    gaps = np.repeat(
        [1, 15], [600, 80]
    )  # ticks of 1/30 s: 20 s at 30 frames a second, then 40 s at 2
    timeline = np.cumsum([0, *(gaps[::-1] if slow_first else gaps)])
    people = seen(timeline, Fraction(1, 30), Store(tmp_path)).people
    assert people is not None
    (track,) = people.tracks
    assert track.start == 0
    assert track.stop >= 58 * 25
    assert len(people.sampled) <= 61
    assert np.diff(people.sampled).max() <= 2 * 25


@dataclass(frozen=True)
class Nobody(FaceDetector):
    """A detector that finds nothing."""

    def load(self) -> FaceFinder:
        return NoFace()


class NoFace(OneFace):
    """Stands for the face network where no face is in any picture."""

    def __call__(self, rgb: np.ndarray, *, closer: bool = True) -> list[Face]:
        return []

    def closer(self, rgb: np.ndarray) -> list[Face]:
        return []


def test_a_source_that_shows_nobody_has_looks_and_no_tracks(tmp_path: Path) -> None:
    store, timeline = Store(tmp_path), np.arange(250)
    some = seen(timeline, Fraction(1, 25), store).people
    none = seen(timeline, Fraction(1, 25), store, Nobody()).people
    assert some is not None and none is not None
    assert len(some.tracks) == 1 and none.tracks == ()
    assert some.sampled == none.sampled and len(some.sampled) >= 10


def test_a_face_is_as_large_as_the_picture_it_was_found_in(tmp_path: Path) -> None:
    """Pictures wider than the longest side that is looked at are shrunk, and boxes are of the whole."""
    for width, scale in ((1280, 1.0), (2560, 2.0)):
        people = seen(np.arange(100), Fraction(1, 25), Store(tmp_path), size=(width, 720)).people
        assert people is not None
        (track,) = people.tracks
        assert track.samples[0].box == (20.0 * scale, 10.0 * scale, 20.0 * scale, 20.0 * scale)

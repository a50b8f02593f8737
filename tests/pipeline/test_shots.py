"""The shots stage: the cuts of each source, on its grid, and what of it did not decode."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from manifests.record import Interval, Shots, Source
from pipeline.stage import need
from pipeline.stages.s040_shots import FindShots
from pipeline.store import Store
from tests.examples import media, source


@dataclass(frozen=True, slots=True)
class Grain:
    """Stands for a decoded picture: coarse noise of one scene, which grows brighter by a little."""

    index: int
    scene: int

    def grey(self, size: tuple[int, int]) -> np.ndarray:
        coarse = np.random.default_rng(self.scene).integers(0, 200, (6, 8))
        large = np.kron(coarse, np.ones((20, 20)))[: size[1], : size[0]]
        return (large + self.index % 3).astype(np.uint8)


def found(
    lengths: Sequence[int], store: Store, *, fps: int = 25, lost: Sequence[int] = ()
) -> Shots:
    """The shots of a source whose scenes have these lengths in pictures."""
    scenes = np.repeat(np.arange(len(lengths)), lengths)
    frames = len(scenes) * 25 // fps
    facts = media(frames).model_copy(
        update={
            "upright_size": (160, 120),
            "rate": Fraction(fps),
            "time_base": Fraction(1, fps),
            "timeline": store.put_array(np.arange(len(scenes))),
            "source_frames": len(scenes),
        }
    )
    whole: Source = source(frames, turns=()).model_copy(update={"media": facts, "shots": None})
    watcher = FindShots().watch(whole, store)
    for index, scene in enumerate(scenes.tolist()):
        if index not in lost:
            watcher.add(Grain(index, scene))  # pyright: ignore[reportArgumentType]
    return need(watcher.finish(whole).shots, "shots")


def spans(shots: Shots) -> list[tuple[int, int]]:
    return [(shot.start, shot.stop) for shot in shots.shots]


def test_each_source_is_cut_where_its_scene_changes(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert spans(found([80], store)) == [(0, 80)]
    assert spans(found([30, 50], store)) == [(0, 30), (30, 80)]
    assert spans(found([40, 25, 35], store)) == [(0, 40), (40, 65), (65, 100)]


def test_a_cut_of_a_faster_source_lies_on_the_grid(tmp_path: Path) -> None:
    assert spans(found([60, 100], Store(tmp_path), fps=50)) == [(0, 30), (30, 80)]


def test_pictures_that_did_not_come_are_holes_and_the_last_one_ends_what_decodes(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path)
    whole = found([80], store)
    assert (whole.decoded_until, whole.undecodable) == (80, ())
    holed = found([80], store, lost=[*range(20, 25), *range(70, 80)])
    assert (holed.decoded_until, holed.undecodable) == (70, (Interval(start=20, stop=25),))

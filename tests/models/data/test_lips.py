"""Faces are cut where the filter cuts them, sound stands at its rate, and offsets are taken where they are sure."""

from pathlib import Path

import numpy as np
import pytest

from manifests.record import Backend, Sync
from models.data import lips
from models.data.features import prepare
from models.data.files import DatasetError
from models.data.index import Motions
from pipeline.perception.sync import BACKENDS
from pipeline.perception.sync.activespeaker import GREY, mouths
from pipeline.perception.sync.mfcc import mfcc
from pipeline.perception.sync.syncnet import bgr
from pipeline.run.frames import face_square
from tests.examples import clip
from tests.models import talking
from tests.models.making import Made, write_dataset


@pytest.fixture(scope="module")
def motions(tmp_path_factory: pytest.TempPathFactory) -> Motions:
    return Motions.open(talking.write_talking(tmp_path_factory.mktemp("talking") / "data"))


def number_of(motions: Motions, seed: int) -> int:
    return motions.number(Made(seed).clip)


def smooth_picture() -> np.ndarray:
    y, x = np.mgrid[0:512, 0:512] / 512.0
    layers = (np.sin(9 * x + 4 * y), np.cos(7 * x * y), np.sin(5 * x) * np.cos(8 * y))
    return np.rint(127 + 120 * np.stack(layers, axis=-1)).astype(np.uint8)


def test_the_squares_are_what_the_filter_shows_its_networks() -> None:
    picture, path = smooth_picture(), clip().person.path
    face = (180.0, 150.0, 120.0, 120.0)
    path = (path[0].model_copy(update={"box": face}),)
    for view, size, margin, crop, seen in (
        (lips.SYNCNET, 224, 0.5, 280, bgr),
        (lips.ACTIVE_SPEAKER, 112, 0.1, 168, mouths),
    ):
        square = face_square(path, path[0].frame, margin=margin)
        theirs = seen(lips.cut(picture, square, crop)[None])[0]
        own = lips.cut(picture, view.place(face), size)
        own = own[..., ::-1] if seen is bgr else own.astype(np.float32) @ GREY
        assert np.abs(own.astype(float) - theirs).mean() < 1.5


def test_faces_follow_the_box_through_the_crop(motions: Motions, tmp_path: Path) -> None:
    made = prepare(motions, lips.face_squares(lips.ACTIVE_SPEAKER, 40, "rgb"), tmp_path)
    entry = motions.entries[number_of(motions, 0)]
    rows = made.rows(entry)
    assert rows.shape == (50, 40, 40, 3) and rows.dtype == np.uint8
    # the mouth's row is 0.7 of the face's height from its top; the view is 0.8 of it, 0.157 below its middle
    row = round((0.71 - (0.5 + lips.ACTIVE_SPEAKER.below - 0.4)) / 0.8 * 40)
    for frame in (0, 25, 49):
        assert rows[frame, row, 20].max() < 100, "the mouth"
        assert rows[frame, row, 2].min() > 100, "the cheek"


def test_a_square_that_reaches_out_of_the_picture_is_black_there() -> None:
    found = lips.cut(np.full((64, 64, 3), 200, np.uint8), (-32.0, 0.0, 64.0, 64.0), 16)
    assert found[8, 2].max() == 0 and found[8, 12].min() == 200


def test_a_shrunk_square_is_a_mean_and_not_a_sample() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 200
    found = lips.cut(stripes, (0.0, 0.0, 64.0, 64.0), 8)
    assert np.abs(found[2:6, 2:6].astype(int) - 100).max() <= 2


def test_cepstra_are_the_filters_four_rows_per_frame(motions: Motions, tmp_path: Path) -> None:
    made, number = prepare(motions, lips.cepstra(), tmp_path), number_of(motions, 1)
    rows = made.rows(motions.entries[number])
    assert rows.shape == (4 * 45, 13)
    own = mfcc(motions.sound(number))
    np.testing.assert_array_equal(rows[: len(own)], own)
    assert made.family.row_of(10) == 40


def test_a_dataset_without_video_is_one_sentence(tmp_path: Path) -> None:
    plain = Motions.open(write_dataset(tmp_path / "data", [Made(0)]))
    with pytest.raises(
        DatasetError, match=r"has no video of .*: faces are cut from its video/ shards$"
    ):
        prepare(plain, lips.face_squares(lips.SYNCNET, 32, "rgb"))


def test_a_record_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    plain = Motions.open(write_dataset(tmp_path / "data", [Made(0)]))
    with pytest.raises(DatasetError, match=r"\.json is no record of a clip: \w+: Field required$"):
        plain.record(0)


def test_noise_is_no_voice(motions: Motions, tmp_path: Path) -> None:
    made = prepare(motions, lips.voiced(), tmp_path)
    rows = made.rows(motions.entries[0])
    assert rows.shape == (motions.entries[0].frames, 1) and rows.max() == 0


def test_the_offset_of_a_sure_clip_is_kept(motions: Motions, tmp_path: Path) -> None:
    made = prepare(motions, lips.sound_offset(), tmp_path)
    for seed in range(6):
        entry = motions.entries[number_of(motions, seed)]
        assert made.rows(entry).tolist() == [[talking.LATE.get(seed, 0)]]


@pytest.mark.parametrize(
    ("name", "weights", "confidence", "shifted", "left"),
    [
        ("light-asd", "published", 2.0, 0, 4),
        ("light-asd", "published", 2.0, 4, 0),
        ("light-asd", "published", 0.7, 0, 0),
        ("light-asd", "own", 9.0, 0, 0),
        ("syncnet", "published", 9.0, 0, 0),
        ("somebody's", "own", 9.0, 0, 0),
    ],
)
def test_an_offset_is_taken_where_the_backend_was_shown_to_be_right(
    name: str, weights: str, confidence: float, shifted: int, left: int
) -> None:
    published = BACKENDS[name]().weights if name in BACKENDS else None
    backend = Backend(name=name, version="1", weights=published if weights == "published" else "0")
    found = Sync(backend=backend, offset=4, confidence=confidence, speaking=1.0, shifted=shifted)
    assert lips.remaining(found) == left
    assert lips.remaining(None) == 0

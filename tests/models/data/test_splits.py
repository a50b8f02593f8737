"""Which clips are learned from and measured on, with clips for training only among them."""

from pathlib import Path

import pytest

from models.data.dataset import Dataset
from models.data.files import DatasetError
from models.data.index import Motions
from models.data.splits import divided, evaluated
from tests.models.making import Made, write_dataset

CLIPS = (
    Made(0, 30, "train", "ada"),
    Made(1, 31, "train", "ada", use="train"),
    Made(2, 32, "train", "bea", use="train"),
    Made(3, 33, "val", "cid"),
    Made(4, 34, "test", "dan"),
    Made(5, 35, "test", "eve", use="train"),
)
"""The last lies where no build of ours puts it."""


@pytest.fixture
def motions(tmp_path: Path) -> Motions:
    return Motions.open(write_dataset(tmp_path / "set", CLIPS))


def seeds(clips: Motions) -> set[int]:
    return {entry.frames - 30 for entry in clips.entries}


def test_training_takes_all_of_train_and_validation_what_serves_for_all(motions: Motions) -> None:
    training, validation = divided(motions)
    assert (seeds(training), seeds(validation)) == ({0, 1, 2}, {3})


def test_a_person_left_out_is_validated_on_clips_that_serve_for_all(motions: Motions) -> None:
    training, validation = divided(motions, ["speaker:ada"])
    assert (seeds(training), seeds(validation)) == ({2, 3, 4, 5}, {0})
    assert seeds(divided(motions, ["speaker:ada"], "any")[1]) == {0, 1}


def test_all_clips_get_features(motions: Motions) -> None:
    opened = Dataset.open(str(motions.folder))
    assert seeds(opened.motions) == set(range(6)) and seeds(opened.validation) == {3}


@pytest.mark.parametrize(
    ("split", "without", "measured", "left_out"),
    [
        (None, [], {4}, 1),
        ("test", [], {4}, 1),
        ("val", [], {3}, 0),
        ("train", [], {0}, 2),
        ("all", [], {0, 3, 4}, 3),
        (None, ["speaker:ada"], {0}, 1),
    ],
)
def test_evaluation_leaves_out_clips_for_training_only_and_counts_them(
    motions: Motions, split: str | None, without: list[str], measured: set[int], left_out: int
) -> None:
    _, chosen, count = evaluated(motions, without, split)
    assert (seeds(chosen), count) == (measured, left_out)
    _, chosen, count = evaluated(motions, without, split, "any")
    assert (len(chosen), count) == (len(measured) + left_out, 0)


def test_a_person_who_only_has_such_clips_cannot_be_evaluated_on(motions: Motions) -> None:
    with pytest.raises(DatasetError, match=r"no clip .*1 for training only: --use any takes them"):
        evaluated(motions, ["speaker:bea"], None)
    assert seeds(evaluated(motions, ["speaker:bea"], None, "any")[1]) == {2}


def test_what_is_dubbed_or_generated_is_no_pair_of_lips_and_voice(tmp_path: Path) -> None:
    marked = Made(6, 36, "train", "fay", use="train", synthetic="dubbed")
    opened = Dataset.open(write_dataset(tmp_path / "set", (*CLIPS, marked)))
    assert seeds(opened.training) == {0, 1, 2, 6}
    assert seeds(opened.real().training) == {0, 1, 2}
    assert seeds(opened.real().motions) == set(range(7))
    only = Dataset.open(write_dataset(tmp_path / "only", (marked,)))
    with pytest.raises(DatasetError, match="dubbed and generated clips only to train on"):
        only.real()

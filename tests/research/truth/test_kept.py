"""What is kept between measurements is not taken for what another state of things would have made."""

from pathlib import Path

import numpy as np
import pytest

from research.cast import cast
from research.truth import filters, sync_clips
from research.truth.kept import LIBRARIES, ROOT, libraries, made_of, modules
from research.truth.sync_clips import MADE_BY, WATCHED_BY, Person, keep, of_footage, watched


def written(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_a_name_changes_with_the_bytes_of_a_file_and_not_with_its_name(tmp_path: Path) -> None:
    one, copy = (written(tmp_path / name, "film") for name in ("one.mp4", "copy.mp4"))
    other = written(tmp_path / "other.mp4", "another film")
    names = [made_of(["manifests"], files=[file]) for file in (one, copy, other)]
    assert names[0] == names[1] != names[2]


def test_a_name_changes_with_the_texts_and_the_marks() -> None:
    names = {
        made_of(["manifests"]),
        made_of(["manifests", "pipeline/media"]),
        made_of(["manifests"], marks=["weights"]),
        made_of(["manifests"], marks=["other weights"]),
    }
    assert len(names) == 4


def test_the_versions_of_the_libraries_are_part_of_every_name() -> None:
    assert [line.split()[0] for line in libraries()] == list(LIBRARIES)
    assert all("=" in line and "none" not in line for line in libraries())


def test_modules_are_those_of_a_folder_and_all_below(tmp_path: Path) -> None:
    inner = written(tmp_path / "part" / "inner" / "a.py", "A = 1")
    outer = written(tmp_path / "part" / "b.py", "B = 1")
    written(tmp_path / "part" / "notes.md", "no module")
    assert modules(["part", "part/b.py"], tmp_path) == [outer, inner]
    with pytest.raises(FileNotFoundError, match="absent has no Python module"):
        modules(["absent"], tmp_path)


def test_a_file_that_is_not_there_has_no_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.mp4"):
        made_of(["manifests"], files=[tmp_path / "gone.mp4"])


def test_a_change_in_the_shots_leaves_the_people_of_sync_and_not_the_cases_of_the_filters() -> None:
    lips = modules([*MADE_BY, *WATCHED_BY])
    shots = ROOT / "pipeline/perception/shots/cuts.py"
    assert shots not in lips
    assert shots in modules(["pipeline"])
    assert ROOT / "pipeline/perception/faces/detector.py" in lips


def test_people_whose_film_changed_are_read_anew(tmp_path: Path) -> None:
    film = written(tmp_path / "talk.mp4", "film")
    before = sync_clips.made_by(film)
    assert sync_clips.made_by(film) == before
    assert sync_clips.made_by(written(film, "another film")) != before


def test_cases_on_another_backdrop_are_made_anew(tmp_path: Path) -> None:
    actor = cast()[0]
    written(tmp_path / "video" / actor.file, "film")
    behind = written(tmp_path / "video" / filters.backdrop_of(actor).file, "trees")
    before = filters.made_by(tmp_path, actor)
    written(behind, "mountains")
    assert filters.made_by(tmp_path, actor) != before


def somebody(made: str = "a") -> Person:
    pose = np.ones((4, 133, 3), np.float32)
    faces = np.full((4, 280, 280, 3), 7, np.uint8)
    return Person("talk.mp4.0", pose, faces, np.arange(4 * 640, dtype=np.int16), made)


def test_kept_people_are_who_they_were(tmp_path: Path) -> None:
    keep([somebody()], tmp_path / "talk.mp4-a")
    (again,) = of_footage(tmp_path / "talk.mp4-a", "talk.mp4", "a")
    assert (again.name, again.made, again.who) == ("talk.mp4.0", "a", "talk")
    assert again.sound is not None
    assert np.array_equal(again.sound, np.arange(4 * 640))
    assert np.array_equal(again.faces, somebody().faces)


class Counting:
    """Stands for the network; counts how often it looks."""

    looks = 0

    def visual(self, faces: np.ndarray) -> np.ndarray:
        assert faces.shape == (4, 168, 168, 3)
        self.looks += 1
        return np.full((len(faces), 128), self.looks, np.float32)


def test_picture_features_are_computed_once_for_the_same_faces_and_weights(tmp_path: Path) -> None:
    network = Counting()
    asked = (("w", "a"), ("w", "a"), ("w", "b"), ("v", "a"), ("w", "a"))
    seen = [
        watched(network, weights, somebody(made), tmp_path)[0, 0]  # pyright: ignore[reportArgumentType]
        for weights, made in asked
    ]
    assert seen == [1, 1, 2, 3, 1]

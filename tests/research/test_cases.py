"""Lists of clips come from a folder, and one sentence says what is wrong with it."""

from pathlib import Path

import pytest

from manifests.errors import UserError
from research.cases import cases_folder, clip, clips
from research.cast import actors, cast, empty, person_of
from research.recordings import alike
from research.truth.filters import backdrop_of

ROOT = Path(__file__).resolve().parents[2]


def test_a_list_keeps_its_order() -> None:
    assert clips("filters/backdrops") == ("trees.mp4", "street.mp4")
    assert clip("filters/backdrops") == "trees.mp4"


def test_a_list_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"lists\.tsv has no list shots/none"):
        clips("shots/none")


def test_a_folder_without_lists_is_named_with_what_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSPEECH_CASES", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=r"nowhere/lists\.tsv is not there: COSPEECH_CASES"):
        clips("sync/speakers")
    with pytest.raises(UserError, match=r"nowhere/actors\.tsv is not there"):
        actors()


def test_lists_beside_the_media_come_before_those_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COSPEECH_CASES")
    monkeypatch.setenv("COSPEECH_SHARED", str(tmp_path))
    assert cases_folder() == ROOT / "research" / "lists"
    (tmp_path / "media" / "cases").mkdir(parents=True)
    assert cases_folder() == tmp_path / "media" / "cases"


def test_who_is_seen_is_read_with_numbers_and_known_words() -> None:
    assert [actor.file for actor in empty()] == ["trees.mp4", "street.mp4"]
    presenter = next(actor for actor in cast() if actor.person == "presenter")
    assert (presenter.start, presenter.stop, presenter.view) == (0.0, 8.4, "frontal")


def test_a_word_that_may_not_stand_there_is_named(cases: Path) -> None:
    file = cases / "actors.tsv"
    file.write_text(file.read_text().replace("frontal", "sideways", 1))
    folder = cases.with_name("other")  # a folder is read once
    cases.rename(folder)
    with (
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(UserError, match=r"actors\.tsv, row 2, view: 'sideways'"),
    ):
        patch.setenv("COSPEECH_CASES", str(folder))
        actors()


def test_a_clip_that_nobody_is_named_for_is_a_person_of_its_own() -> None:
    assert person_of("talker-05.mp4") == "talker-05"
    assert person_of("pair-a") == person_of("pair-b.mp4") == "both"
    assert alike() == {"pair-a", "pair-b"}


def test_everybody_is_put_on_footage_without_people() -> None:
    assert {backdrop_of(actor).file for actor in cast()} == {"trees.mp4", "street.mp4"}

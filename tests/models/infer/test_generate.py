"""The folder that is made: what lies in it; it comes whole or not at all, and touches nothing of others."""

import json
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import soundfile

from models.infer.generate import OutError, free_place, write_motion
from models.infer.reference import Person
from tests.models.making import pictures, smooth_pose, voice

FRAMES = 8
WHOLE = {"pose.npy", "reference.npy", "reference.png", "voice.wav", "skeleton.mp4", "facts.json"}


def write(out: Path, *guides: str, seed: int = 0, **changed: Any) -> Path:
    given: dict[str, Any] = {
        "sound": voice(seed, FRAMES),
        "person": Person(smooth_pose(seed, 1)[0], pictures(9)[8], "a test"),
        "guides": guides,
        "facts": {"seed": seed},
    }
    return write_motion(out, smooth_pose(seed, FRAMES), **(given | changed))


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_everything_lies_in_the_folder_as_it_was_given(tmp_path: Path) -> None:
    out = write(tmp_path / "new" / "talk")
    assert names(out) == WHOLE and names(out.parent) == {"talk"}
    assert np.array_equal(np.load(out / "pose.npy"), smooth_pose(0, FRAMES))
    assert np.array_equal(np.load(out / "reference.npy"), smooth_pose(0, 1)[0])
    sound, rate = soundfile.read(out / "voice.wav", dtype="int16")
    assert rate == 16_000 and np.array_equal(sound, voice(0, FRAMES))
    assert json.loads((out / "facts.json").read_text()) == {"seed": 0}
    assert np.array_equal(cv2.imread(str(out / "reference.png")), pictures(9)[8])
    with av.open(str(out / "skeleton.mp4")) as film:
        assert len(film.streams.audio) == 1
        assert sum(1 for _ in film.decode(video=0)) == FRAMES


def test_guides_are_written_where_they_are_named_and_a_person_may_have_no_picture(
    tmp_path: Path,
) -> None:
    person = Person(smooth_pose(0, 1)[0], None, "a pose")
    out = write(tmp_path / "talk", "echomimic_v2", "stableanimator", person=person)
    assert names(out) == (WHOLE - {"reference.png"}) | {"guides"}
    assert names(out / "guides") == {"echomimic_v2", "stableanimator"}
    assert (out / "guides/echomimic_v2/audio.wav").is_file()


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    one, other = write(tmp_path / "one", "mimicmotion"), write(tmp_path / "other", "mimicmotion")
    files = [file.relative_to(one) for file in one.rglob("*") if file.is_file()]
    assert len(files) > 10
    assert all((one / file).read_bytes() == (other / file).read_bytes() for file in files)


def test_an_earlier_folder_of_ours_and_an_empty_one_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "talk").mkdir()
    out = write(tmp_path / "talk", "stableanimator")
    write(tmp_path / "talk", seed=3)
    assert np.array_equal(np.load(out / "pose.npy"), smooth_pose(3, FRAMES))
    assert names(out) == WHOLE


@pytest.mark.parametrize("held", [["thesis.tex"], ["facts.json", "thesis.tex"], ["pose.npy"]])
def test_a_folder_that_holds_something_else_is_refused_and_not_touched(
    tmp_path: Path, held: list[str]
) -> None:
    out = tmp_path / "talk"
    out.mkdir()
    for name in held:
        (out / name).write_text("years of work")
    with pytest.raises(OutError, match=rf"holds something else \({held[-1]}\); name a new folder"):
        write(out)
    assert names(out) == set(held) and names(tmp_path) == {"talk"}


def test_an_evaluation_clears_only_a_folder_of_its_own(tmp_path: Path) -> None:
    from models.evaluation.run import fresh

    out = tmp_path / "measured"
    fresh(out)
    out.mkdir()
    for name in ("metrics.json", "metrics.md"):
        (out / name).write_text("{}")
    (out / "thesis.tex").write_text("years of work")
    with pytest.raises(OutError, match=r"holds something else \(thesis\.tex\)"):
        fresh(out)
    assert names(out) == {"metrics.json", "metrics.md", "thesis.tex"}
    (out / "thesis.tex").unlink()
    fresh(out)
    assert not out.exists()


def test_a_file_in_the_way_is_refused_and_not_touched(tmp_path: Path) -> None:
    (tmp_path / "talk").write_text("years of work")
    with pytest.raises(OutError, match="holds something else"):
        write(tmp_path / "talk")
    with pytest.raises(OutError, match="cannot be made: File exists"):
        write(tmp_path / "talk" / "below")
    assert (tmp_path / "talk").read_text() == "years of work"


def test_what_fails_in_the_middle_leaves_nothing_and_what_was_there_stays(tmp_path: Path) -> None:
    for earlier in (False, True):
        if earlier:
            write(tmp_path / "talk", seed=5)
        with pytest.raises(ValueError, match="samples of sound"):
            write(tmp_path / "talk", sound=voice(0, FRAMES + 1))
        assert names(tmp_path) == ({"talk"} if earlier else set())
    assert np.array_equal(np.load(tmp_path / "talk/pose.npy"), smooth_pose(5, FRAMES))


def test_the_folder_one_stands_in_and_a_link_to_a_folder_are_written_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert free_place(Path()) == tmp_path / "here"
    (tmp_path / "link").symlink_to(tmp_path / "here")
    write(tmp_path / "link")
    assert names(tmp_path / "here") == WHOLE and (tmp_path / "link").is_symlink()

"""Marks of steps that died."""

from pathlib import Path

from pipeline.run.marks import Marks


def test_deaths_are_counted_within_one_run_and_forgotten_when_a_step_ends(tmp_path: Path) -> None:
    marks = Marks(tmp_path)
    assert [marks.begin("run", "step") for _ in range(3)] == [0, 1, 2]
    assert marks.begin("another run", "step") == 0
    marks.end("run", "step")
    assert marks.begin("run", "step") == 0


def test_what_a_killed_step_was_doing_has_a_place_of_its_own(tmp_path: Path) -> None:
    marks = Marks(tmp_path)
    files = {marks.stack("run", name) for name in ("a/b", "a/c", "not \udc80 UTF-8")}
    assert len(files) == 3
    assert all(file.parent == tmp_path / "stacks" / "run" for file in files)


def test_a_run_that_ends_takes_its_marks_away_and_no_others(tmp_path: Path) -> None:
    marks = Marks(tmp_path)
    for run in ("one", "two"):
        marks.begin(run, "step")
        marks.stack(run, "step").touch()
    marks.forget("one")
    assert marks.begin("one", "step") == 0
    assert marks.begin("two", "step") == 1


def test_a_new_run_clears_the_marks_of_killed_ones(tmp_path: Path) -> None:
    marks = Marks(tmp_path)
    marks.clear()
    marks.begin("killed", "step")
    marks.stack("killed", "step").touch()
    marks.clear()
    assert list(tmp_path.iterdir()) == []

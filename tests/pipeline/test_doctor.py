"""What works here, what lacks what, what is proven."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.audit.doctor import findings, table
from pipeline.config import ConfigError, Run, load
from pipeline.flow import lacking
from pipeline.run.build import check


def test_every_backend_answers_and_the_embedded_ones_work() -> None:
    found = {(each.part, each.name): each for each in findings(Run())}
    for kind, name in (
        ("people", "mediapipe-face-full-range"),
        ("speech", "embedded"),
        ("pose", "mediapipe"),
    ):
        assert found[kind, f"{name} (chosen)"].state == "works"
        assert "weights " in found[kind, f"{name} (chosen)"].note
    for kind, name, setting in (
        ("pose", "onnx", "pose.weights"),
        ("sync", "syncnet", "sync.weights"),
        ("sync", "lr-asd", "sync.weights"),
    ):
        assert found[kind, name].state == "missing"
        assert setting in found[kind, name].note
    assert found["filter", "frozen_picture"].state == "proven"
    assert found["filter", "static"].state == "partly"
    assert "misses" in found["filter", "static"].note
    assert found["filter", "overlapped_speech"].state == "unproven"


def test_a_filter_acts_with_the_backends_it_was_shown_with() -> None:
    other = load(None, ("shots.backend=pyscenedetect", "speech.backend=pyannote"))
    found = {each.name: each for each in findings(other) if each.part == "filter"}
    for name in ("frozen_picture", "no_speech"):
        assert found[name].state == "unproven"
        assert "acts with embedded" in found[name].note
    ears = load(None, ("speech.backend=segmentation", "sync.backend=light-asd"))
    found = {each.name: each for each in findings(ears) if each.part == "filter"}
    for name in ("no_speech", "overlapped_speech", "not_the_speaker"):
        assert found[name].state == "partly"
        assert "misses" in found[name].note


def test_sound_is_moved_only_with_a_backend_that_was_shown_to_be_right() -> None:
    for name, state, said in (
        ("lr-asd", "unproven", "no sound is moved"),
        ("embedded", "partly", "from confidence 1.25 on"),
        ("light-asd", "partly", "from confidence 0.8 on"),
    ):
        found = findings(load(None, (f"sync.backend={name}",)))
        (correction,) = [each for each in found if each.part == "correction"]
        assert correction.state == state
        assert said in correction.note


def test_the_table_can_be_drawn() -> None:
    console = Console(record=True, width=100, file=io.StringIO())
    console.print(table(list(findings(Run()))))
    assert "figure_too_small" in console.export_text()


@pytest.mark.parametrize("backend", ["pose.backend=onnx", "sync.backend=syncnet"])
def test_a_run_whose_backend_cannot_work_does_not_begin(backend: str, tmp_path: Path) -> None:
    run = load(None, (backend, f"out={tmp_path}/set"))
    assert len(lacking(run)) == 1
    with pytest.raises(ConfigError, match=r"cannot run: no .* (set|fetched)"):
        check(run)
    assert not list(tmp_path.iterdir())

"""Tables went through a pipe squeezed to 80 columns, their cells folded over several lines."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.rules import RULES
from pipeline.weights import KNOWN

ROOT = Path(__file__).resolve().parents[2]
UNASKED = {name: value for name, value in os.environ.items() if name != "COLUMNS"}


def piped(*arguments: str, columns: dict[str, str] | None = None) -> list[str]:
    """The lines that the command writes into a pipe."""
    command = [sys.executable, "-m", "pipeline", *arguments]
    variables = UNASKED | (columns or {})
    done = subprocess.run(command, cwd=ROOT, env=variables, check=True, capture_output=True)
    return done.stdout.decode().splitlines()


def test_the_list_of_weights_has_one_whole_line_for_each(tmp_path: Path) -> None:
    place = tmp_path / ("long" * 30)
    title, _, *lines = piped("weights", "list", "--to", str(place))
    assert title == str(place)
    for line, weights in zip(lines, KNOWN, strict=True):
        assert all(cell in line for cell in (weights.name, weights.licence, weights.used_by))


def test_the_doctor_has_one_whole_line_for_each_filter() -> None:
    lines = piped("doctor")
    assert not [line for line in lines if line.startswith(" ")]  # the rest of a folded cell
    for rule in RULES:
        assert any(line.startswith(f"{rule.why} ") and rule.source in line for line in lines), rule


def test_a_width_that_is_asked_for_is_kept() -> None:
    lines = piped("weights", "list", "--to", "weights", columns={"COLUMNS": "60"})
    assert max(len(line) for line in lines) <= 60


@pytest.mark.parametrize("stderr", [False, True])
def test_nothing_is_folded_on_either_stream(stderr: bool) -> None:
    code = f"from manifests.console import console; console(stderr={stderr}).print(' '.join(['word'] * 400))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=UNASKED, check=True, capture_output=True)
    assert (done.stderr if stderr else done.stdout).decode() == " ".join(["word"] * 400) + "\n"

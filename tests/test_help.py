"""The help of both commands says what it is written to say: brackets are text and no markup."""

import re

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from models.__main__ import app as models_app
from pipeline.__main__ import app as pipeline_app

APPS = {"csg-data": pipeline_app, "csg-model": models_app}


def defaults() -> list[tuple[str, str, str]]:
    """Each default that the help of an option states in words, with its program and command."""
    found: list[tuple[str, str, str]] = []
    for program, app in APPS.items():
        for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
            for option in command.params:
                stated = re.findall(r"\[default: ([^\]]+)\]", getattr(option, "help", None) or "")
                found += [(program, name, each) for each in stated]
    return found


@pytest.mark.parametrize(("program", "command", "stated"), defaults())
def test_a_default_in_words_is_shown(program: str, command: str, stated: str) -> None:
    shown = CliRunner().invoke(APPS[program], [command, "--help"], env={"COLUMNS": "200"}).output
    assert f"[default: {stated}]" in " ".join(shown.replace("│", " ").split())

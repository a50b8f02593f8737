"""The help of both commands says what it is written to say: brackets are text and no markup."""

import re

import pytest
from typer import Typer
from typer.main import get_command
from typer.testing import CliRunner

from models.__main__ import app as models_app
from pipeline.__main__ import app as pipeline_app


def defaults() -> list[tuple[Typer, str, str]]:
    """Each default that the help of an option states in words, with its command."""
    found: list[tuple[Typer, str, str]] = []
    for app in (pipeline_app, models_app):
        for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
            for option in command.params:
                stated = re.findall(r"\[default: ([^\]]+)\]", getattr(option, "help", None) or "")
                found += [(app, name, each) for each in stated]
    return found


@pytest.mark.parametrize(("app", "command", "stated"), defaults(), ids=lambda part: str(part)[:40])
def test_a_default_in_words_is_shown(app: Typer, command: str, stated: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
    assert f"[default: {stated}]" in " ".join(shown.replace("│", " ").split())

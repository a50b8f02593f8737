"""Symptom: two commands in the pages about source lists were not valid (`csg-data build sources=sample`)."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from pipeline.__main__ import app
from pipeline.config import load

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "manifests" / "sources").glob("*.md"))


def commands() -> list[str]:
    """Every `csg-data …` of the pages, in a line of text or of a block."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    inline = re.findall(r"`(?:[^`\n]*; )?(csg-data [^`]+)`", text)
    return [*inline, *re.findall(r"^(csg-data .*)$", text, re.MULTILINE)]


def test_the_pages_have_commands() -> None:
    assert len(commands()) >= 3


@pytest.mark.parametrize("line", commands())
def test_every_command_of_the_pages_is_valid(line: str) -> None:
    _, name, *words = shlex.split(line, comments=True)
    group = typer.main.get_command(app)
    command = group.commands[name]  # type: ignore[attr-defined]
    context = command.make_context(name, words)
    load(None, tuple(context.params.get("set_") or ()))

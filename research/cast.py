"""Who is seen in the real clips, and how: the rows of actors.tsv, as far as the truth tables need them."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from research.cases import CasesError, cases_folder, table


@dataclass(frozen=True, slots=True)
class Actor:
    """One stretch of one clip with one person in it, or with nobody.

    person: a clip's own name, the same for clips of one person or of people who may be one; view: of the head; shows:
    how far down, a body has at least one elbow; moves: stands still and silent, or is a generated picture that hardly
    changes, so that it is no certain example of either class of a filter on motion; start, stop: seconds.
    """

    file: str
    person: str
    view: Literal["frontal", "turned", "profile"] = "frontal"
    shows: Literal["body", "shoulders", "head", "nobody"] = "body"
    moves: Literal["talks", "stands", "hardly"] = "talks"
    start: float = 0.0
    stop: float = 9.0


def actors() -> tuple[Actor, ...]:
    """The rows of actors.tsv, in order. Raises CasesError where it is not there, or a row says what it may not."""
    return _actors("actors")


def actors_of_more() -> tuple[Actor, ...]:
    """The rows of actors_more.tsv: clips of `media/more`; where several are in view, the first of them in more.tsv."""
    return _actors("actors_more")


def _actors(name: str) -> tuple[Actor, ...]:
    rows = table(name)
    try:
        return tuple(TypeAdapter(list[Actor]).validate_python(rows))
    except ValidationError as error:
        first = error.errors()[0]
        row, column = (*first["loc"], "")[:2]
        raise CasesError(
            f"{name}.tsv, row {row}, {column}: {first['input']!r}: {first['msg']}"
        ) from error


def cast() -> tuple[Actor, ...]:
    """Everybody, labelled by eye."""
    return tuple(actor for actor in actors() if actor.shows != "nobody")


def empty() -> tuple[Actor, ...]:
    """The stretches in which nobody is in view."""
    return tuple(actor for actor in actors() if actor.shows == "nobody")


def person_of(clip: str) -> str:
    """Who is seen and heard in a clip, by its file's name with or without suffix; its own where it is not in the cast.

    One name for clips of people who may be one, so that no half, fold or draw of people takes them for two.
    """
    stem = Path(clip).stem
    return _people(cases_folder()).get(stem, stem)


@cache
def _people(folder: Path) -> dict[str, str]:
    everybody = (*cast(), *actors_of_more())
    return {Path(actor.file).stem: actor.person for actor in reversed(everybody)}

"""The identity file beside the lock: the group of each voice and the side of each group, frozen on first appearance.

What is in it never changes for anybody, whoever joins the set or leaves it; so it is written whole, and a broken file
is an error and not an empty one.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from manifests.errors import UserError
from manifests.files import write_whole
from manifests.record import SplitName

NAME = "identities.json"


class IdentityFileError(UserError):
    """The identity file cannot be read. To begin without it would move people to other sides of the split."""


class Frozen(BaseModel):
    """What earlier runs settled."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[2] = 2
    voices: dict[str, str] = Field(
        default={}, description="group by `<sha256 of the media>:<voice>`"
    )
    sides: dict[str, SplitName] = Field(default={}, description="side of the split by group")


def read_frozen(file: Path, place: Callable[[str], SplitName]) -> Frozen:
    """What is frozen; nothing where there is no file yet. Raises IdentityFileError.

    place: where the hash puts a group. Files written before sides were kept hold groups by voice alone; each of those
    groups is on the side where its hash put it.
    """
    try:
        content: object = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(content, dict) and "schema_version" not in content:
            content = {"voices": content}
        frozen = Frozen.model_validate(content, strict=True)
    except FileNotFoundError:
        return Frozen()
    except (OSError, ValueError) as error:
        raise IdentityFileError(
            f"{file} cannot be read as the identities of earlier runs ({reason(error)}); put back a copy, or delete it "
            "to name and split everybody anew"
        ) from error
    placed = {group: place(group) for group in frozen.voices.values()}
    return frozen.model_copy(update={"sides": {**placed, **frozen.sides}})


def reason(error: OSError | ValueError) -> str:
    """What is wrong with a file, in one line."""
    if isinstance(error, ValidationError):
        fault = error.errors()[0]
        return f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg'].lower()}"
    return error.strerror or "" if isinstance(error, OSError) else str(error)


def write_frozen(file: Path, frozen: Frozen) -> None:
    """Freeze names and sides together: whole or not at all, the same bytes for the same facts."""
    write_whole(file, json.dumps(frozen.model_dump(), indent=0, sort_keys=True) + "\n")

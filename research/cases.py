"""Which real clips a study uses: tables in a folder, since no module names a clip.

The folder is the one that COSPEECH_CASES names, else `media/cases` in the shared folder where that exists, else
`research/lists`. `research/README.md` says what its tables hold.
"""

import csv
import os
from functools import cache
from pathlib import Path

from manifests.errors import UserError
from pipeline.validation.footage import shared_folder

Row = dict[str, str]


class CasesError(UserError):
    """A study's lists of clips are not there."""


def cases_folder() -> Path:
    """Where the tables are looked for."""
    if named := os.environ.get("COSPEECH_CASES"):
        return Path(named)
    beside = shared_folder() / "media" / "cases"
    return beside if beside.is_dir() else Path(__file__).with_name("lists")


def table(name: str) -> tuple[Row, ...]:
    """The rows of `<name>.tsv`, in order. Raises CasesError where it is not there."""
    file = cases_folder() / f"{name}.tsv"
    if not file.is_file():
        raise CasesError(
            f"{file} is not there: COSPEECH_CASES names the folder of lists of clips (research/README.md)"
        )
    return _read(file)


def clips(name: str) -> tuple[str, ...]:
    """The clips of one list of lists.tsv, in order. Raises CasesError where it has none."""
    found = tuple(row["clip"] for row in table("lists") if row["list"] == name)
    if not found:
        raise CasesError(f"{cases_folder() / 'lists.tsv'} has no list {name}")
    return found


def clip(name: str) -> str:
    """The first clip of a list. Raises CasesError where it has none."""
    return clips(name)[0]


@cache
def _read(file: Path) -> tuple[Row, ...]:
    with file.open(encoding="utf-8", newline="") as stream:
        return tuple(csv.DictReader(stream, delimiter="\t"))

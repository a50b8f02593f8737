"""A folder of real clips with labels, `labels.tsv`: what a run ought to make of each of them."""

import csv
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from manifests.errors import UserError

LABELS = "labels.tsv"


class FootageError(UserError):
    """There are no labelled clips where they are looked for."""


@dataclass(frozen=True, slots=True)
class Label:
    """One row of labels.tsv: `expect` is keep, drop or any; `why` is what follows it; seconds: 0 where not known."""

    file: str
    expect: str
    why: str
    seconds: float


def shared_folder() -> Path:
    """What lies beside the project: the folder that COSPEECH_SHARED names, else `../shared`."""
    return Path(os.environ.get("COSPEECH_SHARED", "../shared"))


def media_folder() -> Path:
    """The folder of labelled clips: `media` in the shared folder. Raises FootageError where it has no labels.tsv."""
    folder = shared_folder() / "media"
    if not (folder / LABELS).is_file():
        raise FootageError(
            f"{folder} has no {LABELS}: COSPEECH_SHARED names the folder that holds media/{LABELS} and its clips"
        )
    return folder


def read_labels(folder: Path) -> dict[str, Label]:
    """Labels by file name. labels.tsv has columns `file`, `expect` (keep, drop or any, `: why` after it), `seconds`."""
    with (folder / LABELS).open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return {
        Path(row["file"]).name: Label(
            Path(row["file"]).name,
            row["expect"].split(":")[0].strip(),
            row["expect"].partition(":")[2].strip(),
            float(row["seconds"]) if row["seconds"] not in ("?", "-") else 0.0,
        )
        for row in rows
    }


@contextmanager
def linked(files: Sequence[Path]) -> Iterator[Path]:
    """A folder of links to some files, gone afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "videos"
        folder.mkdir()
        for file in files:
            (folder / file.name).symlink_to(file.resolve())
        yield folder

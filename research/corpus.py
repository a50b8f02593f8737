"""One corpus of the real clips of both folders, `media/video` and `media/more`: its list, its build and what it holds.

    python -m research.corpus --out DIR [--workers N] [--shared FOLDER]

`DIR/sources.tsv` names every clip with its speaker, where one person alone is in view, and what is dubbed or
generated; `DIR/dataset` is built from it by `csg-data build` with `TRAINING_ONLY`, the rules that keep for training
what shows a mouth without elbows. Repeated, it does only what is left. What it prints is read from the dataset.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from manifests.console import console
from manifests.errors import run_command
from manifests.record import Synthetic
from pipeline.config import Run
from pipeline.run.build import build
from pipeline.validation.footage import shared_folder
from research.cases import CasesError, Row, clips
from research.cast import person_of
from research.folds import fold_of

COLUMNS = ("locator", "speaker", "licence", "title", "synthetic")
TRAINING_ONLY = ("close_up", "upper_body_missing", "outside_frame")
"""Heads and shoulders; the square around a face whose body the picture cuts off lies mostly outside of it."""
GENERATED = ("re-enacted", "swapped")
DUBBED = ("dubbed", "re-recorded", "foreign audio")
"""What the words of a label say of a clip that is in neither list; a doubt counts, since such a clip is still kept."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One clip of either table. words: all that is said of it; alone: whether one person is in view."""

    file: str
    words: str
    licence: str
    alone: bool

    @property
    def synthetic(self) -> Synthetic | None:
        """Generated or dubbed, by the lists `sync/generated` and `sync/dubbed`, else by its words."""
        name = Path(self.file).name
        if name in files_of("sync/generated"):
            return "generated"
        if name in files_of("sync/dubbed"):
            return "dubbed"
        if any(word in self.words for word in GENERATED):
            return "generated"
        return "dubbed" if any(word in self.words for word in DUBBED) else None

    @property
    def speaker(self) -> str | None:
        """Who speaks, where nobody else is in view; of several, the voices decide."""
        return person_of(Path(self.file).name) if self.alone else None


def files_of(name: str) -> frozenset[str]:
    """The files of a list; an entry may say a first frame, `file@frame`."""
    return frozenset(entry.partition("@")[0] for entry in clips(name))


def labelled(media: Path) -> list[Labelled]:
    """Every clip of labels.tsv and more.tsv."""
    first = [
        Labelled(
            row["file"],
            f"{row['expect']}; {row['seen']}",
            row["licence"],
            row["seen"].startswith("1 "),
        )
        for row in rows(media / "labels.tsv")
    ]
    more = [
        Labelled(row["file"], row["notes"], row["repo_licence"], row["people"] == "1")
        for row in rows(media / "more.tsv")
    ]
    return [*first, *more]


def rows(table: Path) -> list[Row]:
    """A tab-separated table with a header."""
    with table.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def write_list(media: Path, target: Path) -> None:
    """The source list of both folders."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, delimiter="\t", lineterminator="\n")
        table.writerow(COLUMNS)
        for one in labelled(media):
            place, title = (media / one.file).resolve(), Path(one.file).name
            table.writerow((place, one.speaker, one.licence, title, one.synthetic))


# ---- what the dataset holds ------------------------------------------------------------------------------------------


def holdings(dataset: Path) -> Iterator[str]:
    """People, clips, seconds and sync coverage of a dataset, by use, split, mark and fold, as lines of a table."""
    table = pd.read_parquet(dataset / "clips.parquet")
    facts = json.loads((dataset / "dataset.json").read_text(encoding="utf-8"))
    sure_from = facts["stages"]["sync"]["backend"].get("sure_from")
    table["sure"] = False if sure_from is None else table["sync_confidence"] >= sure_from
    table["synthetic"] = table["synthetic"].fillna("real, or not known")
    table["fold"] = [fold_in(title) for title in table["title"]]
    yield "| | clips | people | seconds | offset is sure |"
    yield "|---|---:|---:|---:|---:|"
    yield line("all", table)
    for column in ("use", "split", "synthetic", "fold"):
        for name, group in table.groupby(column):
            yield line(f"{column}: {name}", group)
    yield ""
    backend = facts["settings"]["sync"]["backend"]
    yield (
        f"sure: {backend} says so from confidence {sure_from} on"
        if sure_from
        else f"{backend} is never sure of an offset"
    )


def fold_in(file: str) -> str:
    """The fold of the person of a clip; none for a clip whose people are in neither."""
    try:
        return fold_of(person_of(file))
    except CasesError:
        return "none"


def line(name: str, clips: pd.DataFrame) -> str:
    """One row of the table."""
    people, seconds, sure = clips["identity"].nunique(), clips["seconds"].sum(), clips["sure"].sum()
    return f"| {name} | {len(clips)} | {people} | {seconds:.1f} | {sure} |"


def main() -> None:
    """Write the list, build, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--shared", type=Path, default=shared_folder())
    given = parser.parse_args()
    sources = given.out / "sources.tsv"
    write_list(given.shared / "media", sources)
    run = Run(
        sources=str(sources),
        out=given.out / "dataset",
        name="real clips of both folders",
        workers=given.workers,
        training_only=TRAINING_ONLY,
    )
    if code := build(run, console()):
        sys.exit(code)
    print()
    print("\n".join(holdings(run.out)))


if __name__ == "__main__":
    run_command(main)

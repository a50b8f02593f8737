"""People divided once into those that numbers are set on and those that are reported.

    python -m research.folds [--shared FOLDER]    prints folds.tsv

A fold is of people, not of clips: everybody who is seen together in one clip, and all clips of one person, are in one
fold. People of `media/video` are all in `fit`, since thresholds were set on them before there was a division. Of the
others, those who speak alone in a clip and everybody else are dealt out apart, in turn, in the order of a hash of their
names, so that nobody chose who is reported. Who is in the list `sync/pairs` is reported: a pair of one take before and
after it was synchronised again is a case that nobody made, and there are two.
"""

import argparse
import csv
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

from manifests.errors import run_command
from pipeline.validation.footage import shared_folder
from research.cases import CasesError, cases_folder, clips, table
from research.cast import cast, person_of

Fold = Literal["fit", "report"]
FOLDS: tuple[Fold, Fold] = ("fit", "report")


def fold_of(person: str) -> Fold:
    """The fold of a person of actors.tsv or more.tsv. Raises CasesError for one who is in neither fold."""
    found = _folds(cases_folder()).get(person)
    if found is None:
        raise CasesError(f"folds.tsv has no person {person}: python -m research.folds prints it")
    return found


@cache
def _folds(folder: Path) -> Mapping[str, Fold]:
    return {row["person"]: _fold(row) for row in table("folds")}


def _fold(row: Mapping[str, str]) -> Fold:
    for name in FOLDS:
        if row["fold"] == name:
            return name
    raise CasesError(f"folds.tsv, person {row['person']}: fold is {row['fold']}, allowed: {FOLDS}")


def people_of_more(shared: Path) -> dict[str, tuple[str, ...]]:
    """Who is in each clip of `media/more`, by the clip's file name."""
    with (shared / "media" / "more.tsv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return {Path(row["file"]).name: tuple(row["person_ids"].split(";")) for row in rows}


def groups(together: Iterable[Sequence[str]]) -> list[tuple[str, ...]]:
    """People who share a clip, or a person, directly or not."""
    found: list[set[str]] = []
    for names in together:
        joined = set(names).union(*(group for group in found if group & set(names)))
        found = [group for group in found if not group & joined] + [joined]
    return sorted(tuple(sorted(group)) for group in found)


def dealt(
    together: Iterable[Sequence[str]], alone: set[str], reported: set[str]
) -> dict[str, Fold]:
    """Each person's fold. alone: people who speak alone in a clip; reported: those whose fold is given."""
    found: dict[str, Fold] = {}
    rows = {False: list[tuple[str, ...]](), True: list[tuple[str, ...]]()}
    for group in groups(together):
        if reported & set(group):
            found |= dict.fromkeys(group, "report")
        else:
            rows[bool(alone & set(group))].append(group)
    for members in rows.values():
        members.sort(key=lambda group: hashlib.sha256(group[0].encode()).hexdigest())
        for at, group in enumerate(members):
            found |= dict.fromkeys(group, FOLDS[at % 2])
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=shared_folder())
    shared = parser.parse_args().shared
    more = people_of_more(shared)
    alone = {names[0] for names in more.values() if len(names) == 1}
    paired = {person_of(clip) for clip in clips("sync/pairs")}
    folds = dealt(more.values(), alone, paired)
    spoke = {person_of(clip) for clip in (*clips("sync/speakers"), *clips("speech/single"))}
    before = ({actor.person for actor in cast()} | spoke) - set(folds)
    print("person\tfold")
    for person in sorted(before):
        print(f"{person}\tfit")
    for person in sorted(folds):
        print(f"{person}\t{folds[person]}")


if __name__ == "__main__":
    run_command(main)

"""A difference between two versions of a dataset as a table and a list, or as JSON."""

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from pipeline.audit.changed_clips import ChangedClip
from pipeline.audit.diff import SAME, Difference
from pipeline.audit.fact_changes import FactChange
from pipeline.audit.findings import printable
from pipeline.audit.row_changes import RowChange

SHOWN = 20
"""Clips of one kind that are printed; --json has all."""


def to_json(found: Difference) -> str:
    """All of a difference."""
    content = dataclasses.asdict(found) | {"same": found.exit_code == SAME}
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def show(found: Difference, console: Console) -> None:
    """Print a difference: how many of what, then the first of each kind with their reasons."""
    if not found.nothing:
        console.print(counts(found), markup=False)
        for line in lines(found):
            console.print(printable(line), markup=False, soft_wrap=True)
    console.print(verdict(found), markup=False, soft_wrap=True)


def verdict(found: Difference) -> str:
    """The last sentence."""
    one, other = found.roots
    if one != other and found.nothing:
        return f"roots {one} and {other} differ, the tables do not: csg-data verify says which is wrong"
    if one != other:
        return f"different roots: A {one}, B {other}"
    if found.exit_code == SAME:
        return f"same root {one}: {found.clips[0]} clips, every row and dataset.json are equal"
    if found.went or found.came or found.changed or found.rows:
        return f"same root {one}, but the tables differ: csg-data verify says which is wrong"
    return f"same root {one}: every row is equal, dataset.json is not"


def counts(found: Difference) -> Table:
    """How many clips of each kind, by reason."""
    table = Table("clips", "number", "because", box=None, pad_edge=False)
    table.add_row("in A", str(found.clips[0]), "")
    for name, clips in (("went", found.went), ("came", found.came)):
        for kind, number in Counter(clip.kind for clip in clips).most_common():
            table.add_row(name, str(number), printable(kind))
    for members, number in Counter(clip.members for clip in found.changed).most_common():
        table.add_row("changed", str(number), ", ".join(members) or "their rows alone")
    if found.moved:
        table.add_row("moved", str(found.moved), "the same, elsewhere in the shards")
    table.add_row("in B", str(found.clips[1]), "")
    return table


def lines(found: Difference) -> Iterator[str]:
    """The list below the table."""
    yield from first("went", [f"{clip.id}: {clip.reason}" for clip in found.went])
    yield from first("came", [f"{clip.id}: {clip.reason}" for clip in found.came])
    yield from first("changed", [change_of(clip) for clip in found.changed])
    fields = Counter(field for clip in found.changed for field in clip.record)
    yield from first("in records", [f"{name}: {n} clips" for name, n in fields.most_common()])
    yield from first("in dataset.json", fact_sentences(found.facts))
    yield from first("rows", [row_sentence(row) for row in found.rows])


def first(title: str, items: Sequence[str]) -> Iterator[str]:
    """The first items of a list below its title, and how many more there are."""
    if items:
        yield from ("", f"{title}:")
    yield from (f"  {item}" for item in items[:SHOWN])
    if len(items) > SHOWN:
        yield f"  … and {len(items) - SHOWN} more, all with --json"


def change_of(clip: ChangedClip) -> str:
    """One changed clip."""
    parts = [
        f"{title} {', '.join(names)}"
        for title, names in (("members", clip.members), ("columns", clip.columns))
        if names
    ]
    return f"{clip.id}: {'; '.join(parts) or 'its revision alone'}"


def fact_sentences(facts: Sequence[FactChange]) -> list[str]:
    """What differs in dataset.json; the hashes of shards, which follow from their clips, as a number."""
    shards = sum(fact.path.startswith("shards.") for fact in facts)
    sentences = [
        f"{fact.path}: {json.dumps(fact.before)} → {json.dumps(fact.after)}"
        for fact in facts
        if not fact.path.startswith("shards.")
    ]
    return [*sentences, f"shards: {shards} came, went or changed"] if shards else sentences


def row_sentence(row: RowChange) -> str:
    """Such as `decisions: version 4 → 5 of shots: 12 rows`."""
    table, of = row.table.removesuffix(".parquet"), f" of {row.of}" if row.of else ""
    if row.side:
        return f"{table}: only in {row.side}{of}: {row.rows} rows"
    values = "" if row.before is None else f" {row.before} → {row.after}"
    return f"{table}: {row.column}{values}{of}: {row.rows} rows"

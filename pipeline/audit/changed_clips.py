"""Clips that two versions of a dataset both have and that are not the same: which members and which columns differ."""

# pyright: basic
# pyarrow has no types of its own.

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from manifests import tables
from manifests.shards import ShardError, read_member
from pipeline.audit.evidence import Version
from pipeline.audit.fact_changes import flat
from pipeline.audit.row_changes import common
from pipeline.audit.row_pairs import Pairs, Places, changed, take

RECORDS_READ = 1000
"""Records that are compared field by field, at most: each costs two small reads."""
MEMBERS = {f"{name}_sha256": name for name in tables.MEMBER_COLUMNS}
PLACES = frozenset(
    {"motion_shard", "video_shard", *(f"{name}_offset" for name in tables.MEMBER_COLUMNS)}
)
SIZES = frozenset(f"{name}_size" for name in tables.MEMBER_COLUMNS)


@dataclass(frozen=True, slots=True)
class ChangedClip:
    """One clip: the members that differ, the columns of its row, the fields of its record where they were read."""

    id: str
    members: tuple[str, ...]
    columns: tuple[str, ...]
    record: tuple[str, ...]


def changed_clips(left: Version, right: Version, pairs: Pairs) -> tuple[list[ChangedClip], int]:
    """The clips that differ, and how many more only lie elsewhere in the shards. Raises BrokenFile."""
    columns = common(left.clips, right.clips, ("id",))
    differ = {name: changed(left.clips, right.clips, pairs, name) for name in columns}
    none = np.zeros(len(pairs.left), bool)
    moved = np.logical_or.reduce([none, *(differ[name] for name in differ if name in PLACES)])
    compared = [name for name in differ if name not in PLACES | SIZES | {"revision"}]
    content = np.logical_or.reduce([none, *(differ[name] for name in differ if name not in PLACES)])
    places = np.flatnonzero(content)
    ids = take(left.clips, "id", pairs.left[places]).to_pylist()
    records = record_changes(left, right, pairs, places[:RECORDS_READ])
    clips = [
        ChangedClip(
            id=str(name),
            members=tuple(MEMBERS[c] for c in compared if c in MEMBERS and differ[c][place]),
            columns=tuple(c for c in compared if c not in MEMBERS and differ[c][place]),
            record=records[number] if number < len(records) else (),
        )
        for number, (name, place) in enumerate(zip(ids, places, strict=True))
    ]
    return clips, int((moved & ~content).sum())


def record_changes(
    left: Version, right: Version, pairs: Pairs, places: Places
) -> list[tuple[str, ...]]:
    """For each pair of clips, the dotted names of the fields of their records that differ."""
    one = list(records(left, pairs.left[places]))
    other = list(records(right, pairs.right[places]))
    return [
        tuple(sorted(k for k in a.keys() | b.keys() if a.get(k) != b.get(k) and k != "revision"))
        for a, b in zip(one, other, strict=True)
    ]


def records(version: Version, places: Places) -> Iterator[dict[str, object]]:
    """The JSON members of some clips as flat mappings; of one that cannot be read, what is wrong with it."""
    columns = ("motion_shard", "json_offset", "json_size")
    if not set(columns) <= set(version.clips.columns):
        return
    values = (take(version.clips, name, places).to_pylist() for name in columns)
    for shard, offset, size in zip(*values, strict=True):
        yield read_record(version.folder / str(shard), offset, size)


def read_record(shard: Path, offset: int, size: int) -> dict[str, object]:
    """One JSON member."""
    try:
        return dict(flat("", json.loads(read_member(shard, offset=offset, size=size))))
    except (OSError, ShardError, ValueError, TypeError, RecursionError, MemoryError) as error:
        return {f"the record cannot be read ({shard.name}: {error})": True}

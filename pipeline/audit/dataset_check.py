"""A finished dataset against its own manifests: every file, every member, the revisions and the content root."""

from pathlib import Path

import pyarrow as pa

from manifests import tables
from manifests.shards import FAMILIES, content_hash, revision
from pipeline.audit.dataset_files import (
    OTHER_BYTES,
    DatasetCheck,
    compare_seal,
    find_missing,
    list_files,
    read_files,
    read_seals,
    reading_threads,
)
from pipeline.audit.findings import BrokenFile, OnProgress
from pipeline.audit.reading import FACTS, TABLES, Table, open_table, read_facts
from pipeline.audit.shard_check import Record, ShardState

NEEDED = ("id", "revision", "motion_shard", "video_shard")
FACTS_OF_MEMBERS = ("offset", "size", "sha256")


def check_dataset(folder: Path, on_progress: OnProgress, *, threads: int) -> DatasetCheck:
    """Hash every file of a dataset and compare it with all that the dataset says of itself."""
    check = DatasetCheck(folder, on_progress)
    list_files(check)
    read_seals(check)
    with reading_threads(threads) as pool:
        plain = [path for path in sorted(check.files) if not path.endswith(".tar")]
        for path, state in read_files(check, plain, pool):
            compare_seal(check, path, state)
        read_manifests(check)
        shards = [path for path in sorted(check.files) if path.endswith(".tar")]
        for path, state in read_files(check, shards, pool):
            compare_seal(check, path, state)
            compare_shard(check, path, state)
    find_missing(check)
    compare_root(check)
    return check


# ---- the manifests ---------------------------------------------------------------------------------------------------


def read_manifests(check: DatasetCheck) -> None:
    """dataset.json and clips.parquet, where their own bytes are whole."""
    if FACTS in check.bad:
        check.notes.append(f"{FACTS} is damaged: what it says of the shards was not compared")
    else:
        try:
            check.facts = read_facts(check.folder)
        except BrokenFile as error:
            check.add(error.path, error.problem)
    if (clips := table_of(check, "clips")) is not None:
        try:
            read_members(check, clips)
        except BrokenFile as error:
            check.add(error.path, error.problem)
    if "clips.parquet" in check.bad:
        check.notes.append("clips.parquet is damaged: not every member of a shard was compared")
    compare_counts(check)


def table_of(check: DatasetCheck, name: str) -> Table | None:
    """A table whose own bytes are whole."""
    if f"{name}.parquet" in check.bad:
        return None
    try:
        return open_table(check.folder, name, needed_of(name))
    except BrokenFile as error:
        check.add(error.path, error.problem)
        return None


def needed_of(name: str) -> pa.Schema:
    """The columns without which a table tells nothing: an older one may have fewer of the others."""
    if name != "clips":
        return pa.schema([])
    members = [f"{member}_{fact}" for member in tables.MEMBER_COLUMNS for fact in FACTS_OF_MEMBERS]
    return tables.CLIPS.schema((*NEEDED, *members))


def read_members(check: DatasetCheck, clips: Table) -> None:
    """Where clips.parquet says that each member lies. Raises BrokenFile."""
    for number, row in enumerate(clips.each()):
        check.clips += 1
        try:
            members = tables.members_of(row)
            name, revised = tables.text(row["id"]), tables.text(row["revision"])
        except TypeError as error:
            check.add(clips.name, f"row {number}: {error}")
            continue
        if name in check.revisions:
            check.add(clips.name, f"row {number}: clip {name} is listed before")
            continue
        for member in members.values():
            check.members[member.shard].append(member)
        hashes = {key.split("/")[1]: member.sha256 for key, member in members.items()}
        check.revisions[name] = revised, hashes


def compare_counts(check: DatasetCheck) -> None:
    """The number of clips in dataset.json."""
    if check.facts is None or "clips.parquet" in check.bad:
        return
    said = check.facts.counts.get("clips")
    if said != check.clips:
        check.add(FACTS, f"counts {said} clips, clips.parquet has {check.clips}")


# ---- the shards and the root -----------------------------------------------------------------------------------------


def compare_shard(check: DatasetCheck, path: str, state: ShardState) -> None:
    """A shard's members, revisions, and what dataset.json says of it."""
    for problem in state.problems:
        check.add(path, problem)
    for name, record in state.records.items():
        if problem := revision_problem(check, name.removesuffix(".json"), record):
            check.add(path, f"member {name!r}: {problem}")
    listed = {shard.path: shard for shard in check.facts.shards} if check.facts else {}
    shard = listed.get(path)
    if shard is None:
        if check.facts is not None and path in check.members:
            check.add(path, f"is not in {FACTS}")
        return
    if (shard.bytes, shard.sha256) != (state.bytes, state.sha256):
        check.add(path, OTHER_BYTES.format(FACTS))
    members = sorted(check.members.get(path, ()), key=lambda member: member.offset)
    ours = path.split("/")[0] in FAMILIES and "clips.parquet" not in check.bad
    if ours and content_hash(members) != shard.content:
        check.add(path, f"{FACTS} names another content than clips.parquet")


def revision_problem(check: DatasetCheck, clip: str, record: Record) -> str | None:
    """What is wrong with the revision of a clip."""
    said, hashes = check.revisions[clip]
    if (record.id, record.revision) != (clip, said):
        return "says another id or revision than clips.parquet"
    if revision({**hashes, "json": record.bare}) != said:
        return "the revision is not that of its members"
    return None


def compare_root(check: DatasetCheck) -> None:
    """The content root, from the members and the canonical rows, with dataset.json's."""
    try:
        opened = {name: table_of(check, name) for name in TABLES}
        hashes = {name: table.rows_hash() for name, table in opened.items() if table is not None}
    except BrokenFile as error:
        check.add(error.path, error.problem)
        return
    if check.facts is None or len(hashes) < len(TABLES):
        check.notes.append("the content root could not be computed")
        return
    members = (member for of_shard in check.members.values() for member in of_shard)
    root = tables.root_of(members, hashes)
    if root != check.facts.root:
        check.add(FACTS, f"its root is {check.facts.root}, the members and tables give {root}")

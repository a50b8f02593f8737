"""The Parquet manifests: clips, decisions and sources as flat tables with one fixed schema each, and the root hash."""
# pyright: basic
# pyarrow has no types of its own, and is slow to import: whoever only asks for columns or a root hash does without.

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from manifests.record import Clip, Decision, Source
from manifests.shards import FAMILIES, Member, next_offset

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one table in their order: name, and what pyarrow calls the type."""

    kinds: tuple[tuple[str, str], ...]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.kinds]

    def schema(self, names: Sequence[str] | None = None) -> "pa.Schema":
        """The same for pyarrow; names: some of the columns, in this order."""
        import pyarrow as pa

        kinds = dict(self.kinds)
        wanted = self.names if names is None else names
        return pa.schema([(name, pa.type_for_alias(kinds[name])) for name in wanted])


MEMBER_COLUMNS = {
    "pose": "motion/pose.npy",
    "flac": "motion/flac",
    "json": "motion/json",
    "mp4": "video/mp4",
}

CLIPS = Columns(
    (
        ("id", "string"),
        ("revision", "string"),
        ("split", "string"),
        ("use", "string"),
        ("identity", "string"),
        ("locator", "string"),
        ("sha256", "string"),
        ("speaker", "string"),
        ("speech_type", "string"),
        ("licence", "string"),
        ("title", "string"),
        ("language", "string"),
        ("synthetic", "string"),
        ("start", "int64"),
        ("frames", "int64"),
        ("seconds", "float64"),
        ("person", "int64"),
        ("people_in_view", "int64"),
        ("face_height", "float64"),
        ("camera_motion", "float64"),
        ("voiced", "float64"),
        ("upper_body", "float64"),
        ("facing", "float64"),
        ("stillness", "float64"),
        ("hands", "float64"),
        ("sync_offset", "int64"),
        ("sync_confidence", "float64"),
        ("enlarged", "float64"),
        ("motion_shard", "string"),
        ("video_shard", "string"),
        *(
            (f"{name}_{fact}", kind)
            for name in MEMBER_COLUMNS
            for fact, kind in (
                ("offset", "int64"),
                ("size", "int64"),
                ("sha256", "string"),
            )
        ),
    )
)

DECISIONS = Columns(
    (
        ("subject", "string"),
        ("source", "string"),
        ("start", "int64"),
        ("stop", "int64"),
        ("person", "int64"),
        ("stage", "string"),
        ("version", "int64"),
        ("backend", "string"),
        ("backend_version", "string"),
        ("weights", "string"),
        ("measurement", "string"),
        ("value", "float64"),
        ("unit", "string"),
        ("comparator", "string"),
        ("threshold", "float64"),
        ("verdict", "string"),
        ("reason", "string"),
        ("detail", "string"),
    )
)

SOURCES = Columns(
    (
        ("locator", "string"),
        ("sha256", "string"),
        ("bytes", "int64"),
        ("speaker", "string"),
        ("speech_type", "string"),
        ("licence", "string"),
        ("title", "string"),
        ("language", "string"),
        ("synthetic", "string"),
        ("page_url", "string"),
        ("page_uploader", "string"),
        ("page_date", "string"),
        ("container", "string"),
        ("codec", "string"),
        ("width", "int64"),
        ("height", "int64"),
        ("rotation", "int64"),
        ("rate", "float64"),
        ("variable_rate", "bool"),
        ("frames", "int64"),
        ("seconds", "float64"),
        ("frames_kept", "int64"),
        ("frames_dropped", "string"),
        ("person_frames", "int64"),
        ("person_frames_kept", "int64"),
        ("person_frames_dropped", "string"),
    )
)


def clip_row(clip: Clip, members: Mapping[str, Member]) -> Row:
    """One row of clips.parquet. members: by `family/ending`."""
    posture, sync, framing = clip.posture, clip.sync, clip.framing
    row: Row = {
        "id": clip.id,
        "revision": clip.revision,
        "split": clip.split,
        "use": clip.use,
        "identity": clip.identity.group if clip.identity else None,
        **clip.origin.model_dump(),
        "start": clip.span.start,
        "frames": clip.span.frames,
        "seconds": clip.span.frames / 25.0,
        "person": clip.person.number,
        "people_in_view": clip.person.in_view,
        "face_height": clip.person.face_height,
        "camera_motion": clip.shot.camera_motion if clip.shot.camera_seen else None,
        "voiced": clip.speech.voiced,
        "upper_body": posture.upper_body if posture else None,
        "facing": posture.facing if posture else None,
        "stillness": posture.stillness if posture else None,
        "hands": posture.hands if posture else None,
        "sync_offset": sync.offset if sync else None,
        "sync_confidence": sync.confidence if sync else None,
        "enlarged": framing.enlarged if framing else None,
        "motion_shard": members["motion/json"].shard,
        "video_shard": members["video/mp4"].shard,
    }
    for name, path in MEMBER_COLUMNS.items():
        member = members[path]
        row |= {
            f"{name}_offset": member.offset,
            f"{name}_size": member.size,
            f"{name}_sha256": member.sha256,
        }
    return row


def members_of(row: Row) -> dict[str, Member]:
    """The inverse of `clip_row` for the members, by `family/ending`.

    A clip's JSON stands in both families with the same bytes; in `video` it follows the mp4. Raises KeyError for a
    column that is not there and TypeError for a value of another type.
    """
    shards = {family: text(row[f"{family}_shard"]) for family in FAMILIES}
    facts = {
        path.split("/")[1]: tuple(row[f"{name}_{fact}"] for fact in ("offset", "size", "sha256"))
        for name, path in MEMBER_COLUMNS.items()
    }
    members: dict[str, Member] = {}
    for family, endings in FAMILIES.items():
        for ending in endings:
            offset, size, sha256 = facts[ending]
            if f"{family}/{ending}" not in MEMBER_COLUMNS.values():
                offset = next_offset(members[f"{family}/mp4"])
            name = f"{text(row['id'])}.{ending}"
            members[f"{family}/{ending}"] = Member(
                shards[family], name, whole(offset), whole(size), text(sha256)
            )
    return members


def text(value: object) -> str:
    """A value that must be text. Raises TypeError."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def whole(value: object) -> int:
    """A value that must be a whole number. Raises TypeError."""
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    return value


def decision_row(decision: Decision) -> Row:
    """One row of decisions.parquet."""
    return decision.model_dump(mode="json")


def source_row(source: Source, counts: Mapping[str, object]) -> Row:
    """One row of sources.parquet. counts: the columns from `frames_kept` on."""
    fetched, media = source.fetched, source.media
    page = fetched.page if fetched else None
    return {
        **source.origin.model_dump(),
        "licence": (fetched.licence if fetched else None) or source.origin.licence,
        "sha256": fetched.sha256 if fetched else None,
        "bytes": fetched.bytes if fetched else None,
        "page_url": page.url if page else None,
        "page_uploader": page.uploader if page else None,
        "page_date": page.upload_date if page else None,
        "container": media.container if media else None,
        "codec": media.codec if media else None,
        "width": media.upright_size[0] if media else None,
        "height": media.upright_size[1] if media else None,
        "rotation": media.rotation if media else None,
        "rate": float(media.rate) if media else None,
        "variable_rate": media.variable_rate if media else None,
        "frames": media.grid_frames if media else 0,
        "seconds": media.grid_frames / 25.0 if media else 0.0,
        **counts,
    }


def write(rows: Sequence[Row], columns: Columns, file: Path) -> None:
    """A table with exactly these columns; a missing or unknown one is an error."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = set(columns.names)
    for row in rows:
        if set(row) != names:
            raise ValueError(
                f"{file.name}: columns {sorted(set(row) ^ names)} are missing or unknown"
            )
    table = pa.Table.from_pylist(list(rows), schema=columns.schema())
    pq.write_table(table, file, compression="zstd")


def canonical(rows: Iterable[Row]) -> Iterator[str]:
    """Rows as sorted lines of canonical JSON, whatever order they came in."""
    yield from sorted(map(canonical_line, rows))


def canonical_line(row: Row) -> str:
    """One row as canonical JSON."""
    return json.dumps(row, sort_keys=True, ensure_ascii=False)


def rows_hash(rows: Iterable[Row]) -> str:
    """SHA-256 of a table's canonical rows."""
    return hashlib.sha256("\n".join(canonical(rows)).encode()).hexdigest()


def root_hash(members: Iterable[Member], tables: Mapping[str, Iterable[Row]]) -> str:
    """SHA-256 over the sorted (path, SHA-256) of all members and of the tables' canonical rows (DESIGN section 4)."""
    return root_of(members, {name: rows_hash(rows) for name, rows in tables.items()})


def root_of(members: Iterable[Member], hashes: Mapping[str, str]) -> str:
    """The root hash where the tables' rows are hashed already. hashes: `rows_hash` by name."""
    lines = [f"{member.shard}/{member.name} {member.sha256}" for member in members]
    lines += [f"{name} {sha256}" for name, sha256 in hashes.items()]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()

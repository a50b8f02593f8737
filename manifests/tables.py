"""The Parquet manifests: clips, decisions and sources as flat tables with one fixed schema each, and the root hash."""
# pyright: basic
# pyarrow has no types of its own.

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from manifests.record import Clip, Decision, Source
from manifests.shards import Member

Row = dict[str, object]

MEMBER_COLUMNS = {
    "pose": "motion/pose.npy",
    "flac": "motion/flac",
    "json": "motion/json",
    "mp4": "video/mp4",
}

CLIPS = pa.schema(
    [
        ("id", pa.string()),
        ("revision", pa.string()),
        ("split", pa.string()),
        ("identity", pa.string()),
        ("locator", pa.string()),
        ("sha256", pa.string()),
        ("speaker", pa.string()),
        ("speech_type", pa.string()),
        ("licence", pa.string()),
        ("title", pa.string()),
        ("language", pa.string()),
        ("start", pa.int64()),
        ("frames", pa.int64()),
        ("seconds", pa.float64()),
        ("person", pa.int64()),
        ("people_in_view", pa.int64()),
        ("face_height", pa.float64()),
        ("camera_motion", pa.float64()),
        ("voiced", pa.float64()),
        ("upper_body", pa.float64()),
        ("facing", pa.float64()),
        ("stillness", pa.float64()),
        ("hands", pa.float64()),
        ("sync_offset", pa.int64()),
        ("sync_confidence", pa.float64()),
        ("enlarged", pa.float64()),
        ("motion_shard", pa.string()),
        ("video_shard", pa.string()),
        *[
            (f"{name}_{fact}", kind)
            for name in MEMBER_COLUMNS
            for fact, kind in (
                ("offset", pa.int64()),
                ("size", pa.int64()),
                ("sha256", pa.string()),
            )
        ],
    ]
)

DECISIONS = pa.schema(
    [
        ("subject", pa.string()),
        ("source", pa.string()),
        ("start", pa.int64()),
        ("stop", pa.int64()),
        ("person", pa.int64()),
        ("stage", pa.string()),
        ("version", pa.int64()),
        ("backend", pa.string()),
        ("backend_version", pa.string()),
        ("weights", pa.string()),
        ("measurement", pa.string()),
        ("value", pa.float64()),
        ("unit", pa.string()),
        ("comparator", pa.string()),
        ("threshold", pa.float64()),
        ("verdict", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)

SOURCES = pa.schema(
    [
        ("locator", pa.string()),
        ("sha256", pa.string()),
        ("bytes", pa.int64()),
        ("speaker", pa.string()),
        ("speech_type", pa.string()),
        ("licence", pa.string()),
        ("title", pa.string()),
        ("language", pa.string()),
        ("page_url", pa.string()),
        ("page_uploader", pa.string()),
        ("page_date", pa.string()),
        ("container", pa.string()),
        ("codec", pa.string()),
        ("width", pa.int64()),
        ("height", pa.int64()),
        ("rotation", pa.int64()),
        ("rate", pa.float64()),
        ("variable_rate", pa.bool_()),
        ("frames", pa.int64()),
        ("seconds", pa.float64()),
        ("frames_kept", pa.int64()),
        ("frames_dropped", pa.string()),
        ("person_frames", pa.int64()),
        ("person_frames_kept", pa.int64()),
        ("person_frames_dropped", pa.string()),
    ]
)


def clip_row(clip: Clip, members: Mapping[str, Member]) -> Row:
    """One row of clips.parquet. members: by `family/ending`."""
    posture, sync, framing = clip.posture, clip.sync, clip.framing
    row: Row = {
        "id": clip.id,
        "revision": clip.revision,
        "split": clip.split,
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


def write(rows: Sequence[Row], schema: pa.Schema, file: Path) -> None:
    """A table with exactly the schema's columns; a missing or unknown column is an error."""
    names = set(schema.names)
    for row in rows:
        if set(row) != names:
            raise ValueError(
                f"{file.name}: columns {sorted(set(row) ^ names)} are missing or unknown"
            )
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), file, compression="zstd")


def canonical(rows: Iterable[Row]) -> Iterator[str]:
    """Rows as sorted lines of canonical JSON, whatever order they came in."""
    yield from sorted(json.dumps(row, sort_keys=True, ensure_ascii=False) for row in rows)


def root_hash(members: Iterable[Member], tables: Mapping[str, Iterable[Row]]) -> str:
    """SHA-256 over the sorted (path, SHA-256) of all members and of the tables' canonical rows (DESIGN section 4)."""
    lines = [f"{member.shard}/{member.name} {member.sha256}" for member in members]
    for name, rows in tables.items():
        text = "\n".join(canonical(rows))
        lines.append(f"{name} {hashlib.sha256(text.encode()).hexdigest()}")
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()

"""Whether a dataset on disk is whole: every byte of it, by a check of the harness's own and by `verify`."""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from pipeline.audit.verify import verify

UNSEALED = {"checksums.json", "run.json"}
SAMPLES = 640  # of sound in a frame
MEMBERS = {"pose": "pose.npy", "flac": "flac", "json": "json", "mp4": "mp4"}


@dataclass(frozen=True, slots=True)
class Seen:
    """A dataset as it lies there. faults: what is wrong with it."""

    root: str
    ids: tuple[str, ...]
    checksums: bytes
    faults: tuple[str, ...]


def look_at(dataset: Path) -> Seen | None:
    """What a dataset is; None where there is none, not even a part of one."""
    if not dataset.exists() or not any(dataset.iterdir()):
        return None
    try:
        facts = json.loads((dataset / "dataset.json").read_text())
        rows = pq.read_table(dataset / "clips.parquet").to_pylist()
        faults = [*own_check(dataset, facts, rows), *verified(dataset)]
    except (OSError, ValueError, KeyError) as error:
        return Seen("", (), b"", (f"{type(error).__name__}: {error}",))
    ids = tuple(sorted(row["id"] for row in rows))
    return Seen(facts["root"], ids, (dataset / "checksums.json").read_bytes(), tuple(faults))


def verified(dataset: Path) -> Iterator[str]:
    """What the command `csg-data verify` finds."""
    for finding in verify(dataset, threads=1).findings:
        yield f"verify: {finding.path}: {finding.problem}"


def own_check(dataset: Path, facts: dict, rows: list[dict]) -> Iterator[str]:
    """Seals, places of members, and what is in them, without a line of the code that wrote or verifies them."""
    sealed = json.loads((dataset / "checksums.json").read_text())["files"]
    files = {
        file.relative_to(dataset).as_posix(): file.read_bytes()
        for file in dataset.rglob("*")
        if file.is_file() and file.name not in UNSEALED
    }
    for path in sorted(set(sealed) ^ set(files)):
        yield f"{path} is {'not there' if path in sealed else 'not sealed'}"
    for path in set(sealed) & set(files):
        if sha256(files[path]) != sealed[path]["sha256"]:
            yield f"{path} has other bytes than its seal"
    if not (dataset / "run.json").is_file():
        yield "run.json is not there"
    if len({row["id"] for row in rows}) != len(rows) or facts["counts"]["clips"] != len(rows):
        yield f"{len(rows)} rows, {facts['counts']['clips']} clips"
    for row in rows:
        yield from check_clip(files, row)
    held = {name for path, content in files.items() for name in names_in(path, content)}
    wanted = {f"{row['id']}.{ending}" for row in rows for ending in MEMBERS.values()}
    if held != wanted:
        yield f"members {sorted(held ^ wanted)[:4]} are in shards or rows only"


def check_clip(files: dict[str, bytes], row: dict) -> Iterator[str]:
    """The members of one clip, where its row says that they are."""
    for name, ending in MEMBERS.items():
        shard = files.get(row["video_shard" if name == "mp4" else "motion_shard"], b"")
        start, size = row[f"{name}_offset"], row[f"{name}_size"]
        content = shard[start : start + size]
        if len(content) != size or sha256(content) != row[f"{name}_sha256"]:
            yield f"clip {row['id']}: its {ending} is not at its place"
        elif name == "pose" and np.load(io.BytesIO(content)).shape != (row["frames"], 133, 3):
            yield f"clip {row['id']}: its pose has another shape"
        elif name == "json" and json.loads(content)["id"] != row["id"]:
            yield f"clip {row['id']}: its record is another's"
        elif name == "flac" and samples_of(content) != row["frames"] * SAMPLES:
            yield f"clip {row['id']}: its sound has another length"


def samples_of(flac: bytes) -> int:
    """Samples in a FLAC file."""
    import soundfile

    return soundfile.info(io.BytesIO(flac)).frames


def names_in(path: str, content: bytes) -> list[str]:
    """The members of a shard; none of any other file."""
    if not path.endswith(".tar"):
        return []
    with tarfile.open(fileobj=io.BytesIO(content)) as shard:
        return shard.getnames()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

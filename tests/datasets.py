"""Small finished datasets, made without a run: a few clips with made-up members, packed and with their manifests."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from manifests import tables
from manifests.checksums import write_checksums
from manifests.record import Backend, Clip, Crop, Decision, Fetched, Origin, Source, Verdict, Why
from manifests.shards import FAMILIES
from pipeline.stages.s140_pack import Packed, Packing
from pipeline.store import Store
from tests.examples import BACKEND, clip, media

FRAMES = 8  # of a stored pose: few, so that the files are small


def stored_clip(
    store: Store, name: str, *, seed: int = 0, locator: str = "talk.mp4", start: int = 0
) -> Clip:
    """A clip with members of its own in the store. name: its id."""
    draw = np.random.default_rng([int(name, 16), seed])
    crop = Crop(
        video=store.put_bytes(draw.bytes(3_000), suffix=".mp4"),
        audio=store.put_bytes(draw.bytes(700), suffix=".flac"),
        pose=store.put_array(draw.normal(size=(FRAMES, 133, 3)).astype(np.float32)),
    )
    return clip(name=name, locator=locator, start=start).model_copy(update={"crop": crop})


def named(number: int) -> str:
    """An id for a clip."""
    return f"{number:024x}"


def source_of(locator: str = "talk.mp4", *, sha256: str = "cd" * 32, frames: int = 1000) -> Source:
    """A source that was fetched and probed."""
    return Source(
        origin=Origin(locator=locator),
        fetched=Fetched(sha256=sha256, bytes=10, path="talk.mp4"),
        media=media(frames),
    )


def judged(
    subject: str,
    *,
    source: str = "talk.mp4",
    span: tuple[int, int] = (0, 200),
    value: float | None = 0.2,
    threshold: float | None = 0.15,
    verdict: Verdict = Verdict.KEPT,
    reason: Why | None = None,
    stage: str = "posture",
    version: int = 4,
    measurement: str = "posture.stillness",
    backend: Backend = BACKEND,
    detail: str | None = None,
) -> Decision:
    """A row of decisions.parquet."""
    return Decision(
        subject=subject,
        source=source,
        start=span[0],
        stop=span[1],
        person=None if subject == source else 0,
        stage=stage,
        version=version,
        backend=backend.name,
        backend_version=backend.version,
        weights=backend.weights,
        measurement=measurement,
        value=value,
        unit="shoulder widths",
        comparator=">=",
        threshold=threshold,
        verdict=verdict,
        reason=reason,
        detail=detail,
    )


def write_dataset(
    folder: Path,
    clips: Sequence[Clip],
    store: Store,
    *,
    decisions: Sequence[Decision] | None = None,
    sources: Sequence[Source] | None = None,
    stages: Mapping[str, object] | None = None,
    sealed: bool = True,
) -> Packed:
    """A dataset on disk as a run leaves it. sealed: with checksums.json, which older ones lack."""
    folder.mkdir(parents=True, exist_ok=True)
    packed = Packing()(clips, store, folder, earlier=folder)
    rows = rows_of(packed, decisions, sources)
    schemas = {"clips": tables.CLIPS, "decisions": tables.DECISIONS, "sources": tables.SOURCES}
    for name, schema in schemas.items():
        tables.write(rows[name], schema, folder / f"{name}.parquet")
    members = [member for held in packed.members.values() for member in held.values()]
    facts = {
        "schema_version": 1,
        "name": "small",
        "root": tables.root_hash(members, rows),
        "settings": {"rules": {}},
        "stages": dict(stages or {"posture": {"version": 4}}),
        "rules": [{"why": "static", "measurement": "posture.stillness", "threshold": 0.15}],
        "families": {name: list(endings) for name, endings in FAMILIES.items()},
        "counts": {"clips": len(packed.clips), "sources": len(rows["sources"])},
        "shards": [asdict(shard) for shard in packed.shards],
    }
    (folder / "dataset.json").write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n")
    (folder / "README.md").write_text("# small\n")
    (folder / "run.json").write_text("{}\n")
    if sealed:
        write_checksums(folder, {shard.path: shard.sha256 for shard in packed.shards})
    return packed


def flip(file: Path, at: int = -1) -> None:
    """Change one byte and nothing else, not even the times."""
    times = file.stat()
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    with file.open("r+b") as stream:
        stream.write(content)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def rows_of(
    packed: Packed, decisions: Sequence[Decision] | None, sources: Sequence[Source] | None
) -> dict[str, list[tables.Row]]:
    """The rows of the three tables, in the order in which a run writes them."""
    made = [judged(each.id) for each in packed.clips] if decisions is None else decisions
    known = [source_of(name) for name in sorted({each.origin.locator for each in packed.clips})]
    counts: dict[str, object] = {
        "frames_kept": 0,
        "frames_dropped": "{}",
        "person_frames": 0,
        "person_frames_kept": 0,
        "person_frames_dropped": "{}",
    }
    rows = {
        "clips": [tables.clip_row(each, packed.members[each.id]) for each in packed.clips],
        "decisions": [tables.decision_row(each) for each in made],
        "sources": [
            tables.source_row(each, counts) for each in (known if sources is None else sources)
        ],
    }
    rows["decisions"].sort(key=lambda row: json.dumps(row, sort_keys=True))
    return rows

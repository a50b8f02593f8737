"""Pack: the kept clips as shards of the families `motion` and `video`; unchanged shards are linked, not written."""

import hashlib
import json
import os
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from manifests.files import sha256_of
from manifests.record import Blob, Clip
from manifests.shards import FAMILIES, Member, buckets, revision, shard_name, to_json, write_tar
from pipeline.stage import need
from pipeline.store import Store


@dataclass(frozen=True, slots=True)
class Shard:
    """One finished tar: its path in the dataset, its bytes and hash, and the hash of what it holds."""

    path: str
    bytes: int
    sha256: str
    content: str


@dataclass(frozen=True, slots=True)
class Packed:
    """What packing wrote."""

    clips: tuple[Clip, ...]
    members: Mapping[str, Mapping[str, Member]]
    shards: tuple[Shard, ...]


@dataclass(frozen=True, slots=True)
class Packing:
    """Shards by split and id prefix. shard_mib: MiB of all members of a bucket, at most, before it splits."""

    name: ClassVar = "pack"
    version: ClassVar = 1

    shard_mib: int = 512

    def __call__(
        self, clips: Sequence[Clip], store: Store, folder: Path, *, earlier: Path
    ) -> Packed:
        """Write the shards of the clips under `folder`; those that `earlier` holds unchanged are linked."""
        revised = {clip.id: with_revision(clip) for clip in clips}
        held = held_shards(earlier)
        members: dict[str, dict[str, Member]] = {clip_id: {} for clip_id in revised}
        shards: list[Shard] = []
        for name, ids in sorted(self.layout(revised).items()):
            for family, endings in FAMILIES.items():
                path = f"{family}/{name}"
                parts = [(revised[i], ending) for i in ids for ending in endings]
                shard, written = put_shard(folder, path, parts, store, earlier=earlier, held=held)
                shards.append(shard)
                for (clip, ending), member in zip(parts, written, strict=True):
                    members[clip.id][f"{family}/{ending}"] = member
        ordered = tuple(sorted(revised.values(), key=lambda clip: clip.id))
        return Packed(ordered, members, tuple(shards))

    def layout(self, clips: Mapping[str, Clip]) -> dict[str, tuple[str, ...]]:
        """Shard file name to the ids in it."""
        placed: dict[str, tuple[str, ...]] = {}
        for split in sorted({clip.split for clip in clips.values() if clip.split}):
            sizes = {
                clip.id: sum(blob.bytes for blob in blobs_of(clip).values())
                for clip in clips.values()
                if clip.split == split
            }
            for prefix, ids in buckets(sizes, limit=self.shard_mib * 2**20).items():
                placed[shard_name(split, prefix)] = ids
        return placed


def blobs_of(clip: Clip) -> dict[str, Blob]:
    """The binary members of a clip by their ending."""
    crop = need(clip.crop, "crop")
    return {"pose.npy": crop.pose, "flac": crop.audio, "mp4": crop.video}


def with_revision(clip: Clip) -> Clip:
    """The clip with the hash of its members; its JSON member enters without the revision itself."""
    bare = clip.model_copy(update={"revision": None})
    hashes = {ending: blob.sha256 for ending, blob in blobs_of(clip).items()}
    hashes["json"] = hashlib.sha256(to_json(bare)).hexdigest()
    return clip.model_copy(update={"revision": revision(hashes)})


def put_shard(
    folder: Path,
    path: str,
    parts: Sequence[tuple[Clip, str]],
    store: Store,
    *,
    earlier: Path,
    held: Mapping[str, Shard],
) -> tuple[Shard, tuple[Member, ...]]:
    """Write one shard, or link the earlier one of the same content."""
    facts = [facts_of(clip, ending) for clip, ending in parts]
    members = place(path, facts)
    content = hashlib.sha256(json.dumps([[m.name, m.sha256] for m in members]).encode()).hexdigest()
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    old = held.get(path)
    if old is not None and old.content == content and (earlier / path).is_file():
        os.link(earlier / path, target)
        return old, members
    write_tar(target, path, contents(parts, store))
    return Shard(path, target.stat().st_size, sha256_of(target), content), members


def facts_of(clip: Clip, ending: str) -> tuple[str, int, str]:
    """Name, size and SHA-256 of a member, without reading what the store holds."""
    name = f"{clip.id}.{ending}"
    if ending == "json":
        text = to_json(clip)
        return name, len(text), hashlib.sha256(text).hexdigest()
    blob = blobs_of(clip)[ending]
    return name, blob.bytes, blob.sha256


def contents(parts: Sequence[tuple[Clip, str]], store: Store) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each member, read one at a time."""
    for clip, ending in parts:
        blob = blobs_of(clip).get(ending)
        yield (
            f"{clip.id}.{ending}",
            to_json(clip) if blob is None else store.path(blob).read_bytes(),
        )


def place(path: str, facts: Sequence[tuple[str, int, str]]) -> tuple[Member, ...]:
    """Where each member of a tar lies: a header block, then the bytes, filled up to whole blocks."""
    offset, placed = 0, list[Member]()
    for name, size, sha256 in facts:
        placed.append(Member(path, name, offset + tarfile.BLOCKSIZE, size, sha256))
        offset += tarfile.BLOCKSIZE + -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
    return tuple(placed)


def held_shards(dataset: Path) -> dict[str, Shard]:
    """The shards of a finished dataset by path; none where there is none."""
    try:
        listed = json.loads((dataset / "dataset.json").read_text())
    except FileNotFoundError:
        return {}
    return {entry["path"]: Shard(**entry) for entry in listed["shards"]}

"""Pack: the kept clips as shards of the families `motion` and `video`; unchanged shards are linked, not written.

What is packed is hashed as it is read: a blob that is not what its clip's record says stops the packing before its
shard has a name.
"""

import hashlib
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from manifests.files import Seal, replacing, sha256_of, sync
from manifests.record import Blob, Clip
from manifests.shards import (
    FAMILIES,
    HashingStream,
    Member,
    buckets,
    content_hash,
    place,
    revision,
    shard_name,
    stream_tar,
    to_json,
)
from pipeline.stage import need
from pipeline.store import CorruptBlob, CorruptBlobs, Store

Part = tuple[Clip, str]  # a member: its clip and its ending
BLOCK = 1 << 20  # bytes read at once
NO_SEALS: Mapping[str, Seal] = {}


@dataclass(frozen=True, slots=True)
class Shard:
    """One finished tar: its path in the dataset, its bytes and hash, and the hash of what it holds."""

    path: str
    bytes: int
    sha256: str
    content: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """The dataset that this one may replace: its folder, and its shards by path with the seal of each hashed file."""

    folder: Path
    shards: Mapping[str, Shard]
    seals: Mapping[str, Seal]


@dataclass(frozen=True, slots=True)
class Packed:
    """What packing wrote. seals: of the shards' files, by path, taken when they were hashed."""

    clips: tuple[Clip, ...]
    members: Mapping[str, Mapping[str, Member]]
    shards: tuple[Shard, ...]
    seals: Mapping[str, Seal]


@dataclass(frozen=True, slots=True)
class Packing:
    """Shards by split and id prefix. shard_mib: MiB of all members of a bucket, at most, before it splits."""

    name: ClassVar = "pack"
    version: ClassVar = 1

    shard_mib: int = 512

    def __call__(
        self,
        clips: Sequence[Clip],
        store: Store,
        folder: Path,
        *,
        earlier: Path,
        seals: Mapping[str, Seal] = NO_SEALS,
    ) -> Packed:
        """Write the shards of the clips under `folder`; those that `earlier` holds unchanged are linked.

        seals: of the earlier dataset's shards when they were hashed last, by path; a shard whose seal is broken or not
        known is hashed. Raises CorruptBlobs with every bad blob of all shards that had to be written.
        """
        revised = {clip.id: with_revision(clip) for clip in clips}
        before = Earlier(earlier, existing_shards(earlier), seals)
        members: dict[str, dict[str, Member]] = {clip_id: {} for clip_id in revised}
        shards, bad = list[Shard](), dict[Blob, CorruptBlob]()
        layout = sorted(self.layout(revised).items())
        for (name, ids), family in itertools.product(layout, FAMILIES):
            path, parts = f"{family}/{name}", parts_of(family, [revised[i] for i in ids])
            placed = place(path, [facts_of(*part) for part in parts])
            try:
                shards.append(put_shard(folder, parts, placed, store, earlier=before))
            except CorruptBlobs as error:
                bad |= {one.blob: one for one in error.found}
            for (clip, ending), member in zip(parts, placed, strict=True):
                members[clip.id][f"{family}/{ending}"] = member
        if bad:
            raise CorruptBlobs(list(bad.values()))
        ordered = tuple(sorted(revised.values(), key=lambda clip: clip.id))
        return Packed(ordered, members, tuple(shards), seals_of(folder, shards))

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


def parts_of(family: str, clips: Iterable[Clip]) -> list[Part]:
    """The members of a family's shard, in order."""
    return [(clip, ending) for clip in clips for ending in FAMILIES[family]]


def facts_of(clip: Clip, ending: str) -> tuple[str, int, str]:
    """Name, size and SHA-256 of a member, without reading what the store holds."""
    name = f"{clip.id}.{ending}"
    if ending == "json":
        text = to_json(clip)
        return name, len(text), hashlib.sha256(text).hexdigest()
    blob = blobs_of(clip)[ending]
    return name, blob.bytes, blob.sha256


# ---- one shard -------------------------------------------------------------------------------------------------------


def put_shard(
    folder: Path,
    parts: Sequence[Part],
    placed: Sequence[Member],
    store: Store,
    *,
    earlier: Earlier,
) -> Shard:
    """Write one shard, or link the earlier one of the same content. Raises CorruptBlobs where it must be written."""
    path, content = placed[0].shard, content_hash(placed)
    old = earlier.shards.get(path)
    if old is not None and old.content == content and linked(earlier, old, folder / path):
        return old
    return write_shard(folder / path, parts, placed, store)


def write_shard(
    target: Path, parts: Sequence[Part], placed: Sequence[Member], store: Store
) -> Shard:
    """Write a shard whole, or not at all where a blob is not what its record says."""
    with replacing(target) as temporary:
        with temporary.open("wb") as file:
            stream = HashingStream(file)
            written = stream_tar(stream, placed[0].shard, contents(parts, store))
        pairs = zip(parts, placed, written, strict=True)
        bad = [part for part, wanted, found in pairs if wanted.sha256 != found.sha256]
        if bad:
            raise CorruptBlobs([corrupt(clip, ending, store) for clip, ending in bad])
    return Shard(placed[0].shard, stream.bytes, stream.sha256.hexdigest(), content_hash(placed))


def contents(parts: Sequence[Part], store: Store) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each member, read one at a time; none of a blob that is missing or of another size."""
    for clip, ending in parts:
        blob = blobs_of(clip).get(ending)
        yield f"{clip.id}.{ending}", to_json(clip) if blob is None else store.load(blob) or b""


def corrupt(clip: Clip, ending: str, store: Store) -> CorruptBlob:
    """The error of a clip's blob that is not what its record says."""
    blob = blobs_of(clip)[ending]
    return CorruptBlob(blob, store.problem(blob), clip.id)


# ---- the earlier dataset ---------------------------------------------------------------------------------------------


def existing_shards(dataset: Path) -> dict[str, Shard]:
    """The shards of a finished dataset by path; none where there is none, or where dataset.json does not say."""
    try:
        listed = json.loads((dataset / "dataset.json").read_text())
        return {entry["path"]: Shard(**entry) for entry in listed["shards"]}
    except (FileNotFoundError, ValueError, TypeError, LookupError):
        return {}


def linked(earlier: Earlier, shard: Shard, target: Path) -> bool:
    """Give an earlier shard its place in the new dataset, if it still has the bytes that were hashed.

    Where the file system has no hard links it is copied, and hashed as it is read.
    """
    source = earlier.folder / shard.path
    if not intact(source, shard, earlier.seals.get(shard.path)):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        return copied(source, shard, target)
    sync(target.parent)
    return True


def intact(file: Path, shard: Shard, seal: Seal | None) -> bool:
    """Whether a file is the one that was hashed: by its seal, else by hashing it again."""
    try:
        now = Seal.of(file)
        return now.size == shard.bytes and (now == seal or sha256_of(file) == shard.sha256)
    except OSError:
        return False  # it is gone or cannot be read, and is made again from the store


def copied(source: Path, shard: Shard, target: Path) -> bool:
    """Copy a shard; leaves nothing, and is False, where the bytes that were read are not the shard's."""
    with (
        source.open("rb") as original,
        replacing(target) as temporary,
        temporary.open("wb") as file,
    ):
        stream = HashingStream(file)
        while block := original.read(BLOCK):
            stream.write(block)
    if stream.sha256.hexdigest() == shard.sha256:
        return True
    target.unlink()
    return False


def seals_of(folder: Path, shards: Iterable[Shard]) -> dict[str, Seal]:
    """The seals of finished shards."""
    return {shard.path: Seal.of(folder / shard.path) for shard in shards}

"""Clip to shard members and back: names, bytes, which shard, and where in it.

A shard is a plain WebDataset tar: members of one clip stand together and share its id as their key. Which shard a clip
is in depends on its split and the prefix of its id alone, so adding or removing a clip touches only its own shards.
"""

import hashlib
import io
import json
import tarfile
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Union, get_args, get_origin

from pydantic import BaseModel

from manifests.record import Clip

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

# What a clip's JSON leaves out: references into a run's own store, and what not every backend measures
# (decisions.parquet has it, with null where it was not), so that every member has one schema.
RUN_ONLY: Mapping[str, set[str]] = {"speech": {"voices", "overlap", "music"}, "pose": {"array"}}
# Families and the members each holds, by the ending that follows `<clip id>.`
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "motion": ("pose.npy", "flac", "json"),
    "video": ("mp4", "json"),
}


class ShardError(ValueError):
    """A shard or a member that cannot be read as one."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file inside a shard: shard path, name, where its bytes begin, how many they are, and their hash."""

    shard: str
    name: str
    offset: int
    size: int
    sha256: str


# ---- the JSON member -------------------------------------------------------------------------------------------------


def to_json(clip: Clip) -> bytes:
    """A kept clip as its JSON member.

    Every member has every key with a value of the same type, so that Arrow reads one schema from whichever comes first:
    text that is not known is "", which no known text is.
    """
    content = clip.model_dump(mode="json", exclude=RUN_ONLY)  # type: ignore[arg-type]
    return (json.dumps(without_null(content), ensure_ascii=False, sort_keys=True) + "\n").encode()


def from_json(content: bytes) -> Clip:
    """The clip of a JSON member. Raises ShardError where it is none."""
    try:
        fields = json.loads(content)
    except ValueError as error:
        raise ShardError(f"a clip's JSON member is not JSON: {error}") from error
    return Clip.model_validate(with_null(fields, Clip))


def without_null(value: Json) -> Json:
    """Null as "" at every depth."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return {key: without_null(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_null(item) for item in value]
    return value


def with_null(value: Json, kind: object) -> Json:
    """The inverse of `without_null`, by the type that the record gives each field."""
    options = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    if value == "" and type(None) in options:
        return None
    model = next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), None)
    if model is not None and isinstance(value, dict):
        fields = model.model_fields
        return {
            key: with_null(item, fields[key].annotation) if key in fields else item
            for key, item in value.items()
        }
    if isinstance(value, list) and (inner := get_args(options[0])):
        return [with_null(item, inner[0]) for item in value]
    return value


# ---- which shard -----------------------------------------------------------------------------------------------------


def buckets(sizes: Mapping[str, int], *, limit: int) -> dict[str, tuple[str, ...]]:
    """Prefix of hexadecimal ids to the sorted ids that share it; a bucket over `limit` bytes splits in sixteen.

    A pure function of the set: building anew equals adding or removing. The prefix of all is "". A single clip larger
    than the limit has a bucket to itself.
    """

    def divide(prefix: str, ids: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
        if len(ids) <= 1 or sum(sizes[name] for name in ids) <= limit:
            if ids:
                yield prefix, tuple(ids)
            return
        for digit in "0123456789abcdef":
            longer = prefix + digit
            yield from divide(longer, [name for name in ids if name.startswith(longer)])

    return dict(divide("", sorted(sizes)))


def shard_name(split: str, prefix: str) -> str:
    """File name of a shard: `train-00f-000.tar` holds ids that begin with 00f, `train-all-000.tar` every id."""
    return f"{split}-{prefix or 'all'}-000.tar"


# ---- tars ------------------------------------------------------------------------------------------------------------


class HashingStream(io.RawIOBase):
    """Writes to a stream, and knows the SHA-256 and the number of the bytes it was given."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__()
        self.stream = stream
        self.sha256 = hashlib.sha256()
        self.bytes = 0

    def write(self, content: "ReadableBuffer", /) -> int:
        """Write and hash some bytes."""
        self.sha256.update(content)
        self.bytes += memoryview(content).nbytes
        return self.stream.write(content)

    def tell(self) -> int:
        """Bytes so far."""
        return self.bytes


def write_tar(file: Path, shard: str, members: Iterable[tuple[str, bytes]]) -> tuple[Member, ...]:
    """Write a tar whose bytes depend on names and contents alone; returns where each member lies."""
    with file.open("wb") as stream:
        return stream_tar(stream, shard, members)


def stream_tar(
    stream: IO[bytes] | HashingStream, shard: str, members: Iterable[tuple[str, bytes]]
) -> tuple[Member, ...]:
    """Write a tar to a stream, as `write_tar` does to a file; one member at a time is in memory."""
    written: list[Member] = []
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members:
            header = header_of(name, len(content))
            written.append(
                Member(
                    shard,
                    name,
                    tar.offset + tarfile.BLOCKSIZE,
                    len(content),
                    hashlib.sha256(content).hexdigest(),
                )
            )
            tar.addfile(header, io.BytesIO(content))
    return tuple(written)


def header_of(name: str, size: int) -> tarfile.TarInfo:
    """The header of a member: the same for the same name and size."""
    header = tarfile.TarInfo(name)
    header.size, header.mode = size, 0o644
    return header


def place(shard: str, facts: Iterable[tuple[str, int, str]]) -> tuple[Member, ...]:
    """Where each member of a tar will lie, from names, sizes and hashes: a header block, then the bytes, then zeros."""
    offset, placed = tarfile.BLOCKSIZE, list[Member]()
    for name, size, sha256 in facts:
        placed.append(Member(shard, name, offset, size, sha256))
        offset = next_offset(placed[-1])
    return tuple(placed)


def next_offset(member: Member) -> int:
    """Where the member after this one begins in its tar: whole blocks, then a header."""
    blocks = -(-member.size // tarfile.BLOCKSIZE)
    return member.offset + (blocks + 1) * tarfile.BLOCKSIZE


def content_hash(members: Iterable[Member]) -> str:
    """Hash of what a shard holds, in order: two shards of one content have the same bytes."""
    listed = [[member.name, member.sha256] for member in members]
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def read_member(file: Path, *, offset: int, size: int) -> bytes:
    """The bytes of one member, read directly. Raises ShardError where the shard is too short."""
    with file.open("rb") as stream:
        stream.seek(offset)
        content = stream.read(size)
    if len(content) != size:
        raise ShardError(
            f"{file.name}: a member of {size} bytes at {offset} has only {len(content)}"
        )
    return content


def revision(members: Mapping[str, str]) -> str:
    """Hash of a clip's members, given as ending to SHA-256: two clips of one id and revision hold the same bytes."""
    text = "".join(f"{ending}:{sha256}\n" for ending, sha256 in sorted(members.items()))
    return hashlib.sha256(text.encode()).hexdigest()

"""One shard against what clips.parquet says of its members, in one pass and without believing the tar.

A shard holds, for each member, the header that packing writes, the bytes, and zeros up to the next block; so nothing in
it has to be parsed. Each byte is hashed for the file, and those of a member once more for the member.
"""

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from manifests.files import BLOCK
from manifests.shards import Member, header_of
from pipeline.audit.findings import OnProgress

NAME = re.compile(r"[0-9A-Za-z_-]{1,64}(\.[0-9a-z]{1,8}){1,3}")
LONGEST_RECORD = 1 << 24  # bytes of a clip's JSON: ours have some 4,000


@dataclass(frozen=True, slots=True)
class Record:
    """What a clip's JSON member says of itself. bare: SHA-256 of the record without its revision."""

    id: object
    revision: object
    bare: str


@dataclass(slots=True)
class ShardState:
    """What was found in a shard: its bytes and hash, the clips' records by member name, and what is wrong."""

    bytes: int = 0
    sha256: str = ""
    records: dict[str, Record] = field(default_factory=dict[str, Record])
    problems: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class HashedReader:
    """Reads a file in order, in blocks; hashes all of it, and parts of it once more."""

    stream: FileIO
    on_progress: OnProgress
    at: int = 0
    whole: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    buffer: bytearray = field(default_factory=lambda: bytearray(BLOCK))

    def blocks(self, size: int) -> Iterator[memoryview]:
        """The next bytes, fewer where the file ends; each view lasts until the next is asked for."""
        while size > 0:
            view = memoryview(self.buffer)[: min(size, BLOCK)]
            read = self.stream.readinto(view)
            if not read:
                return
            self.whole.update(view[:read])
            self.at, size = self.at + read, size - read
            self.on_progress(read)
            yield view[:read]

    def read(self, size: int) -> bytes:
        """The next bytes as they are; for few."""
        return b"".join(map(bytes, self.blocks(size)))

    def skip(self, size: int) -> None:
        """Go on, hashing the bytes for the file alone."""
        for _ in self.blocks(size):
            pass

    def hashed(self, size: int, *, keep: bool) -> tuple[str, bytes]:
        """SHA-256 of the next bytes, and the bytes themselves where they are to be kept."""
        part, kept = hashlib.sha256(), bytearray()
        for block in self.blocks(size):
            part.update(block)
            if keep:
                kept += block
        return part.hexdigest(), bytes(kept)

    def zeros(self, size: int) -> bool:
        """Whether the next bytes are zeros."""
        return all([not bytes(block).strip(b"\0") for block in self.blocks(size)])  # all are read


def check_shard(file: Path, members: Sequence[Member], on_progress: OnProgress) -> ShardState:
    """Read a shard whole. members: what clips.parquet says of it, in any order; none: any file. Raises OSError."""
    state = ShardState()
    with file.open("rb", buffering=0) as stream:
        reader, size = HashedReader(stream, on_progress), file.stat().st_size
        for member in sorted(members, key=lambda member: member.offset):
            if problem := impossible(member, reader.at, size):
                state.problems.append(f"member {member.name!r}: {problem}")
            else:
                check_member(reader, member, state)
        if not members:
            reader.skip(size)
        elif not reader.zeros(size - reader.at):
            state.problems.append("holds bytes at its end that belong to no clip")
    state.bytes, state.sha256 = reader.at, reader.whole.hexdigest()
    return state


def impossible(member: Member, at: int, size: int) -> str | None:
    """Why a member cannot lie where clips.parquet says, in a file of this size that was read up to `at`."""
    if not NAME.fullmatch(member.name):
        return "no name of a clip's member"
    begin, end = member.offset, member.offset + member.size
    if member.size < 0 or end > size:
        return f"bytes {begin} to {end} are not in a file of {size} bytes"
    if begin - tarfile.BLOCKSIZE < at:
        return f"bytes {begin} to {end} overlap another member"
    return None


def check_member(reader: HashedReader, member: Member, state: ShardState) -> None:
    """One member with what stands before it, from where the reader is."""

    def report(problem: str) -> None:
        state.problems.append(f"member {member.name!r}: {problem}")

    before = member.offset - tarfile.BLOCKSIZE - reader.at
    if before >= tarfile.BLOCKSIZE or not reader.zeros(before):
        report("bytes stand before it that belong to no clip")
        reader.zeros(member.offset - tarfile.BLOCKSIZE - reader.at)
    if problem := header_problem(reader.read(tarfile.BLOCKSIZE), member):
        report(problem)
    keep = member.name.endswith(".json") and member.size <= LONGEST_RECORD
    sha256, content = reader.hashed(member.size, keep=keep)
    if sha256 != member.sha256:
        report("its bytes are not those that clips.parquet names")
    elif member.name.endswith(".json"):
        record = record_of(content)
        if isinstance(record, Record):
            state.records[member.name] = record
        else:
            report(record)


def header_problem(header: bytes, member: Member) -> str | None:
    """What is wrong with the tar header before a member."""
    wanted = header_of(member.name, member.size).tobuf(tarfile.USTAR_FORMAT)
    if header == wanted:
        return None
    try:
        found = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError):
        return "the tar header before it is damaged"
    if (found.name, found.size) == (member.name, member.size):
        return "the tar header before it is not as packing writes it"
    return f"the tar header before it names {found.name!r} with {found.size} bytes"


def record_of(content: bytes) -> Record | str:
    """What a clip's JSON says of itself, or what is wrong with it."""
    try:
        fields = json.loads(content)
        bare = json.dumps({**fields, "revision": ""}, ensure_ascii=False, sort_keys=True) + "\n"
        sha256 = hashlib.sha256(bare.encode()).hexdigest()
    except (ValueError, TypeError, RecursionError):
        return "is no record of a clip"
    return Record(fields.get("id"), fields.get("revision"), sha256)

"""Reads the record of the shim: every change of files and names, and every sync, of all processes in their order."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

HEAD = struct.Struct("<c3xiQqIII")


class Op(StrEnum):
    """What was done, by the letter that the shim writes."""

    CREATE = "C"
    WRITE = "W"
    CUT = "T"
    SYNC_FILE = "S"
    SYNC_FOLDER = "D"
    RENAME = "R"
    EXCHANGE = "X"
    LINK = "L"
    UNLINK = "U"
    REMOVE_FOLDER = "K"
    MAKE_FOLDER = "M"


@dataclass(frozen=True, slots=True)
class Entry:
    """One call that succeeded. inode: of the file; offset: of a write, or the size after a cut; one, other: paths."""

    op: Op
    process: int
    inode: int
    offset: int
    one: str
    other: str
    content: bytes


def read_log(log: Path) -> Iterator[Entry]:
    """The entries of a record."""
    held, at = log.read_bytes(), 0
    while at < len(held):
        op, process, inode, offset, size, one, other = HEAD.unpack_from(held, at)
        at += HEAD.size
        parts: list[bytes] = []
        for length in (one, other, size):
            parts.append(held[at : at + length])
            at += length
        names = [part.decode(errors="surrogateescape") for part in parts[:2]]
        yield Entry(Op(op.decode()), process, inode, offset, names[0], names[1], parts[2])

"""The records of an SQLite file read page by page without SQLite, which gives up at the first bad page.

By the published format (https://www.sqlite.org/fileformat2.html, sections 1.6, 2.1 and 4). Every leaf of a table is
read, wherever it lies and whether anything still leads to it, in the file and in its write-ahead log. A page that only
looks like a leaf gives records too, so whoever asks has a checksum in them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple

PAGE = 4096  # bytes
LEAF = 0x0D  # first byte of a page that is a leaf of a table
MOST_LOCAL = PAGE - 35  # bytes of a record that stay on its leaf
LEAST_LOCAL = (PAGE - 12) * 32 // 255 - 23
LINK = 4  # bytes at the head of a page that goes on with a long record: the number of the next
FRAME_HEADER = 24  # bytes before each page of a log
LOG_HEADER = 32
BIGGEST = 1 << 30  # bytes of a record
LAST_ID = (1 << 63) - 1
INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
"""Bytes of an integer by the number that stands for its type."""


@dataclass(slots=True)
class Pages:
    """The pages of a database file and of its log."""

    file: IO[bytes]
    log: IO[bytes] | None
    frames: dict[int, int] = field(default_factory=dict[int, int])
    """Where in the log the last image of a page lies, in bytes."""

    @classmethod
    def open(cls, place: Path, *, log: Path) -> "Pages":
        pages = cls(place.open("rb"), log.open("rb") if log.exists() else None)
        pages.frames.update(pages.logged())
        return pages

    def __enter__(self) -> "Pages":
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()
        if self.log is not None:
            self.log.close()

    def records(self) -> Iterator[tuple[int, list[object]]]:
        """(id, columns) of every record of every leaf."""
        for image in self.images():
            for cell in cells(image):
                found = self.record(image, cell)
                if found is not None:
                    yield found

    def record(self, image: bytes, cell: int) -> tuple[int, list[object]] | None:
        """(id, columns) of the record at one place of a leaf; None where there can be none."""
        size, at = varint(image, cell)
        number, at = varint(image, at)
        payload = image[at : at + local_size(size)]
        shape = shape_of(payload)
        if shape is None or shape.size != size or number > LAST_ID:
            return None
        if len(payload) < size:
            after = at + len(payload)
            payload += self.rest(int.from_bytes(image[after : after + LINK], "big"), size)
        return number, columns(payload, shape)

    def rest(self, first: int, size: int) -> bytes:
        """What of a long record lies on pages of its own, chained from the first on; at most `size` bytes."""
        parts: list[bytes] = []
        while first and len(parts) * (PAGE - LINK) < size and (image := self.page(first)):
            first = int.from_bytes(image[:LINK], "big")
            parts.append(image[LINK:])
        return b"".join(parts)

    def images(self) -> Iterator[bytes]:
        """Every page as it is in the file, then every one that the log holds."""
        number = 1
        while image := read_at(self.file, (number - 1) * PAGE, PAGE):
            yield image.ljust(PAGE, b"\0")
            number += 1
        for number in self.frames:
            yield self.page(number).ljust(PAGE, b"\0")

    def page(self, number: int) -> bytes:
        """The last image of a page; empty where there is none."""
        if self.log is not None and number in self.frames:
            return read_at(self.log, self.frames[number], PAGE)
        return read_at(self.file, (number - 1) * PAGE, PAGE)

    def logged(self) -> Iterator[tuple[int, int]]:
        """(page number, place of its image) of every frame of the log's present round."""
        if self.log is None:
            return
        salt, place = read_at(self.log, 16, 8), LOG_HEADER
        while len(head := read_at(self.log, place, FRAME_HEADER)) == FRAME_HEADER:
            if head[8:16] == salt:
                yield int.from_bytes(head[:4], "big"), place + FRAME_HEADER
            place += FRAME_HEADER + PAGE


def read_at(file: IO[bytes], place: int, size: int) -> bytes:
    """Bytes of a file; zeros for what the disk cannot read, fewer or none beyond the end."""
    try:
        file.seek(place)
        return file.read(size)
    except OSError:
        return bytes(size)


def cells(image: bytes) -> list[int]:
    """Where on a page its records begin, if it is a leaf."""
    if image[0] != LEAF:
        return []
    count = min(int.from_bytes(image[3:5], "big"), PAGE // 2 - 4)
    return [int.from_bytes(image[at : at + 2], "big") for at in range(8, 8 + 2 * count, 2)]


def local_size(size: int) -> int:
    """How many bytes of a record lie on its leaf."""
    if size <= MOST_LOCAL:
        return size
    local = LEAST_LOCAL + (size - LEAST_LOCAL) % (PAGE - LINK)
    return local if local <= MOST_LOCAL else LEAST_LOCAL


class Shape(NamedTuple):
    """The head of a record: how long it is, and the numbers that stand for the types of its columns."""

    head: int
    types: list[int]

    @property
    def size(self) -> int:
        """Bytes of the whole record."""
        return self.head + sum(width(kind) for kind in self.types)


def shape_of(payload: bytes) -> Shape | None:
    """The head of a record, or None where there can be none."""
    head, at = varint(payload, 0)
    types: list[int] = []
    while at < min(head, len(payload)):
        kind, at = varint(payload, at)
        types.append(kind)
    shape = Shape(head, types)
    return shape if at == head and shape.size < BIGGEST else None


def width(kind: int) -> int:
    """Bytes of a column by the number that stands for its type."""
    return (kind - 12) // 2 if kind >= 12 else INTEGERS.get(kind, 0)


def columns(payload: bytes, shape: Shape) -> list[object]:
    """The values of a record: integers, bytes (of texts too), None; a number with a fraction is None."""
    values: list[object] = []
    at = shape.head
    for kind in shape.types:
        part = payload[at : at + width(kind)]
        at += width(kind)
        if kind >= 12:
            values.append(part)
        elif kind in INTEGERS:
            values.append(int.from_bytes(part, "big", signed=True))
        else:
            values.append({8: 0, 9: 1}.get(kind))
    return values


def varint(image: bytes, at: int) -> tuple[int, int]:
    """(value, where it ends) of a number of one to nine bytes, seven bits in each and eight in the ninth."""
    value = 0
    for place, byte in enumerate(image[at : at + 9]):
        if place == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + place + 1
    return value, len(image)

"""Source lists as files: opened, unpacked and read row by row, on this machine or behind an fsspec URL."""

import bz2
import gzip
import lzma
import posixpath
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, cast

from pipeline.sources.counts import Counts
from pipeline.sources.errors import SourceListError
from pipeline.sources.folders import list_error, reading
from pipeline.sources.formats import READERS, FormatError
from pipeline.sources.locators import Address, Kind, Located, local
from pipeline.sources.printable import one_line, shortened
from pipeline.sources.remote import client_errors, open_store
from pipeline.sources.rows import ListPlace

PACKED = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
SENTENCE = 500  # characters of a message, at most


def read_list(address: Address, counts: Counts) -> Iterator[Located]:
    """The rows of a list as sources; whether it is there is looked at now."""
    if address.kind is Kind.LOCAL:
        address = local(posixpath.abspath(address.path))
        file = Path(address.path)
        with reading(counts.name):
            if not file.is_file():
                raise SourceListError(f"{counts.name}: there is no such file")
        return list_rows(lambda: file.open("rb"), address, counts)
    with reading(counts.name):
        system, path = open_store(address.text)
        system.info(path)
    # fsspec types what it opens by the mode, which pyright cannot follow
    return list_rows(lambda: cast("IO[bytes]", system.open(path, "rb")), address, counts)


def list_rows(
    opened: Callable[[], IO[bytes]], address: Address, counts: Counts
) -> Iterator[Located]:
    """The rows of a list as sources; every fault of the file becomes a SourceListError."""
    suffix, place = suffix_of(address), ListPlace.of(address, counts)
    try:
        with opened() as stream:
            for row in READERS[suffix](unpacked(stream, address)):
                if (source := place.source(row)) is not None:
                    yield source
    except FormatError as error:
        said = shortened(one_line(str(error)), SENTENCE)
        raise SourceListError(f"{counts.name}, {said}") from error
    except (EOFError, zlib.error, lzma.LZMAError, *client_errors()) as error:
        raise unreadable(error, suffix, counts) from error


def unreadable(error: BaseException, suffix: str, counts: Counts) -> SourceListError:
    """The sentence where reading broke off: the bytes are no such list, or what holds them does not answer."""
    broken = isinstance(error, EOFError | zlib.error | lzma.LZMAError | gzip.BadGzipFile)
    if broken or (isinstance(error, OSError) and type(error) is OSError and error.errno is None):
        return SourceListError(f"{counts.name}: cannot be read as {suffix}: {error}")
    return list_error(counts.name, error)


def unpacked(stream: IO[bytes], address: Address) -> IO[bytes]:
    """The bytes of a list, whatever it is packed with."""
    packing = PurePosixPath(address.name).suffix.lower()
    # gzip, bz2 and lzma open a stream of bytes as another, each under a type of its own
    return cast("IO[bytes]", PACKED[packing](stream, "rb")) if packing in PACKED else stream


def suffix_of(address: Address) -> str:
    """The ending that says the format, below the ending of a packing."""
    name = PurePosixPath(address.name)
    packed = name.suffix.lower() in PACKED
    return PurePosixPath(name.stem).suffix.lower() if packed else name.suffix.lower()

"""Outages: what the run stands on is gone. Not a fact about any clip, so the run stops and commits nothing."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile


class Outage(Exception):
    """The work folder, the scheduler or what sources come from is gone; one sentence says which."""


OURS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""Only writing raises these, and only we write."""
BROKEN = frozenset(
    {errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.EHOSTDOWN, errno.EREMOTEIO}
)
"""A disk or a share is broken; whose it is, the file's name says."""
WORDS = tuple(os.strerror(number) for number in sorted(OURS | {errno.EIO}))
"""As ffmpeg, which is another process, says them."""
PROBE = 1 << 20
"""Bytes that must find room in the work folder: what a step writes at once, at least."""


def outage_in(error: BaseException, work: Path, *, reading: bool = False) -> str | None:
    """Why an error is an outage and not a fault of its subject, in one sentence; None where it is not.

    work: the work folder, which is tried by writing to it, since not every library hands on the system's error.
    reading: the error is of what reads sources, so that words of the system in it speak of the source's disk.
    """
    for cause in chain_of(error):
        if isinstance(cause, OSError) and cause.errno in OURS | BROKEN:
            place = cause.filename or work
            if cause.errno in OURS or Path(str(place)).is_relative_to(work):
                return f"{place}: {os.strerror(cause.errno)}"
    for words in WORDS:
        if words in str(error) and not reading:
            return f"{work}: {words}"
    return unusable(work)


def broken_place(error: BaseException) -> bool:
    """Whether a disk or a share failed, by the system's own word."""
    return any(isinstance(cause, OSError) and cause.errno in BROKEN for cause in chain_of(error))


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """An error and what it was raised from."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def unusable(folder: Path) -> str | None:
    """Why a folder cannot be written to, in one sentence; None where it can."""
    try:
        with TemporaryFile(dir=folder) as stream:
            stream.write(bytes(PROBE))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        return f"{folder} cannot be written: {error.strerror}"
    return None

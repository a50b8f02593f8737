"""What looks like a broken file may be a disk that fails for a moment: it is measured again before it counts.

Only what is a fact about the hashed bytes of a source may be written down, since it is never measured again.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from manifests.files import sha256_of
from manifests.record import Clip, Source, Why
from pipeline.media.probe import BREAKS
from pipeline.verdict import Refusal

Subject = TypeVar("Subject", Source, Clip)

ABOUT_BYTES = frozenset({Why.NOT_MEDIA, Why.NO_VIDEO, Why.UNDECODABLE, Why.NO_AUDIO})
"""Refusals that a disk which cannot be read brings about as well as a broken file does."""


class UnstableSource(OSError):
    """The bytes of a source are not, or not any more, those that were hashed, or two readings of them differ."""


def confirmed(compute: Callable[[], Subject], source: Source) -> Subject:
    """The result of a stage; where reading its source broke off, only if a second reading gives the same.

    Raises what the stage raises; UnstableSource or OSError where the source cannot be read as it was hashed.
    """
    before = BREAKS.count
    first = result_of(compute)
    doubtful = isinstance(first, Refusal) and first.why in ABOUT_BYTES
    if doubtful or BREAKS.count > before:
        check_bytes(source)
        if facts_of(result_of(compute)) != facts_of(first):
            raise UnstableSource(f"{path_of(source)}: what is read of it differs from time to time")
    if isinstance(first, Refusal):
        raise first
    return first


def result_of(compute: Callable[[], Subject]) -> Subject | Refusal:
    """A measured subject, or why it cannot be measured."""
    try:
        return compute()
    except Refusal as refusal:
        return refusal


def facts_of(result: Source | Clip | Refusal) -> object:
    """What two readings must have in common."""
    return (result.why, result.detail) if isinstance(result, Refusal) else result


def check_bytes(source: Source) -> None:
    """Raises UnstableSource, or the system's own error, where a source's bytes are not those that were hashed."""
    if source.fetched is not None and sha256_of(path_of(source)) != source.fetched.sha256:
        raise UnstableSource(f"{path_of(source)}: its bytes changed while it was measured")


def path_of(source: Source) -> Path:
    """Where the bytes of a source lie."""
    return Path(source.fetched.path if source.fetched is not None else "")

"""What looks like a broken file may be a disk that fails for a moment: it is measured again before it counts.

Only what is a fact about the hashed bytes of a source may be written down, since it is believed for ever.
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


class Unvouched(OSError):
    """The bytes of a source are not, or not any more, those that were hashed, or two readings of them differ."""


def sure(compute: Callable[[], Subject], source: Source) -> Subject:
    """What a stage says of a subject; where reading its source broke off, only if it says the same a second time.

    Raises what the stage raises; Unvouched, or the system's error, where the source cannot be read as it was hashed.
    """
    before = BREAKS.count
    first = said(compute)
    doubtful = isinstance(first, Refusal) and first.why in ABOUT_BYTES
    if doubtful or BREAKS.count > before:
        vouch(source)
        if facts_of(said(compute)) != facts_of(first):
            raise Unvouched(f"{path_of(source)}: what is read of it differs from time to time")
    if isinstance(first, Refusal):
        raise first
    return first


def said(compute: Callable[[], Subject]) -> Subject | Refusal:
    """A measured subject, or why it cannot be measured."""
    try:
        return compute()
    except Refusal as refusal:
        return refusal


def facts_of(said: Source | Clip | Refusal) -> object:
    """What two readings must have in common."""
    return (said.why, said.detail) if isinstance(said, Refusal) else said


def vouch(source: Source) -> None:
    """Raises Unvouched, or the system's own error, where a source's bytes are not those that were hashed."""
    if source.fetched is not None and sha256_of(path_of(source)) != source.fetched.sha256:
        raise Unvouched(f"{path_of(source)}: its bytes changed while it was measured")


def path_of(source: Source) -> Path:
    """Where the bytes of a source lie."""
    return Path(source.fetched.path if source.fetched is not None else "")

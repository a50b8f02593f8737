"""One entry of the ledger in its two forms: plain JSON, and the checked, compressed row of the table."""

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pydantic import BaseModel

from manifests.record import Blob, Why
from pipeline.verdict import Refusal

KEY_BYTES = 32
"""A key is a SHA-256."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one stage said: a section, or the reason why there can be none."""

    section: dict[str, object] | None
    refusal: tuple[Why, str] | None
    stage: str = ""  # empty in entries of the time when each was a file
    subject: str = ""  # a source's locator or a clip's id

    @classmethod
    def of(
        cls,
        *,
        section: BaseModel | None = None,
        refusal: Refusal | None = None,
        stage: str = "",
        subject: str = "",
    ) -> "Entry":
        """The entry of a section or of a refusal."""
        return cls(
            section.model_dump(mode="json") if section is not None else None,
            (refusal.why, refusal.detail) if refusal is not None else None,
            stage,
            subject,
        )

    def plain(self) -> dict[str, object]:
        """As plain JSON values."""
        return {
            "section": self.section,
            "refusal": list(self.refusal) if self.refusal else None,
            "stage": self.stage,
            "subject": self.subject,
        }


def entry_of(content: object) -> Entry | None:
    """The entry that plain JSON values stand for, or None where they stand for none."""
    if not isinstance(content, dict):
        return None
    match content:
        case {"section": dict() as section, "refusal": None}:
            refusal = None
        case {"section": None, "refusal": [str() as why, str() as detail]} if why in REASONS:
            section, refusal = None, (Why(why), detail)
        case _:
            return None
    stage, subject = content.get("stage", ""), content.get("subject", "")
    if not isinstance(stage, str) or not isinstance(subject, str):
        return None
    return Entry(section, refusal, stage, subject)


REASONS = frozenset(Why)


def read_json(text: bytes) -> object:
    """The values of a JSON text; None where it is not JSON."""
    try:
        return json.loads(text)
    except ValueError:  # of the decoder, and of bytes that are not UTF-8
        return None


# ---- the row of the table --------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """An entry as it lies in the table: its key, a checksum of key and body, the body: compressed JSON."""

    key: bytes
    crc: int
    body: bytes

    @classmethod
    def of(cls, key: bytes, entry: Entry) -> "Row":
        # ASCII: a locator may hold a file name that is not UTF-8, which json escapes and reads back
        text = json.dumps(entry.plain(), sort_keys=True, separators=(",", ":"))
        body = zlib.compress(text.encode("ascii"))
        return cls(key, zlib.crc32(body, zlib.crc32(key)), body)

    @property
    def whole(self) -> bool:
        """Whether the row is what was written; SQLite may give anything for a damaged column."""
        typed = isinstance(self.key, bytes) and isinstance(self.body, bytes)
        return typed and zlib.crc32(self.body, zlib.crc32(self.key)) == self.crc

    def entry(self) -> Entry | None:
        """The entry, or None where the row is broken."""
        if not self.whole:
            return None
        try:
            return entry_of(read_json(zlib.decompress(self.body)))
        except zlib.error:
            return None


def is_key(name: str) -> bool:
    """Whether a name can be a key."""
    try:
        key_bytes(name)
    except ValueError:
        return False
    return True


def key_bytes(key: str) -> bytes:
    """A key as bytes. Raises ValueError for what is no SHA-256 in hexadecimal digits."""
    found = bytes.fromhex(key)
    if len(found) != KEY_BYTES:
        raise ValueError(f"a key has {2 * KEY_BYTES} hexadecimal digits, got {key!r}")
    return found


# ---- what a section refers to ----------------------------------------------------------------------------------------


def blobs_in(section: object) -> Iterator[Blob]:
    """Every blob that plain JSON values refer to, at any depth."""
    match section:
        case {
            "sha256": str() as sha256,
            "suffix": str() as suffix,
            "bytes": int() as size,
            **more,
        } if not more:
            yield Blob(sha256=sha256, suffix=suffix, bytes=size)
        case dict():
            for value in section.values():
                yield from blobs_in(value)
        case list():
            for value in section:
                yield from blobs_in(value)
        case _:
            return

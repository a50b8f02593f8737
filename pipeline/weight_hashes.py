"""SHA-256 of weights, computed once per machine and state of the files: keys name them, and they are tens of MiB.

A hash is remembered in `hashes.json` beside the seal of each file (path, size, time of its last change, inode) and
believed while every seal is the same. The record lies in COSPEECH_WEIGHTS where that is set, else in the user's cache
folder; where it is damaged or cannot be written, each process hashes for itself. Nobody who loads pinned weights asks
here: what is loaded is hashed as it is read.
"""

import contextlib
import hashlib
import json
import os
import re
import time
from dataclasses import astuple
from functools import lru_cache
from pathlib import Path

from manifests.files import BLOCK, Seal, write_whole

SETTLED_SECONDS = 2.0
"""Since its last change, before a file's seal is remembered: some file systems count time in such steps."""
HEX = re.compile(r"[0-9a-f]{64}")

Seals = tuple[tuple[str, Seal], ...]
"""Absolute paths with the state of what lies there."""


def known_sha256(*files: Path) -> str:
    """SHA-256 over the bytes of the files, one after the other. Raises OSError where one is not there."""
    return _known(seals_of(files))


@lru_cache(maxsize=64)
def _known(seals: Seals) -> str:
    place = record_place()
    if (known := remembered(place, seals)) is not None:
        return known
    found = hashed(*paths_of(seals))
    if place is not None and is_settled(seals):
        remember(place, seals, found)
    return found


def seals_of(files: tuple[Path, ...]) -> Seals:
    """The files as they are now."""
    return tuple((str(file.absolute()), Seal.of(file)) for file in files)


def paths_of(seals: Seals) -> tuple[Path, ...]:
    """The paths alone."""
    return tuple(Path(path) for path, _ in seals)


def hashed(*files: Path) -> str:
    """SHA-256 of the bytes that are there now, one file after the other: for who is about to load them."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(BLOCK):
                digest.update(block)
    return digest.hexdigest()


def is_settled(seals: Seals) -> bool:
    """Whether the files are still what they were and have been for long enough that a change would show."""
    latest = max(seal.mtime_ns for _, seal in seals) / 1e9
    return seals_of(paths_of(seals)) == seals and time.time() - latest > SETTLED_SECONDS


# ---- the record ------------------------------------------------------------------------------------------------------


def record_place() -> Path | None:
    """Where hashes are remembered; None where this user has no folder for it."""
    if named := os.environ.get("COSPEECH_WEIGHTS"):
        return Path(named) / "hashes.json"
    try:
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:  # nobody knows the user's home
        return None
    return Path(cache) / "cospeech" / "hashes.json"


def remembered(place: Path | None, seals: Seals) -> str | None:
    """The hash of exactly these files in exactly this state, or None."""
    entry = entries(place).get(key_of(seals)) if place is not None else None
    if not isinstance(entry, dict) or entry.get("seals") != [list(astuple(s)) for _, s in seals]:
        return None
    found = entry.get("sha256")
    return found if isinstance(found, str) and HEX.fullmatch(found) else None


def remember(place: Path, seals: Seals, sha256: str) -> None:
    """Write a hash down, if that can be done; files that are gone are forgotten.

    Of two processes that write at once one wins; what the other found is found again.
    """
    kept = {key: entry for key, entry in entries(place).items() if all_there(key)}
    kept[key_of(seals)] = {"seals": [list(astuple(seal)) for _, seal in seals], "sha256": sha256}
    with contextlib.suppress(OSError):
        write_whole(place, json.dumps(kept, sort_keys=True))


def entries(place: Path) -> dict[str, object]:
    """What is written down; nothing where that cannot be read."""
    try:
        content = json.loads(place.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def key_of(seals: Seals) -> str:
    """The paths as one text."""
    return "\n".join(path for path, _ in seals)


def all_there(key: str) -> bool:
    """Whether the files of a key still exist."""
    return all(os.path.exists(path) for path in key.split("\n"))  # noqa: PTH110 - false for a path that cannot be

"""What runs of our own have written: work folders and datasets are recognised, since they are never sources."""

import json
import re
from collections.abc import Callable
from pathlib import Path

WORK_MARK = ".cospeech-work"
"""A file of this name in a folder says that it is the work folder of a run; what it holds is no matter."""

FACTS = "dataset.json"
LEDGERS = ("ledger", "ledger.sqlite")
PARTS = ("sources.lock.jsonl", "media", "running", "stacks", "sample")
BLOB = re.compile(r"(.+)/(?:blobs|media)/[0-9a-f]{2}/[0-9a-f]{64}\.\w+")
LARGEST = 1 << 26  # bytes of a dataset.json that are read: more than a million shards need


def is_own(has: Callable[[str], bool], read: Callable[[str], str | bytes]) -> bool:
    """Whether a folder is a dataset or a work folder. has: whether it has a name in it; read: a file in it.

    Work folders from before there was a mark are known by what they hold.
    """
    if has(WORK_MARK) or (has(FACTS) and says_dataset(read(FACTS))):
        return True
    return has("blobs") and any(map(has, LEDGERS)) and any(map(has, PARTS))


def says_dataset(content: str | bytes) -> bool:
    """Whether this is the dataset.json of a dataset of ours."""
    try:
        facts = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(facts, dict) and {"schema_version", "root"} <= facts.keys()


def is_own_folder(folder: Path) -> bool:
    """Whether a local folder is one; also one named as the work folder of the dataset beside it."""

    def has(name: str) -> bool:
        return (folder / name).exists()

    try:
        if is_own(has, lambda name: read_start(folder / name)):
            return True
        beside = folder.with_name(folder.name.removesuffix(".work")) / FACTS
        named = folder.name.endswith(".work") and any(map(has, ("blobs", *LEDGERS)))
        return named and beside.is_file() and says_dataset(read_start(beside))
    except (OSError, ValueError):
        return False  # what cannot be looked at is found out when its files are read


def read_start(file: Path) -> bytes:
    """A file, as far as one of ours can reach."""
    with file.open("rb") as stream:
        return stream.read(LARGEST)


def own_folder_of(path: str, known: dict[str, bool]) -> str | None:
    """The work folder or dataset that a local path lies in or is, or None. known: folders looked at before."""
    place = path
    while place.strip("/"):
        if place not in known:
            known[place] = is_own_folder(Path(place))
        if known[place]:
            return place
        place = place.rpartition("/")[0]
    return None


def blob_folder(path: str) -> str | None:
    """The work folder that a path would lie in if it is the blob its name says, or None where it is named otherwise."""
    found = BLOB.fullmatch(path)
    return found[1] if found else None


def is_sample(path: str, own: str) -> bool:
    """Whether a path lies where a work folder keeps the built-in sample, which is made to be a source."""
    return f"{path}/".startswith(f"{own}/sample/")

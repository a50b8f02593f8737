"""Committing: a finished folder takes the dataset's place in one move, and the version before stays restorable.

    dataset/                      the version that is there
    .dataset.new-…/               the next one, while it is written
    .dataset.next-<root>/         the next one, whole; after the move, the one that it replaced
    .dataset.versions/<root>/     those before it, as many as `keep_versions` says
    .dataset.lock                 locked by the process that moves any of them

Where the system can exchange two folders (Linux, most local file systems) there is no moment without a dataset; else
there is one between two renames, and whoever holds the lock next undoes a move that was cut there.
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from manifests.errors import UserError
from manifests.files import exchange_at_once, sync


class RestoreError(UserError):
    """A version that is not there, or more than one that could be meant."""


@dataclass(frozen=True, slots=True)
class Version:
    """A dataset on disk: its folder and its root hash."""

    folder: Path
    root: str


@contextmanager
def locked(out: Path) -> Generator[None]:
    """Alone with the dataset: the system frees the lock when its holder dies. What a dead one left is put right."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(out.with_name(f".{out.name}.lock")):
        recover(out)
        yield


@contextmanager
def new_folder(out: Path) -> Generator[Path]:
    """A folder beside the dataset to write the next version in; gone afterwards unless it was committed."""
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.new-", dir=out.parent))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def commit(folder: Path, out: Path, *, keep: int) -> None:
    """Put a finished folder in the dataset's place, durably; the caller has the lock. keep: old versions that stay."""
    sync_tree(folder)
    ready = out.with_name(f".{out.name}.next-{root_of(folder)}")
    folder.replace(ready)
    move_in(ready, out, keep=keep)


def move_in(folder: Path, out: Path, *, keep: int) -> None:
    """Give a whole folder the dataset's place. What it replaces is touched once the move is on the disk."""
    if out.is_dir() and any(out.iterdir()):
        exchange(folder, out)
        sync(out.parent)
        put_away(folder, out, keep=keep)
    else:
        if out.is_dir():
            out.rmdir()
        folder.replace(out)
    sync(out.parent)


def restore(out: Path, root: str | None, *, keep: int) -> str:
    """Bring back an earlier version by the beginning of its root hash, or the newest; returns its root.

    The version that is there becomes an earlier one itself. Raises RestoreError.
    """
    with locked(out):
        present = versions(out)
        found = [v for v in present if root is None or v.root.startswith(root)][
            : 1 if root is None else None
        ]
        if len(found) != 1:
            there = ", ".join(version.root[:12] for version in present) or "none"
            raise RestoreError(
                f"{out}: {len(found)} earlier versions have a root that begins with {root or ''!r}; there are: {there}"
            )
        move_in(found[0].folder, out, keep=max(1, keep))
        return found[0].root


def versions(out: Path) -> list[Version]:
    """The earlier versions of a dataset, newest first."""
    found = [
        (folder.stat().st_mtime_ns, Version(folder, root))
        for folder in shelf(out).glob("*/")
        if (root := root_of(folder)) is not None
    ]
    return [version for _, version in sorted(found, key=lambda item: item[0], reverse=True)]


def root_of(dataset: Path) -> str | None:
    """The root hash that a dataset states; None where it states none."""
    try:
        content = json.loads((dataset / "dataset.json").read_text(encoding="utf-8"))
        return str(content["root"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


# ---- moving folders --------------------------------------------------------------------------------------------------


def shelf(out: Path) -> Path:
    """Where the earlier versions of a dataset are."""
    return out.with_name(f".{out.name}.versions")


def aside(out: Path) -> Path:
    """Where the old version stands for the moment between two renames."""
    return out.with_name(f".{out.name}.old")


def exchange(folder: Path, out: Path) -> None:
    """Swap two folders: in one move where the system can, else in three."""
    if not exchange_at_once(folder, out):
        out.replace(aside(out))
        folder.replace(out)
        sync(out.parent)
        aside(out).replace(folder)


def put_away(old: Path, out: Path, *, keep: int) -> None:
    """Shelve a version that was replaced, and let the oldest go; what is no dataset of ours is not kept."""
    root = root_of(old)
    if keep > 0 and root is not None and root != root_of(out):
        place = shelf(out) / root
        place.parent.mkdir(exist_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        last = max((v.folder.stat().st_mtime_ns for v in versions(out)), default=0)
        old.replace(place)
        now = max(time.time_ns(), last + 1)  # the order of versions, though the clock be set back
        os.utime(place, ns=(now, now))
        sync(place.parent)
    else:
        shutil.rmtree(old, ignore_errors=True)
    for version in versions(out)[keep:]:
        shutil.rmtree(version.folder, ignore_errors=True)


def recover(out: Path) -> None:
    """Put right what a run that was killed left: an old version set aside, and folders that were being written."""
    if aside(out).exists():
        if out.exists():
            put_away(aside(out), out, keep=len(versions(out)) + 1)
        else:
            aside(out).replace(out)
    for folder in out.parent.glob(f".{out.name}.next-*"):
        if root_of(folder) not in (None, folder.name.rpartition("-")[2]):
            put_away(
                folder, out, keep=len(versions(out)) + 1
            )  # moved already: this is the one before
    for version in versions(out):
        if version.folder.name != version.root:  # a restore was cut after its move
            put_away(version.folder, out, keep=len(versions(out)))
    for kind in ("new", "next"):
        for folder in out.parent.glob(f".{out.name}.{kind}-*"):
            shutil.rmtree(folder, ignore_errors=True)


def sync_tree(folder: Path) -> None:
    """Wait until every file below a folder, and every name, is on the disk."""
    for place, _, names in os.walk(folder, topdown=False):
        for name in names:
            sync(Path(place, name))
        sync(Path(place))

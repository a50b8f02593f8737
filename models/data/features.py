"""Arrays computed once from each clip and kept beside the shards, one row per frame, read by row.

    features/<name>-<version>@<hash>/<shard>.tar     <clip>.npy (F, size)
    features/<name>-<version>@<hash>/<shard>.json    which revision of which clip stands where

The hash covers what the numbers depend on. A shard is made anew where a clip in it came, went or changed.
"""

import hashlib
import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from manifests import keypoints as kp
from manifests.files import replacing, write_whole
from manifests.motion import LOCAL_VERSION, SMOOTHING_VERSION
from manifests.shards import write_tar
from models.data.audio import Encoder
from models.data.files import DatasetError, Files
from models.data.index import Entry, Motions
from models.data.skeleton import Skeleton

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Family:
    """What an array of a family is: (frames, size) of dtype. name: with a hash of what its numbers depend on."""

    name: str
    size: int
    dtype: np.dtype


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a family is made: `make(motions, number)` gives the array of one clip."""

    family: Family
    make: Callable[[Motions, int], np.ndarray]


def family(name: str, facts: object, size: int, dtype: type) -> Family:
    """A family under its name and a hash of the facts its numbers depend on."""
    digest = hashlib.sha256(repr(facts).encode()).hexdigest()[:12]
    return Family(f"{name}@{digest}", size, np.dtype(dtype))


def audio_features(encoder: Encoder) -> Recipe:
    """The voice through an encoder, float16."""
    facts = (encoder.name, encoder.version, encoder.weights)
    kind = family(f"{encoder.name}-{encoder.version}", facts, encoder.size, np.float16)
    return Recipe(kind, lambda motions, number: encoder(motions.sound(number)))


def pose_features(skeleton: Skeleton) -> Recipe:
    """The pose as a network sees it, float32, not normalised; NaN where it is not known."""

    def make(motions: Motions, number: int) -> np.ndarray:
        values, known = skeleton.encode(motions.pose(number))
        return np.where(known, values, np.float32(np.nan))

    facts: tuple[object, ...] = (skeleton, SMOOTHING_VERSION, LOCAL_VERSION)
    if skeleton.roots is not kp.ROOT_OF:  # named only then: older features keep their name
        facts = (*facts, skeleton.face_root)
    return Recipe(family("skeleton-1", facts, skeleton.size, np.float32), make)


@dataclass(frozen=True, slots=True)
class Features:
    """One family of a dataset, read by row. at: clip to (shard, byte of its first row, frames)."""

    family: Family
    files: Files
    at: Mapping[str, tuple[str, int, int]]

    def read_into(self, entry: Entry, first: int, rows: np.ndarray) -> None:
        """Rows [first, first + len(rows)) of a clip, straight into a writable contiguous array."""
        shard, begin, frames = self.at[entry.id]
        if first < 0 or first + len(rows) > frames:
            raise IndexError(
                f"{entry.id} has frames 0 to {frames}, asked {first} to {first + len(rows)}"
            )
        width = self.family.size * self.family.dtype.itemsize
        self.files.read_into(shard, begin + first * width, rows.reshape(-1).view(np.uint8).data)

    def rows(self, entry: Entry, first: int = 0, count: int | None = None) -> np.ndarray:
        """(count, size) of a clip from a frame on; all that is left without a count."""
        count = entry.frames - first if count is None else count
        rows = np.empty((count, self.family.size), self.family.dtype)
        self.read_into(entry, first, rows)
        return rows


def prepare(
    motions: Motions,
    what: Recipe,
    root: Path | None = None,
    *,
    on_progress: OnProgress = lambda done, of: None,
) -> Features:
    """Compute what is not there yet and open it. root: where families lie; None: beside the shards.

    Raises DatasetError where the folder cannot be written: a read-only dataset keeps its features elsewhere.
    """
    kind = what.family
    folder = (root or motions.folder / "features") / kind.name
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    whole = Motions.open(motions.folder)
    wanted: dict[str, list[int]] = {}
    for number, entry in enumerate(whole.entries):
        wanted.setdefault(Path(entry.shard).stem, []).append(number)
    at: dict[str, tuple[str, int, int]] = {}
    counter = itertools.count(1)

    def count() -> None:
        on_progress(next(counter), len(whole))

    for shard, numbers in sorted(wanted.items()):
        held = _held(folder, shard, kind, [whole.entries[n] for n in numbers])
        if held is None:
            with writing(folder):
                held = _write(folder, shard, what, whole, numbers, count)
        else:
            for _ in numbers:
                count()
        at |= {clip: (f"{shard}.tar", begin, frames) for clip, (_, begin, frames) in held.items()}
    for stale in folder.glob("*.tar"):
        if stale.stem not in wanted:
            stale.with_suffix(".json").unlink(missing_ok=True)
            stale.unlink()
    return Features(kind, Files(folder), at)


Placed = dict[str, tuple[str, int, int]]
"""Clip to (revision, byte of the first row, frames)."""


def _held(folder: Path, shard: str, kind: Family, entries: Iterable[Entry]) -> Placed | None:
    """Where everything lies, if the shard holds exactly these revisions."""
    try:
        placed_in = json.loads((folder / f"{shard}.json").read_text())
        size = (folder / f"{shard}.tar").stat().st_size
        placed = {clip: (str(r), int(b), int(f)) for clip, (r, b, f) in placed_in.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    if {clip: held[0] for clip, held in placed.items()} != {e.id: e.revision for e in entries}:
        return None
    width = kind.size * kind.dtype.itemsize
    return placed if all(b + f * width <= size for _, b, f in placed.values()) else None


def _write(
    folder: Path,
    shard: str,
    what: Recipe,
    motions: Motions,
    numbers: Iterable[int],
    on_progress: Callable[[], None],
) -> Placed:
    """One shard, whole or not at all: its index goes first and comes last."""
    sidecar = folder / f"{shard}.json"
    sidecar.unlink(missing_ok=True)
    entries = [motions.entries[number] for number in numbers]
    starts: dict[str, int] = {}

    def members() -> Iterator[tuple[str, bytes]]:
        for number, entry in zip(numbers, entries, strict=True):
            array = np.ascontiguousarray(what.make(motions, number), what.family.dtype)
            if array.shape != (entry.frames, what.family.size):
                raise DatasetError(
                    f"{what.family.name} of {entry.id} has shape {array.shape}, "
                    f"needed {(entry.frames, what.family.size)}"
                )
            content = io.BytesIO()
            np.save(content, array, allow_pickle=False)
            starts[entry.id] = len(content.getvalue()) - array.nbytes
            on_progress()
            yield f"{entry.id}.npy", content.getvalue()

    with replacing(folder / f"{shard}.tar") as temporary:
        written = write_tar(temporary, f"{shard}.tar", members())
    placed = {
        entry.id: (entry.revision, member.offset + starts[entry.id], entry.frames)
        for entry, member in zip(entries, written, strict=True)
    }
    write_whole(sidecar, json.dumps(placed, indent=0) + "\n")
    return placed


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Raises DatasetError where what is done inside cannot be written: no right, no place."""
    try:
        yield
    except OSError as error:
        raise DatasetError(
            f"{folder} cannot be written ({error.strerror}): name another with --features"
        ) from error

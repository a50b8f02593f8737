"""Families of arrays computed once from each clip and kept beside the shards, read by row.

    features/<name>-<version>@<hash>/<shard>.tar     <clip>.npy (rows, …)
    features/<name>-<version>@<hash>/<shard>.json    which revision of which clip stands where

The hash covers what the numbers depend on. A shard is made anew where a clip in it came, went or changed. Shards are
computed independently of each other, by any number of processes and machines, and each is whole or not there.
"""

import hashlib
import io
import itertools
import json
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool

from manifests import keypoints as kp
from manifests.files import replacing, write_whole
from manifests.geometry import FPS
from manifests.motion import LOCAL_VERSION, SMOOTHING_VERSION
from manifests.shards import write_tar
from models.data.audio import Encoder
from models.data.files import DatasetError, Files, Folder
from models.data.index import Entry, Motions
from models.data.skeleton import Skeleton

OnProgress = Callable[[int, int], None]


class NotPrepared(DatasetError):
    """A family of which shards are not computed yet."""


@dataclass(frozen=True, slots=True)
class Family:
    """What the arrays of a family are: (rows, *shape) of dtype. name: with a hash of what its numbers depend on.

    shape: of one row: (266,) of a pose, (768,) of audio features, (64, 64, 3) of frames, (4, 8, 8) of latents. rate:
    rows per second of the clip, from its first frame on; None where a clip has as many as it has, as of text. mask:
    `nan` where a value that is not known is NaN, `none` where all are known.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    rate: float | None = float(FPS)
    mask: Literal["none", "nan"] = "none"

    @property
    def size(self) -> int:
        """Numbers per row."""
        return math.prod(self.shape)

    @property
    def row_bytes(self) -> int:
        """Bytes per row."""
        return self.size * self.dtype.itemsize

    def row_of(self, frame: int) -> int:
        """The first row that begins with a frame or after it, and so how many rows begin within that many frames.

        Raises ValueError without a rate.
        """
        if self.rate is None:
            raise ValueError(f"rows of {self.name} stand at no time")
        return math.ceil(frame * self.rate / FPS - 1e-9)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a family is made: `make(motions, number)` gives the array of one clip. Picklable."""

    family: Family
    make: Callable[[Motions, int], np.ndarray]


def family(
    name: str, facts: object, shape: int | tuple[int, ...], dtype: type, *,
    rate: float | None = float(FPS), mask: Literal["none", "nan"] = "none",
) -> Family:  # fmt: skip
    """A family under its name and a hash of the facts its numbers depend on. shape: of one row."""
    digest = hashlib.sha256(repr(facts).encode()).hexdigest()[:12]
    rows = (shape,) if isinstance(shape, int) else shape
    return Family(f"{name}@{digest}", rows, np.dtype(dtype), rate, mask)


def audio_features(encoder: Encoder) -> Recipe:
    """The voice through an encoder, float16."""
    facts = (encoder.name, encoder.version, encoder.weights)
    kind = family(f"{encoder.name}-{encoder.version}", facts, encoder.size, np.float16)
    return Recipe(kind, partial(_encoded_voice, encoder))


def pose_features(skeleton: Skeleton) -> Recipe:
    """The pose as a network sees it, float32, not normalised; NaN where it is not known."""
    facts: tuple[object, ...] = (skeleton, SMOOTHING_VERSION, LOCAL_VERSION)
    if skeleton.roots is not kp.ROOT_OF:  # named only then: older features keep their name
        facts = (*facts, skeleton.face_root)
    kind = family("skeleton-1", facts, skeleton.size, np.float32, mask="nan")
    return Recipe(kind, partial(_encoded_pose, skeleton))


def _encoded_voice(encoder: Encoder, motions: Motions, number: int) -> np.ndarray:
    return encoder(motions.sound(number))


def _encoded_pose(skeleton: Skeleton, motions: Motions, number: int) -> np.ndarray:
    values, known = skeleton.encode(motions.pose(number))
    return np.where(known, values, np.float32(np.nan))


@dataclass(frozen=True, slots=True)
class Features:
    """One family of a dataset, read by row. at: clip to (shard, byte of its first row, rows)."""

    family: Family
    files: Files
    at: Mapping[str, tuple[str, int, int]]

    @property
    def folder(self) -> Folder:
        """Where it lies."""
        return self.files.folder

    def read_into(self, entry: Entry, first: int, rows: np.ndarray) -> None:
        """Rows [first, first + len(rows)) of a clip, straight into a writable contiguous array."""
        shard, begin, count = self.at[entry.id]
        if first < 0 or first + len(rows) > count:
            raise IndexError(
                f"{entry.id} has rows 0 to {count}, asked {first} to {first + len(rows)}"
            )
        place = rows.reshape(-1).view(np.uint8).data
        self.files.read_into(shard, begin + first * self.family.row_bytes, place)

    def rows(self, entry: Entry, first: int = 0, count: int | None = None) -> np.ndarray:
        """(count, *shape) of a clip from a row on; all that is left without a count."""
        count = self.at[entry.id][2] - first if count is None else count
        rows = np.empty((count, *self.family.shape), self.family.dtype)
        self.read_into(entry, first, rows)
        return rows

    def window(
        self, entry: Entry, frame: int, frames: int
    ) -> tuple[np.ndarray, Bool[np.ndarray, "rows *shape"]]:
        """(rows, which of their values are known) of a stretch of frames of a clip; unknown values are 0.

        A family without a rate gives all its rows.
        """
        if self.family.rate is None:
            rows = self.rows(entry)
        else:
            first = self.family.row_of(frame)
            rows = self.rows(entry, first, self.family.row_of(frame + frames) - first)
        known = ~np.isnan(rows) if self.family.mask == "nan" else np.ones(rows.shape, np.bool_)
        return np.where(known, rows, np.zeros((), rows.dtype)), known


# ---- opening ---------------------------------------------------------------------------------------------------------


def prepare(
    motions: Motions,
    what: Recipe,
    root: Path | str | None = None,
    *,
    workers: int = 0,
    on_progress: OnProgress = lambda done, of: None,
) -> Features:
    """Compute what is not there yet and open it. root: where families lie; None: beside the shards.

    Raises DatasetError where the folder cannot be written: a read-only dataset keeps its features elsewhere.
    """
    whole = Motions.open(motions.folder)
    compute(whole, what, root, workers=workers, on_progress=on_progress)
    return open_features(whole, what.family, root)


def open_features(motions: Motions, kind: Family, root: Path | str | None = None) -> Features:
    """A family that is computed for all clips of these. Raises NotPrepared where shards of it are missing."""
    folder = folder_of(motions, kind, root)
    at: dict[str, tuple[str, int, int]] = {}
    shards, missing = by_shard(motions), 0
    for shard, numbers in shards.items():
        placed = _placed(folder, shard, kind, [motions.entries[n] for n in numbers])
        if placed is None:
            missing += 1
            continue
        at |= {clip: (f"{shard}.tar", begin, rows) for clip, (_, begin, rows) in placed.items()}
    if missing:
        raise NotPrepared(
            f"{missing} of {len(shards)} shards of {kind.name} are not computed: csg-model prepare computes them"
        )
    return Features(kind, Files(folder), at)


def folder_of(motions: Motions, kind: Family, root: Path | str | None) -> Folder:
    """Where a family of a dataset lies, or will."""
    return (motions.folder / "features" if root is None else Folder.of(root)) / kind.name


def by_shard(motions: Motions) -> dict[str, list[int]]:
    """The numbers of the clips in each shard, by its name without its ending, in order."""
    shards: dict[str, list[int]] = {}
    for number, entry in enumerate(motions.entries):
        shards.setdefault(Path(entry.shard).stem, []).append(number)
    return dict(sorted(shards.items()))


Placed = dict[str, tuple[str, int, int]]
"""Clip to (revision, byte of the first row, rows)."""


def _placed(folder: Folder, shard: str, kind: Family, entries: Sequence[Entry]) -> Placed | None:
    """Where everything lies, if the shard holds exactly these revisions. A remote shard's length is taken as said."""
    try:
        stated = json.loads(folder.read(f"{shard}.json"))
        placed = {clip: (str(r), int(b), int(f)) for clip, (r, b, f) in stated.items()}
        here = folder.local
        size = (here / f"{shard}.tar").stat().st_size if here is not None else math.inf
    except DatasetError:  # out of reach, which says nothing of what is computed
        raise
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    if {clip: place[0] for clip, place in placed.items()} != {e.id: e.revision for e in entries}:
        return None
    fits = all(begin + rows * kind.row_bytes <= size for _, begin, rows in placed.values())
    return placed if fits else None


# ---- computing -------------------------------------------------------------------------------------------------------


def compute(
    whole: Motions,
    what: Recipe,
    root: Path | str | None = None,
    *,
    workers: int = 0,
    part: tuple[int, int] = (0, 1),
    on_progress: OnProgress = lambda done, of: None,
) -> None:
    """Compute the shards of a family that are not there yet. whole: all clips of the dataset.

    workers: processes that compute; 0 for this one. part: (which, of how many) of the shards, dealt out in turn: so
    ranks share the work without talking to each other. Raises DatasetError.
    """
    place = folder_of(whole, what.family, root)
    folder = place.local
    if folder is None:
        if not part[0]:  # nothing to compute is fine
            open_features(whole, what.family, root)
        return
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    shards = by_shard(whole)
    own = dict(itertools.islice(shards.items(), part[0], None, part[1]))
    counter, total = itertools.count(1), sum(len(numbers) for numbers in own.values())

    def count(clips: int = 1) -> None:
        for _ in range(clips):
            on_progress(next(counter), total)

    todo: dict[str, list[int]] = {}
    for shard, numbers in own.items():
        if _placed(place, shard, what.family, [whole.entries[n] for n in numbers]) is None:
            todo[shard] = numbers
        else:
            count(len(numbers))
    _remove_stale(folder, shards)
    if workers and todo:
        _spread(folder, what, whole, todo, workers, count)
    else:
        for shard, numbers in todo.items():
            with writing(folder):
                _write_missing(folder, shard, what, whole, numbers, count)


def _remove_stale(folder: Path, shards: Collection[str]) -> None:
    """Shards that the dataset no longer has."""
    for stale in folder.glob("*.tar"):
        if stale.stem not in shards:
            stale.with_suffix(".json").unlink(missing_ok=True)
            stale.unlink(missing_ok=True)


def _spread(
    folder: Path, what: Recipe, whole: Motions, todo: Mapping[str, list[int]], workers: int,
    count: Callable[[int], None],
) -> None:  # fmt: skip
    """Shards computed by processes of their own, each with one thread."""
    pool = ProcessPoolExecutor(
        min(workers, len(todo)), get_context("spawn"), initializer=_begin, initargs=(folder, what, whole)
    )  # fmt: skip
    try:
        with writing(folder):
            futures = {
                pool.submit(_write_own, shard, numbers): len(numbers)
                for shard, numbers in todo.items()
            }
            for done in as_completed(futures):
                done.result()
                count(futures[done])
    except BrokenProcessPool as error:
        raise DatasetError(
            f"a process that computed {what.family.name} died; finished shards stay, the same command goes on"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_own: list[tuple[Path, Recipe, Motions]] = []
"""What a worker process computes."""


def _begin(folder: Path, what: Recipe, whole: Motions) -> None:
    import torch  # only a worker that may need it

    torch.set_num_threads(1)
    _own[:] = [(folder, what, whole)]


def _write_own(shard: str, numbers: Sequence[int]) -> None:
    folder, what, whole = _own[0]
    _write_missing(folder, shard, what, whole, numbers, lambda: None)


def _write_missing(
    folder: Path, shard: str, what: Recipe, whole: Motions, numbers: Sequence[int], on_progress: Callable[[], None],
) -> None:  # fmt: skip
    """A shard, unless another process has computed it meanwhile. An index that does not fit the clips goes first."""
    sidecar, entries = folder / f"{shard}.json", [whole.entries[number] for number in numbers]
    stale = sidecar.is_file()
    if _placed(Folder.of(folder), shard, what.family, entries) is not None:
        for _ in numbers:
            on_progress()
        return
    if stale:
        sidecar.unlink(missing_ok=True)
    _write(folder, shard, what, whole, numbers, on_progress)


def _write(
    folder: Path,
    shard: str,
    what: Recipe,
    motions: Motions,
    numbers: Iterable[int],
    on_progress: Callable[[], None],
) -> None:
    """One shard, whole or not at all: its index comes last. Two processes that do the same write the same bytes."""
    sidecar = folder / f"{shard}.json"
    entries = [motions.entries[number] for number in numbers]
    starts: dict[str, tuple[int, int]] = {}

    def members() -> Iterator[tuple[str, bytes]]:
        for number, entry in zip(numbers, entries, strict=True):
            array = np.ascontiguousarray(what.make(motions, number), what.family.dtype)
            _check(what.family, entry, array)
            content = io.BytesIO()
            np.save(content, array, allow_pickle=False)
            starts[entry.id] = (len(content.getvalue()) - array.nbytes, len(array))
            on_progress()
            yield f"{entry.id}.npy", content.getvalue()

    with replacing(folder / f"{shard}.tar") as temporary:
        written = write_tar(temporary, f"{shard}.tar", members())
    placed = {
        entry.id: (entry.revision, member.offset + starts[entry.id][0], starts[entry.id][1])
        for entry, member in zip(entries, written, strict=True)
    }
    write_whole(sidecar, json.dumps(placed, indent=0) + "\n")


def _check(kind: Family, entry: Entry, array: np.ndarray) -> None:
    """Raises DatasetError for an array that is not of its family."""
    rows = array.shape[0] if array.ndim and kind.rate is None else None
    needed = (kind.row_of(entry.frames) if rows is None else rows, *kind.shape)
    if array.shape != needed:
        raise DatasetError(f"{kind.name} of {entry.id} has shape {array.shape}, needed {needed}")


@contextmanager
def writing(folder: Path | Folder) -> Iterator[None]:
    """Raises DatasetError where what is done inside cannot be written: no right, no place."""
    try:
        yield
    except OSError as error:
        raise DatasetError(
            f"{folder} cannot be written ({error.strerror or error}): name another with --features"
        ) from error

"""The work folder of a run: blobs and fetched files against their names, ledger entries against the store."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from manifests.record import Blob
from pipeline.audit.dataset_files import reading_threads
from pipeline.audit.findings import Finding, OnProgress
from pipeline.audit.shard_check import check_shard
from pipeline.store import HashedFile, Store, hashed_files, size_of

BATCH = 256  # files that the threads are given at once


@dataclass(frozen=True, slots=True)
class LedgerState:
    """A ledger entry as it was found: its key, why it cannot be read, and the blobs it refers to."""

    key: str
    problem: str | None = None
    blobs: tuple[Blob, ...] = ()


def check_work(
    work: Path,
    on_progress: OnProgress,
    *,
    ledger: Iterable[LedgerState] = (),
    repair: bool,
    threads: int,
) -> Iterator[Finding]:
    """What is wrong with a work folder. repair: bad files are moved aside, so that the next run makes them again."""
    store = Store(work)
    files = chain(store.blobs(), hashed_files(store.media))
    with reading_threads(threads) as pool:
        for file, problem in in_batches(pool, lambda file: problem_of(file, on_progress), files):
            if problem is not None:
                moved = store.set_aside(file.path) if repair else None
                then = f"; moved to {moved.relative_to(work)}" if moved else ""
                yield Finding(file.path.relative_to(work).as_posix(), problem + then)
    for entry in ledger:
        yield from entry_problems(store, entry)


def in_batches(
    pool: ThreadPoolExecutor, work: Callable[[HashedFile], str | None], files: Iterable[HashedFile]
) -> Iterator[tuple[HashedFile, str | None]]:
    """Each file with what is wrong with it; the files are not listed all at once."""
    remaining = iter(files)
    while batch := list(islice(remaining, BATCH)):
        yield from zip(batch, pool.map(work, batch), strict=True)


def problem_of(file: HashedFile, on_progress: OnProgress) -> str | None:
    """What is wrong with a file that is named by its hash; nothing with one that has gone meanwhile."""
    try:
        sha256 = check_shard(file.path, (), on_progress).sha256
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return None if sha256 == file.sha256 else "its bytes are not those that its name says"


def entry_problems(store: Store, entry: LedgerState) -> Iterator[Finding]:
    """What is wrong with a ledger entry; the next run measures it again."""
    if entry.problem is not None:
        yield Finding(f"ledger {entry.key}", entry.problem)
    for blob in entry.blobs:
        size = size_of(store.path(blob))
        if size != blob.bytes:
            there = "is missing" if size is None else f"has {size} bytes, not {blob.bytes}"
            name = f"{blob.sha256[:12]}{blob.suffix}"
            yield Finding(f"ledger {entry.key}", f"refers to blob {name}, which {there}")

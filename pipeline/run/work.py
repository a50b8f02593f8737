"""The work folder of a run: checked at the start, locked by one run at a time, cleared of what dead runs left."""

import json
import os
import platform
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from manifests.files import sync, write_whole
from pipeline.audit.work_check import LedgerState
from pipeline.config import ConfigError, Run
from pipeline.fetching import forget_hosts
from pipeline.run.entry import blobs_in
from pipeline.run.ledger import Ledger
from pipeline.run.marks import Marks
from pipeline.run.outage import unusable
from pipeline.sources.lists import WORK_MARK
from pipeline.store import Store

HOLDER = "run.lock"


def check_places(run: Run) -> None:
    """Say what cannot be written before anything is measured. Raises ConfigError."""
    for name, folder in (("out", run.out.parent), ("work", run.work_folder)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{name}: {folder} cannot be made: {error.strerror}") from error
        if (fault := unusable(folder)) is not None:
            raise ConfigError(f"{name}: {fault}; a folder that can be written to is needed")


def refuse_other_folder(out: Path) -> None:
    """Never replace a folder that is not a dataset of ours. Raises ConfigError."""
    if out.exists() and not out.is_dir():
        raise ConfigError(
            f"out: {out} is a file; a new folder, an empty one or a dataset is allowed"
        )
    if out.is_dir() and any(out.iterdir()) and not (out / "dataset.json").is_file():
        raise ConfigError(
            f"out: {out} holds files and is no dataset; a new folder, an empty one or a dataset is allowed"
        )


@contextmanager
def locked(work: Path) -> Generator[None]:
    """Alone with a work folder, which the system frees when its holder dies. Raises ConfigError where it is taken."""
    work.mkdir(parents=True, exist_ok=True)
    sync(work.parent)
    lock, holder = FileLock(work / f".{HOLDER}"), work / HOLDER
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigError(
            f"work: {work} is in use by another run ({holder_of(holder)}); wait for it, or name another --out"
        ) from None
    try:
        write_whole(work / WORK_MARK, "the work folder of a dataset: measurements, media, blobs\n")
        write_whole(holder, json.dumps({"host": platform.node(), "pid": os.getpid()}) + "\n")
        Marks(work).clear()
        Store(work).clear_scratch()
        forget_hosts(Store(work).media)
        clear_unfinished(work)
        yield
    finally:
        with suppress(OSError):  # a disk that fails has been reported already
            holder.unlink(missing_ok=True)
            clear_unfinished(work)  # of workers that were ended with the run
        lock.release()


UNFINISHED = (".preflight-*", ".*.????????", "committed/.*.????????", "media/*/.*.????????")
"""What checks of workers and writes leave that were cut: the latter as `manifests.files.replacing` names them."""


def clear_unfinished(work: Path) -> None:
    """Remove what killed runs left beside the files of a work folder; its blobs are finished in scratch folders."""
    for pattern in UNFINISHED:
        for file in work.glob(pattern):
            file.unlink(missing_ok=True)


def holder_of(holder: Path) -> str:
    """Who holds a work folder, in words."""
    try:
        facts = json.loads(holder.read_text())
        return f"process {facts['pid']} on {facts['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "its process is not known"


def states_of(work: Path | None) -> Iterator[LedgerState]:
    """Every entry of a work folder's ledger with the blobs it refers to, read while nothing is changed."""
    if work is None:
        return
    with Ledger.open(work, read_only=True) as ledger:
        for key, entry in ledger.entries():
            yield LedgerState(key, blobs=tuple(blobs_in(entry.section)))

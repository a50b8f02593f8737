"""Verify: hash everything in a dataset, and in the work folder of its run, and name what is bad."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from threading import Lock

from rich.console import Console
from rich.table import Table

from manifests.checksums import regular_files
from pipeline.audit.dataset_check import check_dataset
from pipeline.audit.errors import LookError
from pipeline.audit.findings import Finding, OnProgress, no_progress, printable
from pipeline.audit.reading import need_dataset
from pipeline.audit.work_check import LedgerState, check_work
from pipeline.store import Store, hashed_files, size_of

GOOD, BAD = 0, 1
THREADS = 4
"""Files read at once: hashing leaves Python's lock, and a disk serves several readers better than one."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was read and what is wrong with it. notes: what could not be verified, and why."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    clips: int
    files: int
    bytes: int
    seconds: float

    @property
    def exit_code(self) -> int:
        return BAD if self.findings else GOOD


class Tally:
    """Counts bytes for several threads, and passes them on."""

    def __init__(self, on_progress: OnProgress) -> None:
        self.on_progress, self.bytes, self.lock = on_progress, 0, Lock()

    def __call__(self, read: int) -> None:
        """Some bytes were read."""
        with self.lock:
            self.bytes += read
        self.on_progress(read)


def verify(
    dataset: Path,
    *,
    work: Path | None = None,
    ledger: Iterable[LedgerState] = (),
    repair: bool = False,
    on_progress: OnProgress = no_progress,
    threads: int = THREADS,
) -> Report:
    """Read all of a dataset, and of a work folder where one is given.

    ledger: the entries of the work folder's ledger as they were found; repair: bad files of the work folder are moved
    into its quarantine. Raises LookError where the dataset is none, or the work folder is no folder.
    """
    need_dataset(dataset)
    if work is not None and not work.is_dir():
        raise LookError(f"{work} is no folder; the work folder of a run is allowed")
    began, tally = time.perf_counter(), Tally(on_progress)
    check = check_dataset(dataset, tally, threads=threads)
    findings = sorted(set(check.findings))
    if work is not None:
        findings += check_work(work, tally, ledger=ledger, repair=repair, threads=threads)
    return Report(
        findings=tuple(findings),
        notes=tuple(check.notes),
        clips=check.clips,
        files=len(check.files),
        bytes=tally.bytes,
        seconds=time.perf_counter() - began,
    )


def bytes_below(dataset: Path, work: Path | None = None) -> int:
    """How many bytes `verify` is going to read, for whoever shows the progress."""
    files = [file for _, file in regular_files(dataset)]
    store = Store(work) if work is not None else None
    kept = chain(store.blobs(), hashed_files(store.media)) if store is not None else ()
    return sum(size_of(file) or 0 for file in chain(files, (one.path for one in kept)))


def show(report: Report, console: Console) -> None:
    """Print a report: what is bad, then one sentence."""
    if report.findings:
        table = Table(box=None, pad_edge=False)
        table.add_column("file", overflow="fold")
        table.add_column("what is wrong", overflow="fold")
        for finding in report.findings:
            table.add_row(*map(printable, (finding.path, finding.problem)))
        console.print(table, markup=False)
    for note in report.notes:
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    found = f"{len(report.findings)} findings" if report.findings else "all good"
    console.print(
        f"{found}: {report.clips} clips in {report.files} files, {report.bytes / 1e6:.1f} MB read"
        f" in {report.seconds:.1f} s",
        markup=False,
        soft_wrap=True,
    )

"""The files of a dataset: what is there, what seals it, and whether it has the bytes that were sealed."""

import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from manifests.checksums import (
    FILE,
    UNSEALED,
    Checksums,
    ChecksumsError,
    Sealed,
    file_root,
    leads_out,
    read_checksums,
)
from manifests.shards import Member
from pipeline.audit.findings import Finding, OnProgress
from pipeline.audit.reading import FACTS, DatasetFacts
from pipeline.audit.shard_check import ShardState, check_shard

OTHER_BYTES = "its bytes are not those that {} names"


@dataclass(slots=True)
class DatasetCheck:
    """What is known of a dataset so far, and what is wrong with it."""

    folder: Path
    on_progress: OnProgress
    findings: list[Finding] = field(default_factory=list[Finding])
    notes: list[str] = field(default_factory=list[str])
    files: dict[str, int] = field(default_factory=dict[str, int])  # sizes by path
    seals: Checksums | None = None
    facts: DatasetFacts | None = None
    members: dict[str, list[Member]] = field(default_factory=lambda: defaultdict(list))
    revisions: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    clips: int = 0

    def add(self, path: str, problem: str) -> None:
        self.findings.append(Finding(path, problem))

    @property
    def bad(self) -> set[str]:
        """Paths that something was found wrong with."""
        return {finding.path for finding in self.findings}


def list_files(check: DatasetCheck) -> None:
    """Regular files with their sizes; what is a link or no file is a finding and is never opened."""

    def unreadable(error: OSError) -> None:
        check.add(below(check.folder, str(error.filename)), f"cannot be read: {error.strerror}")

    for parent, folders, names in os.walk(check.folder, onerror=unreadable):
        for name in (*folders, *names):
            list_file(check, Path(parent, name))


def list_file(check: DatasetCheck, place: Path) -> None:
    """One entry of a folder."""
    path = below(check.folder, place)
    try:
        facts = place.lstat()
    except OSError as error:
        check.add(path, f"cannot be read: {error.strerror}")
        return
    if stat.S_ISREG(facts.st_mode):
        check.files[path] = facts.st_size
    elif stat.S_ISLNK(facts.st_mode):
        check.add(path, link_problem(check.folder, place))
    elif not stat.S_ISDIR(facts.st_mode):
        check.add(path, "is neither a file nor a folder")


def below(folder: Path, place: str | Path) -> str:
    """A path from the dataset's folder."""
    return Path(place).relative_to(folder).as_posix()


def link_problem(folder: Path, link: Path) -> str:
    """What is wrong with a link: a dataset holds files."""
    try:
        inside = link.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a link to itself
        inside = True
    return "is a link, not a file" if inside else "is a link that leads out of the dataset"


def read_seals(check: DatasetCheck) -> None:
    """checksums.json, and whether it agrees with itself."""
    try:
        check.seals = read_checksums(check.folder) if FILE in check.files else None
    except ChecksumsError as error:
        check.add(FILE, str(error).removeprefix(f"{FILE} "))
        return
    if check.seals is None:
        check.notes.append(
            f"no {FILE}: verified by {FACTS} and the tables alone; what they do not name is not vouched for"
        )
    elif file_root(check.seals.files) != check.seals.root:
        check.add(FILE, "its root is not that of the files it lists")


def read_files(
    check: DatasetCheck, paths: Iterable[str], pool: ThreadPoolExecutor
) -> Iterator[tuple[str, ShardState]]:
    """Each file read whole, several at once; one that cannot be read is a finding."""
    work = partial(read_file, check.folder, check.members, check.on_progress)
    for path, state in pool.map(work, paths):
        if isinstance(state, ShardState):
            yield path, state
        else:
            check.add(path, state)


def read_file(
    folder: Path, members: Mapping[str, Sequence[Member]], on_progress: OnProgress, path: str
) -> tuple[str, ShardState | str]:
    """One file read whole, or why it could not be."""
    try:
        return path, check_shard(folder / path, members.get(path, ()), on_progress)
    except OSError as error:
        return path, f"cannot be read: {error.strerror or error}"


def compare_seal(check: DatasetCheck, path: str, state: ShardState) -> None:
    """A file with its seal."""
    if check.seals is None or path in UNSEALED:
        return
    seal = check.seals.files.get(path)
    if seal is None:
        check.add(path, f"is not in {FILE}")
    elif problem := differs(state, seal, FILE):
        check.add(path, problem)


def differs(state: ShardState, wanted: Sealed, manifest: str) -> str | None:
    """What a manifest says of a file and is not so."""
    if state.bytes != wanted.bytes:
        return f"has {state.bytes} bytes, {manifest} says {wanted.bytes}"
    return OTHER_BYTES.format(manifest) if state.sha256 != wanted.sha256 else None


def find_missing(check: DatasetCheck) -> None:
    """Files that a manifest names and that are not there."""
    named = set(check.members)
    named |= set(check.seals.files) if check.seals else set()
    named |= {shard.path for shard in check.facts.shards} if check.facts else set()
    for path in sorted(named - set(check.files)):
        if leads_out(path):
            check.add(path, "leads out of the dataset; it was not looked at")
        elif path not in check.bad:
            check.add(path, "is missing")


@contextmanager
def reading_threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that end with the file they are at, rather than with the last of all, when the block is left."""
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)

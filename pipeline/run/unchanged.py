"""Whether a run would do anything at all: the hash of all that goes into it, without a record being read."""

import hashlib
import os
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path

import manifests
import pipeline
from manifests.files import sha256_of
from pipeline.config import Run
from pipeline.flow import Flow
from pipeline.run.manifest import NO_PART
from pipeline.sources.locators import Kind, Located
from pipeline.stage import describe, digest


class Listing:
    """The hash of a run's sources, fed one by one: their rows and the state of local files."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.sources = 0

    def add(self, located: Located) -> None:
        """One source more."""
        self.sources += 1
        state = [located.origin.model_dump(mode="json"), state_of(located)]
        self._hash.update(digest(state).encode())

    def digest(self) -> str:
        """The hash of all sources so far."""
        return self._hash.hexdigest()


def state_of(located: Located) -> object:
    """Size, times and inode of a local file; of anything else its address."""
    if located.address.kind is not Kind.LOCAL:
        return hashlib.sha256(located.open_at.encode("utf-8", "surrogateescape")).hexdigest()
    try:
        facts = os.stat(located.address.path)  # noqa: PTH116 - a Path for each of 150,000 sources costs more than the call
    except OSError as error:
        return error.errno
    return [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino]


def run_key(run: Run, flow: Flow, listing: str, files: Iterable[Path]) -> str:
    """Hash of settings, sources, stages with their libraries, rules, the code, and the files that a run goes by."""
    return digest({
        "settings": run.model_dump(mode="json", exclude=NO_PART),
        "listing": listing,
        "stages": [describe(stage) for stage in flow.stages],
        "rules": [describe(rule) for rule in (*flow.source_rules, *flow.clip_rules)],
        "code": code(),
        "files": [sha256_of(file) if file.is_file() else None for file in files],
    })  # fmt: skip


@cache
def code() -> str:
    """Version and state of the package's own files: an edit of the code makes a run necessary."""
    roots = [Path(package.__file__ or "").parent for package in (manifests, pipeline)]
    facts = [
        (str(file.relative_to(root)), file.stat().st_size, file.stat().st_mtime_ns)
        for root in roots
        for file in sorted(root.rglob("*.py"))
    ]
    return digest([version("cospeech"), facts])

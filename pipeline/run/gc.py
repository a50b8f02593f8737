"""Freeing what nothing refers to in a work folder: blobs, media, and, if asked, stale records."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from manifests.record import Clip, Source
from pipeline.config import ConfigError, Run
from pipeline.fetching.lock import read_lock
from pipeline.fetching.store import Folder
from pipeline.flow import Flow
from pipeline.flow import build as build_flow
from pipeline.run.entry import blobs_in
from pipeline.run.keys import key_of, survey_keys
from pipeline.run.ledger import Ledger
from pipeline.run.listing import sources_of
from pipeline.run.recorded import Recorded
from pipeline.run.walk import NotYet, walk_clip, walk_source
from pipeline.run.work import locked
from pipeline.sources.locators import Located
from pipeline.stage import SourceStage, SpanStage
from pipeline.store import Store


@dataclass(slots=True)
class Freed:
    """What was freed, or would be: files and bytes by what they were, and entries of the ledger."""

    files: dict[str, int] = field(default_factory=dict[str, int])
    bytes: dict[str, int] = field(default_factory=dict[str, int])
    entries: int = 0

    def add(self, what: str, file: Path) -> None:
        """Count one file."""
        self.files[what] = self.files.get(what, 0) + 1
        self.bytes[what] = self.bytes.get(what, 0) + file.stat().st_size

    def lines(self) -> list[str]:
        """The counts in words."""
        rows = [
            f"{what}: {count} files, {self.bytes[what] / 2**20:.1f} MiB"
            for what, count in self.files.items()
        ]
        return [
            *rows,
            *([f"stale entries of the ledger: {self.entries}"] if self.entries else []),
        ] or ["nothing to free"]


def collect(run: Run, *, stale: bool, dry: bool, flow: Flow | None = None) -> Freed:
    """Free what nothing refers to. stale: entries too that no walk over the run's sources comes by any more.

    A dataset refers to nothing in its work folder, so none is touched. Raises ConfigError where a run is at work.
    """
    run = run.resolved()
    freed, store = Freed(), Store(run.work_folder)
    with locked(run.work_folder), Ledger.open(run.work_folder) as ledger:
        ledger.ingest(run.work_folder, remove=True)
        if stale:
            reached = Reaching(flow or build_flow(run), ledger, store)
            reached.walk(sources_of(run))
            old = [key for key, _ in ledger.entries() if key not in reached.keys]
            freed.entries = len(old)
            if not dry:
                ledger.remove(old)
        else:
            old = []
        gone = set(old)
        needed = {
            blob.sha256
            for key, entry in ledger.entries()
            if key not in gone
            for blob in blobs_in(entry.section)
        }
        for what, file in unreferred(run, store, needed):
            freed.add(what, file)
            if not dry:
                file.unlink()
    return freed


def unreferred(run: Run, store: Store, needed: set[str]) -> Iterator[tuple[str, Path]]:
    """Every file that nothing refers to, with what it is."""
    for sha256, _, file in store.blobs():
        if sha256 not in needed:
            yield "blobs", file
    for file in sorted((store.root / "quarantine").glob("*")):
        yield "damaged blobs set aside", file
    pinned = {pin.sha256 for pin in read_lock(run.lock_file).pins.values()}
    for file in unclaimed(store.media, pinned):
        yield "fetched media", file


def unclaimed(media: Path, pinned: set[str]) -> Iterator[Path]:
    """Fetched files that neither a receipt nor the lock names."""
    named = pinned | Folder(media).received()
    for file in sorted(media.glob("[0-9a-f][0-9a-f]/*")):
        if file.name.split(".")[0] not in named:
            yield file


@dataclass(slots=True)
class Reaching(Recorded):
    """The record, with every key noted that a walk comes by."""

    keys: set[str] = field(default_factory=set[str])

    def measure_source(self, stage: SourceStage, source: Source, /) -> Source:
        self.keys.add(key_of(stage, source))
        return Recorded.measure_source(self, stage, source)

    def measure_clip(self, stage: SpanStage, clip: Clip, /) -> Clip:
        self.keys.add(key_of(stage, clip))
        return Recorded.measure_clip(self, stage, clip)

    def survey(self, source: Source, /) -> Source:
        self.keys.update(survey_keys(source, self.flow.on_survey))
        return Recorded.survey(self, source)

    def walk(self, sources: Iterable[Located]) -> None:
        """Walk over all sources and their candidates as far as the record goes."""
        for located in sources:
            try:
                outcome = walk_source(self.flow, located, Source(origin=located.origin), self)
            except NotYet as missing:
                if missing.stage == self.flow.fetch.name:
                    raise ConfigError(
                        f"gc: {located.locator} is not here, so what is stale of it cannot be told; "
                        "build first, or leave --stale out"
                    ) from missing
                continue
            for clip in self.flow.candidates(outcome.subject) if outcome.alive else ():
                self.candidate(clip)

    def candidate(self, clip: Clip) -> None:
        """Walk over one candidate as far as the record goes."""
        try:
            walk_clip(self.flow, clip, self)
        except NotYet:
            return

"""One run of `csg-data build`, from settings to exit code."""

import signal
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rich.console import Console

from manifests.record import Blob, Clip, Source
from pipeline.config import ConfigError, Run
from pipeline.fetching.opt_outs import read_opt_outs
from pipeline.flow import Flow, lacking
from pipeline.flow import build as build_flow
from pipeline.run.chosen import changed_backends, taken_line
from pipeline.run.drive import Callbacks, Gathered, measure, silent_hosts
from pipeline.run.finish import Done, finish, identity_file, is_trial
from pipeline.run.ledger import Ledger
from pipeline.run.listing import sources_of
from pipeline.run.outage import Outage
from pipeline.run.progress import Progress, shown
from pipeline.run.report import report, run_facts
from pipeline.run.seals import Committed, intact, remember, remembered, seals_of
from pipeline.run.shrink import WouldShrink, refuse_trial
from pipeline.run.unchanged import Listing, run_key
from pipeline.run.work import check_places, locked, refuse_other_folder
from pipeline.sources.counts import Counts, notes
from pipeline.sources.errors import SourcesUnreachable
from pipeline.store import CorruptBlob, CorruptBlobs, Store

DONE, NOTHING_KEPT, STOPPED, WOULD_SHRINK, INTERRUPTED = 0, 1, 3, 4, 130
"""Exit codes; 2 is a mistake of the user's (`manifests.errors`)."""

ROUNDS = 3
"""Times that a run finds one blob damaged before it takes the store for broken."""


def build(run: Run, console: Console, *, flow: Flow | None = None) -> int:
    """Measure, settle, commit; print the view and the funnel. Returns the exit code. Raises UserError.

    flow: another one than that of the settings.
    """
    asked, run = run, run.resolved()
    check(run, own_flow=flow is None)
    taken = taken_line(asked, run) if flow is None else None
    try:
        with interruptible(), locked(run.work_folder):
            return Building(run, flow or build_flow(run), console, taken).run()
    except (Outage, SourcesUnreachable) as error:
        print_reason(console, f"stopped: {error}; nothing was committed, what was measured is kept")
        return STOPPED
    except WouldShrink as error:
        print_reason(console, str(error))
        return WOULD_SHRINK
    except (
        OSError
    ) as error:  # of this process itself: the dataset or its work folder cannot be written or read
        place = error.filename or run.work_folder
        print_reason(
            console,
            f"stopped: {place}: {error.strerror or error}; the dataset is whole, as it was or new",
        )
        return STOPPED
    except KeyboardInterrupt:
        print_reason(console, "interrupted; what was measured is kept: the same command goes on")
        return INTERRUPTED


def check(run: Run, *, own_flow: bool = True) -> None:
    """Say what cannot be before anything is begun. Raises ConfigError. own_flow: whether the settings make the flow."""
    refuse_other_folder(run.out)
    if run.scheduler is None and own_flow and (found := lacking(run)):
        raise ConfigError("; ".join(found))
    check_places(run)


def print_reason(console: Console, text: str) -> None:
    """One sentence that says why a run ends."""
    console.print(text, style="bold red", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def interruptible() -> Generator[None]:
    """SIGTERM, which schedulers of clusters send, ends the run as Ctrl-C does."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread: whoever runs us there has the signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@dataclass(slots=True)
class Building:
    """A run under way in its work folder."""

    run_: Run
    flow: Flow
    console: Console
    taken: str | None = None
    """Which backends the run takes, in one line."""
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def store(self) -> Store:
        return Store(self.run_.work_folder)

    def run(self) -> int:
        """The run, or what the last one said where nothing has changed since."""
        run = self.run_ = with_sample(self.run_, self.console)
        counts, listing = Counts(), Listing()
        for located in sources_of(run, counts):
            listing.add(located)
        last = remembered(run.work_folder, run.out)
        if last is not None and last.key == self.key(listing) and intact(run.out, last):
            self.console.print(
                "nothing to do: sources, settings and dataset are as the last run left them"
            )
            self.print(last.said)
            return last.code
        refuse_trial(run.out, listing.sources, trial=is_trial(run))
        taken = () if self.taken is None else (self.taken,)
        self.print(taken)
        for line in changed_backends(run) if taken else ():
            self.warn(line)
        progress, gathered, done = self.rounds(listing.sources)
        said = report(
            run, done, gathered, progress, [*taken, *notes(counts), *unmatched(run, gathered)]
        )
        self.print(said)
        code = DONE if done.finished.clips else NOTHING_KEPT
        key = None if gathered.failures else self.key(listing)
        seals = seals_of(run.out)
        remember(
            run.work_folder, run.out, Committed(done.finished.root, seals, key, tuple(said), code)
        )
        return code

    def key(self, listing: Listing) -> str:
        """Hash of all that goes into the run, by now."""
        run = self.run_
        opt_outs = [run.fetch.opt_outs] if run.fetch.opt_outs else []
        files = (run.lock_file, identity_file(run), *opt_outs)
        return run_key(run, self.flow, listing.digest(), files)

    def rounds(self, sources: int) -> tuple[Progress, Gathered, Done]:
        """Measure and finish; where blobs turn out to be damaged, what made them runs once more. Raises Outage."""
        run = self.run_
        with Ledger.open(run.work_folder) as ledger:
            ledger.ingest(run.work_folder, remove=True)  # of runs that were killed
            for note in ledger.notes:
                self.print((note,))
            rounds: Counter[Blob] = Counter()
            while max(rounds.values(), default=0) < ROUNDS:
                progress, gathered = self.measure(sources, ledger)
                damaged = gathered.damaged
                if not damaged:
                    self.judge(gathered)
                    facts = run_facts(self.began, progress, gathered)
                    try:
                        return progress, gathered, finish(run, self.flow, gathered, facts)
                    except CorruptBlobs as error:
                        damaged = [one.blob for one in error.found]
                    except CorruptBlob as error:
                        damaged = [error.blob]
                found = list(dict.fromkeys(damaged))
                self.set_aside(found)
                rounds.update(found)
        raise Outage(f"{run.work_folder} keeps giving other bytes than were written to it")

    def measure(self, sources: int, ledger: Ledger) -> tuple[Progress, Gathered]:
        """One round over all sources."""
        run, flow = self.run_, self.flow
        progress = Progress(sources, flow.steps, frozenset(s.name for s in flow.on_clip))
        callbacks = Callbacks(
            progress.add_outcome,
            progress.add_costs,
            progress.add_candidates,
            progress.set_dashboard,
            self.warn,
        )
        with shown(progress, self.console):
            return progress, measure(run, flow, sources_of(run), ledger, callbacks)

    def judge(self, gathered: Gathered) -> None:
        """Raises Outage where too much failed, or a host or share gave nothing at all."""
        failures, most = gathered.failures, self.run_.max_failed
        if most is not None:
            if len(failures) > most:
                first = f"{failures[0].subject}: {failures[0].error}"
                raise Outage(
                    f"{len(failures)} failed, max_failed allows {most}; the first: {first}"
                )
            return
        if silent := silent_hosts(gathered):
            hosts = ", ".join(f"{host} ({count} sources)" for host, count in sorted(silent.items()))
            reason = next(f.error for f in failures if f.why.value == "unreachable")
            raise Outage(
                f"nothing came from {hosts}: {reason}; --max-failed {len(failures)} commits without them"
            )

    def set_aside(self, damaged: Iterable[Blob]) -> None:
        """Move damaged blobs away, so that what made them runs again."""
        for blob in damaged:
            place = self.store.quarantine(blob)
            what = f"{blob.sha256[:12]}{blob.suffix}"
            self.warn(
                f"{what} in the store is not what was written; it is made again"
                + (f", the bad one is {place}" if place else "")
            )

    def warn(self, text: str) -> None:
        self.console.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)

    def print(self, lines: tuple[str, ...] | list[str]) -> None:
        for line in lines:
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)


def with_sample(run: Run, console: Console) -> Run:
    """Make the built-in sample where it is asked for, and point the run to its list."""
    if not run.sample:
        return run
    from pipeline.sample import make_sample

    folder = run.work_folder / "sample"
    if not folder.is_dir():
        console.print("making the built-in sample…")
    return run.model_copy(update={"sources": str(make_sample(folder))})


def unmatched(run: Run, gathered: Gathered) -> list[str]:
    """A sentence for each line of the opt-out list that left nothing out, which may be misspelt."""
    opt_outs = read_opt_outs(run.fetch.opt_outs)
    sources = [o.subject for o in gathered.sources if isinstance(o.subject, Source)]
    fetched = [source.fetched for source in sources if source.fetched is not None]
    return opt_outs.unmatched(
        locators=[source.origin.locator for source in sources],
        uploaders=[f.page.uploader for f in fetched if f.page and f.page.uploader],
        hashes=[f.sha256 for f in fetched],
        clips=[o.subject.id for o in gathered.outcomes if isinstance(o.subject, Clip)],
        details=[o.drop.detail for o in gathered.sources if o.drop and o.drop.detail],
    )

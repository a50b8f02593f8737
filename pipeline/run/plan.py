"""The plan of a run without running it: which measurements are on record already, which would be made."""

from collections import Counter
from dataclasses import dataclass, field

from rich.console import Group
from rich.table import Table

from manifests.record import Source
from pipeline.config import Run
from pipeline.flow import Flow
from pipeline.run.ledger import Ledger
from pipeline.run.listing import sources_of
from pipeline.run.recorded import Recorded
from pipeline.run.walk import NotYet, Outcome, walk_clip, walk_source
from pipeline.sources.locators import Located
from pipeline.store import Store


@dataclass(slots=True)
class Plan:
    """How many sources and candidates are settled, and where the others stand.

    left: stage that comes next and subject, of each that is to do; what lies behind it is not known yet.
    """

    sources: int = 0
    candidates: int = 0
    left: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    dropped: int = 0
    kept: int = 0

    @property
    def to_do(self) -> Counter[str]:
        """How many wait for each stage."""
        return Counter(stage for stage, _ in self.left)

    def __rich__(self) -> Group:
        table = Table(box=None, pad_edge=False)
        table.add_column("next stage")
        table.add_column("sources or candidates", justify="right")
        for stage, count in self.to_do.items():
            table.add_row(stage, str(count))
        done = (
            "nothing is to do" if not self.to_do else "what follows from work to do is not counted"
        )
        return Group(
            f"{self.sources} sources, {self.candidates} candidates so far: "
            f"{self.kept} clips are ready, {self.dropped} dropped, {self.to_do.total()} to do",
            *([table] if self.to_do else []),
            done,
        )


def plan(run: Run, flow: Flow) -> Plan:
    """Walk the flow over all sources as far as the ledger reaches; measures nothing, fetches nothing."""
    found = Plan()
    with Ledger.open(run.work_folder, read_only=True) as ledger:
        recorded = Recorded(flow, ledger, Store(run.work_folder))
        for located in sources_of(run):
            found.sources += 1
            plan_source(flow, located, recorded, found)
    return found


def plan_source(flow: Flow, located: Located, recorded: Recorded, found: Plan) -> None:
    """One source and its candidates."""
    try:
        outcome = walk_source(flow, located, Source(origin=located.origin), recorded)
    except NotYet as missing:
        found.left.append((missing.stage, located.origin.locator))
        return
    if outcome.drop is not None:
        found.dropped += 1
    for clip in flow.candidates(outcome.subject) if outcome.alive else ():
        found.candidates += 1
        try:
            count(walk_clip(flow, clip, recorded), found)
        except NotYet as missing:
            found.left.append((missing.stage, clip.id))


def count(outcome: Outcome, found: Plan) -> None:
    """One settled candidate."""
    if outcome.alive:
        found.kept += 1
    else:
        found.dropped += 1

"""The plan of a run without running it: which measurements are in the ledger already, which would be made."""

from collections import Counter
from dataclasses import dataclass, field

from rich.console import Group
from rich.table import Table

from manifests.record import Clip, Source
from pipeline.config import Run
from pipeline.run.drive import sources_of
from pipeline.run.step import Bench, Subject, measured
from pipeline.run.survey import held_survey
from pipeline.sources.locators import Located
from pipeline.verdict import Refusal, dropped


class NotYet(Exception):
    """A measurement is not in the ledger."""


@dataclass(slots=True)
class Plan:
    """Counts by stage: what is done, what is to do; what lies behind something to do is not known yet."""

    sources: int = 0
    done: Counter[str] = field(default_factory=Counter[str])
    to_do: Counter[str] = field(default_factory=Counter[str])
    dropped: int = 0
    kept: int = 0

    def __rich__(self) -> Group:
        table = Table(
            box=None, pad_edge=False, title=f"{self.sources} sources", title_justify="left"
        )
        for name in ("stage", "done", "to do"):
            table.add_column(name, justify="left" if name == "stage" else "right")
        for stage in dict.fromkeys([*self.done, *self.to_do]):
            table.add_row(stage, str(self.done[stage]), str(self.to_do[stage] or ""))
        return Group(
            table,
            f"sources and candidates dropped so far: {self.dropped}; clips that are ready: {self.kept}",
            "what follows from work to do is not counted",
        )


def plan(run: Run) -> Plan:
    """Walk the flow over all sources as far as the ledger reaches; measures nothing, fetches nothing."""
    found = Plan()
    bench = Bench.open(run)
    for located in sources_of(run):
        found.sources += 1
        plan_source(bench, located, found)
    return found


def plan_source(bench: Bench, located: Located, found: Plan) -> None:
    """One source and its candidates."""
    flow = bench.flow
    fetched = flow.fetch.held(located, bench.store)
    if fetched is None:
        found.to_do[flow.fetch.name] += 1
        return
    found.done[flow.fetch.name] += 1
    source = Source(origin=located.origin, fetched=fetched)
    for stage in flow.on_source:
        try:
            source = measured(bench, stage, source, not_yet)
        except NotYet:
            found.to_do[stage.name] += 1
            return
        except Refusal:
            found.done[stage.name] += 1
            found.dropped += 1
            return
        found.done[stage.name] += 1
        if dropped(flow.decide(source)):
            found.dropped += 1
            return
    if not flow.spans.worth_a_look(source):
        return
    surveyed = held_survey(source, flow.on_survey, bench.ledger)
    if surveyed is None:
        found.to_do["survey"] += 1
        return
    found.done["survey"] += 1
    if dropped(flow.decide(surveyed)):
        found.dropped += 1
        return
    for clip in flow.spans(surveyed):
        plan_clip(bench, clip, found)


def plan_clip(bench: Bench, clip: Clip, found: Plan) -> None:
    """One candidate."""
    for stage in bench.flow.on_clip:
        if dropped(bench.flow.decide(clip)):
            found.dropped += 1
            return
        try:
            clip = measured(bench, stage, clip, not_yet)
        except NotYet:
            found.to_do[stage.name] += 1
            return
        except Refusal:
            found.done[stage.name] += 1
            found.dropped += 1
            return
        found.done[stage.name] += 1
    if dropped(bench.flow.decide(clip)):
        found.dropped += 1
    else:
        found.kept += 1


def not_yet(subject: Subject) -> Subject:
    """Stands where a stage would measure."""
    raise NotYet

"""The state of a run: what is on record, what is left, what is stale and why; and what the dataset was made with."""

import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.console import Console

from pipeline.config import Run
from pipeline.flow import Flow
from pipeline.flow import build as build_flow
from pipeline.run.chosen import taken_line
from pipeline.run.ledger import Ledger
from pipeline.run.plan import Plan, plan
from pipeline.stage import describe

SHOWN = 10


def state(run: Run, *, flow: Flow | None = None) -> Iterator[str]:
    """The state in lines. Nothing is measured, fetched or changed."""
    asked, run = run, run.resolved()
    if flow is None:
        yield taken_line(asked, run)
    flow = flow or build_flow(run)
    if run.sample:
        listed = run.work_folder / "sample" / "sources.csv"
        if not listed.is_file():
            yield "the built-in sample is not made yet: everything is to do"
            return
        run = run.model_copy(update={"sources": str(listed)})
    found = plan(run, flow)
    yield from text_of(found)
    yield from stale(run, found)
    yield from made_with(run.out, run, flow)


def text_of(found: Plan) -> list[str]:
    """A plan as lines."""
    stream = io.StringIO()
    Console(file=stream, width=200, color_system=None).print(found)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def stale(run: Run, found: Plan) -> Iterator[str]:
    """What is to do although it is on record: the record is of other bytes, settings, weights or versions."""
    if not found.left:
        return
    with Ledger.open(run.work_folder, read_only=True) as ledger:
        known = {(entry.stage, entry.subject) for _, entry in ledger.entries()}
    again = [left for left in found.left if left in known]
    if again:
        named = ", ".join(f"{stage} of {subject}" for stage, subject in again[:SHOWN])
        yield (
            f"stale: {len(again)} of these are on record for other bytes, settings, weights or versions: {named}"
            + (", …" if len(again) > SHOWN else "")
        )


def made_with(dataset: Path, run: Run, flow: Flow) -> Iterator[str]:
    """How the stages, rules and counts of the dataset differ from what the settings say now."""
    try:
        content = json.loads((dataset / "dataset.json").read_text(encoding="utf-8"))
        stages, rules, root = content["stages"], content["rules"], content["root"]
    except FileNotFoundError:
        yield f"{dataset} is not built yet"
        return
    except (OSError, ValueError, KeyError, TypeError):
        yield f"{dataset}/dataset.json cannot be read: csg-data verify says more"
        return
    yield f"{dataset} has root {root}, {content['counts']['clips']} clips"
    now = {stage.name: describe(stage) for stage in flow.stages if stage.name != flow.fetch.name}
    for name in dict.fromkeys([*stages, *now]):
        yield from differences(name, stages.get(name), json.loads(json.dumps(now.get(name))))
    before = {rule["why"]: {"training_only": False, **rule} for rule in rules}
    for rule in (*flow.source_rules, *flow.clip_rules):
        described = json.loads(json.dumps(describe(rule)))
        yield from differences(f"rules.{rule.why}", before.get(str(rule.why)), described)


def differences(name: str, before: object, now: object) -> Iterator[str]:
    """Each value that differs between two descriptions, by its dotted name."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*before, *now]):
            yield from differences(f"{name}.{key}", before.get(key), now.get(key))
    elif before != now:
        yield f"  changed since: {name}: {before} → {now}"

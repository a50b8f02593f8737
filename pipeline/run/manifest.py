"""The manifests of a dataset: its three tables, dataset.json and the card, from gathered and settled outcomes."""

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from manifests import tables
from manifests.files import write_whole
from manifests.record import SCHEMA_VERSION, Clip, Decision, Source, Synthetic, Verdict, Why
from manifests.shards import FAMILIES
from pipeline.audit.account import Account, account, account_whole
from pipeline.audit.card import card
from pipeline.config import Run
from pipeline.flow import Flow
from pipeline.run.drive import Gathered
from pipeline.run.settle import Settled
from pipeline.run.walk import Outcome
from pipeline.stage import describe
from pipeline.stages.s140_pack import Packed
from pipeline.verdict import OWN, decision, failed

HOW = {
    "sources",
    "out",
    "work",
    "lock",
    "update_lock",
    "workers",
    "scheduler",
    "dashboard",
    "retries",
    "step_minutes",
    "allow_shrink",
    "max_failed",
    "keep_versions",
    "worker_wait",
    "silent_seconds",
}
"""What of a run's settings says how, not what: no part of the dataset or of its root hash."""
NO_PART = {
    **dict.fromkeys(HOW, True),
    "fetch": {"breaker_after": True, "breaker_pause": True},
    "speech": {"weights": True},
    "pose": {"weights": True, "detector": True},
    "sync": {"weights": True},
}
"""The same for pydantic, with what of other sections is of this kind: where weights lie; a stage has their hash."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a run made."""

    account: Account
    sources: int
    sources_dropped: Mapping[Why, int]
    clips: tuple[Clip, ...]
    failures: int
    root: str


def write_manifests(
    run: Run, flow: Flow, gathered: Gathered, settled: Settled, packed: Packed, folder: Path
) -> Finished:
    """Write the three tables, dataset.json and the card of what was packed in `folder`."""
    accounts = {
        o.subject.origin.locator: account_of(flow, o, gathered, settled) for o in gathered.sources
    }
    rows = {
        "clips": [tables.clip_row(clip, packed.members[clip.id]) for clip in packed.clips],
        "decisions": [tables.decision_row(d) for d in all_decisions(flow, gathered, settled)],
        "sources": [
            tables.source_row(o.subject, counts(accounts[o.subject.origin.locator]))
            for o in gathered.sources
            if isinstance(o.subject, Source)
        ],
    }
    rows["clips"].sort(key=lambda row: str(row["id"]))
    rows["sources"].sort(key=lambda row: str(row["locator"]))
    rows["decisions"].sort(key=lambda row: json.dumps(row, sort_keys=True))
    schemas = {"clips": tables.CLIPS, "decisions": tables.DECISIONS, "sources": tables.SOURCES}
    for name, schema in schemas.items():
        tables.write(rows[name], schema, folder / f"{name}.parquet")
    members = [member for by_file in packed.members.values() for member in by_file.values()]
    root = tables.root_hash(members, rows)
    total = sum(accounts.values(), Account())
    facts = dataset_facts(run, flow, packed, total, len(gathered.sources), root)
    text = json.dumps(facts, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    write_whole(folder / "dataset.json", text)
    finished = Finished(
        account=total,
        sources=len(gathered.sources),
        sources_dropped=dropped_sources(gathered),
        clips=packed.clips,
        failures=len(gathered.failures),
        root=root,
    )
    write_whole(folder / "README.md", card(run, flow, finished))
    return finished


def account_of(flow: Flow, outcome: Outcome, gathered: Gathered, settled: Settled) -> Account:
    """The account of one source from its outcome and its candidates'."""
    source = outcome.subject
    if not isinstance(source, Source):
        raise TypeError("an account is of a source")
    frames = source.media.grid_frames if source.media else 0
    if outcome.failure is not None:
        return account_whole(frames, outcome.failure.why)
    if outcome.drop is not None:
        return account_whole(frames, outcome.drop.reason or Why.FAILED)
    candidates = [
        (clip.subject.span, drop_of(flow, clip, settled))
        for clip in gathered.clips_of(source)
        if isinstance(clip.subject, Clip)
    ]
    return account(flow.spans.leftovers(source), candidates)


def drop_of(flow: Flow, outcome: Outcome, settled: Settled) -> Decision | None:
    """What a candidate was dropped for, in its own step or by the set stages."""
    if outcome.failure is not None:
        return failed(
            outcome.subject, outcome.failure, version=flow.versions[outcome.failure.stage]
        )
    clip = outcome.subject
    late = settled.drops.get((clip.id, clip.origin.locator)) if isinstance(clip, Clip) else None
    return outcome.drop or late


def all_decisions(flow: Flow, gathered: Gathered, settled: Settled) -> Iterator[Decision]:
    """Every row of decisions.parquet; what a failure said stays in run.json."""
    for outcome in gathered.outcomes:
        yield from outcome.decisions
        if isinstance(outcome.subject, Source) and outcome.alive:
            yield from unused(outcome.subject, flow)
        if outcome.failure is not None:
            yield failed(
                outcome.subject, outcome.failure, version=flow.versions[outcome.failure.stage]
            ).model_copy(update={"detail": None})
    yield from settled.drops.values()


def unused(source: Source, flow: Flow) -> Iterator[Decision]:
    """A row for each stretch of a source that came into no candidate."""
    start = 0
    for why, frames in itertools.groupby(flow.spans.leftovers(source)):
        stop = start + len(list(frames))
        if why is not None:
            row = decision(
                source,
                stage=(flow.spans.name, flow.spans.version),
                backend=OWN,
                measurement=f"spans.{why}",
                value=float(stop - start),
                unit="frames at 25 FPS",
                comparator="",
                threshold=None,
                verdict=Verdict.DROPPED,
                reason=why,
            )
            yield row.model_copy(update={"start": start, "stop": stop})
        start = stop


def counts(tally: Account) -> dict[str, object]:
    """The counting columns of a source's row."""
    return {
        "frames_kept": tally.kept,
        "frames_dropped": json.dumps({str(why): n for why, n in sorted(tally.dropped.items())}),
        "person_frames": tally.person_frames,
        "person_frames_kept": tally.person_kept,
        "person_frames_dropped": json.dumps(
            {str(why): n for why, n in sorted(tally.person_dropped.items())}
        ),
    }


def dropped_sources(gathered: Gathered) -> dict[Why, int]:
    """How many sources were dropped as a whole, by reason."""
    found: dict[Why, int] = {}
    for outcome in gathered.sources:
        why = (
            outcome.failure.why
            if outcome.failure
            else outcome.drop.reason
            if outcome.drop
            else None
        )
        if why is not None:
            found[why] = found.get(why, 0) + 1
    return found


def dataset_facts(
    run: Run, flow: Flow, packed: Packed, total: Account, sources: int, root: str
) -> dict[str, object]:
    """What dataset.json says."""
    return {
        "schema_version": SCHEMA_VERSION,
        "name": run.name,
        "root": root,
        "settings": run.model_dump(mode="json", exclude=NO_PART),
        "stages": {stage.name: describe(stage) for stage in flow.stages if stage.name != "fetch"},
        "rules": [describe(rule) for rule in (*flow.source_rules, *flow.clip_rules)],
        "families": {name: list(endings) for name, endings in FAMILIES.items()},
        "counts": {
            "sources": sources,
            "clips": len(packed.clips),
            "splits": {
                side: sum(clip.split == side for clip in packed.clips)
                for side in ("train", "val", "test")
            },
            "training_only": sum(clip.use == "train" for clip in packed.clips),
            "synthetic": {
                mark: sum(clip.origin.synthetic == mark for clip in packed.clips)
                for mark in get_args(Synthetic)
            },
            "identities": len({clip.identity.group for clip in packed.clips if clip.identity}),
            "frames": total.frames,
            "frames_kept": total.kept,
            "frames_dropped": {str(why): n for why, n in sorted(total.dropped.items())},
            "person_frames": total.person_frames,
            "person_frames_kept": total.person_kept,
            "person_frames_dropped": {
                str(why): n for why, n in sorted(total.person_dropped.items())
            },
        },
        "shards": [
            {"path": s.path, "bytes": s.bytes, "sha256": s.sha256, "content": s.content}
            for s in packed.shards
        ],
    }

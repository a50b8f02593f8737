"""From gathered outcomes to a dataset on disk: identities, split, shards, manifests, card; whole or not at all."""

import itertools
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from manifests import tables
from manifests.files import write_whole
from manifests.record import SCHEMA_VERSION, Clip, Decision, Source, Verdict, Why
from manifests.shards import FAMILIES
from pipeline.audit.account import Account, account, account_whole
from pipeline.audit.card import card
from pipeline.config import Run
from pipeline.fetching import read_lock, write_lock
from pipeline.flow import Flow, build
from pipeline.run.drive import Gathered
from pipeline.run.step import Outcome
from pipeline.stage import describe
from pipeline.stages.s120_identity import read_names, write_names
from pipeline.stages.s140_pack import Packed
from pipeline.store import Store
from pipeline.verdict import OWN, StageVersion, decision, failed

# What of a run's settings says how, not what: no part of the dataset or of its root hash.
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
}


@dataclass(frozen=True, slots=True)
class Finished:
    """What a run made."""

    account: Account
    sources: int
    sources_dropped: Mapping[Why, int]
    clips: tuple[Clip, ...]
    failures: int
    root: str


@dataclass(frozen=True, slots=True)
class Settled:
    """The clips that survived the set stages, and the drops that those made."""

    kept: tuple[Clip, ...]
    drops: Mapping[tuple[str, str], Decision]
    names: Mapping[str, str]


def finish(run: Run, gathered: Gathered) -> Finished:
    """Settle who is in the set, write the dataset beside its place, and put it there in one move."""
    flow, store = build(run), Store(run.work_folder)
    names_file = run.lock_file.with_name("identities.json")
    settled = settle(flow, gathered, store, read_names(names_file))
    with replacing_folder(run.out) as folder:
        packed = flow.pack(settled.kept, store, folder, earlier=run.out)
        finished = write_manifests(run, flow, gathered, settled, packed, folder)
    write_names(names_file, settled.names)
    pin(run, gathered)
    return finished


def pin(run: Run, gathered: Gathered) -> None:
    """Write into the lock file which bytes each locator stood for."""
    fetched = [
        (o.subject.origin.locator, o.subject.fetched)
        for o in gathered.sources
        if isinstance(o.subject, Source) and o.subject.fetched is not None
    ]
    write_lock(run.lock_file, read_lock(run.lock_file).with_fetched(fetched))


def settle(flow: Flow, gathered: Gathered, store: Store, frozen: Mapping[str, str]) -> Settled:
    """Identity, duplicates and split over all clips that no rule dropped."""
    drops: dict[tuple[str, str], Decision] = {}
    unique: dict[str, Clip] = {}
    survivors = sorted(
        (o.subject for o in gathered.outcomes if isinstance(o.subject, Clip) and alive(o)),
        key=lambda clip: (clip.id, clip.origin.locator),
    )
    for clip in survivors:
        first = unique.setdefault(clip.id, clip)
        if first is not clip:
            drops[clip.id, clip.origin.locator] = whole(
                clip,
                (flow.identity.name, flow.identity.version),
                Why.DUPLICATE,
                first.origin.locator,
            )
    grouping = flow.identity(tuple(unique.values()), store, frozen)
    kept: list[Clip] = []
    for clip in grouping.clips:
        if len({flow.split.side(name) for name in grouping.tied.get(clip.id, ())}) > 1:
            drops[clip.id, clip.origin.locator] = whole(
                clip, (flow.split.name, flow.split.version), Why.BOTH_SIDES, None
            )
        elif clip.identity is not None:
            kept.append(clip.model_copy(update={"split": flow.split.side(clip.identity.group)}))
    return Settled(tuple(kept), drops, grouping.names)


def alive(outcome: Outcome) -> bool:
    """Whether every stage has measured the clip and no rule dropped it."""
    return outcome.failure is None and outcome.drop is None


def whole(clip: Clip, stage: StageVersion, why: Why, detail: str | None) -> Decision:
    """The row of a clip that a set stage leaves out."""
    return decision(
        clip,
        stage=stage,
        backend=OWN,
        measurement=f"{stage[0]}.{why}",
        value=1.0,
        unit="",
        comparator="<=",
        threshold=0.0,
        verdict=Verdict.DROPPED,
        reason=why,
        detail=detail,
    )


def write_manifests(
    run: Run, flow: Flow, gathered: Gathered, settled: Settled, packed: Packed, folder: Path
) -> Finished:
    """The three tables, dataset.json, the card and run.json."""
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
    members = [member for held in packed.members.values() for member in held.values()]
    root = tables.root_hash(members, rows)
    total = sum(accounts.values(), Account())
    facts = dataset_facts(run, flow, packed, total, len(gathered.sources), root)
    (folder / "dataset.json").write_text(
        json.dumps(facts, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    )
    finished = Finished(
        account=total,
        sources=len(gathered.sources),
        sources_dropped=dropped_sources(gathered),
        clips=packed.clips,
        failures=len(gathered.failures),
        root=root,
    )
    (folder / "README.md").write_text(card(run, flow, finished))
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
        if isinstance(outcome.subject, Source) and alive(outcome):
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
        "settings": run.model_dump(mode="json", exclude=HOW),
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


def write_run_facts(out: Path, facts: Mapping[str, object]) -> None:
    """run.json: times, hosts, failures; outside the root hash."""
    write_whole(out / "run.json", json.dumps(facts, indent=2, ensure_ascii=False) + "\n")


@contextmanager
def replacing_folder(out: Path) -> Iterator[Path]:
    """A new folder beside `out`, moved into its place when the block ends well; the old one goes only then."""
    out.parent.mkdir(parents=True, exist_ok=True)
    restore(out)
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.new-", dir=out.parent))
    folder.chmod(0o755)
    try:
        yield folder
        if out.exists():
            out.replace(aside(out))
        folder.replace(out)
        shutil.rmtree(aside(out), ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def restore(out: Path) -> None:
    """Undo a move that was cut between its two halves."""
    if aside(out).exists():
        if out.exists():
            shutil.rmtree(aside(out))
        else:
            aside(out).replace(out)


def aside(out: Path) -> Path:
    """Where the old dataset stands for the moment of the move."""
    return out.with_name(f".{out.name}.old")

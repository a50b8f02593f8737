"""From gathered outcomes to a committed dataset: settled, compared with the one that is there, packed, moved."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from manifests.checksums import FILE as CHECKSUMS
from manifests.checksums import write_checksums
from manifests.files import write_whole
from manifests.record import Source
from pipeline.config import Run
from pipeline.fetching.lock import read_lock, write_lock
from pipeline.fetching.opt_outs import read_opt_outs
from pipeline.flow import Flow
from pipeline.identities import NAME as IDENTITIES
from pipeline.identities import Frozen, read_frozen, write_frozen
from pipeline.run.commit import commit, locked, new_folder
from pipeline.run.drive import Gathered
from pipeline.run.manifest import Finished, write_manifests
from pipeline.run.seals import intact, remembered
from pipeline.run.settle import Settled, settle
from pipeline.run.shrink import Loss, check, earlier_clips, losses, sides_in
from pipeline.sources.lists import is_explicit
from pipeline.store import Store


@dataclass(frozen=True, slots=True)
class Done:
    """What a run made, who is where in it, what of the dataset that was there is gone, and whether that is replaced."""

    finished: Finished
    settled: Settled
    gone: tuple[Loss, ...]
    replaced: bool


def finish(run: Run, flow: Flow, gathered: Gathered, facts: Mapping[str, object]) -> Done:
    """Settle who is in the set, write it beside its place, and put it there in one move.

    facts: what run.json says. Raises WouldShrink; CorruptBlob and CorruptBlobs, after which what made them must run
    again. Nothing is changed before the move, apart from names and sides that are frozen with it.
    """
    store, identities = Store(run.work_folder), identity_file(run)
    with locked(run.out), new_folder(run.out) as folder:
        frozen = read_frozen(identities, flow.split.side)
        if not identities.exists():
            frozen = Frozen(sides=sides_in(run.out))  # the work folder is new, the people are not
        settled = settle(flow, gathered, store, frozen, read_opt_outs(run.fetch.opt_outs))
        found = losses(
            earlier_clips(run.out),
            gathered,
            settled,
            explicit=is_explicit(run.sources),
            new_bytes=run.update_lock,
        )
        check(found, allow=run.allow_shrink, trial=is_trial(run))
        before = remembered(run.work_folder, run.out)
        seals = before.seals if before is not None else {}
        packed = flow.pack(settled.kept, store, folder, earlier=run.out, seals=seals)
        finished = write_manifests(run, flow, gathered, settled, packed, folder)
        write_checksums(folder, {shard.path: shard.sha256 for shard in packed.shards})
        write_frozen(identities, settled.frozen)
        same = before is not None and intact(run.out, before) and same_bytes(folder, run.out)
        text = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
        write_whole((run.out if same else folder) / "run.json", text)
        if not same:
            commit(folder, run.out, keep=run.keep_versions)
        pin(run, gathered)
    return Done(finished, settled, tuple(found), replaced=not same)


def identity_file(run: Run) -> Path:
    """The file beside the lock that freezes names and sides."""
    return run.lock_file.with_name(IDENTITIES)


def is_trial(run: Run) -> bool:
    """Whether a run is made to try something out, so that it takes no clip from any dataset."""
    return run.limit is not None or run.sample


def same_bytes(folder: Path, out: Path) -> bool:
    """Whether two versions of a dataset have the same checksums."""
    one, other = folder / CHECKSUMS, out / CHECKSUMS
    return other.is_file() and one.read_bytes() == other.read_bytes()


def pin(run: Run, gathered: Gathered) -> None:
    """Write into the lock file which bytes each locator stood for."""
    fetched = [
        (o.subject.origin.locator, o.subject.fetched)
        for o in gathered.sources
        if isinstance(o.subject, Source) and o.subject.fetched is not None
    ]
    write_lock(run.lock_file, read_lock(run.lock_file).with_fetched(fetched))

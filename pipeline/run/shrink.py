"""What a commit would take away from the dataset that is there, and whether anything that may do so says so.

A clip may go because a rule, an opt-out or a licence setting drops it, because it turned out to be a duplicate or tied
to two speakers, because its source is cut otherwise by settings, or because an explicit list names its source no more.
Whatever else takes it away looks like something that broke.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from manifests.record import Clip, Source, SplitName, Why
from pipeline.rules import RULES
from pipeline.run.drive import Gathered
from pipeline.run.settle import Settled
from pipeline.run.walk import Outcome

MAY_DROP = frozenset(
    {rule.why for rule in RULES}
    | {Why.LICENCE, Why.OPTED_OUT, Why.DUPLICATE, Why.BOTH_SIDES, Why.HELD_OUT}
    | {Why.TURN_TOO_SHORT, Why.SHOT_TOO_SHORT, Why.SPAN_TOO_SHORT}
)
"""Reasons that are decisions over measurements or over what the user has written down."""
SHOWN = 5


class WouldShrink(Exception):
    """A commit would lose clips that nothing may take away; the message names them and why they would go."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """One clip of the dataset that is there."""

    id: str
    locator: str
    sha256: str
    start: int
    frames: int


@dataclass(frozen=True, slots=True)
class Loss:
    """A clip that would go, the cause in words, and whether it may."""

    clip: Earlier
    cause: str
    allowed: bool


def earlier_clips(dataset: Path) -> list[Earlier]:
    """The clips of a finished dataset; none where there is none. Raises WouldShrink where they cannot be read."""
    file = dataset / "clips.parquet"
    if not (dataset / "dataset.json").is_file():
        return []
    try:
        rows = pq.read_table(file, columns=["id", "locator", "sha256", "start", "frames"])
    except (OSError, pa.ArrowException, KeyError) as error:
        raise WouldShrink(
            f"{file} cannot be read ({error}), so nothing tells what would be lost"
        ) from error
    return [Earlier(**row) for row in rows.to_pylist()]


def sides_in(dataset: Path) -> dict[str, SplitName]:
    """The side of each identity group of a finished dataset. Raises WouldShrink as `earlier_clips` does."""
    if not earlier_clips(dataset):
        return {}
    rows = pq.read_table(dataset / "clips.parquet", columns=["identity", "split"]).to_pylist()
    return {row["identity"]: row["split"] for row in rows if row["identity"] and row["split"]}


def losses(
    earlier: Iterable[Earlier],
    gathered: Gathered,
    settled: Settled,
    *,
    explicit: bool,
    new_bytes: bool,
) -> list[Loss]:
    """Every clip that would go.

    explicit: whether the sources come from a list, so that a source that is not named any more was taken out of it by
    somebody; new_bytes: whether the user has accepted that sources hold other bytes than before.
    """
    kept = {clip.id for clip in settled.kept}
    sources = {
        o.subject.origin.locator: o for o in gathered.sources if isinstance(o.subject, Source)
    }
    return [
        Loss(
            clip,
            *cause_of(clip, sources, gathered, settled, explicit=explicit, new_bytes=new_bytes),
        )
        for clip in earlier
        if clip.id not in kept
    ]


def cause_of(
    clip: Earlier,
    sources: Mapping[str, Outcome],
    gathered: Gathered,
    settled: Settled,
    *,
    explicit: bool,
    new_bytes: bool,
) -> tuple[str, bool]:
    """Why one clip would go, and whether that may take it away."""
    outcome = sources.get(clip.locator)
    if outcome is None:
        return (
            ("its source is not in the list any more", True)
            if explicit
            else ("its source is gone", False)
        )
    if outcome.failure is not None:
        return f"its source failed: {outcome.failure.error}", False
    source = outcome.subject
    if outcome.drop is not None:
        why = outcome.drop.reason or Why.FAILED
        return f"its source is dropped: {why}", why in MAY_DROP
    if isinstance(source, Source) and source.fetched and source.fetched.sha256 != clip.sha256:
        return "its source holds other bytes", new_bytes
    return cause_in(clip, gathered.clips.get(clip.locator, []), settled)


def cause_in(clip: Earlier, candidates: Iterable[Outcome], settled: Settled) -> tuple[str, bool]:
    """Why a clip of a source that was measured whole would go: what became of the candidates over its frames."""
    stop = clip.start + clip.frames
    for outcome in candidates:
        new = outcome.subject
        if not isinstance(new, Clip) or new.span.stop <= clip.start or new.span.start >= stop:
            continue
        if outcome.failure is not None:
            return f"it failed in {outcome.failure.stage}: {outcome.failure.error}", False
        drop = outcome.drop or settled.drops.get((new.id, clip.locator))
        why = (drop.reason or Why.FAILED) if drop is not None else None
        if why is not None and (new.id == clip.id or why not in MAY_DROP):
            return f"dropped: {why}", why in MAY_DROP
    return "its source is cut otherwise", True


def check(found: list[Loss], *, allow: bool, trial: bool) -> None:
    """Raises WouldShrink where clips would go that may not. A trial run never takes any, whatever is allowed."""
    lost = found if trial else [loss for loss in found if not loss.allowed]
    if not lost or (allow and not trial):
        return
    cure = (
        "a trial run (--limit, the sample) needs another --out"
        if trial
        else "--allow-shrink commits all the same"
    )
    names = ", ".join(f"{loss.clip.id} of {loss.clip.locator}" for loss in lost[:SHOWN])
    raise WouldShrink(
        f"{len(lost)} clips of the dataset would be lost: {by_cause(lost)} ({names}"
        f"{', …' if len(lost) > SHOWN else ''}); nothing was committed; {cure}"
    )


def by_cause(lost: Sequence[Loss]) -> str:
    """How many clips go for which cause, the most frequent first."""
    causes = Counter(loss.cause for loss in lost)
    words = [f"{count} × {cause}" for cause, count in causes.most_common(SHOWN)]
    more = [f"and {len(causes) - SHOWN} other causes"] if len(causes) > SHOWN else []
    return "; ".join([*words, *more])


def refuse_trial(out: Path, sources: int, *, trial: bool) -> None:
    """Say before anything is measured that a trial run has fewer sources than the dataset. Raises WouldShrink."""
    if not trial:
        return
    there = sources_in(out)
    if there > sources:
        raise WouldShrink(
            f"{out} is a dataset of {there} sources and this trial run (--limit, the sample) has {sources}; "
            "another --out is needed"
        )


def sources_in(dataset: Path) -> int:
    """How many sources a finished dataset was made of; 0 where there is none."""
    try:
        content = json.loads((dataset / "dataset.json").read_text(encoding="utf-8"))
        return int(content["counts"]["sources"]) if content["counts"]["clips"] else 0
    except (OSError, ValueError, KeyError, TypeError):
        return 0

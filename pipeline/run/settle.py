"""Settling: who is in the set, over all clips that no rule dropped; identities, duplicates, split."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from manifests.record import Clip, Decision, Verdict, Why
from pipeline.fetching.opt_outs import OptOuts
from pipeline.flow import Flow
from pipeline.identities import Frozen
from pipeline.run.drive import Gathered
from pipeline.stage import Named
from pipeline.store import Store
from pipeline.verdict import OWN, decision, for_training_only


@dataclass(frozen=True, slots=True)
class Settled:
    """The clips that survived the set stages, the drops that those made by clip id and locator, what is frozen now."""

    kept: tuple[Clip, ...]
    drops: Mapping[tuple[str, str], Decision]
    frozen: Frozen
    notes: tuple[str, ...] = ()


def settle(
    flow: Flow, gathered: Gathered, store: Store, frozen: Frozen, opt_outs: OptOuts
) -> Settled:
    """Opt-outs of clips, duplicates, identity and split. Raises CorruptBlob.

    Of a person who is in val or test, clips for training only are left out: to learn from them would leak the person.
    """
    drops: dict[tuple[str, str], Decision] = {}

    def leave_out(clip: Clip, stage: Named, why: Why, detail: str | None = None) -> None:
        drops[clip.id, clip.origin.locator] = whole(clip, stage, why, detail)

    wanted: list[Clip] = []
    for clip in survivors(gathered):
        if clip.id in opt_outs.clips:
            leave_out(clip, flow.fetch, Why.OPTED_OUT, f"on {opt_outs.where}")
        else:
            wanted.append(clip)
    unique: dict[str, Clip] = {}
    for clip in wanted:
        if (first := unique.setdefault(clip.id, clip)) is not clip:
            leave_out(clip, flow.identity, Why.DUPLICATE, first.origin.locator)
    grouping = flow.identity(tuple(unique.values()), store, frozen.voices)
    people = frames_by_group(clip for clip in grouping.clips if clip.use == "all")
    trained = sorted(frames_by_group(grouping.clips).keys() - people.keys())
    assigned = flow.split.assign(people, frozen.sides, trained)
    kept: list[Clip] = []
    for clip in grouping.clips:
        tied = grouping.tied.get(clip.id, ())
        if len({assigned.side(name) for name in tied}) > 1:
            leave_out(clip, flow.split, Why.BOTH_SIDES)
        elif clip.identity is not None:
            side = assigned.side(clip.identity.group)
            if clip.use == "train" and side != "train":
                leave_out(
                    clip, flow.split, Why.HELD_OUT, f"for training only, its person is in {side}"
                )
            else:
                kept.append(clip.model_copy(update={"split": side}))
    return Settled(
        tuple(kept),
        drops,
        Frozen(voices=dict(grouping.names), sides=dict(assigned.frozen)),
        assigned.notes,
    )


def survivors(gathered: Gathered) -> list[Clip]:
    """Every clip that no rule dropped, with its use, in an order that does not depend on the run's."""
    clips = (
        o.subject.model_copy(update={"use": "train" if for_training_only(o.decisions) else "all"})
        for o in gathered.outcomes
        if isinstance(o.subject, Clip) and o.alive
    )
    return sorted(clips, key=lambda clip: (clip.id, clip.origin.locator))


def frames_by_group(clips: Iterable[Clip]) -> dict[str, int]:
    """Frames of each identity group."""
    frames: dict[str, int] = {}
    for clip in clips:
        if clip.identity is not None:
            frames[clip.identity.group] = frames.get(clip.identity.group, 0) + clip.span.frames
    return frames


def whole(clip: Clip, stage: Named, why: Why, detail: str | None) -> Decision:
    """The row of a clip that is left out as it is, for what it has to do with others or with a list."""
    return decision(
        clip,
        stage=(stage.name, stage.version),
        backend=OWN,
        measurement=f"{stage.name}.{why}",
        value=1.0,
        unit="",
        comparator="<=",
        threshold=0.0,
        verdict=Verdict.DROPPED,
        reason=why,
        detail=detail,
    )

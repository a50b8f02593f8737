"""The accounting: every grid frame of a source is kept or has one reason, and the sums are exact (DESIGN rule 4)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from manifests.record import Decision, Span, Why

ORDER = {why: place for place, why in enumerate(Why)}


@dataclass(frozen=True, slots=True)
class Account:
    """Frames of one source or of many; all counts are grid frames at 25 FPS.

    frames = kept + sum(dropped) and person_frames = person_kept + sum(person_dropped), always.
    """

    frames: int = 0
    kept: int = 0
    dropped: Mapping[Why, int] = field(default_factory=dict[Why, int])
    person_frames: int = 0
    person_kept: int = 0
    person_dropped: Mapping[Why, int] = field(default_factory=dict[Why, int])

    def __add__(self, other: "Account") -> "Account":
        return Account(
            self.frames + other.frames,
            self.kept + other.kept,
            dict(Counter(self.dropped) + Counter(other.dropped)),
            self.person_frames + other.person_frames,
            self.person_kept + other.person_kept,
            dict(Counter(self.person_dropped) + Counter(other.person_dropped)),
        )


def account_whole(frames: int, why: Why) -> Account:
    """A source that was dropped as a whole, for one reason."""
    return Account(frames=frames, dropped={why: frames} if frames else {})


def account(
    leftovers: Sequence[Why | None], candidates: Iterable[tuple[Span, Decision | None]]
) -> Account:
    """The account of one source.

    leftovers: per grid frame, why it is in no candidate, or None where it is in one; candidates: each with the decision
    that dropped it, or None where it is kept. A frame in several candidates is kept if any of them is, else it takes
    the reason that lies furthest along the flow.
    """
    candidates = list(candidates)
    reasons = list(leftovers)
    kept = [False] * len(reasons)
    for span, drop in candidates:
        for frame in range(span.start, span.stop):
            if drop is None:
                kept[frame] = True
                continue
            why = drop.reason or Why.FAILED
            earlier = reasons[frame]
            if earlier is None or ORDER[why] > ORDER[earlier]:
                reasons[frame] = why
    dropped = Counter(why for why, is_kept in zip(reasons, kept, strict=True) if not is_kept)
    if None in dropped:
        raise ValueError(f"{dropped[None]} frames are neither kept nor dropped")
    people = Counter[Why]()
    for span, drop in candidates:
        if drop is not None:
            people[drop.reason or Why.FAILED] += span.frames
    return Account(
        frames=len(reasons),
        kept=sum(kept),
        dropped={why: count for why, count in dropped.items() if why is not None},
        person_frames=sum(span.frames for span, _ in candidates),
        person_kept=sum(span.frames for span, drop in candidates if drop is None),
        person_dropped=dict(people),
    )

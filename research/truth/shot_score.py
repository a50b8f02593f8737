"""What a shot detector got right and wrong: cuts to the frame, gradual transitions by overlap, each used once."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from research.truth.shot_films import Event

CUTS = ("cut",)
GRADUAL = ("dissolve", "fade", "wipe")
NEITHER = ("jump",)  # a cut within one framing: found or not, it is told apart
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a detector says of one film.

    typed: False where it names boundaries without saying of which kind; such a boundary may stand for a cut or for a
    gradual transition, whichever it fits.
    """

    cuts: tuple[int, ...]
    gradual: tuple[Span, ...]
    typed: bool = True


@dataclass(slots=True)
class Count:
    """Right, missed and wrong, summed over films."""

    right: int = 0
    missed: int = 0
    wrong: int = 0

    @property
    def precision(self) -> float:
        return self.right / max(1, self.right + self.wrong)

    @property
    def recall(self) -> float:
        return self.right / max(1, self.right + self.missed)

    @property
    def f1(self) -> float:
        return 2 * self.right / max(1, 2 * self.right + self.missed + self.wrong)

    def add(self, right: int, missed: int, wrong: int) -> None:
        self.right, self.missed, self.wrong = (
            self.right + right,
            self.missed + missed,
            self.wrong + wrong,
        )


@dataclass(slots=True)
class Tally:
    """A detector's score: `found` and `there` by (kind, detail), `alarms` by what was really there."""

    exact: Count = field(default_factory=Count)
    near: Count = field(default_factory=Count)
    gradual: Count = field(default_factory=Count)
    half: Count = field(default_factory=Count)  # overlap of half of the union or more
    found: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    there: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    alarms: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    places: list[tuple[str, int, str]] = field(default_factory=list[tuple[str, int, str]])

    def add(self, film: str, answer: Answer, truth: Sequence[Event]) -> None:
        """Score one film."""
        self.there.update(detail_of(event) for event in truth)
        cuts = [event for event in truth if event.kind in CUTS]
        jumps = [event for event in truth if event.kind in NEITHER]
        slow = [event for event in truth if event.kind in GRADUAL]
        for tolerance, count in ((0, self.exact), (1, self.near)):
            pairs = near(answer.cuts, [event.first for event in cuts], tolerance)
            left = without(answer.cuts, pairs)
            left = without(left, near(left, [event.first for event in jumps], tolerance))
            left = [at for at in left if not excused(at, slow, typed=answer.typed)]
            count.add(len(pairs), len(cuts) - len(pairs), len(left))
        self._details(film, "cut", pairs, cuts, left, truth)
        pairs = near(without(answer.cuts, pairs), [event.first for event in jumps], 1)
        self.found.update(detail_of(jumps[k]) for _, k in pairs)
        self._gradual(film, answer, slow, left, truth)

    def _gradual(
        self,
        film: str,
        answer: Answer,
        slow: Sequence[Event],
        left: Sequence[int],
        truth: Sequence[Event],
    ) -> None:
        spans = answer.gradual
        if not answer.typed:
            inside = [
                at for at in answer.cuts if any(e.first - 1 <= at <= e.stop + 1 for e in slow)
            ]
            spans = tuple((at - 1, at + 2) for at in inside)
        pairs = overlapping(spans, slow, 0.0)
        half = overlapping(spans, slow, 0.5)
        wrong = len(spans) - len(pairs) if answer.typed else len(left)
        self.gradual.add(len(pairs), len(slow) - len(pairs), wrong)
        self.half.add(len(half), len(slow) - len(half), len(spans) - len(half))
        used = {k for k, _ in pairs}
        alarms = [a for k, (a, _) in enumerate(spans) if k not in used] if answer.typed else []
        self._details(film, "gradual", pairs, slow, alarms, truth)

    def _details(
        self,
        film: str,
        asked: str,
        pairs: Iterable[tuple[int, int]],
        events: Sequence[Event],
        left: Iterable[int],
        truth: Sequence[Event],
    ) -> None:
        hit = {k for _, k in pairs}
        self.found.update(detail_of(events[k]) for k in hit)
        missed = [
            (film, e.first, f"missed {e.kind} {e.detail}")
            for k, e in enumerate(events)
            if k not in hit
        ]
        self.places += missed
        for at in left:
            event = next((e for e in truth if e.first - 2 <= at < e.stop + 2), None)
            kind = detail_of(event) if event else ("none", "")
            self.alarms[kind] += 1
            self.places.append((film, at, f"false {asked} in {' '.join(kind)}"))


def detail_of(event: Event) -> tuple[str, str]:
    """The row of the table that an event belongs to; dissolves by their length."""
    if event.kind == "dissolve":
        nominal = min((0.25, 0.5, 1.0, 2.0), key=lambda s: abs(s - event.seconds))
        return event.kind, f"{nominal:g} s"
    return event.kind, event.detail


def near(found: Sequence[int], true: Sequence[int], tolerance: int) -> list[tuple[int, int]]:
    """Pairs (place in found, place in true) no more than `tolerance` apart, the nearest first, each used once."""
    close = sorted(
        (abs(a - b), i, k)
        for i, a in enumerate(found)
        for k, b in enumerate(true)
        if abs(a - b) <= tolerance
    )
    return once((i, k) for _, i, k in close)


def once(pairs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The pairs whose members no earlier pair has."""
    left: set[int] = set()
    right: set[int] = set()
    kept: list[tuple[int, int]] = []
    for i, k in pairs:
        if i not in left and k not in right:
            left.add(i)
            right.add(k)
            kept.append((i, k))
    return kept


def without(found: Sequence[int], pairs: Iterable[tuple[int, int]]) -> list[int]:
    """What no pair holds."""
    used = {i for i, _ in pairs}
    return [at for i, at in enumerate(found) if i not in used]


def excused(at: int, slow: Iterable[Event], *, typed: bool) -> bool:
    """A cut at the very edge of a gradual transition is no mistake; nor one inside, of who does not say the kind."""
    for event in slow:
        if min(abs(at - event.first), abs(at - event.stop)) <= 1:
            return True
        if not typed and event.first <= at < event.stop:
            return True
    return False


def overlapping(
    spans: Sequence[Span], events: Sequence[Event], least: float
) -> list[tuple[int, int]]:
    """Pairs whose frames in common are more than `least` of those in either, the best first, each used once."""
    shared = []
    for i, (first, stop) in enumerate(spans):
        for k, event in enumerate(events):
            common = min(stop, event.stop) - max(first, event.first)
            union = max(stop, event.stop) - min(first, event.first)
            if common > 0 and common / union >= least:
                shared.append((-common / union, i, k))
    return once((i, k) for _, i, k in sorted(shared))

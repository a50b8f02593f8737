"""What a filter is worth: precision and recall with intervals that resample people, a threshold fitted on others, and
where the values lie. Pure arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int64

from pipeline.perception.resampling import bootstrap_statistic

DRAWS = 1_000
"""Bootstrap samples."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Cases with their label and value. people: who each is made from; value: nan where it was not measured."""

    people: tuple[tuple[str, ...], ...]
    faulty: Bool[np.ndarray, " n"]
    value: Float[np.ndarray, " n"]

    def where(self, chosen: Bool[np.ndarray, " n"]) -> "Scored":
        """Some of the cases."""
        return Scored(
            tuple(p for p, keep in zip(self.people, chosen, strict=True) if keep),
            self.faulty[chosen],
            self.value[chosen],
        )


@dataclass(frozen=True, slots=True)
class Worth:
    """Of dropping what lies above a threshold; each with its 95 % interval. nan where nothing was dropped."""

    precision: tuple[float, float, float]
    recall: tuple[float, float, float]
    kept: tuple[float, float, float]
    """Share of the cases without the fault that is kept."""
    unknown: float
    """Share of the cases without a value: they are neither dropped nor counted."""


def rates(
    faulty: Bool[np.ndarray, " n"], dropped: Bool[np.ndarray, " n"], weight: Float[np.ndarray, " n"]
) -> tuple[float, float, float]:
    """Precision and recall of the drops with the two classes weighing the same, and the share of sound cases kept."""
    total = [float(weight[faulty == side].sum()) for side in (False, True)]
    false, true = (
        float(weight[dropped & (faulty == side)].sum()) / total[side] if total[side] else np.nan
        for side in (False, True)
    )
    return (true / (true + false) if true + false > 0.0 else np.nan), true, 1.0 - false


def worth(cases: Scored, threshold: float, seed: int = 0) -> Worth:
    """What dropping above the threshold is worth.

    Intervals: people are drawn with replacement, and a case weighs the product of how often its people were drawn
    (the clustered bootstrap, for cases made from several people: Owen 2007, arXiv:0707.1162, "pigeonhole bootstrap").
    """
    known = ~np.isnan(cases.value)
    seen = cases.where(known)
    dropped = seen.value > threshold
    names = sorted({person for group in seen.people for person in group})
    most = max(len(group) for group in seen.people)
    index = np.array([[names.index(p) for p in g] + [-1] * (most - len(g)) for g in seen.people])

    def redrawn(drawn: Int64[np.ndarray, " people"]) -> tuple[float, float, float]:
        times = np.bincount(drawn, minlength=len(names))
        weight = np.append(times, 1)[index].prod(axis=1).astype(np.float64)
        return rates(seen.faulty, dropped, weight)

    low, high = bootstrap_statistic(redrawn, people=len(names), seed=seed, draws=DRAWS)
    middle = rates(seen.faulty, dropped, np.ones(len(dropped)))
    precision, recall, kept = (
        (float(m), float(a), float(b)) for m, a, b in zip(middle, low, high, strict=True)
    )
    return Worth(precision, recall, kept, float(np.mean(~known)))


def fitted(cases: Scored) -> float:
    """The threshold, half way between two neighbouring values, with the best balanced accuracy; of a run of equals the
    middle one."""
    value = cases.value[~np.isnan(cases.value)]
    edges = np.unique(value)
    between = (edges[:-1] + edges[1:]) / 2.0 if len(edges) > 1 else edges
    low, high = (np.sort(cases.value[cases.faulty == side]) for side in (False, True))
    kept = np.searchsorted(low, between, side="right") / len(low)
    good = kept + 1.0 - np.searchsorted(high, between, side="right") / len(high)
    best = np.flatnonzero(good >= good.max() - 1e-12)
    return float(between[best[len(best) // 2]])


def area(cases: Scored) -> float:
    """Chance that a faulty case has the higher value (area under the ROC curve; Mann & Whitney 1947); 0.5 is chance."""
    low, high = cases.value[~cases.faulty], cases.value[cases.faulty]
    return float(np.mean((high[:, None] > low[None]) + 0.5 * (high[:, None] == low[None])))


def histogram(cases: Scored, edges: Sequence[float]) -> str:
    """How many cases of each label lie between the edges, as a table."""
    rows = ["| value | without the fault | with it |", "|---|---|---|"]
    for low, high in pairwise(edges):
        inside = (cases.value >= low) & (cases.value < high)
        counts = (int(np.sum(inside & (cases.faulty == side))) for side in (False, True))
        rows.append(f"| {low:g} to {high:g} | {' | '.join(str(count) for count in counts)} |")
    return "\n".join(rows)

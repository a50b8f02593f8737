"""Cases, thresholds fitted on one half of the people and reported on the other, and intervals over people."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64

from pipeline.perception.resampling import bootstrap_statistic

DRAWS = 1000
"""Resamplings of the people for an interval."""


@dataclass(frozen=True, slots=True)
class Case:
    """One judged piece of footage.

    person: who is in it, the cluster of the intervals; fault: whether the fault is there, and the filter ought to drop;
    value: what the filter measures, None where it says nothing; energy: mean change from picture to picture in grey
    levels, the baseline that sees only that something moves; dropped: whether any filter that acts would drop it;
    asked: whether there was a clip for the filter to judge; where nobody was found there is none.
    """

    person: str
    fault: bool
    value: float | None
    energy: float | None = None
    dropped: bool | None = None
    asked: bool = True


@dataclass(frozen=True, slots=True)
class Score:
    """Of the dropped cases the fraction that had the fault; of those with the fault the fraction that was dropped."""

    precision: float
    recall: float


@dataclass(frozen=True, slots=True)
class Judged:
    """A filter on its cases: at its own threshold and at one fitted on the other half of the people.

    cases, people, unknown: with the fault and without. unknown: cases without a value; those not asked are in no other
    figure.
    """

    cases: tuple[int, int]
    people: tuple[int, int]
    unknown: tuple[int, int]
    own: Score
    own_interval: tuple[Score, Score]
    fitted: Score
    fitted_interval: tuple[Score, Score]
    thresholds: tuple[float, float]
    baseline: Score | None


def halves_of(cases: Sequence[Case]) -> dict[str, int]:
    """Which half each person belongs to: every other one in the order of a hash of the name.

    Those who show the fault and those who do not are dealt out apart, so that each half has both where there are two.
    """
    faulty = {case.person for case in cases if case.fault}
    others = {case.person for case in cases} - faulty

    def dealt(people: set[str]) -> dict[str, int]:
        order = sorted(people, key=lambda name: hashlib.sha256(name.encode()).digest())
        return {name: place % 2 for place, name in enumerate(order)}

    return dealt(faulty) | dealt(others)


def judged(
    cases: Sequence[Case], *, keeps: str, threshold: float, misses_drop: bool = False
) -> Judged:
    """How well `value keeps threshold` (`>=` or `<=`) separates cases with the fault from those without.

    Only cases in which the filter was asked count. misses_drop: one that was, and has no value, is dropped, as
    `Rule.passes` does; else it is kept. Each half of the people is judged by the threshold that separates the other
    half best, so that everybody is judged once by a threshold that has not seen them.
    """
    missing = [case.fault for case in cases if case.value is None or not case.asked]
    cases = [case for case in cases if case.asked]
    sign = 1.0 if keeps == ">=" else -1.0
    faults = np.array([case.fault for case in cases])
    people = np.array([case.person for case in cases])
    dealt = halves_of(cases)
    halves = np.array([dealt[case.person] for case in cases])
    nothing = -np.inf if misses_drop else np.inf
    values = np.array([nothing if c.value is None else sign * c.value for c in cases])
    limits = [fit(values[halves != half], faults[halves != half]) for half in (0, 1)]
    own = values < sign * threshold
    fitted = values < np.array(limits)[halves]
    energies = [case.energy for case in cases]
    baseline = None
    if all(energy is not None for energy in energies):
        baseline = best_baseline(np.array(energies, float), faults, halves)
    return Judged(
        cases=(int(faults.sum()), int((~faults).sum())),
        people=(len(set(people[faults])), len(set(people[~faults]))),
        unknown=(missing.count(True), missing.count(False)),
        own=score(own, faults),
        own_interval=interval(own, faults, people),
        fitted=score(fitted, faults),
        fitted_interval=interval(fitted, faults, people),
        thresholds=(sign * limits[0], sign * limits[1]),
        baseline=baseline,
    )


def fit(values: Float[np.ndarray, " case"], faults: Bool[np.ndarray, " case"]) -> float:
    """The threshold below which most faults and fewest others lie: largest recall less false alarms.

    Of the thresholds that do equally well the middle of the widest gap, so that neither side is favoured.
    """
    finite = np.unique(values[np.isfinite(values)])
    if len(finite) == 0 or faults.all() or not faults.any():
        return -np.inf
    edges = np.concatenate(
        ([finite[0] - 1e-9], (finite[1:] + finite[:-1]) / 2.0, [finite[-1] + 1e-9])
    )
    gaps = np.concatenate(([0.0], np.diff(finite), [0.0]))
    below = np.sort(values[faults]), np.sort(values[~faults])
    gain = (
        np.searchsorted(below[0], edges) / faults.sum()
        - np.searchsorted(below[1], edges) / (~faults).sum()
    )
    best = np.flatnonzero(gain >= gain.max() - 1e-12)
    return float(edges[best[np.argmax(gaps[best])]])


def score(dropped: Bool[np.ndarray, " case"], faults: Bool[np.ndarray, " case"]) -> Score:
    """Precision weighs both classes alike, whatever their sizes; NaN where nothing was dropped or a class lacks."""
    if not faults.any() or faults.all():
        return Score(float("nan"), float("nan"))
    hit, wrong = float(dropped[faults].mean()), float(dropped[~faults].mean())
    return Score(hit / (hit + wrong) if hit + wrong > 0.0 else float("nan"), hit)


def interval(
    dropped: Bool[np.ndarray, " case"],
    faults: Bool[np.ndarray, " case"],
    people: np.ndarray,
) -> tuple[Score, Score]:
    """95 % over people: whole people are drawn with replacement (cluster bootstrap), seeded."""
    names = sorted(set(people.tolist()))
    places = [np.flatnonzero(people == name) for name in names]
    kinds = (dropped & faults, dropped & ~faults, faults, ~faults)
    counts = np.array([[kind[at].sum() for kind in kinds] for at in places], float)

    def redrawn(drawn: Int64[np.ndarray, " people"]) -> tuple[float, float]:
        hits, alarms, faulty, clean = counts[drawn].sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            hit, wrong = hits / faulty, alarms / clean
            return hit / (hit + wrong), hit

    low, high = bootstrap_statistic(redrawn, people=len(names), seed=0, draws=DRAWS)
    return Score(*map(float, low)), Score(*map(float, high))


def best_baseline(
    energy: Float[np.ndarray, " case"], faults: Bool[np.ndarray, " case"], halves: np.ndarray
) -> Score:
    """The picture's energy alone, either way round, threshold fitted on the other half of the people."""
    found: list[Score] = []
    for values in (energy, -energy):
        limits = [fit(values[halves != half], faults[halves != half]) for half in (0, 1)]
        found.append(score(values < np.array(limits)[halves], faults))
    return max(found, key=lambda s: np.nan_to_num(s.precision) * np.nan_to_num(s.recall))


# ---- on paper --------------------------------------------------------------------------------------------------------

BARS = " ▁▂▃▄▅▆▇█"
"""Heights of a bar, from nothing to full."""


def histogram(cases: Sequence[Case], *, threshold: float, bins: int = 16) -> str:
    """Where the values of both classes lie: one bar each of `bins` steps from the 1st to the 99th percentile.

    The step in which the threshold lies is marked below by a caret.
    """
    known = np.array([case.value for case in cases if case.value is not None], float)
    if len(known) == 0:
        return "nothing was measured"
    low, high = np.percentile(known, [1, 99])
    low, high = np.fmin(low, threshold), np.fmax(high, threshold)
    edges = np.linspace(low, high if high > low else low + 1.0, bins + 1)
    lines = [f"{'':8}{low:.3g} … {high:.3g}"]
    for name, fault in (("fault", True), ("none", False)):
        values = [c.value for c in cases if c.fault is fault and c.value is not None]
        counts, _ = np.histogram(np.clip(np.array(values, float), edges[0], edges[-1]), edges)
        top = max(int(counts.max()), 1)
        bars = "".join(BARS[int(np.ceil(8 * count / top))] for count in counts)
        lines.append(f"{name:6} |{bars}| {len(values)}")
    if np.isnan(threshold):
        return "\n".join(lines)
    place = min(int(np.searchsorted(edges, threshold, side="right")) - 1, bins - 1)
    return "\n".join([*lines, " " * (8 + max(place, 0)) + f"^ {threshold:g}"])


def fraction_text(value: float) -> str:
    """A fraction with three digits, so that 1.000 is only what is exactly one or rounds to it from 0.9995 on."""
    return "–" if np.isnan(value) else f"{value:.3f}"


def interval_text(low: float, high: float) -> str:
    """The bounds of a fraction."""
    return f"[{fraction_text(low)}, {fraction_text(high)}]"

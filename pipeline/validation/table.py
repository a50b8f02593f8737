"""The truth table of filters in Markdown: a line for each, then where its values lie."""

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.rules import RULES
from pipeline.validation.picture_filters import CAMERA
from pipeline.validation.scores import Case, Score, fraction_text, histogram, interval_text, judged

HEAD = (
    "| filter | the fault | cases with, without | people | no value: with, without | threshold | precision | recall"
    " | fitted on the other half | precision | recall | picture energy alone"
    " | dropped by any filter that acts: with, without |",
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
)
NEVER_DROPS = frozenset({CAMERA})
"""What is judged as a filter and is none: a case with a clip and without a value is not dropped, as by a rule it is."""


def table(
    cases: Mapping[str, Sequence[Case]],
    faults: Mapping[str, str],
    *,
    absent: Mapping[str, str] | None = None,
) -> str:
    """The table of all filters in `faults`, then the histogram of each.

    cases: by filter, a `Why` or CAMERA. faults: what has the fault, in words. absent: filters without footage, and why.
    """
    lines, drawings = list[str](HEAD), list[str]()
    for name, fault in faults.items():
        rule = next((rule for rule in RULES if rule.why == name), None)
        limit = rule.threshold if rule else float("nan")
        some, keeps = cases.get(name, ()), rule.comparator if rule else "<="
        both = {case.fault for case in some if case.asked} == {True, False}
        lines.append(row(name, fault, some, keeps, limit) if both else one_class(name, fault, some))
        what = f"{rule.measurement}, {rule.unit}" if rule else "frame widths a second"
        drawn = histogram(some, threshold=limit)
        drawings += ["", f"`{name}`, {what}", "", "```text", drawn, "```"]
    lines += [f"| `{name}` | {why} |" + " |" * 11 for name, why in (absent or {}).items()]
    return "\n".join([*lines, *drawings])


def row(name: str, fault: str, cases: Sequence[Case], keeps: str, limit: float) -> str:
    """One filter's line."""
    drops_unseen = name not in NEVER_DROPS
    result = judged(cases, keeps=keeps, threshold=limit, misses_drop=drops_unseen)
    fractions = [
        fraction_text(
            float(np.mean([case.dropped or False for case in cases if case.fault is side]))
        )
        for side in (True, False)
    ]
    base = result.baseline
    cells = (
        f"`{name}`",
        fault,
        f"{result.cases[0]}, {result.cases[1]}",
        f"{result.people[0]}, {result.people[1]}",
        f"{result.unknown[0]}, {result.unknown[1]}",
        "–" if np.isnan(limit) else f"{keeps} {limit:g}",
        *(("–", "–") if np.isnan(limit) else figures(result.own, result.own_interval)),
        f"{result.thresholds[0]:.3g}, {result.thresholds[1]:.3g}",
        *figures(result.fitted, result.fitted_interval),
        f"{fraction_text(base.precision)}, {fraction_text(base.recall)}" if base else "–",
        ", ".join(fractions),
    )
    return f"| {' | '.join(cells)} |"


def one_class(name: str, fault: str, cases: Sequence[Case]) -> str:
    """The line of a filter that was shown one class only."""
    return f"| `{name}` | {fault} | {len(cases)} in all: no comparison |" + " |" * 10


def figures(score: Score, interval: tuple[Score, Score]) -> tuple[str, str]:
    """Precision and recall with their intervals."""
    low, high = interval
    return (
        f"{fraction_text(score.precision)} {interval_text(low.precision, high.precision)}",
        f"{fraction_text(score.recall)} {interval_text(low.recall, high.recall)}",
    )

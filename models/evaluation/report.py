"""What an evaluation says: rows, and the table, file and picture that are made of them."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from models.evaluation.metrics.table import METRICS, SETS
from pipeline.perception.resampling import Interval

SHUFFLES = 5
"""Of the voices, for what chance gives."""


@dataclass(frozen=True, slots=True)
class Row:
    """One metric of one generator.

    interval: None where nothing could be measured, for a reason; its bounds are NaN where there is a value and nothing
    to resample it over. measured: of how many clips, or windows of a set.
    """

    generator: str
    metric: str
    protocol: str
    interval: Interval | None
    measured: int
    reason: str = ""


def bounded(interval: Interval) -> Interval:
    """An interval that says something: bounds that coincide, of one person or of equal values, become NaN."""
    if interval.high - interval.low > 1e-9 * abs(interval.mean) + 1e-12:
        return interval
    return replace(interval, low=np.nan, high=np.nan)


def interval_of(people: int, clips: int) -> str:
    """What the intervals of a table are of, in words. people, clips: that it is of."""
    if people < 2:
        over = f"none of a mean: all is of one person ({clips} {'clip' if clips == 1 else 'clips'})"
    else:
        few = ", too narrow below ten" if people < 10 else ""
        over = (
            f"95 %, bootstrap over those of the {people} people who have a value, from two on{few}"
        )
    if clips < 3:
        return over
    return f"{over}; of chance over {SHUFFLES} shuffles of the voices, where they differ"


def markdown(rows: Sequence[Row], facts: Mapping[str, object]) -> str:
    """One line per metric and protocol, one column per generator: the mean, and its 95 % interval where it has one.

    What is not measured stands below with its reason.
    """
    generators = list(dict.fromkeys(row.generator for row in rows))
    by_cell = {(row.metric, row.protocol, row.generator): row for row in rows}
    lines = list(dict.fromkeys((row.metric, row.protocol) for row in rows))
    text = [f"{name}: {value}  " for name, value in facts.items()]
    text += ["", f"| metric | protocol | {' | '.join(generators)} | unit, better |"]
    text += ["|---|---|" + "---|" * (len(generators) + 1)]
    for metric, protocol in lines:
        cells = [_cell(by_cell.get((metric, protocol, generator))) for generator in generators]
        kind = METRICS[metric] if metric in METRICS else SETS[metric]
        text.append(f"| {metric} | {protocol} | {' | '.join(cells)} | {kind.unit}, {kind.better} |")
    text += _unmeasured(rows, generators)
    text += ["", "| metric | what it is | source |", "|---|---|---|"]
    for metric in dict.fromkeys(metric for metric, _ in lines):
        kind = METRICS[metric] if metric in METRICS else SETS[metric]
        text.append(f"| {metric} | {kind.definition} | {kind.source} |")
    return "\n".join(text) + "\n"


def _unmeasured(rows: Sequence[Row], generators: Sequence[str]) -> list[str]:
    """A line for each metric and protocol that is not measured, with whose it is and why."""
    whose: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        if row.interval is None:
            whose.setdefault((row.metric, row.protocol, row.reason), []).append(row.generator)
    if not whose:
        return []
    asked = {
        key: {row.generator for row in rows if (row.metric, row.protocol) == key}
        for key in {(metric, protocol) for metric, protocol, _ in whose}
    }
    text = ["", "| not measured | protocol | of | why |", "|---|---|---|---|"]
    for (metric, protocol, reason), names in whose.items():
        every = set(names) == asked[metric, protocol]
        text.append(
            f"| {metric} | {protocol} | {'all' if every else ', '.join(names)} | {reason} |"
        )
    return text


def _cell(row: Row | None) -> str:
    if row is None:
        return ""
    if row.interval is None:
        return "not measured"
    mean, low, high = row.interval.mean, row.interval.low, row.interval.high
    return f"{mean:.3g}" if np.isnan(low) else f"{mean:.3g} [{low:.3g}, {high:.3g}]"


def as_json(rows: Sequence[Row], facts: Mapping[str, object]) -> str:
    """The same for programs; a bound that there is not is null."""
    content = {"facts": dict(facts), "rows": [asdict(row) for row in rows]}
    return json.dumps(_plain(content), indent=1, allow_nan=False) + "\n"


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def plot(rows: Sequence[Row], file: Path, metrics: Sequence[tuple[str, str]]) -> None:
    """Mean and interval of some (metric, protocol) for each generator, as a picture."""
    from matplotlib.figure import Figure

    generators = list(dict.fromkeys(row.generator for row in rows))
    by_cell = {(row.metric, row.protocol, row.generator): row for row in rows}
    figure = Figure(
        figsize=(3.2 * len(metrics), 0.45 * len(generators) + 1.4), layout="constrained"
    )
    for place, (metric, protocol) in enumerate(metrics):
        axes = figure.add_subplot(1, len(metrics), place + 1)
        for line, generator in enumerate(generators):
            row = by_cell.get((metric, protocol, generator))
            if row is None or row.interval is None:
                continue
            interval = row.interval
            axes.plot([interval.low, interval.high], [line, line], color="#4060a0", linewidth=3)
            axes.plot([interval.mean], [line], "o", color="#202020")
        axes.set_yticks(
            range(len(generators)), generators if place == 0 else [""] * len(generators)
        )
        axes.set_ylim(len(generators) - 0.5, -0.5)
        axes.set_title(f"{metric}\n{protocol}", fontsize=9)
        axes.grid(axis="x", alpha=0.3)
    figure.savefig(file, dpi=120)

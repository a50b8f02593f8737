"""The table of a round of scenarios, in Markdown."""

from collections import Counter
from collections.abc import Sequence

from tests.faults.scenario import Result

HEAD = (
    "fault",
    "count",
    "came in time",
    "old or new, whole",
    "same root",
    "lost",
    "doubled",
    "recomputed",
)


def table(results: Sequence[Result]) -> str:
    """A row for each fault, in the order in which they are defined, and the sums."""
    played = [result for result in results if not result.skipped]
    names = dict.fromkeys(result.kind for result in played)
    rows = [row(name, [r for r in played if r.kind == name]) for name in sorted(names)]
    lines = [HEAD, tuple("---" if not at else "---:" for at in range(len(HEAD))), *rows]
    skipped = Counter((r.kind, r.skipped) for r in results if r.skipped)
    notes = [f"{count} × {kind} skipped: {why}" for (kind, why), count in skipped.items()]
    sums = row("all", played)
    return "\n".join([*("| " + " | ".join(line) + " |" for line in (*lines, sums)), *notes])


def row(name: str, results: Sequence[Result]) -> tuple[str, ...]:
    """One row."""
    states = Counter(result.state for result in results)
    return (
        name,
        str(len(results)),
        str(sum(result.struck for result in results)),
        ", ".join(f"{count} {state}" for state, count in sorted(states.items())),
        f"{sum(result.same_root for result in results)}/{len(results)}",
        str(sum(result.lost for result in results)),
        str(sum(result.doubled for result in results)),
        str(sum(result.again for result in results)),
    )

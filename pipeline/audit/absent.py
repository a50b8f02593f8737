"""Why a clip of one version of a dataset is not in another, by what the other says of it, its source and its frames."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from manifests import tables
from pipeline.audit.evidence import Evidence, Part, Version, gather, measurements, whole

UNEXPLAINED = "unexplained"
SHOWN = 3  # clips that one reason names


@dataclass(frozen=True, slots=True)
class Absent:
    """A clip that only one version has. kind: the reason in a word or two, for counting; reason: in a sentence."""

    id: str
    locator: str
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Question:
    """Clips of one version that another lacks: what that other says, what their own says, and the labels of the two.

    measured: rows of their own version, by subject and measurement, where the other drops them for it.
    """

    there: Evidence
    here: Evidence
    label: str
    own: str
    measured: Mapping[tuple[str, str], tables.Row]


def explain(rows: Sequence[tables.Row], here: Version, there: Version) -> Iterator[Absent]:
    """Why clips of `here` are not in `there`. rows: theirs of clips.parquet. Raises BrokenFile."""
    if not rows:
        return
    ids, locators = ({str(row[key]) for row in rows} for key in ("id", "locator"))
    found, own = gather(there, ids, locators), gather(here, ids, locators)
    asked = Question(found, own, there.label, here.label, measurements(here, ids, found))
    for row in rows:
        kind, reason = why(row, asked)
        yield Absent(str(row["id"]), str(row["locator"]), kind, reason)


# ---- the reasons, the nearest first ----------------------------------------------------------------------------------


def why(row: tables.Row, asked: Question) -> tuple[str, str]:
    """Kind and sentence for one clip."""
    name = str(row["id"])
    if name in asked.there.drops_of:
        drop = asked.there.drops_of[name][0]
        return str(drop["reason"]), drop_sentence(drop, asked)
    if name in asked.there.subjects:
        return UNEXPLAINED, f"{asked.label} measured it and has no row that drops it"
    return source_reason(row, asked) or frames_reason(row, asked)


def drop_sentence(drop: tables.Row, asked: Question) -> str:
    """A row that drops, in words, with what the clip's own version had measured."""
    words = f"{asked.label} {drop['verdict']} it in {drop['stage']}: {drop['reason']}"
    if drop["comparator"]:
        words += f", {drop['measurement']} {outcome(drop)}"
        own = asked.measured.get((str(drop["subject"]), str(drop["measurement"])))
        words += f" ({asked.own}: {outcome(own)}, {own['verdict']})" if own else ""
    return words + (f" ({drop['detail']})" if drop["detail"] else "")


def outcome(row: tables.Row) -> str:
    """What a rule found and what it asked for."""
    return f"{number(row['value'])}, needed {row['comparator']} {number(row['threshold'])}"


def number(value: object) -> str:
    """A measured value."""
    return f"{value:.4g}" if isinstance(value, float) else "not measured"


def source_reason(row: tables.Row, asked: Question) -> tuple[str, str] | None:
    """Why nothing of a clip's source can be there as it was."""
    locator, sha256 = str(row["locator"]), row["sha256"]
    found, label = asked.there, asked.label
    if locator not in found.sources:
        return "source absent", f"its source {locator} is not in {label}"
    if drop := found.lost.get(locator):
        detail = f" ({drop['detail']})" if drop["detail"] else ""
        return (
            f"source {drop['verdict']}: {drop['reason']}",
            f"{label} {drop['verdict']} its source {locator} in {drop['stage']}: {drop['reason']}{detail}",
        )
    other = found.sources[locator]
    if other != sha256:
        there = other[:12] if other else "none"
        return (
            "other bytes",
            f"its source {locator} has other bytes in {label}: {there}, not {str(sha256)[:12]}",
        )
    return None


def frames_reason(row: tables.Row, asked: Question) -> tuple[str, str]:
    """What else became of a clip's frames, where the other version made no such candidate.

    Candidates that the clip's own version has too are no cause: they were there beside it.
    """
    locator, start = str(row["locator"]), whole(row["start"])
    stop = start + whole(row["frames"])
    kept = overlapping(asked.there.kept_in.get(locator, ()), start, stop)
    dropped = overlapping(asked.there.dropped_in.get(locator, ()), start, stop)
    known = asked.here.subjects - {locator}
    new = [part for part in kept if part.subject not in known]
    gone = [part for part in dropped if part.subject not in known]
    if not new and not gone:
        others = f"; others in these frames: {listed(kept)}" if kept else ""
        said = f"nothing in {asked.label} says why; its source {locator} is there{others}"
        return UNEXPLAINED, said
    words = [f"frames {start} to {stop} of {locator} are cut otherwise in {asked.label}"]
    words += [f"kept in {listed(new)}"] if new else []
    words += [f"dropped as {listed(gone)}"] if gone else []
    if left := uncovered(start, stop, [*new, *gone]):
        words.append(f"{left} frames are accounted for nowhere")
    return "cut otherwise", "; ".join(words)


def overlapping(parts: Sequence[Part], start: int, stop: int) -> list[Part]:
    """Those parts that have a frame of [start, stop)."""
    return [part for part in parts if part.start < stop and start < part.stop]


def listed(parts: Sequence[Part]) -> str:
    """What became of some parts, each said once; the first few."""
    names = sorted({part.became for part in parts})
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def uncovered(start: int, stop: int, parts: Sequence[Part]) -> int:
    """Frames of [start, stop) that no part covers."""
    left, at = 0, start
    for part in sorted(parts, key=lambda part: part.start):
        left += max(0, min(part.start, stop) - at)
        at = max(at, min(part.stop, stop))
    return left + max(0, stop - at)

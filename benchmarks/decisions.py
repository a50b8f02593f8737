"""What moving a threshold costs on 100,000 recorded clips: decisions and funnel, over reading the columns alone.

    python -m benchmarks.decisions [--clips 100000]

The set is made: sources of eight candidates with what fell between them; each value beside its threshold, on the wrong
side for one candidate in seventy; rows in the order in which a run writes them, none for what a rule stopped before.
CPU seconds, user and system, of all threads; the last line is a fresh process from its start to its end.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from manifests import tables
from manifests.record import Why
from pipeline.audit.columns import columns
from pipeline.audit.recorded import NUMBERS, TEXTS, read
from pipeline.audit.standing import KEPT, funnel_of, standing
from pipeline.audit.whatif import named, what_if
from pipeline.config import Run
from pipeline.flow import build
from pipeline.rules import CLIP_RULES, RULES, SOURCE_RULES, Rule
from pipeline.stage import describe
from pipeline.validation.costs import cpu_seconds

ROUNDS = 5
CLIPS_A_SOURCE = 8
FAILING = 1 / 70
"""Share of candidates beyond each threshold: with sixteen rules, about one in seven is dropped."""
MOVES = {
    "one threshold tightened": {"static": 0.06},
    "one loosened": {"side_view": 0.4},
    "all moved": {str(rule.why): rule.threshold + 0.01 for rule in RULES},
}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=100_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        dataset = Path(folder)
        rows = write_dataset(dataset, given.clips, np.random.default_rng(7))
        megabytes = (dataset / "decisions.parquet").stat().st_size / 1e6
        print(f"{given.clips} candidates, {rows} decisions, {megabytes:.0f} MB\n")
        print("| | CPU s | over the floor |\n|---|---:|---:|")
        floor = spent(lambda: floor_of(dataset))
        print(f"| floor: the columns read and nothing done with them | {floor:.2f} | 1.0 |")
        for name, thresholds in MOVES.items():
            print(row(name, spent(lambda moves=thresholds: what_if(dataset, moves)), floor))
        print(row("one tightened, as a process of its own", spent(lambda: command(dataset)), floor))


def row(name: str, seconds: float, floor: float) -> str:
    """A line of the table."""
    return f"| {name} | {seconds:.2f} | {seconds / floor:.1f} |"


def spent(work: Callable[[], object]) -> float:
    """Median CPU seconds of some rounds."""
    found: list[float] = []
    for _ in range(ROUNDS):
        began = cpu_seconds()
        work()
        found.append(cpu_seconds() - began)
    return median(found)


def floor_of(dataset: Path) -> None:
    """Read what `what_if` reads and do nothing with it."""
    columns(dataset / "decisions.parquet", TEXTS, NUMBERS)
    columns(dataset / "sources.parquet", ["locator"], ["frames"])


def command(dataset: Path) -> None:
    """The answer printed, with all that a fresh interpreter has to load."""
    lines = (
        "from pathlib import Path; from rich.console import Console; "
        "from pipeline.audit.whatif import thresholds_in, what_if; "
        f"Console().print(what_if(Path({str(dataset)!r}), thresholds_in(['rules.static=0.06'])))"
    )
    subprocess.run([sys.executable, "-c", lines], check=True, stdout=subprocess.DEVNULL)


# ---- the set ---------------------------------------------------------------------------------------------------------

Facts = dict[str, object]
"""Columns by name: the values, or one value for all rows."""

BACKENDS = {
    "spans": ("embedded", "1+opencv-4.11.0", None),
    "pose": ("mediapipe", "1+mediapipe-0.10.21", "5b" * 32),
    "posture": ("mediapipe", "1+mediapipe-0.10.21", "5b" * 32),
    "sync": ("embedded", "1+numpy-2.4.6", None),
    "framing": ("cospeech", "1", None),
    "probe": ("cospeech", "1", None),
    "speech": ("embedded", "1+silero-6", "2c" * 32),
    "people": ("embedded", "1+opencv-4.11.0", "8f" * 32),
}


def write_dataset(folder: Path, clips: int, chance: np.random.Generator) -> int:
    """The four files that a threshold is moved on. Returns the number of decisions."""
    locators = np.array([f"youtube:{number:011d}" for number in range(-(-clips // CLIPS_A_SOURCE))])
    source = np.arange(clips) // CLIPS_A_SOURCE
    length, gap = chance.integers(125, 376, clips), chance.integers(1, 200, clips)
    stop = np.cumsum(length + gap)
    stop -= (stop - length - gap)[source * CLIPS_A_SOURCE]
    frames = np.maximum.reduceat(stop, np.arange(0, clips, CLIPS_A_SOURCE))
    names = np.array([chance.bytes(12).hex() for _ in range(clips)])
    home, start = locators[source], stop - length
    candidates: Facts = {
        "subject": names,
        "source": home,
        "start": start,
        "stop": stop,
        "person": 0,
    }
    sources: Facts = {"subject": locators, "source": locators, "start": 0, "stop": frames}
    left: Facts = {
        "subject": home,
        "source": home,
        "start": start - gap,
        "stop": start,
        "stage": "spans",
        "measurement": "spans.no_speech",
        "comparator": "",
        "value": gap.astype(float),
        "unit": "frames at 25 FPS",
        "verdict": "dropped",
        "reason": str(Why.NO_SPEECH),
    }
    parts = [
        *judged(sources, SOURCE_RULES, len(locators), chance, failing=0.0),
        *judged(candidates, CLIP_RULES, clips, chance, failing=FAILING),
        decisions(left, clips),
    ]
    rows = pa.concat_tables(parts)
    order = [(name, "ascending") for name in sorted(rows.column_names)]
    pq.write_table(rows.sort_by(order), folder / "decisions.parquet", compression="zstd")
    listed = pa.table({"locator": locators, "frames": frames})
    pq.write_table(listed, folder / "sources.parquet", compression="zstd")
    write_facts(folder)
    return rows.num_rows


def judged(
    about: Facts,
    rules: tuple[Rule, ...],
    count: int,
    chance: np.random.Generator,
    *,
    failing: float,
) -> Iterator[pa.Table]:
    """The rows of each rule; a stage has none for what the stages before it dropped."""
    alive, stage = np.ones(count, bool), ""
    dropped = np.zeros(count, bool)
    for rule in rules:
        if rule.stage != stage:
            alive, stage = ~dropped, rule.stage
        inside = chance.random(count) >= failing
        beside = np.abs(chance.normal(0.0, 1.0, count)) * max(abs(rule.threshold), 0.1)
        sign = 1.0 if rule.comparator == ">=" else -1.0
        backend, version, weights = BACKENDS[rule.stage]
        acts = rule.proven_for(backend)
        dropped |= acts & ~inside
        verdict = np.where(inside, "kept", "dropped") if acts else np.full(count, "unknown")
        said: Facts = {
            "stage": rule.stage,
            "backend": backend,
            "backend_version": version,
            "weights": weights,
            "measurement": rule.measurement,
            "value": rule.threshold + sign * np.where(inside, beside, -beside),
            "unit": rule.unit,
            "comparator": rule.comparator,
            "threshold": float(rule.threshold),
            "verdict": verdict,
            "reason": np.where(acts & ~inside, str(rule.why), np.array(None)),
        }
        yield decisions({**about, **said}, count).filter(alive)


def decisions(facts: Facts, count: int) -> pa.Table:
    """Rows of decisions.parquet; a column that is not given is empty."""
    given: Facts = {"version": 1, "backend": "cospeech", "backend_version": "1", **facts}
    arrays = [
        pa.array(
            np.broadcast_to(np.array(given.get(field.name)), count), field.type, from_pandas=True
        )
        for field in tables.DECISIONS.schema()
    ]
    return pa.table(arrays, schema=tables.DECISIONS.schema())


def write_facts(folder: Path) -> None:
    """dataset.json and clips.parquet, which say what the decisions say."""
    file = folder / "dataset.json"
    flow = build(Run())
    rules = [describe(rule) for rule in (*flow.source_rules, *flow.clip_rules)]
    pq.write_table(pa.table({"id": pa.array([], pa.string())}), folder / "clips.parquet")
    file.write_text(json.dumps({"rules": rules, "counts": {}}))
    held = read(folder)
    found = standing(held, held.rules)
    funnel = funnel_of(held, found)
    kept = named(held.subjects, ~held.subjects.is_source & (found == KEPT))
    pq.write_table(pa.table({"id": kept}), folder / "clips.parquet")
    counts = {
        "frames": funnel.frames, "frames_kept": funnel.kept, "frames_dropped": funnel.dropped,
        "person_frames": funnel.person_frames, "person_frames_kept": funnel.person_kept,
        "person_frames_dropped": funnel.person_dropped,
    }  # fmt: skip
    file.write_text(json.dumps({"rules": rules, "counts": counts}))


if __name__ == "__main__":
    main()

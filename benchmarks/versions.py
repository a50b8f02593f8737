"""How long `csg-data diff` takes between two versions of a large set, and how much memory.

    python -m benchmarks.versions [--clips 150000] [--rows 25]

Both versions are made-up tables without shards: so many clips, and so many decisions of each. In the second one, one
clip in a hundred was dropped by a rule, and the version of one stage is another.
"""

import argparse
import json
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from manifests import tables
from pipeline.audit.diff import diff
from pipeline.audit.diff_report import verdict

CLIPS_A_SOURCE = 50
DROPPED = 100  # one clip in so many


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=150_000)
    parser.add_argument("--rows", type=int, default=25)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        a, b, same = (Path(folder) / name for name in ("a", "b", "same"))
        with ProcessPoolExecutor(1, get_context("spawn")) as apart:  # its memory is not diff's
            for place, later in ((a, False), (b, True), (same, False)):
                apart.submit(make, place, given.clips, given.rows, later=later).result()
        print(f"{given.clips} clips, {given.clips * given.rows} decisions")
        for title, other in (("the same", same), ("another version", b)):
            wall, cpu = time.perf_counter(), time.process_time()
            found = diff(a, other)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            print(f"{title}: wall {wall:.1f} s, CPU {cpu:.1f} s, at most {peak:.2f} GiB")
            print(f"  went {len(found.went)}, rows in {len(found.rows)} groups; {verdict(found)}")


def make(folder: Path, clips: int, rows: int, *, later: bool) -> None:
    """One version. later: with what the second one has otherwise."""
    folder.mkdir()
    ids = np.array([f"{number:024x}" for number in range(clips)])
    places = np.arange(clips)
    sources = np.array([f"source-{number}.mp4" for number in range(clips // CLIPS_A_SOURCE + 1)])
    locators = sources[places // CLIPS_A_SOURCE]
    gone = (places % DROPPED == 0) & later
    write_clips(folder, ids[~gone], locators[~gone], places[~gone])
    write_decisions(folder, ids, locators, gone, rows=rows, version=5 if later else 4)
    write_columns(folder, "sources", tables.SOURCES, {"locator": sources})
    facts = {"root": str(later), "shards": [], "stages": {"stage0": {"version": 4 + later}}}
    (folder / "dataset.json").write_text(json.dumps(facts))


def write_clips(folder: Path, ids: np.ndarray, locators: np.ndarray, places: np.ndarray) -> None:
    """clips.parquet, with hashes of their own for the members."""
    hashes = {f"{name}_sha256": np.char.add(ids, f"{name:0>40}") for name in tables.MEMBER_COLUMNS}
    start = (places % CLIPS_A_SOURCE) * 250
    known = {"id": ids, "locator": locators, "start": start, "frames": np.full(len(ids), 250)}
    write_columns(folder, "clips", tables.CLIPS, {**known, **hashes})


def write_decisions(
    folder: Path,
    ids: np.ndarray,
    locators: np.ndarray,
    gone: np.ndarray,
    *,
    rows: int,
    version: int,
) -> None:
    """decisions.parquet: measurement by measurement, of which the last drops those that are gone."""
    draw = np.random.default_rng(0)
    parts: dict[str, list[np.ndarray]] = {}
    for number in range(rows):
        drops = gone & (number == rows - 1)
        columns = {
            "subject": ids,
            "source": locators,
            "stage": np.full(len(ids), f"stage{number % 8}"),
            "version": np.full(len(ids), version if number == 0 else 4),
            "measurement": np.full(len(ids), f"stage{number % 8}.value{number}"),
            "value": draw.random(len(ids)),
            "threshold": np.full(len(ids), 0.5),
            "comparator": np.full(len(ids), ">="),
            "verdict": np.where(drops, "dropped", "kept"),
        }
        for name, values in columns.items():
            parts.setdefault(name, []).append(values)
    joined = {name: np.concatenate(values) for name, values in parts.items()}
    write_columns(folder, "decisions", tables.DECISIONS, joined)


def write_columns(
    folder: Path, name: str, schema: pa.Schema, columns: dict[str, np.ndarray]
) -> None:
    """A table of these columns; the others are empty."""
    rows = len(next(iter(columns.values())))
    held = [
        pa.array(columns[field.name], field.type)
        if field.name in columns
        else pa.nulls(rows, field.type)
        for field in schema
    ]
    pq.write_table(pa.table(held, schema=schema), folder / f"{name}.parquet", compression="zstd")


if __name__ == "__main__":
    main()

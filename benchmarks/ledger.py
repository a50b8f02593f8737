"""The ledger at a million entries and more: how long it takes to fill, to open and to look up, and its size on disk.

    python -m benchmarks.ledger [--entries 1000000 …] [--work FOLDER] [--place FOLDER]

Entries are drawn from those of a work folder, or of made sources (`benchmarks/ledger_sections.py`), and put under
random keys as a run puts them. Before the file is opened again the operating system is told to drop what it holds of
it, so that look-ups come from the disk. Again: the same keys a second time.
"""

import argparse
import os
import random
import resource
import statistics
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from benchmarks.ledger_sections import pool_of
from pipeline.run.entry import Entry, Row
from pipeline.run.journal import Journal
from pipeline.run.ledger import FILE, Ledger

LOOKS = 2000
SHARES = (0.5, 0.95, 0.99)
WALKED = 20_000
COLUMNS = (
    "entries", "filled in, s", "CPU, s", "bytes each", "opened in, s", "look-up, ms: median, p95, p99",
    "of absent keys", "again", "absent, again", "counted in, s",
    "walked through, µs each", "memory, MiB",
)  # fmt: skip
JOURNALLED = 200


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", nargs="*", type=int, default=[1_000_000])
    parser.add_argument("--work", type=Path, help="a work folder whose entries are drawn from")
    parser.add_argument("--place", type=Path, help="where the ledgers are made, and removed again")
    given = parser.parse_args()
    pool = pool_of(given.work)
    describe(pool)
    print(f"\n| {' | '.join(COLUMNS)} |\n|{'---:|' * len(COLUMNS)}")
    for entries in given.entries:
        with tempfile.TemporaryDirectory(dir=given.place) as folder:
            print(f"| {measured(pool, entries, Path(folder))} |", flush=True)
    with tempfile.TemporaryDirectory(dir=given.place) as folder:
        print(f"\nOne entry in a journal, synced: {journalled(pool, Path(folder)):.2f} ms")


def describe(pool: list[Entry]) -> None:
    """Print what is drawn from: the share of each stage and its size."""
    sizes: dict[str, list[int]] = {}
    for entry in pool:
        sizes.setdefault(entry.stage or "?", []).append(len(Row.of(bytes(32), entry).body))
    counts = Counter({stage: len(found) for stage, found in sizes.items()})
    print(
        f"{len(pool)} entries to draw from\n\n| stage | share | compressed, bytes: mean | largest |"
    )
    print("|---|---:|---:|---:|")
    for stage, count in counts.most_common():
        found = sizes[stage]
        share = f"{count / len(pool):.1%}"
        print(f"| {stage} | {share} | {statistics.fmean(found):.0f} | {max(found)} |")
    mean = statistics.fmean(size for found in sizes.values() for size in found)
    print(f"| all | | {mean:.0f} | |")


def measured(pool: list[Entry], entries: int, work: Path) -> str:
    """One row of the table."""
    began, spent = time.perf_counter(), time.process_time()
    with Ledger.open(work) as ledger:
        for key, entry in zip(keys(entries), drawn(pool), strict=False):
            ledger.put(key, entry)
    filled, spent = time.perf_counter() - began, time.process_time() - spent
    size = sum(file.stat().st_blocks * 512 for file in work.iterdir()) / entries
    forget(work / FILE)
    began = time.perf_counter()
    with Ledger.open(work) as ledger:
        opened = time.perf_counter() - began
        there, absent = sample(entries), list(keys(LOOKS, seed=6))
        cells = [looked_up(ledger, some) for some in (there, absent, there, absent)]
        began = time.perf_counter()
        if len(ledger) != entries:
            raise ValueError(f"{len(ledger)} entries are there, {entries} were put")
        counted = time.perf_counter() - began
        walked = timed(lambda: deque(islice(ledger.entries(), WALKED), maxlen=0)) / WALKED
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return " | ".join(
        [
            f"{entries:,}",
            f"{filled:.0f}",
            f"{spent:.0f}",
            f"{size:.0f}",
            f"{opened:.3f}",
            *cells,
            f"{counted:.2f}",
            f"{1e6 * walked:.0f}",
            f"{memory:.0f}",
        ]
    )


def keys(entries: int, *, seed: int = 2) -> Iterator[str]:
    """As many keys, always the same."""
    source = random.Random(seed)
    return (source.randbytes(32).hex() for _ in range(entries))


def sample(entries: int) -> list[str]:
    """Keys from all over the file, in no order."""
    chosen = set(random.Random(3).sample(range(entries), min(LOOKS, entries)))
    found = [key for number, key in enumerate(keys(entries)) if number in chosen]
    random.Random(4).shuffle(found)
    return found


def drawn(pool: list[Entry]) -> Iterator[Entry]:
    """Entries without end."""
    source = random.Random(5)
    while True:
        yield source.choice(pool)


def forget(file: Path) -> None:
    """Have the operating system drop what it holds of a file."""
    with file.open("rb") as stream:
        os.fsync(stream.fileno())
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def looked_up(ledger: Ledger, some: list[str]) -> str:
    """Percentiles of one look-up, in ms."""
    spent = sorted(timed(lambda key=key: ledger.get(key)) for key in some)
    return ", ".join(f"{1e3 * spent[int(share * len(spent))]:.2f}" for share in SHARES)


def journalled(pool: list[Entry], work: Path) -> float:
    """Median ms of one entry appended to a journal."""
    journal = Journal(work, "run")
    pairs = zip(keys(JOURNALLED), drawn(pool), strict=False)
    spent = [timed(lambda key=key, entry=entry: journal.append(key, entry)) for key, entry in pairs]
    return 1e3 * statistics.median(spent)


def timed(act: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()

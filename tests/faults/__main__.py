"""`python -m tests.faults`: play seeded faults on real runs, and print a table; ends with 1 where anything differs."""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.faults.scenario import Result, play
from tests.faults.table import table
from tests.faults.world import CHEAP, REAL, States


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what the command line asks for; the exit code."""
    asked = parse(arguments)
    folder = Path(tempfile.mkdtemp(prefix="cospeech-faults-")).resolve()
    began, bad = time.monotonic(), list[Result]()
    for driver, count, chosen in (
        (CHEAP, asked.seeds, asked.seed),
        (REAL, asked.real, asked.real_seed),
    ):
        if asked.seed or asked.real_seed:
            count = 0
        results = play_all(chosen or range(count), States(folder / driver, driver), asked.at_once)
        if results:
            stages = "cheap stages" if driver == CHEAP else "real perception"
            print(f"\n{len(results)} faults with {stages}\n\n{table(results)}\n")
        bad += [result for result in results if result.faults]
    print(f"{(time.monotonic() - began) / 60.0:.1f} minutes")
    if bad:
        print(f"{len(bad)} differ; what they left is in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seeds", type=int, default=280, help="faults with cheap stages")
    parser.add_argument("--real", type=int, default=20, help="faults with real perception")
    parser.add_argument("--seed", type=int, nargs="+", default=(), help="these cheap ones alone")
    parser.add_argument(
        "--real-seed", type=int, nargs="+", default=(), help="these real ones alone"
    )
    parser.add_argument("--at-once", type=int, default=3, help="scenarios at a time")
    return parser.parse_args(arguments)


def play_all(seeds: Sequence[int], states: States, at_once: int) -> list[Result]:
    """Play seeds, some at a time, and print a line for each."""
    if not seeds:
        return []
    states.prepare()

    def played(seed: int) -> Result:
        result = play(seed, states)
        print(result.line, flush=True)
        return result

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(played, seeds))


if __name__ == "__main__":
    sys.exit(main())

"""What a command costs before it does anything: processor time of fresh processes, beside that of the bare libraries.

    python -m benchmarks.start [RUNS]

Each row is the least of RUNS processes (9). `with bytecode`: as on every run but the first, compiled modules at hand;
`from source`: as where nobody may write them down. `ratio`: over the floor, the import of numpy, pydantic and yaml.
"""

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

FLOW = "from pipeline import flow; from pipeline.config import Run; from pipeline.stage import fingerprint"
MARKS = f"{FLOW}; [fingerprint(stage) for stage in flow.build(Run()).stages]"
ROWS: tuple[tuple[str, tuple[str, ...], bool], ...] = (
    ("the interpreter", ("-c", "pass"), True),
    ("floor: numpy, pydantic, yaml", ("-c", "import numpy, pydantic, yaml"), True),
    ("import pipeline.flow", ("-c", "import pipeline.flow"), True),
    ("build the flow, fingerprints", ("-c", MARKS), True),
    ("the same, weights hashed anew", ("-c", MARKS), False),
    ("csg-data --version", ("-m", "pipeline", "--version"), True),
    ("csg-data --help", ("-m", "pipeline", "--help"), True),
    ("csg-data settings", ("-m", "pipeline", "settings"), True),
    ("csg-data weights list", ("-m", "pipeline", "weights", "list"), True),
)
"""Name, arguments of the interpreter, whether the hashes of weights are remembered."""
FLOOR = 1  # its place among them


def main() -> None:
    """The command."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    print(
        "CPU seconds | with bytecode | ratio | from source | ratio\n--- | ---: | ---: | ---: | ---:"
    )
    with tempfile.TemporaryDirectory() as folder:
        compiled = seconds(Path(folder), runs, compiled=True)
        source = seconds(Path(folder), runs, compiled=False)
    for place, (name, *_) in enumerate(ROWS):
        shown = (
            f"{found[place]:.2f} | {found[place] / found[FLOOR]:.1f}"
            for found in (compiled, source)
        )
        print(f"{name} | {' | '.join(shown)}")


def seconds(folder: Path, runs: int, *, compiled: bool) -> list[float]:
    """CPU seconds of each row, user and system, the least of so many runs."""
    return [
        min(
            cpu_seconds(arguments, environment(folder, compiled=compiled, remembered=remembered))
            for _ in range(runs + 1)  # the first writes the bytecode and the hashes
        )
        for _, arguments, remembered in ROWS
    ]


def environment(folder: Path, *, compiled: bool, remembered: bool) -> Mapping[str, str]:
    """The variables of a process whose bytecode and hashes lie in a folder of ours, or nowhere."""
    left_out = ("COSPEECH_WEIGHTS", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    kept["XDG_CACHE_HOME"] = str(folder / "cache") if remembered else os.devnull
    kept["PYTHONPYCACHEPREFIX"] = str(folder / ("compiled" if compiled else "none"))
    return kept if compiled else {**kept, "PYTHONDONTWRITEBYTECODE": "1"}


def cpu_seconds(arguments: Sequence[str], variables: Mapping[str, str]) -> float:
    """What one process used, its threads included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, env=variables
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()

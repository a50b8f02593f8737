"""`python -m tests.faults.driver KEY=VALUE …`: the driver of a run with the cheap flow, as a process of its own."""

import sys

from rich.console import Console

from manifests.errors import run_command


def main() -> None:
    """Build with settings from the command line; ends with the exit code of the command `csg-data build`."""
    from pipeline.config import load
    from pipeline.run.build import build
    from tests.faults import cheap

    run = load(None, tuple(sys.argv[1:])).resolved()
    sys.exit(build(run, Console(), flow=cheap.flow(run)))


if __name__ == "__main__":
    run_command(main)

"""`make bench`: what things cost, one after the other; those that need real clips say so and are left out."""

import argparse
import subprocess
import sys

MODULES = (
    "survey",
    "pipeline",
    "motion",
    "index",
    "decisions",
    "start",
    "rerun",
    "ledger",
    "engine",
    "verify",
    "versions",
)


def main() -> int:
    """Run them; the worst exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(MODULES)}; default: all"
    )
    given = parser.parse_args()
    if unknown := sorted(set(given.names) - set(MODULES)):
        parser.error(f"no benchmark {unknown[0]}: there are {', '.join(MODULES)}")
    failed = 0
    for name in given.names or MODULES:
        print(f"\n######## {name}", flush=True)
        failed |= subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}"], check=False
        ).returncode
    return failed


if __name__ == "__main__":
    sys.exit(main())

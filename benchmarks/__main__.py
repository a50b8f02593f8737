"""`make bench`: every benchmark, one after the other; those that need the real clips say so and are left out."""

import subprocess
import sys

MODULES = (
    "survey",
    "pipeline",
    "frozen",
    "tiny",
    "speech_turns",
    "truth.sync",
    "motion",
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
    failed = 0
    for name in MODULES:
        print(f"\n######## {name}", flush=True)
        failed |= subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}"], check=False
        ).returncode
    return failed


if __name__ == "__main__":
    sys.exit(main())

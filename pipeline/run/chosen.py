"""Which backends a run takes, in words, and which of them the dataset that is there was not made with."""

import json
from collections.abc import Iterator

from pipeline.backends import sentence
from pipeline.config import Run


def taken_line(asked: Run, run: Run) -> str:
    """The backends of a run in one line; asked: its settings as they are, with `auto`."""
    words = [
        sentence(kind, asked.backends[kind][0], *taken) for kind, taken in run.backends.items()
    ]
    return f"backends: {'; '.join(words)}"


def changed_backends(run: Run) -> Iterator[str]:
    """A sentence for each kind whose backend is another one than that of the dataset in the run's folder."""
    try:
        settings = json.loads((run.out / "dataset.json").read_text(encoding="utf-8"))["settings"]
        before = {kind: settings[kind]["backend"] for kind in run.backends}
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
    ):  # none, or one that `verify` has more to say of
        return
    for kind, (name, _) in run.backends.items():
        if before[kind] != name:
            yield (
                f"{kind}: {run.out} was made with {before[kind]}, this run takes {name}: "
                f"what it measures is measured anew for every source; {kind}.backend={before[kind]} keeps it"
            )

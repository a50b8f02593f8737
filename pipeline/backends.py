"""What the setting `auto` of a backend stands for on this machine, and where weights lie that no setting names.

Decided once, on the machine where a run starts, before anything is keyed: ledger, workers, `status` and dataset.json
see a backend's name, never `auto`.
"""

from collections.abc import Mapping
from pathlib import Path

from pipeline.perception import speech
from pipeline.weights import located, placed, taken_by

AUTO = "auto"
ORDER: Mapping[str, tuple[str, ...]] = {
    "speech": ("segmentation", "embedded"),
    "sync": ("light-asd", "syncnet", "embedded"),
}
"""What `auto` tries, in order (docs/decisions/0016-auto.md): what was measured on real footage, best first, and
syncnet, which was not and which somebody who fetched it wants. The last needs nothing more to install."""

Placed = tuple[str, Path | None]
"""A backend's name and its file or folder of weights."""


def settled(kind: str, backend: str, weights: Path | None) -> Placed:
    """The backend that two settings of a kind stand for here, and its weights: those named, else those in the folder.

    Raises WeightsError where a file in the folder of weights has other bytes than the pinned ones.
    """
    if backend != AUTO:
        return backend, own_weights(kind, backend) if weights is None else located(weights)
    *better, last = ORDER[kind]
    for name in better:
        file = own_weights(kind, name)
        if works(kind, name, file):
            return name, file
    return last, None


def own_weights(kind: str, backend: str) -> Path | None:
    """The file that `csg-data weights fetch` put there for a backend; None where it did not."""
    weights = taken_by(f"{kind}.weights", backend)
    return None if weights is None else placed(weights)


def works(kind: str, backend: str, weights: Path | None) -> bool:
    """Whether a backend that is better than the last lacks nothing here. Loads no network and no library for one.

    sync: its file, which is the pinned one; speech: that or the file in the package, if it is the pinned one.
    """
    if kind == "sync":
        return weights is not None
    made = speech.BACKENDS[backend](weights)
    return made.missing() is None and isinstance(made, speech.Segmentation) and made.is_published


def how_to_better(kind: str, backend: str) -> str | None:
    """The command that makes `auto` take a better backend than this; None where it is the best."""
    best = ORDER[kind][0]
    return None if backend == best else f"csg-data weights fetch {best}"


def sentence(kind: str, asked: str, backend: str, weights: Path | None) -> str:
    """Which backend of a kind a run takes, and why."""
    if asked != AUTO:
        return f"{kind}: {backend}"
    if how := how_to_better(kind, backend):
        return f"{kind}: {backend} (auto; better: {how})"
    return f"{kind}: {backend} (auto{f', {weights}' if weights else ''})"

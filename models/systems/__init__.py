"""The systems: one folder each, and this table. Nothing is imported before it is asked for."""

import difflib
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from manifests.errors import UserError

if TYPE_CHECKING:
    from models.systems.base import System


@dataclass(frozen=True, slots=True)
class Listing:
    """Where a system is, as `module:attribute`, what it does, and its paper."""

    place: str
    does: str
    paper: str


SYSTEMS: dict[str, Listing] = {
    "csg405": Listing(
        "models.systems.csg405.system:SYSTEM",
        "audio and one skeleton to a skeleton sequence, by a diffusion transformer",
        "Yang et al. 2025, Democratizing High-Fidelity Co-Speech Gesture Video Generation (arXiv:2507.06812)",
    ),
    "syncnet": Listing(
        "models.systems.syncnet.system:SYSTEM",
        "a face and a voice to how well they fit and at which offset, for sync.weights of csg-data",
        "Chung & Zisserman 2016, Out of time: automated lip sync in the wild (doi:10.1007/978-3-319-54427-4_19)",
    ),
    "light-asd": Listing(
        "models.systems.light_asd.system:SYSTEM",
        "a face and a voice to whether that face speaks it, for sync.weights of csg-data",
        "Liao et al. 2023, A Light Weight Model for Active Speaker Detection (arXiv:2303.04439)",
    ),
}
"""By the name that commands and trained folders use."""


class UnknownSystem(UserError):
    """A name that is not in the table."""


def system_of(name: str) -> "System":
    """The system of a name. Raises UnknownSystem."""
    if name not in SYSTEMS:
        near = difflib.get_close_matches(name, SYSTEMS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UnknownSystem(f"a system is one of {', '.join(SYSTEMS)}, got {name!r}{hint}")
    module, _, attribute = SYSTEMS[name].place.partition(":")
    return getattr(import_module(module), attribute)

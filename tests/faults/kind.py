"""What a kind of fault is, and what it says of a run that it has disturbed."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.faults.processes import Started
from tests.faults.shim import built
from tests.faults.world import COLD, DONE, PATIENCE, Reference, States, World

OK, NOTHING, MISTAKE, STOPPED, SHRINKS, INTERRUPTED, KILLED = 0, 1, 2, 3, 4, 130, -9


class CannotBe(Exception):
    """A fault that this machine does not allow; one sentence says what is missing."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a kind says of the run that it disturbed.

    codes: each run's exit code with those that are documented for the fault. struck: whether the fault came before the
    run's end. allowed: what may lie there until the repeat, beside the old dataset and the new one. most: stage calls
    that may be made again; None: no bound is known. again: settings of the repeat. wanted: what the repeat gives. Both
    are the scenario's own where they are None. shelved: whether the old version must be restorable afterwards.
    """

    codes: tuple[tuple[int, tuple[int, ...]], ...]
    struck: bool = True
    allowed: tuple[str, ...] = ()
    most: int | None = 0
    again: tuple[str, ...] | None = None
    wanted: Reference | None = None
    shelved: bool = True


NONE, OLD, NEW, LESS, SAME, OTHER, BROKEN = "none", "old", "new", "less", "same", "other", "broken"
"""What may lie in the dataset's place. less: whole, without clips of what failed; same: whole, with all clips, and with
other rows than the new one has, which say what failed; other: whole, and none of these."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a kind has to play with."""

    world: World
    numbers: Random
    states: States
    settings: tuple[str, ...]
    reference: Reference

    @property
    def partial(self) -> tuple[str, ...]:
        """What may lie there where something failed and was committed as that; a clip that was there is not lost."""
        return (LESS, SAME) if self.world.start == COLD else (SAME,)

    def begin(self, *more: str) -> Started:
        """Start the run that is to be disturbed."""
        return self.world.begin(*self.settings, *more)

    def run(self, *more: str) -> int:
        """The run that is disturbed, from start to end."""
        return self.world.run(*self.settings, *more)


Play = Callable[[Scene], Told]


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table.

    share: how many of a round of scenarios; starts: the states that it makes sense in; needs: raises CannotBe where
    this machine does not do; real: whether it is played with real perception too; partial: a set may be committed that
    lacks what failed, in which sides of the split are frozen that a fuller one would not have, unless they are hashed.
    """

    name: str
    play: Play
    share: int = 2
    starts: tuple[str, ...] = (COLD, DONE)
    needs: Callable[[], None] = lambda: None
    real: bool = False
    partial: bool = False


def a_compiler() -> None:
    """Raises CannotBe where the shim cannot be built."""
    if built() is None:
        raise CannotBe("there is no C compiler for the shim")


@contextmanager
def small_disk(place: Path, kib: int) -> Iterator[None]:
    """A disk of a size at an empty folder, for as long as the block runs. Raises CannotBe."""
    place.mkdir(parents=True, exist_ok=True)
    if shutil.which("mount") is None or mount(place, f"size={kib}k") != 0:
        raise CannotBe("small disks cannot be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], capture_output=True, check=False)


def mount(place: Path, options: str) -> int:
    """Mount a disk in memory, or change the one that is there; the exit code."""
    given = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    return subprocess.run(given, capture_output=True, check=False).returncode


def finished(
    started: Started, *documented: int, seconds: float = PATIENCE
) -> tuple[int, tuple[int, ...]]:
    """The exit code of a run with those that are documented for it."""
    return started.wait(seconds), documented

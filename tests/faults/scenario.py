"""One scenario, a function of its seed: a fault at some moment, what lies there then, and the same command again."""

import shutil
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from random import Random

from tests.faults import damage, deaths, disks, operators, power, steps
from tests.faults.kind import (
    BROKEN,
    LESS,
    NEW,
    NONE,
    OLD,
    OTHER,
    SAME,
    CannotBe,
    Kind,
    Scene,
    Told,
)
from tests.faults.processes import left_over
from tests.faults.whole import Seen, look_at
from tests.faults.world import CHEAP, COLD, DONE, NEW_SETTINGS, OLD_SETTINGS, Reference, States

KINDS: tuple[Kind, ...] = (
    *deaths.KINDS,
    *disks.KINDS,
    *power.KINDS,
    *steps.KINDS,
    *damage.KINDS,
    *operators.KINDS,
)
ROUND: tuple[Kind, ...] = tuple(
    kind
    for turn in zip_longest(*([kind] * kind.share for kind in KINDS))
    for kind in turn
    if kind is not None
)
"""Each kind as often as its share says, the rare ones first: seed N is of the kind number N, round after round."""


@dataclass(slots=True)
class Result:
    """What came of one scenario. state: what lay there after the fault. again: stage calls made again."""

    seed: int
    kind: str
    start: str
    state: str = NONE
    struck: bool = False
    same_root: bool = False
    lost: int = 0
    doubled: int = 0
    again: int = 0
    seconds: float = 0.0
    skipped: str = ""
    faults: list[str] = field(default_factory=list[str])

    @property
    def line(self) -> str:
        """One line of the console."""
        what = f"{self.seed:5d}  {self.kind} ({self.start})"
        if self.skipped:
            return f"{what}: skipped, {self.skipped}"
        struck = "" if self.struck else ", came too late"
        bad = "".join(f"\n       {fault}" for fault in self.faults)
        return f"{what}: {self.state}{struck}, {self.again} again, {self.seconds:.1f} s{bad}"


REAL_ROUND: tuple[Kind, ...] = tuple(kind for kind in ROUND if kind.real)
"""The same with real perception, of the kinds that need no order to a stage."""


def kind_of(seed: int, driver: str = CHEAP) -> Kind:
    """The kind of a seed."""
    kinds = ROUND if driver == CHEAP else REAL_ROUND
    return kinds[seed % len(kinds)]


def play(seed: int, states: States) -> Result:
    """Play a seed's scenario."""
    kind, numbers = kind_of(seed, states.driver), Random(seed)
    start = numbers.choice(kind.starts)
    result, began = Result(seed, kind.name, start), time.monotonic()
    try:
        kind.needs()
        play_kind(kind, numbers, states, result)
    except CannotBe as error:
        result.skipped = str(error)
    except AssertionError as error:  # a run that does not end, or a world that cannot be made
        result.faults.append(str(error))
    except Exception:  # noqa: BLE001 - the other scenarios go on
        result.faults.append(f"the harness failed: {traceback.format_exc()}")
    result.seconds = time.monotonic() - began
    return result


def play_kind(kind: Kind, numbers: Random, states: States, result: Result) -> None:
    """Disturb, look, repeat, look again."""
    settings = OLD_SETTINGS if result.start == COLD else NEW_SETTINGS
    if kind.partial and result.start == COLD:
        settings = (*settings, "split.mode=hashed")
    reference = states.reference(result.start, settings)
    world = states.world(f"seed-{result.seed}", result.start, count=numbers.choice([1, 2, 2]))
    scene = Scene(world, numbers, states, settings, reference)
    told = kind.play(scene)
    wanted = told.wanted or reference
    result.struck = told.struck
    old = states.reference(COLD, OLD_SETTINGS) if result.start == DONE else None
    result.faults += [f"still alive: {process}" for process in left_over(world.control)]
    result.faults += said_wrong(told, scene)
    world.calm()
    after = look_at(world.out)
    result.state = state_of(after, old, wanted)
    result.faults += disk_wrong(after, told, result.state, start=result.start)
    code = world.run(*(settings if told.again is None else told.again))
    compare(result, scene, told, wanted, code)
    if not result.faults:
        shutil.rmtree(world.folder)


# ---- what must hold --------------------------------------------------------------------------------------------------


def said_wrong(told: Told, scene: Scene) -> Iterator[str]:
    """Exit codes that are not documented for the fault, and tracebacks."""
    for number, (code, documented) in enumerate(told.codes):
        if code not in documented:
            yield f"run {number} ended with {code}, documented are {documented}"
    for run in scene.world.runs:
        _, found, words = run.text.partition("Traceback")
        if found:
            yield f"a traceback on the console: {words[:3000]}"


def state_of(seen: Seen | None, old: Reference | None, wanted: Reference) -> str:
    """Which dataset lies there."""
    if seen is None:
        return NONE
    if seen.faults:
        return BROKEN
    if seen.checksums == wanted.checksums:
        return NEW
    if old is not None and seen.checksums == old.checksums:
        return OLD
    if seen.ids == wanted.ids:
        return SAME
    return LESS if set(seen.ids) < set(wanted.ids) else OTHER


def disk_wrong(seen: Seen | None, told: Told, state: str, *, start: str) -> Iterator[str]:
    """What lies there after the fault and may not."""
    allowed = (NONE, NEW) if start == COLD else (OLD, NEW)
    if state not in (*allowed, *told.allowed):
        yield f"{state} lies there, allowed are {(*allowed, *told.allowed)}"
        yield from (seen.faults if seen is not None else ())


def compare(result: Result, scene: Scene, told: Told, wanted: Reference, code: int) -> None:
    """Hold the repeat against the run that nothing disturbed."""
    world, faults = scene.world, result.faults
    if code != wanted.code:
        faults.append(f"the repeat ended with {code}: {world.runs[-1].text[-2000:]}")
    faults += [f"still alive after the repeat: {p}" for p in left_over(world.control)]
    seen = look_at(world.out)
    faults += seen.faults if seen is not None else ["there is no dataset after the repeat"]
    ids = seen.ids if seen is not None else ()
    result.same_root = seen is not None and seen.checksums == wanted.checksums
    result.lost = len(set(wanted.ids) - set(ids))
    result.doubled = len(ids) - len(set(ids)) + len(set(ids) - set(wanted.ids))
    if not result.same_root:
        faults.append(f"the repeat's root is {seen and seen.root}, undisturbed {wanted.root}")
    faults += [f"left over: {path}" for path in world.leftovers()]
    result.again = (world.calls() - wanted.calls).total()
    if told.most is not None and result.again > told.most:
        more = dict(world.calls() - wanted.calls)
        faults.append(f"{result.again} stage calls were made again, allowed {told.most}: {more}")
    if told.shelved and result.start == DONE and result.state in (OLD, NEW):
        faults += not_restorable(scene)


def not_restorable(scene: Scene) -> Iterator[str]:
    """The version before lies whole on its shelf."""
    old = scene.states.reference(COLD, OLD_SETTINGS)
    seen = look_at(scene.world.place / ".set.versions" / old.root)
    if seen is None or seen.faults or seen.checksums != old.checksums:
        yield f"the version before cannot be restored: {seen and seen.faults}"

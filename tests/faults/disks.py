"""Faults of disks and shares: full, failing, torn, gone."""

import errno
import shutil
from pathlib import Path

from tests.faults.deaths import STEP, disturbed, moment
from tests.faults.kind import (
    KILLED,
    MISTAKE,
    NOTHING,
    OK,
    SHRINKS,
    STOPPED,
    Kind,
    Scene,
    Told,
    a_compiler,
    finished,
    mount,
    small_disk,
)
from tests.faults.places import DATASET, PLACES
from tests.faults.shim import Rule, Shim
from tests.faults.world import DONE, size_of

# ---- full disks ------------------------------------------------------------------------------------------------------


def full_work_disk(scene: Scene) -> Told:
    """The work folder on a small disk, as good as full at the start or soon after."""
    more = scene.reference.work_size - size_of(scene.world.work)
    return on_small_disk(scene, scene.world.work, most=more)


def full_out_disk(scene: Scene) -> Told:
    """The dataset on a small disk of its own; the work folder lies elsewhere."""
    world = scene.world
    elsewhere = world.folder / "elsewhere"
    if world.work.exists():
        world.work.rename(elsewhere)
    world.given = (*world.given, f"work={elsewhere}")
    return on_small_disk(scene, world.place, most=scene.reference.out_size)


def on_small_disk(scene: Scene, place: Path, *, most: int) -> Told:
    """Run with a folder on a small disk, then on a larger one, then on that of the machine."""
    aside = scene.world.folder / "aside"
    if place.exists():
        place.rename(aside)
    with small_disk(place, 64 * 1024):
        if aside.exists():
            shutil.copytree(aside, place, dirs_exist_ok=True)
            shutil.rmtree(aside)
        room = size_of(place) + scene.numbers.randint(8, most)
        mount(place, f"remount,size={room}k")
        started = scene.begin()
        code = finished(started, OK, MISTAKE, STOPPED)
        shutil.copytree(place, aside)
    place.rmdir()
    aside.rename(place)
    return Told((code,), struck=code[0] != OK, most=6)


def strike(scene: Scene, rule: Rule, *codes: int, most: int = 6) -> Told:
    """A run with one kind of call failing."""
    scene.world.under_shim(rule)
    code = finished(scene.begin(), *codes)
    return Told((code,), struck=scene.world.shim.struck() > 0, most=most)


def no_space(scene: Scene) -> Told:
    """A disk that says from some write on that it is full."""
    place = scene.numbers.choice(PLACES)
    skip = place.draw("write", scene.world.start, scene.numbers)
    rule = Rule("write", errno.ENOSPC, place.pattern, skip=skip, times=0)
    return strike(scene, rule, STOPPED, MISTAKE, OK)


def broken_disk(scene: Scene) -> Told:
    """A disk that fails at a call, or at all calls from one on."""
    place = scene.numbers.choice(PLACES)
    op = scene.numbers.choice([*place.ops, "any"])
    skip = place.draw(op, scene.world.start, scene.numbers)
    rule = Rule(op, errno.EIO, place.pattern, skip=skip, times=scene.numbers.choice([0, 1]))
    return strike(scene, rule, STOPPED, MISTAKE, OK)


def read_only_out(scene: Scene) -> Told:
    """Names cannot be changed any more where the dataset lies."""
    ops = ["rename", "mkdir", "exchange"] if scene.world.start == DONE else ["rename", "mkdir"]
    op = scene.numbers.choice(ops)
    skip = 0 if op == "exchange" else scene.numbers.randrange(3)
    rule = Rule(op, errno.EROFS, DATASET.pattern, skip=skip, times=0)
    return strike(scene, rule, STOPPED, MISTAKE, OK)


def no_hard_links(scene: Scene) -> Told:
    """A file system without hard links and without an exchange of folders: slower, and nothing else."""
    rules = [
        Rule("link", errno.EPERM, "*/place/*", times=0),
        Rule("exchange", errno.EINVAL, "*/place/*", times=0),
    ]
    scene.world.under_shim(*rules)
    return Told((finished(scene.begin(), OK),), struck=scene.world.shim.struck(1) > 0)


# ---- writes ----------------------------------------------------------------------------------------------------------


def short_writes(scene: Scene) -> Told:
    """Every write takes only half of what it is given, and says so."""
    rule = Rule("write", "short", "*/place/*", skip=scene.numbers.randrange(20), times=0)
    return strike(scene, rule, OK, most=0)


def torn_write(scene: Scene) -> Told:
    """Half of a write reaches the disk, then its process is gone."""
    place = scene.numbers.choice(PLACES)
    skip = place.draw("write", scene.world.start, scene.numbers)
    return strike(scene, Rule("write", "torn", place.pattern, skip=skip), OK, KILLED, most=STEP)


# ---- shares ----------------------------------------------------------------------------------------------------------


def unreadable_source(scene: Scene) -> Told:
    """Reading a source, or all of them, fails for one read, for a few, or from then on."""
    world, numbers = scene.world, scene.numbers
    name = numbers.choice(["ada", "dee", "*", "*"])
    times = numbers.choice([0, 1, 1, 3])
    skip = numbers.randrange(60 if name == "*" else 14)
    if world.start == DONE:  # the sources are on record: they are read if they look changed
        for file in world.share.iterdir():
            file.touch()
    rule = Rule("read", errno.EIO, f"*/share/{name}.mp4", skip=skip, times=times)
    Shim(world.shim.folder, world.folder).set_up([rule])
    code = finished(scene.begin(), OK, STOPPED, SHRINKS)
    return Told((code,), struck=world.shim.struck() > 0, allowed=scene.partial, most=12)


def share_goes(scene: Scene) -> Told:
    """The folder of the sources is gone, from the start or at some moment, and comes back for the repeat."""
    share, gone = scene.world.share, scene.world.folder / "gone"
    empty = scene.numbers.random() < 0.5  # as the mount point of a share that is not there is

    def take_away() -> None:
        share.rename(gone)
        if empty:
            share.mkdir()

    codes = (STOPPED, SHRINKS) if scene.world.start == DONE else (STOPPED, NOTHING)
    if scene.numbers.random() < 0.5:
        take_away()
        code, struck = finished(scene.begin(), *codes), True
    else:
        started, struck = disturbed(scene, moment(scene))
        take_away()
        code = finished(started, OK, *codes)
    if empty:
        share.rmdir()
    gone.rename(share)
    return Told((code,), struck=struck, allowed=scene.partial, most=12)


KINDS = (
    Kind("disk of the work folder full", full_work_disk, share=4, real=True),
    Kind("disk of the dataset full", full_out_disk, share=4),
    Kind("ENOSPC from some write on", no_space, share=6, needs=a_compiler, real=True),
    Kind(
        "EIO at a write, sync, rename or create", broken_disk, share=8, needs=a_compiler, real=True
    ),
    Kind("dataset's place read-only", read_only_out, share=2, needs=a_compiler),
    Kind("no hard links, no exchange", no_hard_links, share=1, starts=(DONE,), needs=a_compiler),
    Kind("every write is short", short_writes, share=2, needs=a_compiler),
    Kind("torn write and kill", torn_write, share=6, needs=a_compiler, real=True),
    Kind("EIO while sources are read", unreadable_source, share=3, needs=a_compiler, partial=True),
    Kind("share gone and back", share_goes, share=5, real=True, partial=True),
)

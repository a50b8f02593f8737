"""Power cuts: a run is recorded once, and ends at some moment of many disks that forgot what was not synced."""

import json
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.run.seals import file_of
from tests.faults.disk import Disk, File, Folder, walk
from tests.faults.kind import Kind, Scene, Told, a_compiler
from tests.faults.recording import Entry, read_log
from tests.faults.world import CHEAP, States, World, call_of

LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded run: the folder as it was before, and all that was done to it."""

    place: Path
    before: Path
    inodes: dict[str, int]
    entries: tuple[Entry, ...]

    def disk(self) -> Disk:
        """The disk before the first entry, its files known by the inodes that they had."""
        disk = Disk.of(self.before)
        disk.root = self.place
        nodes = dict(everything(disk.top, Path()))
        disk.by_inode = {
            inode: node
            for path, inode in self.inodes.items()
            if isinstance(node := nodes[Path(path)], File)
        }
        return disk


RECORDED: dict[tuple[Path, str, tuple[str, ...]], Recorded] = {}


def recorded(scene: Scene, given: tuple[str, ...]) -> Recorded:
    """The recorded run of a start and settings, made once for many cuts."""
    states, start = scene.states, scene.world.start
    key = (states.folder, start, given)
    with LOCK:
        if key not in RECORDED:
            RECORDED[key] = record(states, start, scene.settings, given)
        return RECORDED[key]


def record(
    states: States, start: str, settings: tuple[str, ...], given: tuple[str, ...]
) -> Recorded:
    """Record a run, and check that the record tells all that it did."""
    world = states.world(f"recorded-{start}-{len(RECORDED)}", start)
    world.given = given
    before = world.folder / "before"
    shutil.copytree(world.place, before)
    inodes = {
        file.relative_to(world.place).as_posix(): file.stat().st_ino
        for file in world.place.rglob("*")
        if file.is_file()
    }
    world.under_shim(record=True)
    if world.run(*settings) != 0:
        raise AssertionError(f"the recorded run failed:\n{world.runs[-1].text}")
    held = Recorded(world.place, before, inodes, tuple(read_log(world.shim.log)))
    disk = held.disk()
    for entry in held.entries:
        disk.do(entry)
    compare_with(disk, world)
    return held


def everything(folder: Folder, place: Path) -> Iterator[tuple[Path, File | Folder]]:
    """All nodes below a folder as it is now, by path."""
    for name, node in folder.now.items():
        yield place / name, node
        if isinstance(node, Folder):
            yield from everything(node, place / name)


def compare_with(disk: Disk, world: World) -> None:
    """The disk of the record, with nothing forgotten, is the one that is there. Raises AssertionError."""
    disk.keep_names()
    copy = world.folder / "copy"
    copy.mkdir()
    disk.write(copy, None)
    for one, other in ((copy, world.place), (world.place, copy)):
        for file in one.rglob("*"):
            twin = other / file.relative_to(one)
            same = twin.is_file() and twin.read_bytes() == file.read_bytes()
            if file.is_file() and not file.name.endswith("-shm") and not same:
                raise AssertionError(f"the record does not tell all that happened to {file}")
    shutil.rmtree(copy)


# ---- a cut -----------------------------------------------------------------------------------------------------------


def cut_power(scene: Scene) -> Told:
    """The power goes at some call of the recorded run; its last third is where the dataset is written and moved."""
    world, numbers = scene.world, scene.numbers
    given = numbers.choice([(), (), ("keep_versions=0",)])
    held = recorded(scene, given)
    count = len(held.entries)
    at = numbers.randint(*numbers.choice([(0, count), (count * 2 // 3, count)]))
    disk = held.disk()
    for entry in held.entries[:at]:
        disk.do(entry)
    if world.driver == CHEAP:
        note_promised(disk, world)
    disk.cut_power(numbers)
    shutil.rmtree(world.place)
    world.place.mkdir()
    disk.write(world.place, numbers)
    move_seals(disk, held, world)
    world.given = given
    return Told((), struck=at < count, shelved=not given)


def note_promised(disk: Disk, world: World) -> None:
    """Note the stage calls whose entries were synced to a journal: none of them may be made again.

    The first entry of a journal whose name is not on the disk is still being written: its worker has not gone on.
    """
    named = {id(node) for _, node in walk(disk.top, Path())}
    with (world.control / "calls").open("w") as promised:
        for path, node in everything(disk.top, Path()):
            if isinstance(node, File) and path.match("set.work/journal/*/*.jsonl"):
                for line in node.synced.splitlines()[id(node) not in named :]:
                    promised.write(f"{call_of(line)}\n")


def move_seals(disk: Disk, held: Recorded, world: World) -> None:
    """Have the record of what was committed speak of the files as they are named and numbered here."""
    numbers = {id(node): inode for inode, node in disk.by_inode.items()}
    now = {path: node for path, node in walk(disk.top, Path()) if isinstance(node, File)}
    for file in world.work.glob("committed/*.json"):
        try:
            said = json.loads(file.read_text())
        except ValueError:
            continue
        for path, seal in said["seals"].items():
            here = world.out / path
            node = now.get(Path("set") / path)
            if node is not None and numbers.get(id(node)) == seal[2] and here.exists():
                seal[2] = here.stat().st_ino
                os.utime(here, ns=(seal[1], seal[1]))
        file_of(world.work, world.out).write_text(json.dumps(said))


KINDS = (Kind("power cut", cut_power, share=20, needs=a_compiler, real=True),)

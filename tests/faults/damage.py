"""Faults of files that lie there: cut, flipped, deleted; in the work folder and in the dataset."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.faults.deaths import disturbed, moment
from tests.faults.kind import BROKEN, MISTAKE, NONE, OK, SHRINKS, Kind, Scene, Told, finished
from tests.faults.processes import kill_all
from tests.faults.world import DONE, OLD_SETTINGS, World

# ---- ways to damage a file -------------------------------------------------------------------------------------------


def cut(file: Path, numbers: Random) -> None:
    os.truncate(file, numbers.randrange(file.stat().st_size))


def empty(file: Path, numbers: Random) -> None:
    file.write_bytes(b"")


def flip(file: Path, numbers: Random) -> None:
    """Some bits, the size and the name as before."""
    content = bytearray(file.read_bytes())
    for _ in range(numbers.randint(1, 3)):
        content[numbers.randrange(len(content))] ^= 1 << numbers.randrange(8)
    file.write_bytes(content)


def overwrite(file: Path, numbers: Random) -> None:
    """A stretch of rubbish."""
    content = bytearray(file.read_bytes())
    start = numbers.randrange(len(content))
    stop = min(len(content), start + numbers.randint(16, 8192))
    content[start:stop] = numbers.randbytes(stop - start)
    file.write_bytes(content)


def replace(file: Path, numbers: Random) -> None:
    file.write_text("this is not what was written here\n")


def delete(file: Path, numbers: Random) -> None:
    file.unlink()


Damage = Callable[[Path, Random], None]
WAYS: tuple[Damage, ...] = (cut, empty, flip, overwrite, replace, delete)

# ---- what is damaged -------------------------------------------------------------------------------------------------


def chosen(numbers: Random, files: list[Path]) -> Path:
    return numbers.choice(sorted(files))


def blobs(scene: Scene) -> Told:
    """Some blobs are damaged, and the dataset is to be made anew of them or of others."""
    world, numbers = scene.world, scene.numbers
    files = [file for file in world.work.glob("blobs/*/*") if file.is_file()]
    for file in numbers.sample(sorted(files), numbers.choice([1, 1, 5, len(files)])):
        numbers.choice(WAYS)(file, numbers)
    if numbers.random() < 0.5:
        return Told((finished(scene.begin(), OK),), most=None, shelved=False)
    shutil.rmtree(world.out)
    wanted = scene.states.reference(
        DONE, OLD_SETTINGS, change="no dataset", prepare=without_dataset
    )
    code = finished(world.begin(*OLD_SETTINGS), OK)
    return Told((code,), again=OLD_SETTINGS, wanted=wanted, most=None, shelved=False)


def without_dataset(world: World) -> None:
    """The work folder alone."""
    shutil.rmtree(world.out)


def ledger(scene: Scene) -> Told:
    """The ledger is damaged after a run that ended well, or after one that was killed with entries in its log."""
    world, numbers = scene.world, scene.numbers
    killed = numbers.random() < 0.5
    if killed:
        started, _ = disturbed(scene, moment(scene))
        kill_all(world.control)
        started.wait(20.0)
        world.orders.withdraw()
    files = [*world.work.glob("ledger.sqlite*"), *world.work.glob("journal/*/*")]
    for file in numbers.sample(sorted(files), min(len(files), numbers.randint(1, 2))):
        if file.stat().st_size:
            numbers.choice(WAYS)(file, numbers)
    return Told((finished(scene.begin(), OK),), most=None)


def small_files(scene: Scene) -> Told:
    """The lock of sources, the identities or the record of what was committed is damaged."""
    world, numbers = scene.world, scene.numbers
    names = (
        "sources.lock.jsonl",
        "identities.json",
        "committed/*.json",
        "run.lock",
        ".cospeech-work",
    )
    files = [file for name in names for file in world.work.glob(name)]
    file = chosen(numbers, files)
    backup = world.folder / "backup"
    shutil.copy(file, backup)
    numbers.choice(WAYS)(file, numbers)
    code = finished(scene.begin(), OK, MISTAKE)
    if code[0] == MISTAKE:
        shutil.copy(backup, file)  # as the sentence asks for
    return Told((code,))


def dataset(scene: Scene) -> Told:
    """A file of the finished dataset is damaged, and the dataset made again, with other settings or the same."""
    world, numbers = scene.world, scene.numbers
    file = chosen(numbers, [file for file in world.out.rglob("*") if file.is_file()])
    numbers.choice(WAYS)(file, numbers)
    same = numbers.random() < 0.5
    settings = OLD_SETTINGS if same else scene.settings
    wanted = scene.states.reference(DONE, settings)
    code = finished(world.begin(*settings), OK, MISTAKE, SHRINKS)
    again = settings
    if code[0] == SHRINKS:  # clips.parquet cannot be read: nothing tells what would be lost
        again = (*settings, "allow_shrink=true")
    if code[0] == MISTAKE:  # dataset.json is gone: the folder is not known as a dataset any more
        shutil.rmtree(world.out)
    return Told(
        (code,),
        again=again,
        wanted=wanted,
        most=None,
        shelved=False,
        allowed=(BROKEN, NONE) if code[0] != OK else (),
    )


KINDS = (
    Kind("damaged blobs", blobs, share=8, starts=(DONE,), real=True),
    Kind("damaged ledger or journal", ledger, share=8, starts=(DONE,), real=True),
    Kind("damaged lock, identities or seals", small_files, share=4, starts=(DONE,)),
    Kind("damaged dataset", dataset, share=8, starts=(DONE,), real=True),
)

"""What a hostile operator does: two runs at once, folders deleted under a run, shorter lists, other bytes, trials."""

import shutil

from tests.faults.damage import cut, flip
from tests.faults.deaths import disturbed, last_moment, moment
from tests.faults.kind import (
    MISTAKE,
    NONE,
    NOTHING,
    OK,
    SAME,
    SHRINKS,
    STOPPED,
    Kind,
    Scene,
    Told,
    finished,
)
from tests.faults.world import DONE, World

PATIENT = 150.0


def two_runs(scene: Scene) -> Told:
    """The same command twice at once; or two with the same dataset and work folders of their own."""
    world = scene.world
    first, struck = disturbed(scene, moment(scene))
    if scene.numbers.random() < 0.5:
        second = (scene.run(), (MISTAKE, OK))
        return Told((second, finished(first, OK)), struck=struck)
    other = scene.begin(f"work={world.folder / 'other.work'}")
    return Told((finished(first, OK), finished(other, OK)), struck=struck, most=None)


def delete_dataset(scene: Scene) -> Told:
    """The dataset is deleted while the next one is measured or written."""
    started, struck = disturbed(scene, scene.numbers.choice([moment, last_moment])(scene))
    shutil.rmtree(scene.world.out, ignore_errors=True)
    return Told((finished(started, OK, STOPPED),), struck=struck, shelved=False, allowed=(NONE,))


def delete_work(scene: Scene) -> Told:
    """The work folder is deleted under the run."""
    started, struck = disturbed(scene, moment(scene))
    shutil.rmtree(scene.world.work, ignore_errors=True)
    code = finished(started, STOPPED, OK, SHRINKS, NOTHING)
    return Told((code,), struck=struck, allowed=scene.partial, most=None)


def trial(scene: Scene) -> Told:
    """`--limit 1` on a finished dataset."""
    code = finished(scene.begin(f"limit={scene.numbers.randint(1, 5)}"), SHRINKS)
    return Told((code,))


def halve_list(world: World) -> None:
    """Every second source is taken out of the list."""
    header, *rows = world.listed.read_text().splitlines()
    world.listed.write_text("\n".join([header, *rows[::2]]) + "\n")


def shorter_list(scene: Scene) -> Told:
    """An explicit list that names fewer sources means it."""
    halve_list(scene.world)
    wanted = scene.states.reference(
        scene.world.start, scene.settings, change="half a list", prepare=halve_list
    )
    return Told((finished(scene.begin(), OK),), wanted=wanted)


def emptier_folder(scene: Scene) -> Told:
    """Files gone from a folder look like an outage, and come back."""
    world = scene.world
    world.given = (f"sources={world.share}",)
    wanted = scene.states.reference(DONE, scene.settings, change="folder", prepare=from_folder)
    aside = world.folder / "aside"
    aside.mkdir()
    first = finished(scene.begin(), OK)
    for file in sorted(world.share.glob("*.mp4"))[:: scene.numbers.randint(1, 3)]:
        file.rename(aside / file.name)
    code = finished(scene.begin(), SHRINKS, STOPPED, MISTAKE)
    for file in aside.iterdir():
        file.rename(world.share / file.name)
    return Told((first, code), wanted=wanted)


def from_folder(world: World) -> None:
    world.given = (f"sources={world.share}",)


def unreachable(scene: Scene) -> Told:
    """Some sources of the list are addresses where nobody answers."""
    world, count = scene.world, scene.numbers.choice([1, 2, 4])
    held = world.listed.read_text()
    rows = [f"http://127.0.0.1:9/{number}.mp4," for number in range(count)]
    world.listed.write_text(held + "\n".join(rows) + "\n")
    codes = (STOPPED,) if count >= 3 else (OK,)
    code = finished(scene.begin("fetch.retries=0", "fetch.backoff=0.01"), *codes)
    world.listed.write_text(held)
    return Told((code,), allowed=(SAME,))


def other_bytes(scene: Scene) -> Told:
    """A source has other bytes than were pinned, or is cut while it is measured, and then its own again."""
    world, numbers = scene.world, scene.numbers
    file = world.share / f"{numbers.choice(['ada', 'bo', 'dee'])}.mp4"
    held = file.read_bytes()
    struck = True
    if numbers.random() < 0.5:
        numbers.choice([cut, flip])(file, numbers)
        started = scene.begin()
    else:
        started, struck = disturbed(scene, moment(scene))
        numbers.choice([cut, flip])(file, numbers)
    code = finished(started, SHRINKS, STOPPED, OK)
    file.write_bytes(held)
    return Told((code,), struck=struck, most=12)


KINDS = (
    Kind("two runs at once", two_runs, share=4),
    Kind("dataset deleted under the run", delete_dataset, share=3, starts=(DONE,)),
    Kind("work folder deleted under the run", delete_work, share=3, partial=True),
    Kind("--limit on a fuller set", trial, share=2, starts=(DONE,)),
    Kind("list emptied by half", shorter_list, share=2, starts=(DONE,)),
    Kind("folder emptied", emptier_folder, share=3, starts=(DONE,)),
    Kind("nobody answers", unreachable, share=3),
    Kind("source with other bytes", other_bytes, share=5, starts=(DONE,)),
)

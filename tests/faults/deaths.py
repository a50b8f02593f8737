"""Faults of processes: killed, stopped, interrupted; on this machine and behind a scheduler."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.kind import (
    INTERRUPTED,
    KILLED,
    NONE,
    OK,
    STOPPED,
    Kind,
    Scene,
    Told,
    a_compiler,
    finished,
)
from tests.faults.places import ALL, DATASET, DRIVERS, PLACES
from tests.faults.processes import Started, kill_all, send, start, until
from tests.faults.shim import Rule
from tests.faults.world import CHEAP, COLD, DONE, PATIENCE, REAL, World

STEP = 6
"""Stage calls of one step: a step whose result was lost with its worker is done again as a whole."""
PACE = 0.02  # seconds a stage takes while a fault waits for its moment
ENTRIES = {(CHEAP, DONE): 18, (CHEAP, COLD): 60, (REAL, DONE): 2, (REAL, COLD): 10}
"""About how many entries a run adds to the ledger."""
EARLY = (-signal.SIGINT, -signal.SIGTERM)  # before the run had begun


def moment(scene: Scene) -> Callable[[], bool]:
    """Something to be seen of a run that is under way, drawn by the scenario's numbers."""
    world, numbers = scene.world, scene.numbers
    entries = numbers.randint(1, ENTRIES[world.driver, world.start])
    seen: list[Callable[[], bool]] = [
        lambda: world.entries >= entries,
        lambda: world.entries >= entries,
        lambda: world.any("set.work/.preflight-*"),
        lambda: world.any("set.work/running/*/*"),
        lambda: world.any("set.work/scratch-*"),
    ]
    return numbers.choice(seen)


def last_moment(scene: Scene) -> Callable[[], bool]:
    """Something to be seen while the dataset is written."""
    patterns = [
        ".set.new-*",
        ".set.new-*/motion",
        ".set.new-*/video",
        ".set.new-*/*.parquet",
        ".set.next-*",
    ]
    pattern = scene.numbers.choice(patterns)
    return lambda: scene.world.any(pattern)


def disturbed(scene: Scene, seen: Callable[[], bool], *more: str) -> tuple[Started, bool]:
    """A run that has come to a moment, and whether it has not ended before."""
    scene.world.orders.pace(PACE)
    started = scene.begin(*more)
    return started, until(seen, process=started, seconds=PATIENCE)


# ---- on this machine -------------------------------------------------------------------------------------------------


def kill_a_worker(scene: Scene) -> Told:
    started, struck = disturbed(scene, moment(scene))
    found = scene.world.at_work() or scene.world.workers(started)
    if found:
        send(scene.numbers.choice(found), signal.SIGKILL)
    return Told((finished(started, OK),), struck=struck and bool(found), most=STEP)


def kill_all_workers(scene: Scene) -> Told:
    started, struck = disturbed(scene, moment(scene))
    found = scene.world.workers(started)
    for worker in found:
        send(worker, signal.SIGKILL)
    return Told((finished(started, OK),), struck=struck and bool(found), most=2 * STEP)


def kill_the_driver(scene: Scene) -> Told:
    seen = scene.numbers.choice([moment, last_moment])(scene)
    started, struck = disturbed(scene, seen)
    started.send(signal.SIGKILL)
    return Told((finished(started, KILLED, OK),), struck=struck, most=4)


def kill_everything(scene: Scene) -> Told:
    seen = scene.numbers.choice([moment, last_moment])(scene)
    started, struck = disturbed(scene, seen)
    kill_all(scene.world.control)
    return Told((finished(started, KILLED, OK),), struck=struck, most=4)


def kill_again_and_again(scene: Scene) -> Told:
    """The same command killed at three moments, one after the other."""
    codes: list[tuple[int, tuple[int, ...]]] = []
    struck = False
    for _ in range(3):
        started, seen = disturbed(scene, scene.numbers.choice([moment, moment, last_moment])(scene))
        kill_all(scene.world.control)
        codes.append(finished(started, KILLED, OK))
        struck = struck or seen
    return Told(tuple(codes), struck=struck, most=12)


def kill_at_a_start(scene: Scene) -> Told:
    started = scene.begin()
    time.sleep(scene.numbers.uniform(0.05, 2.5))
    struck = started.alive
    kill_all(scene.world.control)
    return Told((finished(started, KILLED, OK),), struck=struck, most=4)


def kill_the_driver_at_a_call(scene: Scene) -> Told:
    place = scene.numbers.choice([DATASET, *DRIVERS])
    op = scene.numbers.choice(["any", *place.ops])
    act = scene.numbers.choice(["kill", "after"])
    skip = place.draw(op, scene.world.start, scene.numbers)
    scene.world.under_shim(Rule(op, act, place.pattern, skip=skip))
    code = finished(scene.begin(), KILLED, OK)
    return Told((code,), struck=scene.world.shim.struck() > 0, most=4)


def kill_everything_at_a_call(scene: Scene) -> Told:
    place = scene.numbers.choice([ALL, *PLACES])
    skip = place.draw("any", scene.world.start, scene.numbers)
    scene.world.under_shim(Rule("any", "group", place.pattern, skip=skip))
    code = finished(scene.begin(), KILLED, OK)
    return Told((code,), struck=scene.world.shim.struck() > 0, most=4)


def kill_between_renames(scene: Scene) -> Told:
    """Where the system cannot exchange two folders, there is a moment without a dataset."""
    rules = [
        Rule("exchange", 38, "*/place/*", times=0),  # ENOSYS
        Rule(
            "rename",
            scene.numbers.choice(["kill", "after"]),
            "*/place/.set.*",
            skip=scene.numbers.randrange(4),
        ),
    ]
    scene.world.under_shim(*rules)
    code = finished(scene.begin(), KILLED, OK)
    return Told((code,), struck=scene.world.shim.struck(1) > 0, most=4, allowed=(NONE,))


def stop_a_worker(scene: Scene) -> Told:
    """A process that is stopped says nothing, and its task goes elsewhere, unless it comes back in time."""
    started, struck = disturbed(scene, moment(scene), "silent_seconds=4")
    found = scene.world.at_work() or scene.world.workers(started)
    chosen = scene.numbers.choice(found) if found else None
    if chosen is not None:
        send(chosen, signal.SIGSTOP)
        time.sleep(scene.numbers.choice([0.3, 8.0]))
        send(chosen, signal.SIGCONT)
    return Told((finished(started, OK),), struck=struck and chosen is not None, most=4)


def stop_the_driver(scene: Scene) -> Told:
    started, struck = disturbed(scene, moment(scene), "silent_seconds=10")
    started.send(signal.SIGSTOP)
    time.sleep(scene.numbers.choice([0.5, 12.0]))
    started.send(signal.SIGCONT)
    return Told((finished(started, OK),), struck=struck, most=4)


def interrupt(scene: Scene) -> Told:
    """Ctrl-C, by an impatient user more than once; or the signal that clusters send."""
    seen = scene.numbers.choice([moment, last_moment])(scene)
    started, struck = disturbed(scene, seen)
    number = scene.numbers.choice([signal.SIGINT, signal.SIGTERM])
    for _ in range(scene.numbers.choice([1, 1, 3])):
        started.send(number)
        time.sleep(0.1)
    return Told((finished(started, INTERRUPTED, OK, *EARLY),), struck=struck, most=4)


# ---- behind a scheduler ----------------------------------------------------------------------------------------------


@contextmanager
def cluster(
    world: World, *options: str, count: int = 2
) -> Iterator[tuple[Started, list[Started], str]]:
    """A scheduler and its workers as processes of their own; yields both and the address."""
    file = world.folder / "scheduler.json"
    file.unlink(missing_ok=True)
    env = world.environment
    where = ["--scheduler-file", str(file)]
    lead = start(
        "distributed.cli.dask_scheduler",
        [*where, "--host", "127.0.0.1", "--port", "0", "--no-dashboard"],
        environment=env,
        printed=world.folder / "scheduler.txt",
    )
    given = [*where, "--host", "127.0.0.1", "--nthreads", "1", "--no-dashboard", *options]
    hands = [
        start(
            "distributed.cli.dask_worker",
            [*given, "--local-directory", str(world.folder / f"worker-{number}")],
            environment=env,
            printed=world.folder / f"worker-{number}.txt",
        )
        for number in range(count)
    ]
    try:
        until(lambda: address_in(file) is not None, process=lead, seconds=PATIENCE)
        until(lambda: registered(world) >= count, process=lead, seconds=PATIENCE)
        yield lead, hands, f"scheduler={address_in(file)}"
    finally:
        for process in (lead, *hands):
            process.send(signal.SIGKILL)
            process.wait(PATIENCE)


def registered(world: World) -> int:
    """How many workers have come to the scheduler, by what it prints."""
    return (world.folder / "scheduler.txt").read_text(errors="replace").count("Register worker")


def address_in(file: Path) -> str | None:
    """The address that a scheduler wrote down; None while it has not, or not to the end."""
    try:
        return json.loads(file.read_text())["address"]
    except (FileNotFoundError, ValueError):
        return None


def kill_the_scheduler(scene: Scene) -> Told:
    with cluster(scene.world) as (lead, _, address):
        started, struck = disturbed(scene, moment(scene), address)
        lead.send(signal.SIGKILL)
        code = finished(started, STOPPED, OK)
        kill_all(scene.world.control)
    return Told((code,), struck=struck, most=4)


def kill_a_worker_of_a_scheduler(scene: Scene) -> Told:
    with cluster(scene.world) as (_, hands, address):
        started, struck = disturbed(scene, moment(scene), address)
        found = scene.world.at_work()
        if found and scene.numbers.random() < 0.6:
            send(scene.numbers.choice(found), signal.SIGKILL)
        else:
            scene.numbers.choice(hands).send(signal.SIGKILL)
        code = finished(started, OK)
        kill_all(scene.world.control)
    return Told((code,), struck=struck, most=4)


def kill_all_workers_of_a_scheduler(scene: Scene) -> Told:
    with cluster(scene.world) as (_, hands, address):
        started, struck = disturbed(scene, moment(scene), address, "worker_wait=3")
        for hand in hands:
            hand.send(signal.SIGKILL)
        code = finished(started, STOPPED, OK)
        kill_all(scene.world.control)
    return Told((code,), struck=struck, most=4)


def take_memory(scene: Scene) -> Told:
    """A step that takes more memory than its worker may have."""
    stage = (
        "crop" if scene.world.start == DONE else scene.numbers.choice(["speech", "pose", "crop"])
    )
    with cluster(scene.world, "--memory-limit", "800MiB") as (_, _, address):
        scene.world.orders.give(stage, "greedy", skip=scene.numbers.randrange(3))
        code = finished(scene.begin(address), OK)
        kill_all(scene.world.control)
    return Told((code,), struck=scene.world.orders.obeyed > 0, most=2)


KINDS = (
    Kind("kill -9 of a worker", kill_a_worker, share=5, real=True),
    Kind("kill -9 of all workers", kill_all_workers, share=3, real=True),
    Kind("kill -9 of the driver", kill_the_driver, share=5, real=True),
    Kind("kill -9 of driver and workers", kill_everything, share=4, real=True),
    Kind("kill -9 again and again", kill_again_and_again, share=3, real=True),
    Kind("kill -9 while it starts", kill_at_a_start, share=2),
    Kind(
        "kill -9 of the driver at a system call",
        kill_the_driver_at_a_call,
        share=12,
        needs=a_compiler,
        real=True,
    ),
    Kind(
        "kill -9 of all at a system call",
        kill_everything_at_a_call,
        share=8,
        needs=a_compiler,
        real=True,
    ),
    Kind(
        "kill -9 between two renames",
        kill_between_renames,
        share=4,
        starts=(DONE,),
        needs=a_compiler,
    ),
    Kind("SIGSTOP of a worker", stop_a_worker, share=3, real=True),
    Kind("SIGSTOP of the driver", stop_the_driver, share=2),
    Kind("Ctrl-C or SIGTERM", interrupt, share=5, real=True),
    Kind("kill -9 of the scheduler", kill_the_scheduler, share=3, real=True),
    Kind("kill -9 of a worker of a scheduler", kill_a_worker_of_a_scheduler, share=2),
    Kind("kill -9 of all workers of a scheduler", kill_all_workers_of_a_scheduler, share=2),
    Kind("worker over its memory limit", take_memory, share=2),
)

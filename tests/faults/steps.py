"""Faults within steps: hanging, crashing, raising, once or always; and a clock that jumps."""

from tests.faults.deaths import disturbed, moment
from tests.faults.kind import OK, SHRINKS, STOPPED, Kind, Scene, Told, a_compiler, finished
from tests.faults.world import COLD, DONE

DAY = 86_400  # seconds
FOR_EVER = 99


def stage_of(scene: Scene) -> str:
    """A stage that the run will call; `stored` is a point within crop after its files were written."""
    again = ["framing", "crop", "stored"]
    stages = ["probe", "speech", "shots", "people", "pose", "posture", "sync", *again]
    return scene.numbers.choice(again if scene.world.start == DONE else stages)


def subject_of(scene: Scene, stage: str) -> str:
    """Some subject that the stage will be called on."""
    name = {"stored": "crop"}.get(stage, stage)
    subjects = [call.partition(" ")[2] for call in scene.reference.calls if call.split()[0] == name]
    return scene.numbers.choice(sorted(subjects))


def ordered(scene: Scene, *acts: str, settings: tuple[str, ...] = ()) -> Told:
    """A run in which a step does something once, so that nothing comes of it, or at every try on one subject."""
    stage, act = stage_of(scene), scene.numbers.choice(acts)
    orders = scene.world.orders
    always = scene.numbers.random() < 0.4
    if always:
        orders.give(stage, act, times=FOR_EVER, subject=subject_of(scene, stage))
    else:
        orders.give(stage, act, skip=scene.numbers.randrange(4))
    codes = (OK,) if not always else (OK,) if scene.world.start == COLD else (SHRINKS,)
    code = finished(scene.begin(*settings), *codes)
    return Told((code,), struck=orders.obeyed > 0, allowed=scene.partial if always else (), most=6)


def hang(scene: Scene) -> Told:
    return ordered(scene, "hang", settings=("step_minutes=0.06",))


def crash(scene: Scene) -> Told:
    return ordered(scene, "abort", "segv", "kill", "leave")


def fail(scene: Scene) -> Told:
    return ordered(scene, "fail", "memory error")


def fail_everywhere(scene: Scene) -> Told:
    """Every try of a stage fails, on every subject."""
    stage = stage_of(scene)
    scene.world.orders.give(stage, "fail", times=FOR_EVER)
    codes = (SHRINKS, STOPPED) if scene.world.start == DONE else (1, STOPPED)
    code = finished(scene.begin(), *codes)
    return Told((code,), allowed=scene.partial, most=None)


def jump_the_clock(scene: Scene) -> Told:
    """The wall clock of all processes, of the driver or of all others jumps by a day or more."""
    scene.world.under_shim()
    started, struck = disturbed(scene, moment(scene))
    whom = scene.numbers.choice([0, started.pid, -started.pid])
    days = scene.numbers.choice([-400, -1, 1, 400])
    scene.world.shim.shift_clock(days * DAY, whom=whom)
    return Told((finished(started, OK, STOPPED),), struck=struck, most=4)


KINDS = (
    Kind("hanging step", hang, share=4, partial=True),
    Kind("crashing step", crash, share=6, partial=True),
    Kind("failing step", fail, share=4, partial=True),
    Kind("stage that always fails", fail_everywhere, share=2, partial=True),
    Kind("clock jumps", jump_the_clock, share=4, needs=a_compiler),
)

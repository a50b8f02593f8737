"""The world of one scenario: its folder, its runs, and the states that scenarios start from, made once."""

import json
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.made import LIST, SHARE, make_real_sources, make_sources
from tests.faults.orders import FOLDER, Orders
from tests.faults.processes import LOOK, Started, kill_all, start, workers
from tests.faults.shim import Rule, Shim
from tests.faults.whole import look_at

COLD, DONE = "cold", "done"
"""Where a scenario starts: with nothing measured, or with a finished dataset."""
OLD_SETTINGS = ("crop.margin=0.08",)
NEW_SETTINGS = ("crop.margin=0.12", "crop.crf=20")  # a real person may fill the picture: no margin
PATIENCE = 300.0  # seconds that a run may take on a machine that is busy with others
CHEAP, REAL = "tests.faults.driver", "pipeline"
"""The driver with the cheap flow, and the command itself, with real perception."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What an undisturbed run gives. calls: of each stage on each subject; the sizes in KiB."""

    root: str
    ids: tuple[str, ...]
    checksums: bytes
    calls: Counter[str]
    code: int
    out_size: int
    work_size: int


@dataclass(slots=True)
class World:
    """A scenario's folder. place: where dataset and work folder lie; given: settings of all its runs."""

    folder: Path
    start: str
    given: tuple[str, ...] = ()
    count: int = 2  # workers
    driver: str = CHEAP
    runs: list[Started] = field(default_factory=list[Started])
    watches: list[threading.Thread] = field(default_factory=list[threading.Thread])

    @property
    def share(self) -> Path:
        return self.folder / SHARE

    @property
    def listed(self) -> Path:
        return self.folder / LIST

    @property
    def place(self) -> Path:
        return self.folder / "place"

    @property
    def out(self) -> Path:
        return self.place / "set"

    @property
    def work(self) -> Path:
        return self.place / "set.work"

    @property
    def control(self) -> Path:
        return self.folder / "control"

    @property
    def orders(self) -> Orders:
        return Orders(self.control)

    @property
    def shim(self) -> Shim:
        return Shim(self.folder / "shim", self.place)

    def under_shim(self, *rules: Rule, record: bool = False) -> None:
        """Have the processes that start from now on under the shim."""
        self.shim.set_up(rules, record=record)

    @property
    def environment(self) -> dict[str, str]:
        """What every process of the scenario inherits."""
        shim = self.shim.environment if self.shim.folder.is_dir() else {}
        return {FOLDER: str(self.control), **shim}

    # ---- runs

    def begin(self, *settings: str) -> Started:
        """Start a run."""
        defaults = (
            f"sources={json.dumps(str(self.listed))}",
            f"out={json.dumps(str(self.out))}",
            f"workers={self.count}",
            "dashboard=-1",
        )
        printed = self.folder / f"printed-{len(self.runs)}.txt"
        given = (*defaults, *self.given, *settings)
        if self.driver == REAL:
            given = ("build", *(part for setting in given for part in ("--set", setting)))
        started = start(self.driver, given, environment=self.environment, printed=printed)
        self.runs.append(started)
        if self.driver == REAL:
            self.watches.append(threading.Thread(target=self.keep_journals, args=(started,)))
            self.watches[-1].start()
        return started

    def run(self, *settings: str) -> int:
        """A run from start to end; its exit code."""
        return self.begin(*settings).wait(PATIENCE)

    def calm(self) -> None:
        """Nothing is ordered and nothing is struck any more; every process is ended."""
        kill_all(self.control)
        self.orders.withdraw()
        shutil.rmtree(self.shim.folder, ignore_errors=True)

    # ---- what was measured

    def calls(self) -> Counter[str]:
        """How often each stage was called on each subject; of real stages, how often something came of it."""
        if self.driver == CHEAP:
            return self.orders.calls()
        for watch in self.watches:
            watch.join(PATIENCE)
        kept = sorted(self.kept.glob("*.jsonl"))
        return Counter(call_of(line) for file in kept for line in whole_lines(file))

    @property
    def kept(self) -> Path:
        """Where the journals of all runs stay."""
        return self.folder / "journals"

    def keep_journals(self, started: Started) -> None:
        """Keep every journal of a run while it lasts: the run removes those whose entries the ledger has."""
        self.kept.mkdir(exist_ok=True)
        alive = True
        while alive:
            alive = started.alive
            for file in self.work.glob("journal/*/*.jsonl"):
                with suppress(FileNotFoundError):
                    keep(file, self.kept / file.name)
            time.sleep(10 * LOOK)

    # ---- looking at a run

    @property
    def entries(self) -> int:
        """How many entries are in the journals."""
        return sum(file.read_bytes().count(b"\n") for file in self.work.glob("journal/*/*.jsonl"))

    def any(self, pattern: str) -> bool:
        """Whether the place holds something that matches."""
        return any(True for _ in self.place.glob(pattern))

    def workers(self, driver: Started) -> list[int]:
        return workers(self.control, driver.pid)

    def at_work(self) -> list[int]:
        """The processes that are at a step, by the marks that they left."""
        return [
            int(mark.name.rpartition("-")[2]) for mark in self.work.glob("running/*/*/[0-9]*-*")
        ]

    def leftovers(self) -> Iterator[str]:
        """What must not lie there once a run has ended well."""
        for pattern in LEFTOVERS:
            for path in self.place.glob(pattern):
                yield path.relative_to(self.place).as_posix()


def keep(file: Path, place: Path) -> None:
    """Link a file that is still written to, or copy it, where the two lie on different disks."""
    try:
        os.link(file, place)
    except FileExistsError:
        if place.stat().st_ino != file.stat().st_ino:
            shutil.copyfile(file, place)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(file, place)


def whole_lines(file: Path) -> list[bytes]:
    """The lines of a journal, without the one that a kill cut."""
    return [line for line in file.read_bytes().splitlines(keepends=True) if line.endswith(b"}\n")]


def call_of(line: bytes) -> str:
    """The stage call that a line of a journal tells of, as stages note it."""
    entry = json.loads(line.partition(b" ")[2])
    survey = "people" if "tracks" in (entry["section"] or {}) else "shots"
    stage = survey if entry["stage"] == "survey" else entry["stage"]
    return f"{stage} {entry['subject']}"


LEFTOVERS = (
    ".*.new-*",
    ".*.next-*",
    ".*.old",
    "*.work/scratch-*",
    "*.work/running/*",
    "*.work/stacks/*",
    "*.work/.preflight-*",
    "*.work/**/.*.????????",  # what a write leaves that was cut
    "*.work/ledger.sqlite.salvaged*",
    "set/**/.*",
)


# ---- the states that scenarios start from ----------------------------------------------------------------------------


@dataclass(slots=True)
class States:
    """Made once for many scenarios, and what undisturbed runs give from each."""

    folder: Path
    driver: str = CHEAP
    lock: threading.Lock = field(default_factory=threading.Lock)
    references: dict[str, Reference] = field(default_factory=dict[str, Reference])

    def prepare(self) -> None:
        """Make the sources and the finished dataset."""
        make = make_sources if self.driver == CHEAP else make_real_sources
        make(self.folder / "made")
        self.reference(COLD, OLD_SETTINGS)

    def world(self, name: str, start: str, *, count: int = 2) -> World:
        """A new world in a state."""
        world = World(self.folder / name, start, count=count, driver=self.driver)
        shutil.rmtree(world.folder, ignore_errors=True)
        shutil.copytree(self.folder / "made", world.folder)
        world.control.mkdir()
        if start == DONE:
            shutil.copytree(self.folder / "done", world.place)
        else:
            world.place.mkdir()
        return world

    def reference(
        self,
        start: str,
        settings: Sequence[str],
        *,
        change: str = "",
        prepare: Callable[[World], object] = bool,
    ) -> Reference:
        """What a run gives that nothing disturbs. change: names what `prepare` does to the world before."""
        key = " ".join([start, *settings, change])
        with self.lock:
            if key not in self.references:
                self.references[key] = self.undisturbed(start, settings, prepare)
            return self.references[key]

    def undisturbed(
        self, start: str, settings: Sequence[str], prepare: Callable[[World], object]
    ) -> Reference:
        """Run it once."""
        world = self.world(f"reference-{len(self.references)}", start)
        prepare(world)
        code = world.run(*settings)
        seen = look_at(world.out)
        if seen is None or seen.faults:
            raise AssertionError(
                f"a run that nothing disturbs ended with {code}:\n{world.runs[-1].text}\n{seen}"
            )
        calls = world.calls()
        if not (self.folder / "done").exists():
            shutil.copytree(world.place, self.folder / "done")
        sizes = size_of(world.out), size_of(world.work)
        return Reference(seen.root, seen.ids, seen.checksums, calls, code, *sizes)


def size_of(folder: Path) -> int:
    """KiB of the files below a folder, as a disk in memory counts them."""
    pages = [-(-file.stat().st_size // 4096) for file in folder.rglob("*") if file.is_file()]
    return 4 * sum(pages)

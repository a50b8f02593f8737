"""Builds `shim.c` and tells it what to do: which system calls to strike, which clock to shift, whether to record."""

import atexit
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
STATE_BYTES = 4096
ON, SHIFT, WHOM, COUNTS = 0, 1, 2, 8  # places in the state, as the C file has them


@cache
def built() -> Path | None:
    """The shared library, compiled once per process; None where there is no compiler or it does not fit."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    folder = Path(tempfile.mkdtemp(prefix="cospeech-shim-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    library = folder / "shim.so"
    options = ["-O2", "-fPIC", "-shared", "-pthread"]
    made = subprocess.run(
        [compiler, *options, "-o", str(library), str(SOURCE)], capture_output=True, check=False
    )
    return library if made.returncode == 0 else None


@dataclass(frozen=True, slots=True)
class Rule:
    """Strike some calls of a kind on paths that match.

    op: write, sync, rename, exchange, create, open, read, unlink, link, mkdir, truncate, or any that changes something.
    act: an errno, or kill, after, group, stop, short, torn. skip: calls before; times: 0 is for ever.
    """

    op: str
    act: int | str
    pattern: str
    skip: int = 0
    times: int = 1

    @property
    def line(self) -> str:
        return f"rule {self.op} {self.skip} {self.times} {self.act} {self.pattern}\n"


@dataclass(frozen=True, slots=True)
class Shim:
    """The folder by which the processes of one scenario are told. root: below it calls are looked at."""

    folder: Path
    root: Path

    def set_up(self, rules: Sequence[Rule] = (), *, record: bool = False) -> None:
        """Write the rules for the processes that start from now on."""
        self.folder.mkdir(exist_ok=True)
        lines = [f"root {self.root}\n", "record\n" if record else "", *(r.line for r in rules)]
        (self.folder / "rules").write_text("".join(lines))
        (self.folder / "state").write_bytes(bytes(STATE_BYTES))
        self.put(ON, 1)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to be under it."""
        library = built()
        if library is None:
            raise RuntimeError("there is no compiler for the shim")
        return {"LD_PRELOAD": str(library), "COSPEECH_SHIM": str(self.folder)}

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def put(self, place: int, value: int) -> None:
        """Set one number of the state, which running processes see."""
        with (self.folder / "state").open("r+b") as state:
            state.seek(8 * place)
            state.write(struct.pack("<q", value))

    def get(self, place: int) -> int:
        with (self.folder / "state").open("rb") as state:
            state.seek(8 * place)
            return struct.unpack("<q", state.read(8))[0]

    def struck(self, rule: int = 0) -> int:
        """How many calls a rule has struck."""
        return self.get(COUNTS + 2 * rule + 1)

    def shift_clock(self, seconds: int, *, whom: int = 0) -> None:
        """Shift the wall clock of all processes, of one, or of all but one (its negative number)."""
        self.put(WHOM, whom)
        self.put(SHIFT, seconds)

    def stop(self) -> None:
        """Strike nothing any more."""
        self.put(ON, 0)

"""The disk that forgets: what was synced stays, what was not may go, in the order in which it came."""

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from tests.faults.disk import Disk
from tests.faults.recording import Entry, Op, read_log
from tests.faults.shim import Shim, built


def entry(op: Op, one: str = "", other: str = "", **facts: object) -> Entry:
    given = {"process": 1, "inode": 0, "offset": 0, "content": b"", **facts}
    return Entry(op=op, one=one, other=other, **given)


def replaced(root: Path, *, synced: bool) -> list[Entry]:
    """A file written under a temporary name and renamed over another, with its syncs or without."""
    part, file = str(root / "part"), str(root / "file")
    made = [
        entry(Op.CREATE, part, inode=7),
        entry(Op.WRITE, inode=7, content=b"new"),
        entry(Op.SYNC_FILE, inode=7),
        entry(Op.RENAME, part, file),
        entry(Op.SYNC_FOLDER, str(root)),
    ]
    return [done for done in made if synced or done.op not in (Op.SYNC_FILE, Op.SYNC_FOLDER)]


def after_cut(root: Path, place: Path, done: list[Entry], seed: int) -> dict[str, bytes]:
    disk = Disk.of(root)
    for one in done:
        disk.do(one)
    numbers = Random(seed)
    disk.cut_power(numbers)
    place.mkdir()
    disk.write(place, numbers)
    return {file.name: file.read_bytes() for file in place.iterdir()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "file").write_bytes(b"old")
    return tmp_path / "root"


def test_what_was_synced_is_there_after_any_cut(root: Path, tmp_path: Path) -> None:
    for seed in range(20):
        held = after_cut(root, tmp_path / f"{seed}", replaced(root, synced=True), seed)
        assert held == {"file": b"new"}


def test_what_was_not_synced_may_be_old_new_or_torn(root: Path, tmp_path: Path) -> None:
    done = replaced(root, synced=False)
    held = [after_cut(root, tmp_path / f"{seed}", done, seed) for seed in range(60)]
    contents = {found.get("file") for found in held}
    assert {b"old", b"new", b"", b"\0\0\0"} <= contents
    assert None not in contents


@pytest.mark.skipif(built() is None, reason="there is no C compiler for the shim")
def test_the_record_of_a_process_tells_all_that_it_did(root: Path, tmp_path: Path) -> None:
    before = Disk.of(root)
    shim = Shim(tmp_path / "shim", root)
    shim.set_up(record=True)
    script = (
        "import os, pathlib, shutil, sqlite3, sys\n"
        "from manifests.files import write_whole\n"
        "root = pathlib.Path(sys.argv[1])\n"
        "write_whole(root / 'deep' / 'text', 'words')\n"
        "shutil.copytree(root / 'deep', root / 'copied')\n"
        "os.link(root / 'file', root / 'linked')\n"
        "(root / 'file').replace(root / 'copied' / 'moved')\n"
        "with sqlite3.connect(root / 'table') as table:\n"
        "    table.execute('CREATE TABLE one (two)')\n"
        "with open(root / 'linked', 'r+b') as file:\n"
        "    file.truncate(2)\n"
    )
    given = {**os.environ, **shim.environment, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", script, root], check=True, env=given)
    for done in read_log(shim.log):
        before.do(done)
    before.keep_names()
    (tmp_path / "again").mkdir()
    before.write(tmp_path / "again", None)
    assert files_in(tmp_path / "again") == files_in(root)


def files_in(place: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(place)): file.read_bytes()
        for file in place.rglob("*")
        if file.is_file()
    }

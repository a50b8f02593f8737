"""A disk that forgets: what a file system may hold after a power cut, given all that was done and synced before.

Of a file, what was written before its last sync is there; of what came later any first part may be. Of a folder, the
names are as at its last sync; later changes may be there, in order. A rename is there in both folders or in neither. No
more is promised by POSIX, and no less is kept by the journaling file systems of Linux.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.faults.recording import Entry, Op

SECTOR = 512  # bytes; what a disk writes at once


@dataclass(eq=False, slots=True)
class File:
    """A file's bytes: those on the disk, and the changes that may not be. changes: (offset, bytes), or a new size."""

    synced: bytes
    changes: list[tuple[int, bytes] | int] = field(default_factory=list[tuple[int, bytes] | int])

    def after(self, count: int) -> bytes:
        """The bytes after some of the changes."""
        held = bytearray(self.synced)
        for change in self.changes[:count]:
            apply(held, change)
        return bytes(held)

    def sync(self) -> None:
        self.synced, self.changes = self.after(len(self.changes)), []


def apply(held: bytearray, change: tuple[int, bytes] | int) -> None:
    """One write or cut."""
    size = change if isinstance(change, int) else change[0]
    if size > len(held):
        held.extend(bytes(size - len(held)))
    if isinstance(change, int):
        del held[change:]
    else:
        held[size : size + len(change[1])] = change[1]


@dataclass(eq=False, slots=True)
class Folder:
    """A folder's names now, and those on the disk."""

    now: dict[str, "File | Folder"] = field(default_factory=dict)
    synced: dict[str, "File | Folder"] = field(default_factory=dict)


Change = tuple[tuple[Folder, str, "File | Folder | None"], ...]
"""Names that one call gives or takes, together."""


@dataclass(slots=True)
class Disk:
    """A folder tree as it was done to since a moment at which all of it was on the disk."""

    root: Path
    top: Folder
    by_inode: dict[int, File]
    pending: list[Change] = field(default_factory=list[Change])

    @classmethod
    def of(cls, root: Path) -> "Disk":
        """The tree as it lies there now, all of it on the disk."""
        disk = cls(root, Folder(), {})
        disk.take(root, disk.top)
        return disk

    def take(self, place: Path, folder: Folder) -> None:
        """Take over what a folder holds."""
        for path in place.iterdir():
            if path.is_dir():
                node: File | Folder = Folder()
                self.take(path, node)
            else:
                node = self.by_inode.setdefault(path.stat().st_ino, File(path.read_bytes()))
            folder.now[path.name] = folder.synced[path.name] = node

    # ---- what is done

    def do(self, entry: Entry) -> None:
        """One entry of the record."""
        if entry.op in (Op.WRITE, Op.CUT, Op.SYNC_FILE):
            self.do_to_file(entry)
        elif entry.op is Op.SYNC_FOLDER:
            self.sync(self.folder(Path(entry.one)))
        else:
            change = self.change_of(entry)
            for folder, name, node in change:
                put(folder.now, name, node)
            self.pending.append(change)

    def do_to_file(self, entry: Entry) -> None:
        file = self.by_inode.get(entry.inode)
        if file is None:  # it has no name here
            return
        if entry.op is Op.SYNC_FILE:
            file.sync()
        else:
            file.changes.append(
                entry.offset if entry.op is Op.CUT else (entry.offset, entry.content)
            )

    def change_of(self, entry: Entry) -> Change:
        """The names that a call gives and takes."""
        folder, name = self.place(entry.one)
        held = folder.now.get(name)
        if entry.op is Op.CREATE:
            self.by_inode[entry.inode] = made = File(b"")
            return ((folder, name, made),)
        if entry.op is Op.MAKE_FOLDER:
            return ((folder, name, Folder()),)
        if entry.op in (Op.UNLINK, Op.REMOVE_FOLDER):
            return ((folder, name, None),)
        second, other = self.place(entry.other)
        if entry.op is Op.LINK:
            return ((second, other, held),)
        left = second.now.get(other) if entry.op is Op.EXCHANGE else None
        return ((folder, name, left), (second, other, held))

    def place(self, path: str) -> tuple[Folder, str]:
        return self.folder(Path(path).parent), Path(path).name

    def folder(self, path: Path) -> Folder:
        """A folder by its path now."""
        found: File | Folder = self.top
        for part in path.relative_to(self.root).parts:
            found = found.now[part] if isinstance(found, Folder) else Folder()
        if not isinstance(found, Folder):
            raise NotADirectoryError(path)
        return found

    def sync(self, folder: Folder) -> None:
        """Put the changes of a folder's names on the disk, and what those stand on."""
        wanted, kept = {id(folder)}, list[Change]()
        for change in reversed(self.pending):
            touched = {id(place) for place, _, _ in change}
            if touched & wanted:
                wanted |= touched
                kept.append(change)
        done = {id(change) for change in kept}
        for change in reversed(kept):
            write_names(change)
        self.pending = [change for change in self.pending if id(change) not in done]

    # ---- what is left of it

    def keep_names(self) -> None:
        """Have every name on the disk."""
        for change in self.pending:
            write_names(change)
        self.pending = []

    def cut_power(self, numbers: Random) -> None:
        """Forget: of the names and bytes that were not synced some stay. Nothing can be done to it afterwards."""
        for change in NAMES[numbers.choice(sorted(NAMES))](self.pending, numbers):
            write_names(change)

    def write(self, place: Path, numbers: Random | None) -> None:
        """Make the tree that is on the disk at an empty place. numbers: None writes all bytes, synced or not."""
        contents: dict[int, Path] = {}
        way = BYTES[numbers.choice(sorted(BYTES))] if numbers is not None else everything
        for path, node in walk(self.top, place):
            if isinstance(node, Folder):
                path.mkdir(exist_ok=True)
            elif (twin := contents.setdefault(id(node), path)) is not path:
                os.link(twin, path)
            else:
                path.write_bytes(way(node, numbers or Random(0)))


def put(names: dict[str, "File | Folder"], name: str, node: "File | Folder | None") -> None:
    """Give a name, or take it."""
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node


def write_names(change: Change) -> None:
    """Have a change on the disk."""
    for folder, name, node in change:
        put(folder.synced, name, node)


def walk(folder: Folder, place: Path) -> Iterator[tuple[Path, "File | Folder"]]:
    """Everything on the disk, folders before what is in them."""
    for name, node in sorted(folder.synced.items()):
        yield place / name, node
        if isinstance(node, Folder):
            yield from walk(node, place / name)


# ---- which names stay ------------------------------------------------------------------------------------------------


def no_names(pending: list[Change], numbers: Random) -> list[Change]:
    return []


def all_names(pending: list[Change], numbers: Random) -> list[Change]:
    return pending


def first_names(pending: list[Change], numbers: Random) -> list[Change]:
    """As a journal of all folders keeps them."""
    return pending[: numbers.randint(0, len(pending))]


def names_by_folder(pending: list[Change], numbers: Random) -> list[Change]:
    """As a file system keeps them that orders the changes of each folder alone."""
    stopped: set[int] = set()
    kept: list[Change] = []
    for change in pending:
        touched = {id(folder) for folder, _, _ in change}
        if touched & stopped or numbers.random() < 0.3:
            stopped |= touched
        else:
            kept.append(change)
    return kept


NAMES: dict[str, Callable[[list[Change], Random], list[Change]]] = {
    "none": no_names,
    "all": all_names,
    "first": first_names,
    "by folder": names_by_folder,
}


# ---- which bytes stay ------------------------------------------------------------------------------------------------


def nothing(file: File, numbers: Random) -> bytes:
    return file.synced


def everything(file: File, numbers: Random) -> bytes:
    return file.after(len(file.changes))


def torn(file: File, numbers: Random) -> bytes:
    """Some of the changes, and a part of the next."""
    count = numbers.randint(0, len(file.changes))
    held = bytearray(file.after(count))
    if count < len(file.changes):
        change = file.changes[count]
        if not isinstance(change, int):
            offset, content = change
            apply(held, (offset, content[: numbers.randint(0, len(content)) // SECTOR * SECTOR]))
    return bytes(held)


def zeros(file: File, numbers: Random) -> bytes:
    """The size without the bytes, as where blocks were taken and not yet written."""
    whole = everything(file, numbers)
    return file.synced + bytes(max(0, len(whole) - len(file.synced))) if file.changes else whole


BYTES: dict[str, Callable[[File, Random], bytes]] = {
    "nothing": nothing,
    "everything": everything,
    "torn": torn,
    "zeros": zeros,
}

"""What answers for a local file: the mount it lies on, or the folder that was given."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")


def mount_points(table: Path = MOUNTS) -> frozenset[str]:
    """Where file systems are mounted, except the root; none where the system does not say."""
    try:
        lines = os.fsencode(table.read_text(encoding="utf-8", errors="surrogateescape")).split(
            b"\n"
        )
    except OSError:
        return frozenset()
    fields = (line.split(b" ") for line in lines)
    places = (decoded(parts[4]) for parts in fields if len(parts) > 4)
    return frozenset(place for place in places if place != "/")


def decoded(place: bytes) -> str:
    r"""A path of the table, in which a blank is `\040`."""
    return os.fsdecode(re.sub(rb"\\(\d{3})", lambda found: bytes([int(found[1], 8)]), place))


@dataclass(frozen=True, slots=True)
class Shares:
    """The shares under one folder that was given, looked up once for each folder of files.

    A file belongs to the mount it lies on. One of the root file system, which looks the same as an unmounted share,
    belongs to the folder that was given, or outside of it to its first two folders (`/mnt/nas`).
    """

    root: str  # absolute
    mounts: frozenset[str] = field(default_factory=mount_points)
    known: dict[str, str] = field(default_factory=dict[str, str], repr=False)

    def of(self, path: str) -> str:
        """The folder that answers for an absolute path."""
        folder = path.rpartition("/")[0]
        if folder not in self.known:
            self.known[folder] = self.look(folder)
        return self.known[folder]

    def look(self, folder: str) -> str:
        """The share of a folder."""
        inside = folder == self.root or folder.startswith(self.root.rstrip("/") + "/")
        mount = folder
        while mount and mount not in self.mounts:
            mount = mount.rpartition("/")[0]
        if inside:
            return max(mount, self.root, key=len)
        return mount or "/".join(folder.split("/")[:3]) or "/"

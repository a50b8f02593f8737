"""What kind of file system a folder lies on: one of this machine, or one that other machines may write to as well."""

import re
from pathlib import Path

LOCAL = frozenset(
    [
        "bcachefs",
        "btrfs",
        "ext2",
        "ext3",
        "ext4",
        "f2fs",
        "jfs",
        "nilfs2",
        "overlay",
        "ramfs",
        "reiserfs",
        "tmpfs",
        "xfs",
        "zfs",
    ]
)
"""Named one by one, since there is no end of network file systems; what is not here counts as shared."""

MOUNTS = Path("/proc/self/mountinfo")


def is_local(place: Path) -> bool:
    """Whether a folder lies on a disk of this machine alone; False where that is not known."""
    try:
        mounts = MOUNTS.read_text(errors="surrogateescape")
    except OSError:  # not Linux
        return False
    return kind_of(place.resolve(), mounts) in LOCAL


def kind_of(place: Path, mounts: str) -> str:
    """The type of the file system of an absolute path, by the lines of a mountinfo file; empty where none fits."""
    found, depth = "", -1
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        point = Path(unescaped(before.split(" ")[4]))
        if place.is_relative_to(point) and len(point.parts) >= depth:  # the later one lies on top
            found, depth = after.split(" ")[0], len(point.parts)
    return found


def unescaped(text: str) -> str:
    """A path as mountinfo writes it, where blanks, tabs, line ends and backslashes are octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)

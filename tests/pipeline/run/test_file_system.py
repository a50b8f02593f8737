"""Local or shared, by the lines of /proc/self/mountinfo."""

from pathlib import Path

import pytest

from pipeline.run.file_system import is_local, kind_of

MOUNTS = r"""22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:40 / /data rw,relatime shared:7 - nfs4 server:/data rw
24 23 0:41 / /data/fast rw - xfs /dev/nvme0 rw
25 22 0:42 / /media/My\040Share rw - cifs //host/share rw
26 22 0:43 / /late rw - xfs /dev/b rw
27 22 0:44 / /late rw - fuse.sshfs host: rw
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/home/x", "ext4"),
        ("/data", "nfs4"),
        ("/data/set.work", "nfs4"),
        ("/database", "ext4"),
        ("/data/fast/set.work", "xfs"),
        ("/media/My Share/x", "cifs"),
        ("/late/x", "fuse.sshfs"),
    ],
)
def test_the_deepest_mount_over_a_folder_tells(place: str, kind: str) -> None:
    assert kind_of(Path(place), MOUNTS) == kind


def test_what_lies_in_memory_of_this_machine_is_local_and_what_is_unknown_is_not() -> None:
    shm = Path("/dev/shm")
    if not shm.is_dir():
        pytest.skip("this system has no /dev/shm")
    assert is_local(shm / "not" / "there" / "yet")
    assert not is_local(Path("/proc/self"))

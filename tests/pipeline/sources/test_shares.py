"""What answers for a local file."""

from pathlib import Path

import pytest

from pipeline.sources.lists import read_sources
from pipeline.sources.shares import Shares, mount_points

TABLE = (
    "22 27 0:21 / /proc rw - proc proc rw\n"
    "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
    "40 27 0:40 / /mnt/my\\040nas rw - nfs4 server:/x rw\n"
    "short line\n"
)


def test_mounts_are_read_from_the_table_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "mountinfo").write_text(TABLE)
    assert mount_points(tmp_path / "mountinfo") == {"/proc", "/mnt/my nas"}
    assert mount_points(tmp_path / "none") == frozenset()


@pytest.mark.parametrize(
    ("path", "share"),
    [
        ("/data/lists/talks/a.mp4", "/data/lists"),  # beside the list
        ("/data/lists/nas/x/a.mp4", "/data/lists/nas"),  # mounted below it
        ("/mnt/nas/x/a.mp4", "/mnt/nas"),  # mounted elsewhere
        ("/mnt/gone/x/y/a.mp4", "/mnt/gone"),  # not mounted: its first two folders
        ("/a.mp4", "/"),
    ],
)
def test_a_file_belongs_to_its_mount_or_to_the_folder_that_was_given(path: str, share: str) -> None:
    shares = Shares("/data/lists", frozenset({"/mnt/nas", "/data/lists/nas"}))
    assert shares.of(path) == share


def test_a_root_that_is_mounted_whole_is_one_share() -> None:
    shares = Shares("/mnt/nas/videos", frozenset({"/mnt/nas"}))
    assert shares.of("/mnt/nas/videos/a/b.mp4") == "/mnt/nas/videos"
    assert shares.of("/mnt/nas/other/b.mp4") == "/mnt/nas"


def test_every_source_of_a_folder_or_list_has_its_host(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.mp4").write_bytes(b"x")
    (tmp_path / "l.txt").write_text("a/x.mp4\ns3://bucket/y.mp4\nhttp://127.0.0.1:9/z\n")
    assert [s.host for s in read_sources(tmp_path)] == [str(tmp_path)]
    assert [s.host for s in read_sources(tmp_path / "a" / "x.mp4")] == [str(tmp_path / "a")]
    hosts = [s.host for s in read_sources(tmp_path / "l.txt")]
    assert hosts == [str(tmp_path), "s3://bucket", "127.0.0.1:9"]

"""Local files in place."""

import errno
import hashlib
import os
from pathlib import Path

import pytest

from manifests.record import Origin
from pipeline.fetching import (
    FetchError,
    FetchSettings,
    LicenceNotAllowed,
    NoAnswer,
    NotMediaPage,
    OptedOut,
    Unreachable,
    fetch,
)
from pipeline.fetching.local import by_errno
from pipeline.fetching.store import Folder
from pipeline.sources.locators import Located, parse


def local(path: Path, **facts: str) -> Located:
    return Located(Origin(locator=path.name, **facts), parse(str(path)))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_local_file_stays_where_it_is(
    clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    fetched = fetch(local(clip, licence="CC0"), folder=tmp_path, settings=settings)
    assert fetched.path == str(clip)
    assert (fetched.sha256, fetched.bytes) == (sha256(clip.read_bytes()), clip.stat().st_size)
    assert fetched.licence == "CC0"
    assert not list(tmp_path.rglob("*.mp4"))


def test_a_local_file_is_read_once(clip: Path, tmp_path: Path, settings: FetchSettings) -> None:
    fetch(local(clip), folder=tmp_path, settings=settings)
    Folder(tmp_path).remember(clip, "f" * 64)
    assert fetch(local(clip), folder=tmp_path, settings=settings).sha256 == "f" * 64


def test_a_file_that_changed_is_read_again_even_under_its_old_date(
    clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(clip.read_bytes())
    dates = (copy.stat().st_atime_ns, copy.stat().st_mtime_ns)
    before = fetch(local(copy), folder=tmp_path / "f", settings=settings)
    copy.write_bytes(clip.read_bytes()[:-1] + b"\xff")
    os.utime(copy, ns=dates)
    after = fetch(local(copy), folder=tmp_path / "f", settings=settings)
    assert after.bytes == before.bytes
    assert after.sha256 == sha256(copy.read_bytes()) != before.sha256


def test_what_is_no_file_is_not_media(tmp_path: Path, settings: FetchSettings) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "loop.mp4").symlink_to(tmp_path / "loop.mp4")
    for name in ("pipe.mp4", "empty.mp4", "folder.mp4", "loop.mp4", "x" * 300):
        with pytest.raises(NotMediaPage):
            fetch(local(tmp_path / name), folder=tmp_path / "f", settings=settings)


def test_what_a_mount_that_went_away_looks_like_is_unreachable(
    clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    (tmp_path / "file").touch()
    for name in ("gone.mp4", "gone/a.mp4", "file/a.mp4"):
        with pytest.raises(Unreachable, match="nothing is there") as raised:
            fetch(local(tmp_path / name), folder=tmp_path / "f", settings=settings)
        assert (raised.value.transient, raised.value.host) == (False, local(tmp_path / name).host)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file that fails when it is read")
def test_a_file_whose_disk_fails_is_unreachable_in_the_words_of_the_system(
    tmp_path: Path, settings: FetchSettings
) -> None:
    (tmp_path / "talk.mp4").symlink_to("/proc/self/mem")
    with pytest.raises(NoAnswer, match="Input/output error") as raised:
        fetch(local(tmp_path / "talk.mp4"), folder=tmp_path / "f", settings=settings)
    assert raised.value.transient


@pytest.mark.parametrize(
    ("number", "kind", "transient"),
    [
        (errno.EIO, NoAnswer, True),
        (errno.ESTALE, NoAnswer, True),
        (errno.ENOTCONN, NoAnswer, True),
        (errno.EHOSTDOWN, NoAnswer, True),
        (errno.ENOENT, Unreachable, False),
        (errno.EACCES, Unreachable, False),
        (errno.EPERM, Unreachable, False),
        (errno.EMFILE, Unreachable, True),
    ],
)
def test_no_error_of_the_system_is_a_fact_about_the_source(
    number: int, kind: type[FetchError], transient: bool
) -> None:
    fault = by_errno(OSError(number, os.strerror(number)), "x")
    assert (type(fault), fault.transient) == (kind, transient)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_we_may_not_read_is_unreachable(
    clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    closed = tmp_path / "closed.mp4"
    closed.write_bytes(clip.read_bytes())
    closed.chmod(0)
    with pytest.raises(Unreachable, match="may not be read"):
        fetch(local(closed), folder=tmp_path / "f", settings=settings)


def test_a_full_disk_under_the_fetch_folder_is_no_fault_of_the_source(
    clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    (tmp_path / "f").write_text("a file where the folder should be")
    with pytest.raises(NotADirectoryError):
        fetch(local(clip), folder=tmp_path / "f", settings=settings)


def test_licences_and_opt_outs_hold_for_local_files_too(
    clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    strict = settings.model_copy(update={"licences": ("cc-by",)})
    with pytest.raises(LicenceNotAllowed):
        fetch(local(clip), folder=tmp_path, settings=strict)
    out = tmp_path / "out.txt"
    for line in (f"./{clip.name}", f"sha256:{sha256(clip.read_bytes())}"):
        out.write_text(line + "  # asked on 3 May\n" * 2)
        with pytest.raises(OptedOut, match=r"out\.txt"):
            fetch(
                local(clip),
                folder=tmp_path,
                settings=settings.model_copy(update={"opt_outs": out}),
            )
        os.utime(out, ns=(0, 0))

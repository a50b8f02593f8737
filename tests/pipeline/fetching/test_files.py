"""Local files in place, and files behind fsspec URLs: a memory file system and a real S3 server on loopback."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from manifests.record import Origin
from pipeline.fetching import (
    FetchSettings,
    LicenceNotAllowed,
    NotMediaPage,
    OptedOut,
    Private,
    Removed,
    Unreachable,
    fetch,
)
from pipeline.fetching import store as store_module
from pipeline.sources.lists import read_sources
from pipeline.sources.locators import Located, normalise

BUCKET = "talks"


def local(path: Path, **facts: str) -> Located:
    return Located(Origin(locator=path.name, **facts), str(path))


def remote(url: str) -> Located:
    return Located(Origin(locator=normalise(url)), url)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# ---- local files -----------------------------------------------------------------------------------------------------


def test_a_local_file_stays_where_it_is(
    clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    fetched = fetch(local(clip, licence="CC0"), folder=tmp_path, settings=settings)
    assert fetched.path == str(clip)
    assert (fetched.sha256, fetched.bytes) == (sha256(clip.read_bytes()), clip.stat().st_size)
    assert fetched.licence == "CC0"
    assert not list(tmp_path.rglob("*.mp4"))


def test_a_local_file_is_read_once(
    clip: Path, tmp_path: Path, settings: FetchSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Path] = []
    true = store_module.sha256_of
    monkeypatch.setattr(store_module, "sha256_of", lambda path: reads.append(path) or true(path))
    first = fetch(local(clip), folder=tmp_path, settings=settings)
    assert fetch(local(clip), folder=tmp_path, settings=settings) == first
    assert reads == [clip]


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


def test_what_is_not_there_or_no_file_has_its_reason(
    tmp_path: Path, settings: FetchSettings
) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    for name, kind in (
        ("gone.mp4", Removed),
        ("pipe.mp4", NotMediaPage),
        ("empty.mp4", NotMediaPage),
        ("folder.mp4", NotMediaPage),
    ):
        with pytest.raises(kind):
            fetch(local(tmp_path / name), folder=tmp_path / "f", settings=settings)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_we_may_not_read_is_private(
    clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    closed = tmp_path / "closed.mp4"
    closed.write_bytes(clip.read_bytes())
    closed.chmod(0)
    with pytest.raises(Private):
        fetch(local(closed), folder=tmp_path / "f", settings=settings)


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


# ---- a memory file system --------------------------------------------------------------------------------------------


def test_a_file_of_any_file_system_comes_here(
    clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    fsspec.filesystem("memory").pipe("/box/talk.mp4", clip.read_bytes())
    fetched = fetch(remote("memory://box/talk.mp4"), folder=tmp_path, settings=settings)
    assert fetched.sha256 == sha256(clip.read_bytes())
    assert Path(fetched.path).name == f"{fetched.sha256}.mp4"
    with pytest.raises(Removed):
        fetch(remote("memory://box/none.mp4"), folder=tmp_path, settings=settings)
    with pytest.raises(NotMediaPage, match="directory"):
        fetch(remote("memory://box"), folder=tmp_path, settings=settings)


# ---- a real S3 server ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bucket() -> Iterator[fsspec.AbstractFileSystem]:
    pytest.importorskip("s3fs")
    server_module = pytest.importorskip("moto.server", reason="moto[server] is not installed")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    before = dict(os.environ)
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1",
    }
    system = fsspec.filesystem("s3")
    system.mkdir(BUCKET)
    yield system
    server.stop()
    os.environ.clear()
    os.environ.update(before)
    type(system).clear_instance_cache()


def test_an_object_of_a_bucket_comes_here_and_is_gone_on_with(
    bucket: fsspec.AbstractFileSystem, clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    content = clip.read_bytes()
    bucket.pipe(f"{BUCKET}/day/talk.mp4", content)
    source = remote(f"s3://{BUCKET}/day/talk.mp4")
    fetched = fetch(source, folder=tmp_path, settings=settings)
    assert fetched.sha256 == sha256(content)
    partial = store_module.Folder(tmp_path / "again").partial(source.locator)
    from pipeline.fetching.files import attempt, validator_of

    facts = bucket.info(f"{BUCKET}/day/talk.mp4")
    state = {"validator": validator_of(facts), "total": str(len(content)), "suffix": ".mp4"}
    assert "ETag" in state["validator"]
    partial.begin(state)
    partial.file.write_bytes(content[:100_000])
    attempt(source.locator, source.open_at, partial, settings)
    assert partial.file.read_bytes() == content


def test_an_object_that_changed_is_begun_again(
    bucket: fsspec.AbstractFileSystem,
    clip: Path,
    other_clip: Path,
    tmp_path: Path,
    settings: FetchSettings,
) -> None:
    source = remote(f"s3://{BUCKET}/changing.mp4")
    partial = store_module.Folder(tmp_path).partial(source.locator)
    partial.begin({"validator": "ETag=old", "total": str(clip.stat().st_size), "suffix": ".mp4"})
    partial.file.write_bytes(clip.read_bytes()[:100_000])
    bucket.pipe(f"{BUCKET}/changing.mp4", other_clip.read_bytes())
    fetched = fetch(source, folder=tmp_path, settings=settings)
    assert fetched.sha256 == sha256(other_clip.read_bytes())


def test_what_is_not_in_a_bucket_has_its_reason(
    bucket: fsspec.AbstractFileSystem, tmp_path: Path, settings: FetchSettings
) -> None:
    with pytest.raises(Removed):
        fetch(remote(f"s3://{BUCKET}/none.mp4"), folder=tmp_path, settings=settings)
    with pytest.raises((Removed, Private)):
        fetch(remote("s3://no-such-bucket/x.mp4"), folder=tmp_path, settings=settings)


def test_a_list_in_a_bucket_names_its_neighbours(
    bucket: fsspec.AbstractFileSystem, clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    bucket.pipe(f"{BUCKET}/list/a.mp4", clip.read_bytes())
    bucket.pipe(f"{BUCKET}/list/sources.csv", b"path,licence\na.mp4,CC0\n")
    (source,) = read_sources(f"s3://{BUCKET}/list/sources.csv")
    assert source.locator == f"s3://{BUCKET}/list/a.mp4"
    assert fetch(source, folder=tmp_path, settings=settings).licence == "CC0"
    assert [s.locator for s in read_sources(f"s3://{BUCKET}/list")] == [source.locator]
    assert [s.locator for s in read_sources(f"s3://{BUCKET}/li*/*.mp4")] == [source.locator]


def test_an_object_store_that_is_away_is_unreachable(
    tmp_path: Path, settings: FetchSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("s3fs")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    hasty = settings.model_copy(update={"retries": 0})
    with pytest.raises(Unreachable) as raised:
        fetch(remote(f"s3://{BUCKET}/x.mp4"), folder=tmp_path, settings=hasty)
    assert raised.value.transient
    fsspec.get_filesystem_class("s3").clear_instance_cache()

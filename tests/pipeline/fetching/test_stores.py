"""Files behind fsspec URLs: a memory file system and a real S3 server on loopback."""

import hashlib
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from manifests.record import Origin
from pipeline.fetching import (
    FetchSettings,
    NoAnswer,
    NotMediaPage,
    Removed,
    Unreachable,
    fetch,
)
from pipeline.fetching import store as store_module
from pipeline.sources.lists import SourceListError, read_sources
from pipeline.sources.locators import Located, normalise, parse

BUCKET = "talks"


def remote(url: str) -> Located:
    return Located(Origin(locator=normalise(url)), parse(url))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


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
    from pipeline.fetching.stores import attempt, validator_of

    facts = bucket.info(f"{BUCKET}/day/talk.mp4")
    state = {"validator": validator_of(facts), "total": str(len(content)), "suffix": ".mp4"}
    assert "ETag" in state["validator"]
    partial.begin(state)
    partial.file.write_bytes(content[:100_000])
    attempt(source, partial, settings, lambda: None)
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
    with pytest.raises(Unreachable, match="bucket does not exist"):
        fetch(remote("s3://no-such-bucket/x.mp4"), folder=tmp_path, settings=settings)


def ask_for_credentials(after: float) -> None:
    """Let the server check who asks, after so many requests."""
    url = f"{os.environ['AWS_ENDPOINT_URL']}/moto-api/reset-auth"
    headers = {"Content-Type": "text/plain"}
    request = urllib.request.Request(url, str(after).encode(), headers, method="POST")
    urllib.request.urlopen(request).close()


def test_credentials_that_are_not_accepted_say_nothing_about_the_object(
    bucket: fsspec.AbstractFileSystem, clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    """A HEAD is answered by 403 alone, as for an object that is closed to us; a GET says which of the two it is."""
    bucket.pipe(f"{BUCKET}/open.mp4", clip.read_bytes())
    ask_for_credentials(0)
    try:
        with pytest.raises(Unreachable, match="InvalidAccessKeyId") as raised:
            fetch(remote(f"s3://{BUCKET}/open.mp4"), folder=tmp_path, settings=settings)
        assert not raised.value.transient
        with pytest.raises(SourceListError, match="access refused"):
            read_sources(f"s3://{BUCKET}/list.csv")
    finally:
        ask_for_credentials(float("inf"))


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
    with pytest.raises(NoAnswer) as raised:
        fetch(remote(f"s3://{BUCKET}/x.mp4"), folder=tmp_path, settings=hasty)
    assert (raised.value.transient, raised.value.host) == (True, f"s3://{BUCKET}")
    fsspec.get_filesystem_class("s3").clear_instance_cache()

"""Symptom: a list behind a port that refuses, or a host that nobody knows, read as "no such file"."""

import socket

import pytest

from pipeline.sources.lists import SourceListError, SourcesUnreachable, read_sources
from tests.site import Answer, Site


def closed_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_host_that_refuses_is_said_to(scheme: str) -> None:
    url = f"{scheme}://127.0.0.1:{closed_port()}/list.csv"
    with pytest.raises(SourcesUnreachable) as raised:
        read_sources(url)
    assert str(raised.value) == f"{url}: cannot be reached: it refused the connection"


def test_a_host_that_nobody_knows_is_said_to() -> None:
    with pytest.raises(SourcesUnreachable, match="its name is not known"):
        read_sources("http://nowhere.invalid/list.csv")


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (404, SourceListError, "nothing is there"),
        (403, SourceListError, "access refused"),
        (500, SourcesUnreachable, "500"),
    ],
)
def test_what_a_server_answers_is_told_apart(
    status: int, kind: type[SourceListError], said: str
) -> None:
    site = Site()
    try:
        site.answers["/list.csv"] = Answer(b"no", kind="text/plain", status=status)
        with pytest.raises(SourceListError, match=said) as raised:
            read_sources(site.url("/list.csv"))
        assert type(raised.value) is kind
        site.answers["/good.csv"] = Answer(b"path\na.mp4\n", kind="text/csv")
        (source,) = read_sources(site.url("/good.csv"))
        assert source.locator == site.url("/a.mp4")
    finally:
        site.close()


def test_a_password_in_the_address_of_a_list_is_not_repeated() -> None:
    with pytest.raises(SourcesUnreachable) as raised:
        read_sources(f"http://me:secret@127.0.0.1:{closed_port()}/list.csv?sig=secret")
    assert "secret" not in str(raised.value)

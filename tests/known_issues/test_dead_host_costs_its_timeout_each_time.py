"""Symptom: a host that does not answer cost 30 s for each of its sources."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from manifests.record import Origin
from pipeline.fetching import (
    FetchSettings,
    NoAnswer,
    Removed,
    Unreachable,
    fetch,
    forget_hosts,
)
from pipeline.sources.lists import read_sources
from pipeline.sources.locators import Located, normalise, parse
from tests.site import Answer, Site

ROOT = Path(__file__).parents[2]
TIMEOUT = 0.3  # seconds
SETTINGS = FetchSettings(retries=0, timeout=TIMEOUT, backoff=0.01, proxy="")


MEMORY = pytest.mark.skipif(
    not Path("/proc/self/mem").exists(), reason="no file that fails when it is read"
)


def failing_share(folder: Path, *, files: int) -> Path:
    """A folder whose files fail with EIO when they are read."""
    (folder / "share").mkdir()
    for number in range(files):
        (folder / "share" / f"{number}.mp4").symlink_to("/proc/self/mem")
    return folder / "share"


def silent(port: int = 0) -> socket.socket:
    """A socket that takes connections and never says a word."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(64)
    return listening


@pytest.fixture
def dead() -> Iterator[str]:
    """A host that does not answer."""
    with silent() as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def at(url: str) -> Located:
    return Located(Origin(locator=normalise(url)), parse(url))


def ask(
    host: str, folder: Path, number: int, settings: FetchSettings = SETTINGS
) -> tuple[float, str]:
    """Fetch one source of a host that does not answer; the seconds it took and what was said."""
    begun = time.monotonic()
    with pytest.raises(NoAnswer) as raised:
        fetch(at(f"http://{host}/{number}.mp4"), folder=folder, settings=settings)
    assert (raised.value.transient, raised.value.host) == (True, host)
    return time.monotonic() - begun, raised.value.detail


def test_after_three_sources_the_others_fail_at_once(dead: str, tmp_path: Path) -> None:
    for number in range(3):
        seconds, said = ask(dead, tmp_path, number)
        assert seconds >= TIMEOUT
        assert "has not answered" not in said
    begun = time.monotonic()
    for number in range(50):
        _, said = ask(dead, tmp_path, number)
        assert said.startswith(f"{dead} has not answered 3 times since ")
        assert said.endswith(" s")
    assert time.monotonic() - begun < 50 * TIMEOUT / 4


ASK = """
import sys
from pathlib import Path
from pipeline.fetching import FetchSettings, NoAnswer, fetch
from pipeline.sources.lists import read_sources

for source in read_sources(sys.argv[1]):
    try:
        fetch(source, folder=Path(sys.argv[2]), settings=FetchSettings())
    except NoAnswer as error:
        print(error.detail)
"""


@MEMORY
def test_the_processes_of_a_run_share_what_they_know(tmp_path: Path) -> None:
    share = failing_share(tmp_path, files=3)
    line = [sys.executable, "-c", ASK, str(share), str(tmp_path / "f")]
    said = [
        subprocess.run(
            line, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
        ).stdout
        for _ in range(2)
    ]
    assert said[0] == "Input/output error\n" * 3
    assert said[1].count(f"{share} has not answered 3 times since ") == 3


def test_after_a_pause_one_source_asks_again_and_the_next_waits(dead: str, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"breaker_after": 1, "breaker_pause": 0.5, "retries": 2})
    ask(dead, tmp_path, 0, settings)
    assert "has not answered 1 times" in ask(dead, tmp_path, 1, settings)[1]
    time.sleep(0.6)
    seconds, said = ask(dead, tmp_path, 2, settings)
    assert TIMEOUT <= seconds < 2 * TIMEOUT + 1  # a probe has no retries
    assert "has not answered" not in said
    assert "has not answered 2 times" in ask(dead, tmp_path, 3, settings)[1]


def test_an_answer_of_any_kind_closes_the_breaker(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"breaker_after": 2, "breaker_pause": 0.2})
    with silent() as listening:
        port = int(listening.getsockname()[1])
        host = f"127.0.0.1:{port}"
        for number in range(2):
            ask(host, tmp_path, number, settings)
        assert "has not answered" in ask(host, tmp_path, 2, settings)[1]
    site = Site(port)
    try:
        time.sleep(0.3)
        for number in range(3):
            with pytest.raises(Removed):
                fetch(at(f"http://{host}/{number}.mp4"), folder=tmp_path, settings=settings)
        assert len(site.asked) == 3
    finally:
        site.close()
    assert not list((tmp_path / "hosts").glob("*.json"))


def test_failures_that_are_no_silence_leave_it_closed(site: Site, tmp_path: Path) -> None:
    site.answers["/x.mp4"] = Answer(status=500)
    for _ in range(5):
        with pytest.raises(Unreachable, match="500"):
            fetch(at(site.url("/x.mp4")), folder=tmp_path, settings=SETTINGS)
    assert len(site.asked) == 5


def test_what_an_earlier_run_met_is_forgotten_by_the_next(dead: str, tmp_path: Path) -> None:
    for number in range(3):
        ask(dead, tmp_path, number)
    forget_hosts(tmp_path)
    assert "has not answered" not in ask(dead, tmp_path, 3)[1]


@MEMORY
def test_a_share_whose_disk_fails_is_left_alone_too(tmp_path: Path) -> None:
    share = failing_share(tmp_path, files=4)
    said: list[str] = []
    for source in read_sources(share):
        with pytest.raises(NoAnswer) as raised:
            fetch(source, folder=tmp_path / "f", settings=SETTINGS)
        said.append(raised.value.detail)
    assert said[:3] == ["Input/output error"] * 3
    assert said[3].startswith(f"{share} has not answered 3 times since ")


def test_files_that_are_missing_are_no_silence(tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_text("".join(f"{number}.mp4\n" for number in range(9)))
    for source in read_sources(tmp_path / "l.txt"):
        with pytest.raises(Unreachable, match="nothing is there"):
            fetch(source, folder=tmp_path / "f", settings=SETTINGS)

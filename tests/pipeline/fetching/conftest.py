"""Real servers on loopback: one for the web, one for an object store; and small real videos made here."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.fetching import FetchSettings


def make_video(path: Path, *, seed: int = 0, frames: int = 25, noise: int = 60) -> Path:
    """A second of a noisy picture with a tone, H.264 and AAC in MP4; more noise, more bytes."""
    random = np.random.default_rng(seed)
    with av.open(path, "w") as container:
        video = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
        video.codec_context.thread_count = 1
        audio = container.add_stream("aac", rate=16000, layout="mono")
        for _ in range(frames):
            picture = random.integers(128 - noise, 128 + noise, (240, 320, 3)).astype(np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        tone = np.sin(np.arange(16000 * frames // 25) * 0.1, dtype=np.float32)[None]
        sound = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        sound.sample_rate, sound.pts, sound.time_base = 16000, 0, Fraction(1, 16000)
        container.mux([*audio.encode(sound), *audio.encode(None), *video.encode(None)])
    return path


@dataclass
class Answer:
    """What the server says at one path."""

    body: bytes = b""
    kind: str = "video/mp4"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    tag: str = '"one"'
    cut_at: list[int] = field(default_factory=list)  # bytes after which request n is cut
    statuses: list[int] = field(default_factory=list)  # statuses of the first requests
    length: bool = True
    meanwhile: Callable[[], None] | None = None  # what happens after a cut


class Site:
    """A web server on loopback that can misbehave on purpose, and remembers what it was asked and what it sent."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, str, str | None]] = []
        self.sent: Counter[str] = Counter()
        self.server = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Bound", (Handler,), {"site": self})
        )
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}{path}"

    def gets(self, path: str) -> int:
        return sum(1 for method, asked, _ in self.asked if (method, asked) == ("GET", path))

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


class Handler(BaseHTTPRequestHandler):
    site: Site  # set on a class of its own for each server
    timeout = 20

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        path = self.path.split("?")[0]
        wanted = self.headers.get("Range")
        self.site.asked.append((self.command, path, wanted))
        said = self.site.answers.get(path, Answer(status=404, kind="text/plain", body=b"no"))
        status = said.statuses.pop(0) if body and said.statuses else said.status
        start = self.start_of(said, wanted) if status == 200 else 0
        if start >= len(said.body) > 0 and wanted and said.ranges:
            status, start = 416, len(said.body)
        content = said.body[start:] if status < 400 else b"no"
        self.send_response(206 if start and status == 200 else status)
        self.send_header("Content-Type", said.kind)
        if said.length:
            self.send_header("Content-Length", str(len(content)))
        if said.tag:
            self.send_header("ETag", said.tag)
        if start:
            whole = len(said.body)
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        for name, value in said.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.send(said, path, content)

    def start_of(self, said: Answer, wanted: str | None) -> int:
        if not wanted or not said.ranges or wanted.startswith("bytes=0-"):
            return 0
        condition = self.headers.get("If-Range")
        if condition is not None and condition != said.tag:
            return 0
        return int(wanted.removeprefix("bytes=").split("-")[0])

    def send(self, said: Answer, path: str, content: bytes) -> None:
        cut = said.cut_at.pop(0) if said.cut_at else None
        content = content if cut is None else content[:cut]
        try:
            self.wfile.write(content)
            self.wfile.flush()
        except OSError:
            return
        self.site.sent[path] += len(content)
        if cut is not None:
            if said.meanwhile is not None:
                said.meanwhile()
            self.close_connection = True
            self.connection.close()


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("media") / "clip.mp4")


@pytest.fixture(scope="session")
def other_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("media") / "other.mp4", seed=1)


@pytest.fixture
def site() -> Iterator[Site]:
    opened = Site()
    yield opened
    opened.close()


@pytest.fixture
def settings() -> FetchSettings:
    return FetchSettings(backoff=0.01, timeout=5.0, retries=2, proxy="")

"""A real web server on loopback that can misbehave on purpose."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


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

    def __init__(self, port: int = 0) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, str, str | None]] = []
        self.sent: Counter[str] = Counter()
        self.server = ThreadingHTTPServer(
            ("127.0.0.1", port), type("Bound", (Handler,), {"site": self})
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

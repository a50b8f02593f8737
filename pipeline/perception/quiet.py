"""Holds back the known chatter that native libraries write straight to the process's standard
error."""

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Held:
    """The process's standard error while at least one block holds it back."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.depth = 0
        self.saved = -1
        self.patterns: set[re.Pattern[bytes]] = set()
        self.file = tempfile.TemporaryFile()

    def enter(self, pattern: re.Pattern[bytes]) -> None:
        with self.lock:
            self.patterns.add(pattern)
            self.depth += 1
            if self.depth == 1:
                sys.stderr.flush()
                self.saved = os.dup(2)
                os.dup2(self.file.fileno(), 2)

    def leave(self) -> None:
        with self.lock:
            self.depth -= 1
            if self.depth == 0:
                sys.stderr.flush()
                os.dup2(self.saved, 2)
                os.close(self.saved)
                self._release()

    def _release(self) -> None:
        if self.file.seek(0, os.SEEK_END) == 0:
            return
        self.file.seek(0)
        for line in self.file.read().splitlines(keepends=True):
            if not any(pattern.search(line) for pattern in self.patterns):
                os.write(2, line)
        self.file.seek(0)
        self.file.truncate()


_held: _Held | None = None
_creating = threading.Lock()


@contextmanager
def without(pattern: re.Pattern[bytes]) -> Iterator[None]:
    """Drop the lines of standard error that match; all other lines follow when the last block ends.

    Works on the file descriptor, so it reaches C and C++ code. Blocks may nest and run in several
    threads; while any is open, the lines of all threads wait.
    """
    global _held
    with _creating:
        _held = _held or _Held()
    _held.enter(pattern)
    try:
        yield
    finally:
        _held.leave()

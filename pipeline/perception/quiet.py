"""Holds back the known chatter that native libraries write straight to the standard error."""

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path


class _StandardError:
    """The process's standard error, which goes to a nameless file while a block holds it back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._saved = -1
        self._patterns: set[re.Pattern[bytes]] = set()
        self._file, path = tempfile.mkstemp()
        Path(path).unlink()

    def enter(self, pattern: re.Pattern[bytes]) -> None:
        with self._lock:
            self._patterns.add(pattern)
            self._depth += 1
            if self._depth == 1:
                sys.stderr.flush()
                self._saved = os.dup(2)
                os.dup2(self._file, 2)

    def leave(self) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth == 0:
                sys.stderr.flush()
                os.dup2(self._saved, 2)
                os.close(self._saved)
                self._release()

    def _release(self) -> None:
        size = os.lseek(self._file, 0, os.SEEK_END)
        for line in os.pread(self._file, size, 0).splitlines(keepends=True):
            if not any(pattern.search(line) for pattern in self._patterns):
                os.write(2, line)
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)


@cache
def _standard_error() -> _StandardError:
    return _StandardError()


@contextmanager
def without(pattern: re.Pattern[bytes]) -> Iterator[None]:
    """Drop the lines of standard error that match; the others follow when the last block ends.

    Works on the file descriptor, so it reaches C and C++ code. Blocks may nest and run in several
    threads; while any is open, the lines of all threads wait. Keep blocks short: what a process
    wrote in one is lost if it is killed there.
    """
    captured = _standard_error()
    captured.enter(pattern)
    try:
        yield
    finally:
        captured.leave()

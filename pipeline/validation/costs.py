"""What work costs in CPU seconds, and the bare decode of a file, the yardstick of whatever looks at its pictures."""

import resource
import time
from collections.abc import Callable
from pathlib import Path

import av


def cpu_seconds() -> float:
    """User and system time of this process and its finished children."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in spent)


def seconds_of(work: Callable[[], object]) -> float:
    """CPU seconds that this process spends on some work."""
    start = time.process_time()
    work()
    return time.process_time() - start


def bare_decode(path: Path) -> None:
    """PyAV on one thread, pictures dropped as they come."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        video.codec_context.thread_count = 1
        for _ in container.decode(video):
            pass

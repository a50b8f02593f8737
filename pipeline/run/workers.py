"""What runs inside a worker process beside the steps: its set-up, and its answer to the check before the first task."""

import ctypes
import os
import pickle
import signal
import socket
import sys
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path

from manifests.files import write_whole

ANSWER = "pipeline.run.workers:answer"

END_WITH_PARENT = 1  # PR_SET_PDEATHSIG of linux/prctl.h


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker says of itself.

    trouble: why it cannot use the work folder, empty where it can; written: the name of the file it left there.
    """

    host: str
    pid: int
    version: str
    trouble: str
    written: str


def token_file(work: Path, token: str) -> Path:
    """The file by which a worker knows the work folder of this run."""
    return work / f".preflight-{token}"


def answer(work: Path, token: str, probe: bytes) -> Answer:
    """Run the probe, read the driver's token in the work folder and write one's own file beside it.

    probe: pickled, as a worker ends when it is sent something that it cannot read.
    """
    host, pid = socket.gethostname(), os.getpid()
    mark = token_file(work, token)
    written = f"{mark.name}-{host}-{uuid.uuid4().hex}"
    try:
        trouble = "" if mark.read_text() == token else f"{mark.name} is another run's"
        if not trouble:
            write_whole(mark.with_name(written), token)
    except OSError as error:
        trouble = error.strerror or type(error).__name__
    version: Callable[[], str] = pickle.loads(probe)  # noqa: S301 - of the driver, as every task is
    return Answer(host, pid, version(), trouble, written)


def dask_setup(worker: object) -> None:
    """Called by Dask in each worker process of this machine: end with the driver, however it ends.

    Dask's own watch is a Python thread, which waits as long as a native step holds the interpreter or the process is
    stopped. The kernel does not: it ends this process with the server it was forked from, and that server ends when
    nobody holds its pipe any more but the driver.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(END_WITH_PARENT, int(signal.SIGKILL))
    server = getattr(forkserver, "_forkserver", None)
    pipe = getattr(server, "_forkserver_alive_fd", None)
    if isinstance(pipe, int):
        with suppress(OSError):
            os.close(pipe)
        setattr(server, "_forkserver_alive_fd", None)  # noqa: B010 - a private name, left alone where it is missing

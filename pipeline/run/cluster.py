"""The only file that knows Dask: worker processes on this machine, or those of a scheduler elsewhere, behind a link.

Dask is imported inside the functions, a second of work that a command without tasks does not need.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import queue
import signal
import socket
import threading
import uuid
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from importlib import import_module
from multiprocessing import forkserver, resource_tracker
from typing import TYPE_CHECKING

import psutil

from pipeline.config import ConfigError, Run
from pipeline.run.engine import Engine
from pipeline.run.link import Arrival, Ended
from pipeline.run.tasks import EngineLost, Lost, Preflight, Task
from pipeline.run.worker_pool import WorkerPool
from pipeline.run.worker_table import Seen, Worker, WorkerTable

if TYPE_CHECKING:
    from distributed import Client, Future, LocalCluster, Nanny

__all__ = ["Engine", "EngineLost", "Lost", "Preflight", "Task", "open_engine"]

SETTINGS = {
    # Workers are forked from one process that has Dask in memory: 0.05 s each in place of 1.3 s, after a death too.
    "distributed.worker.multiprocessing-method": "forkserver",
    "distributed.worker.daemon": True,
    # A stack sample of every worker every 10 ms costs more than it is worth: our steps are minutes of native code.
    "distributed.worker.profile.enabled": False,
    # The driver gets each death and decides about another try. As each worker has one task, no other one fails.
    "distributed.scheduler.allowed-failures": 0,
    # The driver looks after silent workers itself.
    "distributed.scheduler.worker-ttl": None,
    # What a step holds is native memory, a model or a decoder, which Dask can neither spill nor wait for: a paused
    # worker would stay paused. The one bound is the worker's share of the machine; beyond it the worker is ended and
    # its step is lost, before the machine's own killer picks a process at random.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    # Dask's nanny process restarts its worker. LocalCluster would also close the nanny, for good, when the worker is
    # dead 15 s after its first death, though it may have been restarted and died again in between.
    "distributed.deploy.lost-worker-timeout": "365 days",
}

# What Dask would set before it starts a worker, set before the process that they are forked from starts.
ENVIRONMENT = {
    "MALLOC_TRIM_THRESHOLD_": "65536",  # bytes; native memory goes back to the system between two steps
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "6640",  # Dask's own choice
}

TALKERS = ("distributed", "distributed.client", "tornado", "tornado.application", "asyncio")
"""Loggers to which Dask gives levels of their own, and asyncio's."""

CONNECT_SECONDS = 20.0
CLOSE_SECONDS = 2.0


@contextmanager
def open_engine(run: Run, preflight: Preflight, *, say: Callable[[str], None]) -> Generator[Engine]:
    """Workers for a run: those of `run.scheduler`, or processes of this machine that end with the block.

    Raises ConfigError where those of a scheduler do not fit, EngineLost where the workers of this machine do not start.
    Workers of this machine are checked too, while the engine is open already. say: called with one line at a time.
    """
    with ExitStack() as stack:
        link = stack.enter_context(remote(run) if run.scheduler is not None else local(run))
        pool = WorkerPool(link, preflight, say, run.worker_wait, WorkerTable(run.silent_seconds))
        stack.enter_context(pool.marked())
        if run.scheduler is not None:
            pool.assemble()
        else:
            pool.poll()  # their checks begin
        yield Engine(pool)


# ---- a scheduler elsewhere -------------------------------------------------------------------------------------------


@contextmanager
def remote(run: Run) -> Generator[DaskLink]:
    """A link to a running scheduler. Raises ConfigError where nobody answers."""
    import dask.config
    from distributed import Client

    address = str(run.scheduler)
    with dask.config.set(SETTINGS), quiet():
        try:
            client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"scheduler: nobody answers at {address}; the address of a running Dask scheduler is needed"
            ) from error
        try:
            yield DaskLink(client, address, str(client.dashboard_link or ""), run.silent_seconds)
        finally:
            close(client)


@contextmanager
def quiet() -> Generator[None]:
    """Keep Dask's own words about deaths and lost connections off the screen: the engine says them in one line.

    Those of asyncio too, which tells of tasks of Dask that end with an error nobody waits for any more.
    """
    logs = [logging.getLogger(name) for name in TALKERS]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)


def close(client: Client) -> None:
    """Close a client whose scheduler may be gone."""
    with suppress(OSError, TimeoutError):
        client.close(timeout=CLOSE_SECONDS)


# ---- this machine ----------------------------------------------------------------------------------------------------


@contextmanager
def local(run: Run) -> Generator[DaskLink]:
    """Worker processes of this machine, ended with the block. Raises EngineLost where they do not start."""
    start_fork_server()
    import dask.config
    from distributed import Client, utils

    setattr(utils, "_forkserver_preload_set", True)  # noqa: B010 - else Dask imports every library that it knows of
    with dask.config.set(SETTINGS), quiet(), ExitStack() as stack:
        with interrupts_deferred():
            cluster = start_cluster(run)
            stack.callback(end_cluster, cluster)
            client = Client(cluster, set_as_default=False)
            stack.callback(close, client)
        dashboard = str(cluster.dashboard_link) if run.dashboard >= 0 else ""
        yield DaskLink(client, "this machine", dashboard, run.silent_seconds, cluster)


@contextmanager
def interrupts_deferred() -> Generator[None]:
    """Have an interrupt wait for the end of the block, which leaves processes behind when it is cut short.

    The second one does not wait.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []

    def receive(number: int, frame: object) -> None:
        received.append(number)
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, receive)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    for number in received:
        signal.raise_signal(number)


def start_fork_server() -> None:
    """Start the process that workers are forked from; it reads Dask in while this process does.

    A terminal sends its interrupt to every process of a command. The server and all that comes of it have the signal
    blocked from birth, so that only the driver hears it.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["distributed"])
    resource_tracker.ensure_running()  # when the server starts it, it opens the signal again
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def start_cluster(run: Run) -> LocalCluster:
    """A scheduler in this process and its worker processes. Raises EngineLost."""
    from distributed import LocalCluster

    try:
        cluster = LocalCluster(
            n_workers=run.workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=f"127.0.0.1:{free_port(max(run.dashboard, 0))}",
            scheduler_kwargs={"dashboard": False},  # a second for its libraries: on the first visit
            silence_logs=logging.CRITICAL,
            preload=["pipeline.run.workers"],
        )
    except (OSError, RuntimeError, TimeoutError) as error:
        raise EngineLost(f"the workers of this machine do not start: {error}") from error
    if run.dashboard >= 0:
        offer_dashboard(cluster)
    return cluster


def free_port(wanted: int) -> int:
    """The wanted port of this machine if nobody listens there, else 0 for any."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return 0
    return wanted


def offer_dashboard(cluster: LocalCluster) -> None:
    """Have the scheduler's web server load Dask's dashboard when somebody first asks for a page of it."""
    from distributed import Scheduler
    from tornado.ioloop import IOLoop
    from tornado.web import Application, RequestHandler

    scheduler = cluster.scheduler
    if not isinstance(scheduler, Scheduler):
        return
    site = scheduler.http_application

    class Opening(RequestHandler):
        async def get(self) -> None:
            board = await IOLoop.current().run_in_executor(
                None, import_module, "distributed.dashboard.scheduler"
            )
            if offered in site.applications:
                site.applications.remove(offered)
                board.connect(site, scheduler.http_server, scheduler)
            self.redirect("/status")

    offered = Application([(".*", Opening)])
    site.add_application(offered)


def end_cluster(cluster: LocalCluster) -> None:
    """Kill the worker processes, as a step cannot be asked to stop, and close the rest."""
    with interrupts_deferred():
        for nanny in nannies(cluster):
            nanny.close_gracefully()  # it starts no other one
            kill(nanny.pid)
        cluster.close(timeout=CLOSE_SECONDS)


def nannies(cluster: LocalCluster) -> list[Nanny]:
    """The part of Dask, in this process, that watches one worker process and starts the next."""
    from distributed import Nanny

    return [nanny for nanny in cluster.workers.values() if isinstance(nanny, Nanny)]


def kill(pid: int | None) -> None:
    """Kill a process and its children, an encoder for one."""
    if pid is None:
        return
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()


# ---- the link --------------------------------------------------------------------------------------------------------


class DaskLink:
    """Workers reached through a Dask client; see `Link`.

    cluster: where the worker processes are children of this one.
    """

    def __init__(
        self,
        client: Client,
        address: str,
        dashboard: str,
        patience: float,
        cluster: LocalCluster | None = None,
    ) -> None:
        self.address = address
        self.dashboard = dashboard
        self.tells_deaths = cluster is not None
        self._client = client
        self._patience = patience
        self._cluster = cluster
        self._futures: dict[str, Future] = {}
        self._fetches: dict[str, asyncio.Future[object]] = {}  # touched on the client's loop only
        self._arrived: queue.SimpleQueue[tuple[str, asyncio.Future[object]]] = queue.SimpleQueue()

    # ---- workers ----

    def poll(self) -> Mapping[str, Seen]:
        if self._client.status != "running":
            raise EngineLost(f"the scheduler at {self.address} is gone")
        try:
            facts = self._ask("identity", self._patience)
        except TimeoutError as error:
            raise EngineLost(
                f"the scheduler at {self.address} has said nothing for {self._patience:g} s"
            ) from error
        except OSError as error:
            raise EngineLost(f"the scheduler at {self.address} is gone: {error}") from error
        pids, workers = self._pids(), mapping(mapping(facts).get("workers"))
        return {str(a): seen(mapping(worker), pids.get(str(a))) for a, worker in workers.items()}

    def _ask(self, handler: str, seconds: float, **arguments: object) -> object:
        """Have the scheduler answer one of its handlers. Raises OSError, TimeoutError."""
        return self._client.sync(
            getattr(self._client.scheduler, handler), callback_timeout=seconds, **arguments
        )

    def _later(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function on the client's event loop, in the order asked for."""
        if self._client.loop is not None:
            self._client.loop.add_callback(function, *arguments)

    def _pids(self) -> dict[str, int]:
        if self._cluster is None:
            return {}
        return {
            str(nanny.worker_address): nanny.pid
            for nanny in nannies(self._cluster)
            if nanny.pid is not None
        }

    def remove(self, worker: Worker) -> None:
        with suppress(OSError, TimeoutError):
            stimulus = f"silent-{uuid.uuid4().hex}"
            self._ask("unregister", CLOSE_SECONDS, address=worker.address, stimulus_id=stimulus)
        kill(worker.seen.pid)

    # ---- calls ----

    def call(
        self, key: str, worker: str, function: Callable[..., object], arguments: tuple[object, ...]
    ) -> None:
        future = self._client.submit(
            function, *arguments, key=key, pure=False, workers=[worker], allow_other_workers=False
        )
        self._futures[key] = future
        self._later(self._fetch, key, future)

    def _fetch(self, key: str, future: Future) -> None:
        self._fetches[key] = fetch = asyncio.ensure_future(result_of(future))
        fetch.add_done_callback(partial(self._land, key))

    def _land(self, key: str, fetch: asyncio.Future[object]) -> None:
        if not fetch.cancelled():
            fetch.exception()  # else asyncio complains where nobody asks any more
        self._arrived.put((key, fetch))

    def next(self, seconds: float) -> Arrival | None:
        try:
            key, fetch = self._arrived.get(block=seconds > 0.0, timeout=seconds or None)
        except queue.Empty:
            return None
        future = self._futures.pop(key, None)
        self._later(self._drop, key, None)
        return self._arrival(key, fetch, future)

    def _arrival(self, key: str, fetch: asyncio.Future[object], future: Future | None) -> Arrival:
        from distributed import CancelledError, KilledWorker

        if future is None or fetch.cancelled():
            return Arrival(key, Ended.UNDELIVERED)
        error = fetch.exception()
        if error is None:
            return Arrival(key, Ended.DONE, result=fetch.result())
        if isinstance(error, CancelledError):
            return Arrival(key, Ended.CUT)
        if isinstance(error, KilledWorker):
            return Arrival(key, Ended.DIED, why=self.cause(error.last_worker.address))
        return Arrival(
            key, Ended.RAISED if future.status == "error" else Ended.UNDELIVERED, raised=error
        )

    def cause(self, worker: str) -> str:
        with suppress(OSError, TimeoutError):
            ended = self._ask("events", CLOSE_SECONDS, topic="worker-restart-memory")
            if worker in str(ended):
                return f"its worker {worker} used more memory than its limit and was ended"
        return f"its worker {worker} died"

    def computed(self, key: str) -> bool:
        future = self._futures.get(key)
        return future is not None and future.status in ("finished", "lost")

    def forget(self, key: str) -> None:
        future = self._futures.pop(key, None)
        if future is not None and self._client.status == "running":
            self._later(self._drop, key, future)

    def _drop(self, key: str, future: Future | None) -> None:
        fetch = self._fetches.pop(key, None)
        if fetch is not None:
            fetch.cancel()
        if future is not None:
            future.release()


async def result_of(future: Future) -> object:
    """What a future comes to. Raises what its function raised, or what became of its worker or the scheduler."""
    return await future


def mapping(facts: object) -> Mapping[object, object]:
    """Facts of a message that are by name; none where they are something else."""
    return facts if isinstance(facts, Mapping) else {}


def seen(worker: Mapping[object, object], pid: int | None) -> Seen:
    """What a scheduler says of a worker, and what this machine says of its process."""
    counts = mapping(mapping(worker.get("metrics")).get("task_counts"))
    return Seen(
        host=str(worker["host"]),
        heard=float(str(worker["last_seen"])),
        running=worker["status"] == "running",
        busy=bool(counts.get("executing", 0)),
        threads=int(str(worker["nthreads"])),
        pid=pid,
        cpu=cpu_seconds(pid),
    )


def cpu_seconds(pid: int | None) -> float | None:
    """Processor time that a process of this machine has used; None where there is none."""
    if pid is None:
        return None
    try:
        used = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return None
    return used.user + used.system

"""The interface between the engine and the workers; `cluster.py` implements it with Dask."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, runtime_checkable

from pipeline.run.worker_table import Seen, Worker

POLL_SECONDS = 0.5  # between two looks at the workers, whose heartbeats are half a second apart


class Ended(Enum):
    """How a call ended."""

    DONE = "done"
    RAISED = "raised"
    DIED = "its worker died under it"
    UNDELIVERED = "its result did not arrive"
    CUT = "the scheduler is gone"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call that ended, by its key; with its result if it is done, what it raised, or a word on its worker's death."""

    key: str
    ended: Ended
    result: object = None
    raised: BaseException | None = None
    why: str = ""


@runtime_checkable
class Link(Protocol):
    """Workers that can be polled and called."""

    address: str  # of the scheduler, as a user knows it
    dashboard: str  # an address for a browser, or empty
    tells_deaths: bool  # the death of a worker ends its call at once with DIED

    def poll(self) -> Mapping[str, Seen]:
        """All workers now, by address. Raises EngineLost."""
        ...

    def call(
        self, key: str, worker: str, function: Callable[..., object], arguments: tuple[object, ...]
    ) -> None:
        """Have one worker, and no other, call a function; what becomes of it arrives under the key."""
        ...

    def next(self, seconds: float) -> Arrival | None:
        """The next call that ended, waited for at most so long."""
        ...

    def computed(self, key: str) -> bool:
        """Whether a call came to its end on its worker, though its result has not arrived."""
        ...

    def cause(self, worker: str) -> str:
        """What is known of a worker's death, as the reason why its task is lost."""
        ...

    def forget(self, key: str) -> None:
        """Ask no more for a call; what it is doing runs on, if it runs."""
        ...

    def remove(self, worker: Worker) -> None:
        """Give a worker up: the scheduler forgets it, and a process of this machine is killed."""
        ...

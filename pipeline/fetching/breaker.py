"""A breaker for each host: one that did not answer several sources in a row is left alone for a while.

What is known of a host lies in one small file of the fetch folder, which the processes of a run share:

- closed, no file or few failures: everybody asks;
- open, `breaker_after` sources in a row without an answer: further sources fail at once;
- half open, `breaker_pause` seconds after it was asked last: one source asks, without retries. An answer of any kind
  closes the breaker, none leaves it open for another pause.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from manifests.files import write_whole
from manifests.record import Record
from pipeline.fetching.errors import FetchError, NoAnswer
from pipeline.fetching.settings import FetchSettings
from pipeline.fetching.store import Folder, locked

FORGOTTEN = 10  # pauses after which an old outage says nothing any more


class Silence(Record):
    """A host that did not answer: how often in a row, since when, when it was asked last; seconds of the epoch."""

    host: str
    failures: int
    since: float
    asked: float


@dataclass(frozen=True, slots=True)
class Breaker:
    """What the processes of a run know of one host."""

    file: Path
    host: str
    settings: FetchSettings

    @classmethod
    def of(cls, cache: Folder, host: str, settings: FetchSettings) -> "Breaker":
        """The breaker of a host in a fetch folder."""
        return cls(cache.host(host), host, settings)

    @contextmanager
    def asking(self, locator: str) -> Iterator[FetchSettings]:
        """Ask the host in this block, under the settings given: a probe has no retries.

        How the block ends is kept: nobody answered, or somebody did. Raises NoAnswer where the host is left alone.
        """
        settings = self.admit(locator)
        try:
            yield settings
        except NoAnswer:
            self.failed()
            raise
        except FetchError:
            self.answered()
            raise
        self.answered()

    def admit(self, locator: str) -> FetchSettings:
        """The settings to ask with now. Raises NoAnswer where the host is left alone."""
        if not self.is_open(self.read()):
            return self.settings
        with self.alone():
            now, silence = time.time(), self.read()
            if silence is None or not self.is_open(silence):
                return self.settings
            left = self.settings.breaker_pause - (now - silence.asked)
            if 0 < left <= self.settings.breaker_pause:
                since = time.strftime("%H:%M:%S", time.localtime(silence.since))
                said = f"{self.host} has not answered {silence.failures} times since {since}"
                raise NoAnswer(locator, f"{said}; it is asked again after {left:.0f} s", True)
            self.write(silence.model_copy(update={"asked": now}))
        return self.settings.model_copy(update={"retries": 0})

    def answered(self) -> None:
        """The host answered: whatever it said before is forgotten."""
        if self.file.exists():
            with self.alone():
                self.file.unlink(missing_ok=True)

    def failed(self) -> None:
        """The host did not answer one source."""
        with self.alone():
            now, silence = time.time(), self.read()
            failures, since = (silence.failures, silence.since) if silence else (0, now)
            self.write(Silence(host=self.host, failures=failures + 1, since=since, asked=now))

    def is_open(self, silence: Silence | None) -> bool:
        """Whether the host is left alone, but for a probe now and then."""
        return silence is not None and silence.failures >= self.settings.breaker_after

    def read(self) -> Silence | None:
        """What is known of the host's silence; None where it answered last, or an outage is long over."""
        try:
            silence = Silence.model_validate_json(self.file.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        old = time.time() - silence.asked > FORGOTTEN * max(1.0, self.settings.breaker_pause)
        return None if old else silence

    def write(self, silence: Silence) -> None:
        """Keep what is known."""
        write_whole(self.file, silence.model_dump_json())

    def alone(self) -> AbstractContextManager[None]:
        """One process at a time changes what is known."""
        return locked(self.file.with_suffix(".held"))


def forget_hosts(media: Path) -> None:
    """Let every host be asked again: what an earlier run met says nothing about the one that begins."""
    shutil.rmtree(media / "hosts", ignore_errors=True)

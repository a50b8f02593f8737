"""The lock file: which bytes each locator stood for, so that a second run reads the same ones or says that it cannot.

One JSON object per line, sorted by locator, written to a temporary name and renamed. A lock is a source list too: its
rows carry a locator and a licence.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import Field, ValidationError

from manifests.errors import UserError
from manifests.files import write_whole
from manifests.record import Fetched, Page, Record


class LockError(UserError):
    """A lock file that cannot be read; one sentence with file, line, value found and value allowed."""


class LockMismatch(Exception):
    """The bytes behind a locked locator are not those of the lock."""

    def __init__(self, locator: str, locked: str, found: str) -> None:
        super().__init__(locator, locked, found)
        self.locator = locator
        self.locked = locked
        self.found = found

    def __str__(self) -> str:
        return (
            f"{self.locator}: its bytes changed: the lock says SHA-256 {self.locked}, found {self.found}; "
            "update the lock to take the new ones"
        )


class Pin(Record):
    """One line of a lock file."""

    locator: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)
    licence: str | None = None
    page: Page | None = None


@dataclass(frozen=True, slots=True)
class Lock:
    """Pins by locator; never changed in place."""

    pins: Mapping[str, Pin] = field(default_factory=dict)

    def __getitem__(self, locator: str) -> Pin:
        return self.pins[locator]

    def get(self, locator: str) -> Pin | None:
        """The pin of a locator, or None where it has none."""
        return self.pins.get(locator)

    def only(self, locator: str) -> "Lock":
        """What the fetch of one source needs of a large lock."""
        pin = self.get(locator)
        return Lock({locator: pin} if pin else {})

    def check(self, locator: str, sha256: str) -> None:
        """Raises LockMismatch where the locator is pinned to other bytes."""
        pin = self.get(locator)
        if pin is not None and pin.sha256 != sha256:
            raise LockMismatch(locator, pin.sha256, sha256)

    def with_fetched(self, sources: Iterable[tuple[str, Fetched]]) -> "Lock":
        """The lock with these sources pinned to what was fetched."""
        pins = dict(self.pins)
        for locator, fetched in sources:
            facts = {"sha256": fetched.sha256, "bytes": fetched.bytes, "licence": fetched.licence}
            pins[locator] = Pin(locator=locator, page=fetched.page, **facts)
        return Lock(pins)


def read_lock(path: Path) -> Lock:
    """The lock of a file; empty where there is none. Raises LockError."""
    pins: dict[str, Pin] = {}
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Lock()
    except (OSError, UnicodeDecodeError) as error:
        raise LockError(f"lock file: {path} cannot be read: {error}") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        pin = read_pin(line, f"{path}, line {number}")
        if pin.locator in pins:
            raise LockError(
                f"{path}, line {number}: a locator stands once, got {pin.locator!r} again"
            )
        pins[pin.locator] = pin
    return Lock(pins)


def read_pin(line: str, place: str) -> Pin:
    """One line of a lock file."""
    try:
        return Pin.model_validate_json(line)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"])) or "the line"
        raise LockError(
            f"{place}: {where}: {fault['msg'].lower()}, got {str(fault['input'])[:80]!r}"
        ) from error


def write_lock(path: Path, lock: Lock) -> None:
    """Write the lock whole or not at all; the same pins give the same bytes."""
    lines = [pin_line(lock.pins[locator]) + "\n" for locator in sorted(lock.pins)]
    write_whole(path, "".join(lines))


def pin_line(pin: Pin) -> str:
    """A pin as one line of JSON, what is not known left out."""
    return json.dumps(pin.model_dump(mode="json", exclude_none=True), ensure_ascii=False)

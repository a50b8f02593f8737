"""The reasons for which a source cannot be fetched: one exception for each `Why` of the stage, and nothing else."""

from typing import ClassVar

from manifests.record import Why


class FetchError(Exception):
    """A source that cannot be had, with its reason.

    `transient` says that the same request may succeed later without anybody changing anything (timeout, refused
    connection, too many requests, server error), so that a run may try again. `host` is what was asked; `fetch` fills
    it in.

    What is Unreachable says something about a host, a share or this machine, and is a failure of the run. The others
    are facts about the source.

    FetchError
    ├── Unreachable
    │   └── NoAnswer
    ├── Removed, Private, NotMediaPage, LicenceNotAllowed, OptedOut
    """

    why: ClassVar[Why] = Why.UNREACHABLE

    def __init__(self, locator: str, detail: str, transient: bool = False) -> None:
        super().__init__(locator, detail, transient)
        self.locator = locator
        self.detail = detail
        self.transient = transient
        self.host = ""

    def __str__(self) -> str:
        return f"{self.locator}: {self.detail}"


class Unreachable(FetchError):
    """Nobody answered, or answered with an error of their own, or only to others than us."""

    why: ClassVar[Why] = Why.UNREACHABLE


class NoAnswer(Unreachable):
    """The host or the share did not answer at all: refused, timed out, not known, not mounted any more."""


class Removed(FetchError):
    """It was there, or might have been, and is not any more."""

    why: ClassVar[Why] = Why.REMOVED


class Private(FetchError):
    """It is there, for people with an account, a key or a payment."""

    why: ClassVar[Why] = Why.PRIVATE


class NotMediaPage(FetchError):
    """It answers, with something that is no video or leads to none."""

    why: ClassVar[Why] = Why.NOT_MEDIA


class LicenceNotAllowed(FetchError):
    """Its licence is not among the allowed ones, or it states none where one is asked for."""

    why: ClassVar[Why] = Why.LICENCE


class OptedOut(FetchError):
    """Its owner does not want it used: the opt-out list, or the server's X-Robots-Tag, says so."""

    why: ClassVar[Why] = Why.OPTED_OUT

"""What the errors of file systems say, by the causes they were raised from."""

import errno
import socket

import pytest

from pipeline.sources.remote import Fault, NotSetUp, client_errors, diagnose


def raised_from(outer: Exception, inner: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


class Answer(Exception):
    """An answer of S3, as its client raises it."""

    def __init__(self, code: str) -> None:
        super().__init__(f"An error occurred ({code})")
        self.response = {"Error": {"Code": code}}


class NoCredentialsError(Exception):
    """Named as the one of the client."""


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (FileNotFoundError("x"), Fault.MISSING),
        (PermissionError("x"), Fault.CLOSED),
        (TimeoutError(), Fault.NO_ANSWER),
        (OSError(errno.ESTALE, "Stale file handle"), Fault.NO_ANSWER),
        (OSError("odd"), Fault.OTHER),
        (raised_from(FileNotFoundError("url"), ConnectionRefusedError(111, "no")), Fault.NO_ANSWER),
        (raised_from(FileNotFoundError("url"), socket.gaierror(-2, "unknown")), Fault.NO_ANSWER),
        (raised_from(PermissionError("x"), Answer("ExpiredToken")), Fault.SETUP),
        (raised_from(PermissionError("x"), Answer("AccessDenied")), Fault.CLOSED),
        (raised_from(FileNotFoundError("x"), Answer("NoSuchBucket")), Fault.SETUP),
        (raised_from(FileNotFoundError("x"), Answer("404")), Fault.MISSING),
        (raised_from(OSError("x"), Answer("SlowDown")), Fault.OTHER),
        (NoCredentialsError(), Fault.SETUP),
        (NotSetUp("an account is needed"), Fault.SETUP),
    ],
)
def test_the_innermost_cause_knows_best(error: Exception, fault: Fault) -> None:
    assert diagnose(error).fault is fault
    assert diagnose(error).words


def test_words_are_one_line_without_secrets() -> None:
    error = OSError("cannot open\nhttps://me:secret@a.org/x?sig=secret&k=1")
    assert diagnose(error).words == "cannot open https://a.org/x?k=1"


def test_every_client_error_is_an_exception() -> None:
    assert OSError in client_errors()
    assert all(issubclass(kind, Exception) for kind in client_errors())

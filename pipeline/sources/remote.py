"""File systems behind fsspec URLs: opened, and what their clients raise as one of a few faults in plain words."""

import errno
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, cast

from pipeline.sources.urls import without_secrets

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

# Roots of what clients of object stores raise beside OSError, by the module that must be loaded for them to occur.
CLIENT_ERRORS = (
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("aiohttp", "ClientError"),
    ("gcsfs.retry", "HttpError"),
    ("google.auth.exceptions", "GoogleAuthError"),
    ("azure.core.exceptions", "AzureError"),
    ("httpx", "HTTPError"),
    ("httpx2", "HTTPError"),
    ("huggingface_hub.errors", "OfflineModeIsEnabled"),
    ("paramiko.ssh_exception", "SSHException"),
    ("smbprotocol.exceptions", "SMBException"),
)
NO_LOGIN = frozenset({"NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError"})
NO_LOGIN |= {"TokenRetrievalError", "CredentialRetrievalError", "UnauthorizedSSOTokenError"}
# What S3 answers where the credentials or the bucket are at fault, not the object that was asked for.
BAD_SETUP = frozenset({"ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch"})
BAD_SETUP |= {"InvalidToken", "TokenRefreshRequired", "RequestTimeTooSkewed", "AuthFailure"}
BAD_SETUP |= {"NoSuchBucket"}
NO_ANSWER = frozenset({"ConnectError", "ConnectTimeout", "ReadTimeout", "ConnectTimeoutError"})
NO_ANSWER |= {"EndpointConnectionError", "ReadTimeoutError", "ClientConnectorError"}
NO_ANSWER |= {"ServerTimeoutError", "ServerDisconnectedError", "OfflineModeIsEnabled"}
AWAY = frozenset(  # errnos of a host, or of a share that is mounted and does not answer
    {errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENODEV}
    | {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.ECONNREFUSED, errno.ENXIO}
    | {errno.ECONNRESET, errno.ECONNABORTED, errno.ESHUTDOWN, errno.EREMOTEIO, errno.ENOMEDIUM}
)
DETAIL = 300  # characters of a message that are kept


class Fault(Enum):
    """What an error of a file system says."""

    MISSING = auto()  # the one file is not there
    CLOSED = auto()  # the one file is for others
    SETUP = auto()  # this machine's settings are not accepted: its credentials, or the bucket
    NO_ANSWER = auto()  # nobody answered
    OTHER = auto()  # any other answer


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A fault and its words, on one line and without secrets."""

    fault: Fault
    words: str


class NotSetUp(OSError):
    """A file system lacks what it needs to be opened, such as the name of an account."""


def open_store(url: str, *, timeout: float | None = None) -> "tuple[AbstractFileSystem, str]":
    """The file system of a URL, and the path in it. timeout: seconds without an answer, where it can be said.

    Raises what its client raises (`client_errors`).
    """
    from fsspec.core import url_to_fs  # needed only by those who read from elsewhere

    options: dict[str, object] = {}
    if timeout is not None and url.startswith(("s3://", "s3a://")):
        options = {"config_kwargs": {"connect_timeout": timeout, "read_timeout": timeout}}
    try:
        return url_to_fs(url, **options)
    except (ValueError, TypeError) as error:
        raise NotSetUp(f"it cannot be opened: {error}") from error


def files_matching(system: "AbstractFileSystem", pattern: str) -> list[str]:
    """What a glob matches but folders, sorted."""
    # with detail fsspec gives a table by path, which its annotation does not say
    met = cast("dict[str, dict[str, object]]", system.glob(pattern, detail=True))
    return sorted(path for path, facts in met.items() if facts["type"] != "directory")


def client_errors() -> tuple[type[Exception], ...]:
    """OSError and what the loaded clients raise beside it."""
    found = (
        getattr(sys.modules[module], name, None)
        for module, name in CLIENT_ERRORS
        if module in sys.modules
    )
    return (OSError, *(kind for kind in found if isinstance(kind, type)))


def diagnose(error: BaseException) -> Diagnosis:
    """What an error of a file system says, by the causes it was raised from: the innermost knows best."""
    causes = list(causes_of(error))
    for cause in reversed(causes):
        if (fault := fault_of(cause)) is not None:
            return Diagnosis(fault, words_of(cause))
    return Diagnosis(Fault.OTHER, words_of(causes[0]))


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """An error and those it was raised from, outermost first."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def fault_of(error: BaseException) -> Fault | None:
    """The fault of one error by itself; None where it says nothing."""
    name = type(error).__name__
    if (code := code_of(error)) is not None:
        return by_code(code)
    if name in NO_LOGIN or isinstance(error, NotSetUp):
        return Fault.SETUP
    if isinstance(error, TimeoutError | ConnectionError | socket.gaierror) or name in NO_ANSWER:
        return Fault.NO_ANSWER
    if isinstance(error, OSError) and error.errno in AWAY:
        return Fault.NO_ANSWER
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Fault.MISSING
    return Fault.CLOSED if isinstance(error, PermissionError) else None


def code_of(error: BaseException) -> str | None:
    """The code in an answer of S3, or the HTTP status in one of a web server."""
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):
        return str(response.get("Error", {}).get("Code", ""))
    status = getattr(error, "status", None) or getattr(response, "status_code", None)
    return str(status) if isinstance(status, int) else None


def by_code(code: str) -> Fault:
    """The fault in a code or status."""
    if code in BAD_SETUP or code == "407":
        return Fault.SETUP
    if code in ("404", "410", "451", "NoSuchKey", "NoSuchVersion"):
        return Fault.MISSING
    return Fault.CLOSED if code in ("401", "402", "403", "AccessDenied") else Fault.OTHER


def words_of(error: BaseException) -> str:
    """What an error says, on one line; without the name of a file, which is said beside it."""
    if isinstance(error, ConnectionRefusedError):
        return "it refused the connection"
    if isinstance(error, socket.gaierror):
        return f"its name is not known: {error.strerror}"
    if type(error).__name__ in NO_LOGIN:
        return f"no credentials for it were found here ({type(error).__name__})"
    text = str(error.strerror if isinstance(error, OSError) and error.strerror else error)
    return without_secrets(" ".join(text.split()))[:DETAIL] or f"({type(error).__name__})"

"""Locators: the one spelling under which a source is known, and the address where its bytes can be opened.

Two different things, kept apart:

- the *locator* (`Origin.locator`) is public and stable. It is written into the dataset, and removal, split and the lock
  file go by it. It is `youtube:ID`, a URL without secrets, or a path relative to its list, with `/` between the parts;
- the *address* (`Located.address`) is what this machine needs now: an absolute path, or the URL as it was given, with
  its password or its signature. It is parsed once, when a list is read, and written nowhere.

Clip ids depend on neither: they come from the bytes.
"""

import functools
import posixpath
import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote

from manifests.record import Origin
from pipeline.sources.printable import no_scheme, without_login
from pipeline.sources.urls import (
    WEB,
    YOUTUBE,
    YOUTUBE_ID,
    bare_url,
    host_of,
    split_url,
    watch_url,
    youtube_id,
)

LONGEST = 4096  # characters: the longest path that POSIX systems promise to take

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
CHAIN = re.compile(r"::[A-Za-z0-9+.-]+://")
LOCAL = frozenset({"file", "local"})
LOGINS = frozenset({"ftp", "ftps", "sftp", "ssh", "smb"})  # schemes whose URLs take user:password@


class LocatorError(ValueError):
    """A text that cannot be a locator; the message says the value found and the values allowed."""


class MissingPackage(Exception):
    """A file system that is known, and a package it needs that is not installed here."""


class Kind(StrEnum):
    """How the bytes behind an address are had."""

    LOCAL = "local"  # a path of this machine
    YOUTUBE = "youtube"
    WEB = "web"  # http(s): a file or a page
    STORE = "store"  # a file of any other file system of fsspec
    NOWHERE = "nowhere"  # a row that cannot be read


@dataclass(frozen=True, slots=True)
class Address:
    """Where bytes lie, parsed."""

    kind: Kind
    scheme: str  # in small letters; `file` for a path
    host: str  # what answers: host:port, youtube.com, s3://bucket, or the folder of a share
    path: str  # a path, the id of a YouTube video, or what follows the host
    spelling: str  # how it may be written down
    text: str = field(repr=False)  # what opens it; may hold a password

    @property
    def is_web(self) -> bool:
        """Whether yt-dlp asks for it."""
        return self.kind in (Kind.WEB, Kind.YOUTUBE)

    @property
    def is_absolute(self) -> bool:
        """Whether it names its scheme or its root, so that it does not lie beside a list."""
        return self.kind is not Kind.LOCAL or self.path.startswith("/")

    @property
    def name(self) -> str:
        """The last part of the path, without a query; a store without folders has files where others have hosts."""
        if self.kind is Kind.LOCAL:
            return posixpath.basename(self.path)
        path = self.text if self.kind is Kind.STORE else self.path
        return posixpath.basename(path.split("?", 1)[0])


NOWHERE = Address(Kind.NOWHERE, "", "", "", "", "")


@dataclass(frozen=True, slots=True)
class Located:
    """A source and where its bytes can be opened from here; see the module for what is written where.

    fault: why the row of a list that this stands for cannot be a source; empty for every other.
    """

    origin: Origin
    address: Address
    fault: str = ""

    @property
    def locator(self) -> str:
        """The public name of the source."""
        return self.origin.locator

    @property
    def open_at(self) -> str:
        """A path or URL that opens it; may hold a password."""
        return self.address.text

    @property
    def host(self) -> str:
        """What answers for it: a web host, a bucket, or the folder of a share."""
        return self.address.host


def parse(text: str) -> Address:
    """The address of a URL, of `youtube:ID`, or of a path, `~/` resolved; a relative path stays one.

    Raises LocatorError for an empty, over-long or unprintable text, a `youtube:` that no id follows,
    a web address without a host, and a chain of file systems (`::`).
    """
    text = plain(text)
    if CHAIN.search(text):
        raise LocatorError(
            f"a locator names one file system, got the chain {without_login(text)!r}"
        )
    if text[:8].lower() == "youtube:":
        return youtube(text[8:], text)
    found = SCHEME.match(text)
    if found is None:
        return local(str(Path(text).expanduser()) if text.startswith("~/") else text)
    scheme, rest = found[1].lower(), text[found.end() :]
    if scheme in LOCAL:
        return local(plain(unquote(rest)))
    return web(text) if scheme in WEB else store(scheme, rest)


def local(path: str, *, share: str | None = None) -> Address:
    """The address of a path. share: the folder that answers for it; none: the first two folders."""
    host = share if share is not None else "/".join(path.split("/")[:3])
    spelling = no_scheme(posixpath.normpath(path))
    return Address(Kind.LOCAL, "file", host, path, spelling, path)


def youtube(video: str, text: str) -> Address:
    """The address of a YouTube video."""
    if not YOUTUBE_ID.fullmatch(video):
        raise LocatorError(f"youtube: is followed by 11 of A-Z a-z 0-9 _ -, got {text!r}")
    return Address(Kind.YOUTUBE, "youtube", YOUTUBE, video, f"youtube:{video}", watch_url(video))


def web(text: str) -> Address:
    """The address of an http(s) URL; of every spelling of a YouTube video the same."""
    try:
        parts = split_url(text)
    except ValueError as error:
        shown = without_login(text)
        raise LocatorError(
            f"a web address has a host and a path, got {shown!r}: {error}"
        ) from error
    if (video := youtube_id(parts)) is not None:
        return youtube(video, text)
    return Address(
        Kind.WEB, parts.scheme.lower(), host_of(parts), parts.path, bare_url(parts), text
    )


def store(scheme: str, rest: str) -> Address:
    """The address of a file of another file system: a bucket, a server, a memory."""
    host, slash, path = rest.partition("/")
    if scheme in LOGINS:
        host = host.rpartition("@")[2]
    spelling = f"{scheme}://{host}{slash}{path}"
    return Address(Kind.STORE, scheme, f"{scheme}://{host}", path, spelling, f"{scheme}://{rest}")


def plain(text: str) -> str:
    """The text without outer blanks, or LocatorError where it cannot name anything."""
    text = text.strip()
    if not text:
        raise LocatorError("a locator is youtube:ID, a URL or a path, got nothing")
    if len(text) > LONGEST:
        raise LocatorError(f"a locator has at most {LONGEST} characters, got {len(text)}")
    if not text.isprintable():
        raise LocatorError(f"a locator has printable characters only, got {text!r}")
    return text


def normalise(text: str) -> str:
    """The locator of a URL, of `youtube:ID`, or of a path. Idempotent.

    Every address of one YouTube video gives the same `youtube:ID`. Of other URLs, scheme and host are lowered, and the
    default port, the fragment, user and password, tracking parameters and the signatures of object stores are left out.
    Paths lose `.`, `//` and inner `..`. Raises LocatorError as `parse` does.
    """
    return parse(text).spelling


def check_opener(address: Address) -> None:
    """Raises LocatorError where no file system opens the address, MissingPackage where one is not installed."""
    if address.kind is Kind.STORE:
        try:
            check_scheme(address.scheme)
        except LocatorError as error:
            raise LocatorError(f"{error}, got {address.spelling!r}") from error


@functools.cache
def check_scheme(scheme: str) -> None:
    """Ask fsspec once for each scheme."""
    import fsspec  # needed only by those who read from elsewhere

    try:
        fsspec.get_filesystem_class(scheme)
    except ValueError as error:
        allowed = "youtube:, http(s)://, file://, s3://, gs://, az:// or another scheme of fsspec"
        raise LocatorError(f"a locator begins with {allowed}") from error
    except ImportError as error:
        raise MissingPackage(f"{scheme}:// cannot be opened here: {error}") from error

"""Locators: the one spelling under which a source is known, and where its bytes can be opened.

Two different things, kept apart:

- the *locator* (`Origin.locator`) is public and stable. It is written into the dataset, and removal, split and the lock
  file go by it. It is `youtube:ID`, a URL without secrets, or a path relative to its list, with `/` between the parts;
- *where to open it* (`Located.open_at`) is what this machine needs now: an absolute path, or the URL as it was given,
  with its password or its signature. It is written nowhere.

Clip ids depend on neither: they come from the bytes.
"""

import posixpath
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

import fsspec

from manifests.record import Origin

LONGEST = 4096  # characters: the longest path that POSIX systems promise to take

YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")
YOUTUBE_HOSTS = frozenset({"youtube.com", "youtube-nocookie.com", "youtubekids.com"})
YOUTUBE_PATHS = frozenset({"shorts", "embed", "live", "v", "e"})
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
CHAIN = re.compile(r"::[A-Za-z0-9+.-]+://")
WEB = frozenset({"http", "https"})
LOCAL = frozenset({"file", "local"})
SECRETS = re.compile(
    r"(x-amz-|x-goog-|utm_)|(signature|sig|awsaccesskeyid|googleaccessid)$", re.IGNORECASE
)
PORTS = {"http": 80, "https": 443}


class LocatorError(ValueError):
    """A text that cannot be a locator; the message says the value found and the values allowed."""


@dataclass(frozen=True, slots=True)
class Located:
    """A source and where its bytes can be opened from here; see the module for what is written where."""

    origin: Origin
    open_at: str = field(repr=False)  # may hold a password

    @property
    def locator(self) -> str:
        """The public name of the source."""
        return self.origin.locator


def normalise(text: str) -> str:
    """The locator of a URL, of `youtube:ID`, or of a relative path. Idempotent.

    Every address of one YouTube video gives the same `youtube:ID`. Of other URLs, scheme and host are lowered, and the
    default port, the fragment, user and password, tracking parameters and the signatures of object stores are left out.
    Paths lose `.`, `//` and inner `..`. Raises LocatorError for an empty, over-long or unprintable text, a
    `youtube:` that is followed by anything but an id, and a chain of file systems (`::`).
    """
    text = plain(text)
    if CHAIN.search(text):
        raise LocatorError(f"a locator names one file system, got the chain {text!r}")
    if text.lower().startswith("youtube:"):
        return "youtube:" + youtube_id_of(text)
    found = SCHEME.match(text)
    if found is None:
        return posixpath.normpath(text)
    scheme = found[1].lower()
    if scheme in LOCAL:
        return posixpath.normpath(unquote(text[found.end() :]))
    if scheme not in WEB:
        return f"{scheme}://{text[found.end() :]}"
    return web_locator(text)


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


def web_locator(url: str) -> str:
    """The locator of an http(s) URL."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise LocatorError(f"a web address has a host and a path, got {url!r}: {error}") from error
    if not parts.hostname:
        raise LocatorError(f"a web address has a host and a path, got {url!r}")
    if (video := youtube_id(parts)) is not None:
        return f"youtube:{video}"
    return bare_url(parts)


def bare_url(parts: SplitResult) -> str:
    """A web address without user, password, fragment, tracking and signature."""
    host = parts.hostname or ""
    port = parts.port
    host = f"[{host}]" if ":" in host else host
    if port is not None and port != PORTS[parts.scheme.lower()]:
        host += f":{port}"
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    kept = [
        pair for pair in parts.query.split("&") if pair and not SECRETS.match(pair.split("=", 1)[0])
    ]
    query = "?" + quote("&".join(kept), safe="/%:@!$&'()*+,;=~-._?") if kept else ""
    return f"{parts.scheme.lower()}://{host}{path}{query}"


def public_url(url: str) -> str:
    """A web address that may be written down; other texts, and addresses that are none, as they are."""
    try:
        parts = urlsplit(url)
        return bare_url(parts) if parts.scheme.lower() in WEB and parts.hostname else url
    except ValueError:
        return url


def without_secrets(text: str) -> str:
    """A message with every web address in it made public."""
    return re.sub(r"https?://[^\s'\"<>]+", lambda found: public_url(found[0]), text)


def youtube_id(parts: SplitResult) -> str | None:
    """The video id of a YouTube address (watch, youtu.be, shorts, embed, live), or None for any other page."""
    host = (parts.hostname or "").removeprefix("www.").removeprefix("m.").removeprefix("music.")
    steps = [step for step in parts.path.split("/") if step]
    found: str | None = None
    if host == "youtu.be" and steps:
        found = steps[0]
    elif host in YOUTUBE_HOSTS and steps[:1] == ["watch"]:
        found = dict(parse_qsl(parts.query)).get("v") or (steps[1] if len(steps) > 1 else None)
    elif host in YOUTUBE_HOSTS and len(steps) > 1 and steps[0] in YOUTUBE_PATHS:
        found = steps[1]
    return found if found is not None and YOUTUBE_ID.fullmatch(found) else None


def youtube_id_of(locator: str) -> str:
    """The id in `youtube:ID`. Raises LocatorError where it is not one."""
    found = locator.partition(":")[2]
    if not YOUTUBE_ID.fullmatch(found):
        raise LocatorError(f"youtube: is followed by 11 of A-Z a-z 0-9 _ -, got {locator!r}")
    return found


def scheme_of(text: str) -> str | None:
    """`youtube`, the scheme of a URL in small letters, or None for a local path (`file://` included)."""
    if text.lower().startswith("youtube:"):
        return "youtube"
    found = SCHEME.match(text)
    scheme = found[1].lower() if found else None
    return None if scheme in LOCAL else scheme


def local_path(text: str) -> str:
    """A path or `file://` URL as a path, `~` resolved."""
    found = SCHEME.match(text)
    if found:
        return unquote(text[found.end() :])
    return str(Path(text).expanduser()) if text.startswith("~/") else text


def check_scheme(text: str) -> None:
    """Raises LocatorError where no file system here opens this URL, with the package that is missing if that is why."""
    scheme = scheme_of(text)
    if scheme is None or scheme == "youtube" or scheme in WEB:
        return
    try:
        fsspec.get_filesystem_class(scheme)
    except ValueError as error:
        allowed = "youtube:, http(s)://, file://, s3://, gs://, az:// or another scheme of fsspec"
        raise LocatorError(f"a locator begins with {allowed}, got {text!r}") from error
    except ImportError as error:
        raise LocatorError(f"{scheme}:// cannot be opened here: {error}, got {text!r}") from error


def page_url(locator: str) -> str:
    """The web address of `youtube:ID`; other locators are returned as they are."""
    if scheme_of(locator) == "youtube":
        return "https://www.youtube.com/watch?" + urlencode({"v": youtube_id_of(locator)})
    return locator

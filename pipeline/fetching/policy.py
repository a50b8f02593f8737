"""What may be fetched: licences by their normal names, the opt-out list, and what a server says to robots."""

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from manifests.errors import UserError
from pipeline.fetching.errors import LicenceNotAllowed, OptedOut
from pipeline.sources.locators import LocatorError, normalise, scheme_of

CC = re.compile(r"creativecommons\.org/(licenses|publicdomain)/([a-z-]+)(?:/(\d\.\d))?")
CC_SHORT = re.compile(r"^cc[ -](by(?:[ -](?:nc|nd|sa))*)(?:[ -]v?(\d(?:\.\d)?))?\b")
CC_PARTS = (
    ("noncommercial", "nc"),
    ("non-commercial", "nc"),
    ("noderiv", "nd"),
    ("no-deriv", "nd"),
    ("no deriv", "nd"),
    ("sharealike", "sa"),
    ("share-alike", "sa"),
    ("share alike", "sa"),
)
VERSION = re.compile(r"\b(\d\.\d)\b")
AGENT = "cospeech"  # the name under which an X-Robots-Tag would address us
NO_USE = frozenset({"noai", "noimageai", "noindex", "none"})
ROBOT_WORDS = NO_USE | {
    "all",
    "index",
    "follow",
    "nofollow",
    "noarchive",
    "nosnippet",
    "notranslate",
}
HEX = re.compile(r"[0-9a-f]{64}")


class OptOutError(UserError):
    """A line of an opt-out list that cannot be read; one sentence with file, line, value found and value allowed."""


# ---- licences --------------------------------------------------------------------------------------------------------


def normal_licence(text: str) -> str:
    """A licence under its normal name: `cc-by-nc-4.0` for any of its usual spellings; others in small letters.

    Creative Commons by URL, by short name or in words; YouTube's "Creative Commons Attribution licence (reuse allowed)"
    is `cc-by`; CC0 and the public domain mark are `cc0` and `public-domain`.
    """
    words = " ".join(text.lower().replace("_", "-").split())
    if found := CC.search(words):
        name = {"zero": "cc0", "mark": "public-domain"}.get(found[2], f"cc-{found[2]}")
        return (
            name if name in ("cc0", "public-domain") else join("cc", name[3:].split("-"), found[3])
        )
    if re.search(r"\bcc[ -]?0\b|\bcc-zero\b|creative commons zero", words):
        return "cc0"
    if "public domain" in words or words in ("public-domain", "pdm"):
        return "public-domain"
    if found := CC_SHORT.match(words):
        return join("cc", re.split(r"[ -]", found[1]), found[2])
    if "creative commons" in words and "attribution" in words:
        parts = [short for long, short in CC_PARTS if long in words]
        version = VERSION.search(words)
        return join("cc", ["by", *parts], version[1] if version else None)
    return words


def join(head: str, parts: Iterable[str], version: str | None) -> str:
    """cc-by-nc-nd-4.0 with the parts in their usual order, each once."""
    order = [part for part in ("by", "nc", "nd", "sa") if part in set(parts)]
    if version is not None and "." not in version:
        version += ".0"
    return "-".join([head, *order, *([version] if version else [])])


def licence_allowed(licence: str, allowed: Iterable[str]) -> bool:
    """Whether a licence is among the allowed ones; an allowed name without a version allows every version."""
    name = normal_licence(licence)
    bare = re.sub(r"-\d\.\d$", "", name)
    return any(wanted in (name, bare) for wanted in map(normal_licence, allowed))


def check_licences(
    locator: str, stated: Iterable[str | None], allowed: tuple[str, ...] | None
) -> None:
    """Every licence that is stated, by the list or by the page, must be allowed. Raises LicenceNotAllowed."""
    if allowed is None:
        return
    known = [licence for licence in stated if licence]
    if not known:
        raise LicenceNotAllowed(locator, f"states no licence, allowed: {', '.join(allowed)}")
    for licence in known:
        if not licence_allowed(licence, allowed):
            raise LicenceNotAllowed(locator, f"licence {licence!r}, allowed: {', '.join(allowed)}")


# ---- the opt-out list ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OptOuts:
    """Who and what must not be used. One per line in the file; `#` begins a comment:

    | line | leaves out |
    |---|---|
    | `youtube:ID`, a URL, a path | that locator, in any spelling |
    | `uploader:NAME` | every page of that uploader, by name, handle or channel id |
    | `site:HOST` | every web address on that host and below it |
    | `sha256:HEX` | these bytes under any locator |
    """

    locators: frozenset[str] = frozenset()
    uploaders: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()
    hashes: frozenset[str] = frozenset()
    where: str = field(default="the opt-out list", compare=False)

    def check(self, locator: str, url: str = "") -> None:
        """Raises OptedOut for a locator on the list, or a web address on a listed site."""
        if locator in self.locators:
            raise OptedOut(locator, f"on {self.where}")
        for address in (locator, url):
            host = urlsplit(address).hostname or "" if scheme_of(address) else ""
            for site in self.sites:
                if host == site or host.endswith("." + site):
                    raise OptedOut(locator, f"site {site} is on {self.where}")
        if scheme_of(locator) == "youtube" and "youtube.com" in self.sites:
            raise OptedOut(locator, f"site youtube.com is on {self.where}")

    def check_uploader(self, locator: str, names: Iterable[str | None]) -> None:
        """Raises OptedOut where one of the uploader's names is on the list."""
        for name in names:
            if name and name.strip().casefold() in self.uploaders:
                raise OptedOut(locator, f"uploader {name!r} is on {self.where}")

    def check_bytes(self, locator: str, sha256: str) -> None:
        """Raises OptedOut where the bytes are on the list, whatever they are called."""
        if sha256 in self.hashes:
            raise OptedOut(locator, f"its bytes {sha256[:12]} are on {self.where}")


def read_opt_outs(path: Path | None) -> OptOuts:
    """The opt-out list of a file; none without one. Raises OptOutError for a bad line or a missing file."""
    if path is None:
        return OptOuts()
    try:
        stat = path.stat()
    except OSError as error:
        raise OptOutError(f"opt-out list: {path} cannot be read: {error.strerror}") from error
    return parsed(path, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=4)
def parsed(path: Path, mtime_ns: int, size: int) -> OptOuts:
    """The list of one state of a file, read once per process."""
    kinds: dict[str, set[str]] = {
        "locator": set(),
        "uploader": set(),
        "site": set(),
        "sha256": set(),
    }
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        text = re.sub(r"(^|\s)#.*$", "", line).strip()
        if text:
            kind, value = entry(text, f"{path}, line {number}")
            kinds[kind].add(value)
    return OptOuts(
        locators=frozenset(kinds["locator"]),
        uploaders=frozenset(kinds["uploader"]),
        sites=frozenset(kinds["site"]),
        hashes=frozenset(kinds["sha256"]),
        where=path.name,
    )


def entry(text: str, place: str) -> tuple[str, str]:
    """One line of the list as (kind, normal value)."""
    head, colon, rest = text.partition(":")
    kind, rest = head.strip().lower(), rest.strip()
    if colon and kind in ("uploader", "site", "sha256"):
        value = rest.lower() if kind != "uploader" else rest.casefold()
        if not value or (kind == "sha256" and not HEX.fullmatch(value)):
            allowed = "64 hexadecimal digits" if kind == "sha256" else "a name"
            raise OptOutError(f"{place}: {kind}: is followed by {allowed}, got {rest!r}")
        return kind, value
    try:
        return "locator", normalise(text)
    except LocatorError as error:
        raise OptOutError(f"{place}: {error}") from error


# ---- what a server says to robots ------------------------------------------------------------------------------------


def check_robots(locator: str, headers: Iterable[str]) -> None:
    """Raises OptedOut where an X-Robots-Tag forbids the use; what is addressed to another robot is not for us."""
    for header in headers:
        agent = AGENT
        for part in header.lower().split(","):
            name, colon, rest = part.partition(":")
            if colon and name.strip() not in ROBOT_WORDS | {"unavailable_after", "max-snippet"}:
                agent, part = name.strip(), rest
            if agent in (AGENT, "*") and part.strip() in NO_USE:
                raise OptedOut(locator, f"is served with X-Robots-Tag: {part.strip()}")

"""What may be fetched: licences by their normal names, and what a server says to robots. Opt-outs: opt_outs.py."""

import functools
import re
from collections.abc import Iterable

from pipeline.fetching.errors import LicenceNotAllowed, OptedOut

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


# ---- licences --------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=1024)
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

"""The opt-out list: who and what must not be used."""

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from manifests.errors import UserError
from pipeline.fetching.errors import OptedOut
from pipeline.sources.locators import LocatorError, normalise, parse
from pipeline.sources.urls import site_of

HASH = re.compile(r"\\?([0-9a-f]{64})(\s+\*?.*)?", re.IGNORECASE)  # bare, or as sha256sum prints it
CLIP = re.compile(r"[0-9a-f]{24}", re.IGNORECASE)
DIGITS = {"sha256": (64, re.compile(r"[0-9a-f]{64}")), "clip": (24, re.compile(r"[0-9a-f]{24}"))}
KINDS = ("uploader", "site", "sha256", "clip")


class OptOutError(UserError):
    """An opt-out list that cannot be read; one sentence with file, line, value found and value allowed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the list."""

    kind: str  # locator, uploader, site, sha256 or clip
    value: str  # in its normal form
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class OptOuts:
    """What a list names. One per line in the file; `#` begins a comment:

    | line | leaves out |
    |---|---|
    | `youtube:ID`, a URL, a path | that locator, in any spelling |
    | `uploader:NAME` | every page of that uploader, by name, handle or channel id |
    | `site:HOST` | every web address on that host and below it |
    | `sha256:HEX`, 64 hexadecimal digits, a line of sha256sum | these bytes under any locator |
    | `clip:ID`, 24 hexadecimal digits | that clip |
    """

    locators: frozenset[str] = frozenset()
    uploaders: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()
    hashes: frozenset[str] = frozenset()
    clips: frozenset[str] = frozenset()
    where: str = field(default="the opt-out list", compare=False)
    entries: tuple[Entry, ...] = field(default=(), compare=False, repr=False)

    def check(self, locator: str, host: str) -> None:
        """Raises OptedOut for a locator on the list, or a host of a listed site."""
        if locator in self.locators:
            raise OptedOut(locator, self.words("locator", locator))
        if self.sites and (site := self.listed_site(host)) is not None:
            raise OptedOut(locator, self.words("site", site))

    def check_uploader(self, locator: str, names: Iterable[str | None]) -> None:
        """Raises OptedOut where one of the uploader's names is on the list."""
        for name in names:
            if name and (normal := name.strip().casefold()) in self.uploaders:
                raise OptedOut(locator, self.words("uploader", normal))

    def check_bytes(self, locator: str, sha256: str) -> None:
        """Raises OptedOut where the bytes are on the list, whatever they are called."""
        if sha256 in self.hashes:
            raise OptedOut(locator, self.words("sha256", sha256))

    def check_clip(self, clip: str) -> None:
        """Raises OptedOut where the id of a clip is on the list."""
        if clip in self.clips:
            raise OptedOut(clip, self.words("clip", clip))

    def listed_site(self, host: str) -> str | None:
        """The site on the list that a host belongs to."""
        name = site_of(host)
        return next((s for s in sorted(self.sites) if name == s or name.endswith(f".{s}")), None)

    def words(self, kind: str, value: str) -> str:
        """What is said of a source that an entry leaves out."""
        said = {
            "site": f"site {value} is ",
            "uploader": f"uploader {value!r} is ",
            "sha256": f"its bytes {value[:12]} are ",
        }
        return f"{said.get(kind, '')}on {self.where}"

    def unmatched(
        self,
        *,
        locators: Iterable[str] = (),
        uploaders: Iterable[str] = (),
        hashes: Iterable[str] = (),
        clips: Iterable[str] = (),
        details: Iterable[str] = (),
    ) -> list[str]:
        """A sentence for each line that matches nothing of a run: most often a line that was meant otherwise.

        details: of the sources that were left out, since what one that was dropped is called by its page, or what its
        bytes were, stands nowhere else.
        """
        names = list(locators)
        met: Mapping[str, set[str]] = {
            "locator": set(names),
            "uploader": {name.strip().casefold() for name in uploaders},
            "site": {s for host in map(host_of, names) if (s := self.listed_site(host))}
            if self.sites
            else set(),
            "sha256": set(hashes),
            "clip": set(clips),
        }
        said = set(details)
        return [
            f"{self.where}, line {entry.line}: {entry.text!r} matches nothing of this run"
            for entry in self.entries
            if entry.value not in met[entry.kind]
            and not (entry.kind in KINDS[:3] and self.words(entry.kind, entry.value) in said)
        ]


def host_of(locator: str) -> str:
    """What answers for a locator; nothing for the name of a row that could not be read."""
    try:
        return parse(locator).host
    except LocatorError:
        return ""


def read_opt_outs(path: Path | None) -> OptOuts:
    """The opt-out list of a file; none without one. Raises OptOutError for a bad line or a missing file."""
    if path is None:
        return OptOuts()
    try:
        stat = path.stat()
        return parsed(path, stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        raise OptOutError(f"opt-out list: {path} cannot be read: {error.strerror}") from error


@functools.lru_cache(maxsize=4)
def parsed(path: Path, mtime_ns: int, size: int) -> OptOuts:
    """The list of one state of a file, read once per process."""
    entries: list[Entry] = []
    content = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    for number, line in enumerate(content.split("\n"), start=1):
        text = re.sub(r"(^|\s)#.*$", "", line).strip()
        if text:
            entries.append(Entry(*entry(text, f"{path}, line {number}"), text, number))

    def values(kind: str) -> frozenset[str]:
        return frozenset(entry.value for entry in entries if entry.kind == kind)

    return OptOuts(
        locators=values("locator"),
        uploaders=values("uploader"),
        sites=values("site"),
        hashes=values("sha256"),
        clips=values("clip"),
        where=path.name,
        entries=tuple(entries),
    )


def entry(text: str, place: str) -> tuple[str, str]:
    """One line of the list as (kind, normal value)."""
    head, colon, rest = text.partition(":")
    kind, rest = head.strip().lower(), rest.strip()
    if colon and kind in KINDS:
        return kind, normal_value(kind, rest, place)
    if found := HASH.fullmatch(text):
        return "sha256", found[1].lower()
    if CLIP.fullmatch(text):
        return "clip", text.lower()
    try:
        return "locator", normalise(text)
    except LocatorError as error:
        raise OptOutError(f"{place}: {error}") from error


def normal_value(kind: str, value: str, place: str) -> str:
    """What follows `uploader:`, `site:`, `sha256:` or `clip:`."""
    if kind in DIGITS:
        count, pattern = DIGITS[kind]
        if not pattern.fullmatch(value.lower()):
            raise OptOutError(
                f"{place}: {kind}: is followed by {count} hexadecimal digits, got {value!r}"
            )
        return value.lower()
    if not value:
        raise OptOutError(f"{place}: {kind}: is followed by a name, got {value!r}")
    return site_of(value) if kind == "site" else value.casefold()

"""Web pages through yt-dlp: what the page says is read and judged first, then the bytes are taken."""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from yt_dlp import YoutubeDL
from yt_dlp.utils import YoutubeDLError

from manifests.record import Page
from pipeline.fetching.direct import IsPage, WebFile, download, has_extractor
from pipeline.fetching.errors import NotMediaPage, Private, Unreachable
from pipeline.fetching.opt_outs import OptOuts
from pipeline.fetching.policy import check_licences, check_robots
from pipeline.fetching.session import (
    classify,
    download_facts,
    extract_facts,
    open_address,
    session,
    web_missing,
)
from pipeline.fetching.settings import FetchSettings
from pipeline.fetching.store import Partial, safe_suffix
from pipeline.sources.locators import Kind, Located
from pipeline.sources.urls import public_url, web_host

log = logging.getLogger(__name__)

TITLE = 300  # characters
DESCRIPTION = 2000  # characters
TAGS = 50


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A file from a page, and what the page said."""

    file: Path
    suffix: str
    page: Page | None = None  # None: the address was the file itself
    uploaders: tuple[str, ...] = ()


def fetch_web(
    located: Located,
    partial: Partial,
    settings: FetchSettings,
    opt_outs: OptOuts,
    answered: Callable[[], None],
) -> Downloaded:
    """A web address, whether it is a file or a page. Raises FetchError.

    answered: called when its host has said anything.
    """
    if located.address.kind is Kind.YOUTUBE or has_extractor(located.open_at):
        return fetch_page(located, partial, settings, opt_outs, answered)

    def allowed() -> None:
        check_licences(located.locator, (located.origin.licence,), settings.licences)

    asked = WebFile(located.locator, located.open_at, settings, allowed, answered)
    with session(settings) as opened:
        try:
            suffix = download(asked, opened, partial)
        except IsPage:
            log.debug("%s: a page", located.locator)
        else:
            return Downloaded(partial.file, suffix)
    return fetch_page(located, partial, settings, opt_outs, answered)


def fetch_page(
    located: Located,
    partial: Partial,
    settings: FetchSettings,
    opt_outs: OptOuts,
    answered: Callable[[], None],
) -> Downloaded:
    """The video of a page. Raises FetchError; nothing is downloaded where licence or opt-out forbid it."""
    locator = located.locator
    with session(settings, **choice(settings, partial.folder)) as opened:
        try:
            facts = extract(opened, located.open_at, locator)
            answered()
            page, uploaders = page_of(facts), uploaders_of(facts)
            opt_outs.check(locator, web_host(page.url))
            opt_outs.check_uploader(locator, uploaders)
            check_licences(locator, (located.origin.licence, page.licence), settings.licences)
            if settings.honour_noai:
                check_file_robots(opened, facts, locator)
            file = take(opened, facts, locator, settings.max_bytes)
            return Downloaded(file, safe_suffix(file.name), page, uploaders)
        except YoutubeDLError as error:
            fault = classify(error, locator)
            if located.address.kind is Kind.YOUTUBE and (missing := web_missing()) is not None:
                fault = type(fault)(locator, f"{fault.detail} ({missing})", fault.transient)
            raise fault from error


def choice(settings: FetchSettings, folder: Path) -> dict[str, object]:
    """yt-dlp's parameters for one video: which version to take, and a name made of nothing but its format.

    The order of preference: the original language (a dubbed track would break the lips), the asked height, else the
    best below, else the least above; then the asked container with H.264, which decodes fastest. Anything is better
    than nothing.
    """
    sound = {"mp4": "m4a", "webm": "webm"}.get(settings.container, "m4a")
    return {
        "format": "bv*+ba/b/bv*/b*",
        "format_sort": [
            "lang",
            f"res:{settings.height}",
            "vcodec:h264",
            f"ext:{settings.container}:{sound}",
        ],
        "merge_output_format": f"{settings.container}/mkv",
        "paths": {"home": str(folder)},
        "outtmpl": {"default": "page.%(format_id).40s.%(ext)s"},
        "restrictfilenames": True,
        "windowsfilenames": True,
        "noplaylist": True,
        "continuedl": True,
        "updatetime": False,
        "cachedir": str(folder.parent / "yt-dlp"),
        "max_filesize": settings.max_bytes,
    }


def extract(opened: YoutubeDL, url: str, locator: str) -> dict[str, object]:
    """What yt-dlp knows of the one video behind an address."""
    facts = extract_facts(opened, url)
    if facts is None:
        raise NotMediaPage(locator, "leads to no video")
    if facts.get("_type") in ("playlist", "multi_video"):
        listed = facts.get("entries")
        entries = [e for e in listed if isinstance(e, dict)] if isinstance(listed, list) else []
        if len(entries) != 1:
            raise NotMediaPage(
                locator, f"lists {len(entries)} videos: name each by its own address"
            )
        facts = entries[0]
    if facts.get("is_live") or facts.get("live_status") in ("is_live", "post_live"):
        raise NotMediaPage(locator, "is a live stream, which has no end yet")
    if facts.get("live_status") == "is_upcoming":
        raise Unreachable(locator, "is not broadcast yet", True)
    return facts


def take(opened: YoutubeDL, facts: dict[str, object], locator: str, most: int) -> Path:
    """Download the version that was chosen."""
    try:
        files = download_facts(opened, facts)
    except YoutubeDLError as error:
        fault = classify(error, locator)
        if isinstance(fault, Private):  # the page was open: its file's address has expired
            fault = Unreachable(locator, fault.detail, True)
        raise fault from error
    if not files or not files[0].is_file():
        raise NotMediaPage(locator, f"gave no file, or one of over {most} bytes")
    return files[0]


def check_file_robots(opened: YoutubeDL, facts: Mapping[str, object], locator: str) -> None:
    """The X-Robots-Tag of the file on a page of no known site. Sites with an extractor serve files for players only."""
    url = facts.get("url")
    if facts.get("extractor") not in ("generic", "html5") or not web_host(str(url)):
        return
    try:
        response = open_address(opened, str(url), {}, method="HEAD")
    except YoutubeDLError as error:
        log.debug("%s: no headers of its file: %s", locator, error)
        return
    with response:
        check_robots(locator, response.headers.get_all("X-Robots-Tag") or [])


# ---- what the page said ----------------------------------------------------------------------------------------------


def page_of(facts: Mapping[str, object]) -> Page:
    """What the page said, cut to a sensible length; it comes from outside, so it is text and nothing more."""
    tags = facts.get("tags")
    found = [clean(tag, TITLE) for tag in tags] if isinstance(tags, list) else []
    return Page(
        url=public_url(clean(facts.get("webpage_url"), 4096) or ""),
        extractor=clean(facts.get("extractor"), TITLE) or "generic",
        title=clean(facts.get("title"), TITLE),
        uploader=clean(facts.get("uploader") or facts.get("channel"), TITLE),
        upload_date=date_of(facts.get("upload_date")),
        licence=clean(facts.get("license"), TITLE),
        description=clean(facts.get("description"), DESCRIPTION, lines=True),
        tags=tuple(tag for tag in found if tag)[:TAGS],
    )


def uploaders_of(facts: Mapping[str, object]) -> tuple[str, ...]:
    """Every name the page gives its uploader: name, handle, channel, ids."""
    keys = ("uploader", "uploader_id", "channel", "channel_id", "uploader_url", "channel_url")
    names = (clean(facts.get(key), 4096) for key in keys)
    return tuple(dict.fromkeys(name for name in names if name))


def date_of(value: object) -> str | None:
    """YYYYMMDD as YYYY-MM-DD."""
    found = re.fullmatch(r"(\d{4})(\d\d)(\d\d)", str(value))
    return "-".join(found.groups()) if found else None


def clean(value: object, most: int, *, lines: bool = False) -> str | None:
    """Text without control characters, cut at a blank with an ellipsis; None where there is none."""
    if not isinstance(value, str):
        return None
    text = value.encode("utf-8", "replace").decode("utf-8")
    text = "".join(c for c in text if c.isprintable() or (lines and c == "\n")).strip()
    if len(text) <= most:
        return text or None
    cut = text[: most - 1]
    whole = text[most - 1].isspace() or " " not in cut[most // 2 :]
    return (cut if whole else cut.rpartition(" ")[0]).rstrip() + "…"

"""Plain http(s) addresses: a media file is downloaded here, in pieces that resume; a page is left to yt-dlp.

The requests go through yt-dlp's own layer, neither fsspec's aiohttp nor the generic extractor: proxy, cookies,
certificates and error classes are those of the pages, while Range, validators and X-Robots-Tag stay in our hands.
(fsspec reads by blocks and drops the headers; the generic extractor resumes without asking whether the file changed.)
"""

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from yt_dlp import YoutubeDL
from yt_dlp.extractor import list_extractor_classes
from yt_dlp.networking.common import Response
from yt_dlp.networking.exceptions import HTTPError, TransportError
from yt_dlp.utils import YoutubeDLError

from pipeline.fetching.errors import NotMediaPage
from pipeline.fetching.policy import check_robots
from pipeline.fetching.session import BadAnswer, classify, open_address, pause_before
from pipeline.fetching.settings import FetchSettings
from pipeline.fetching.store import Partial, TooManyBytes, append, safe_suffix

log = logging.getLogger(__name__)

MEDIA = re.compile(
    r"(video|audio)/(?!(x-)?mpegurl|vnd\.apple)|application/(mp4|ogg|mxf|x-matroska)"
)
PAGE = re.compile(r"(text/html|application/xhtml\+xml|.*mpegurl|application/dash\+xml|text/xml)")
UNSURE = frozenset(
    {"", "application/octet-stream", "binary/octet-stream", "application/binary", "text/plain"}
)
CONTAINERS = re.compile(  # ISO media, Matroska, AVI, FLV, Ogg, MPEG program and transport streams, ASF
    rb"....(ftyp|moov|mdat|free|wide)|\x1aE\xdf\xa3|RIFF....AVI |FLV\x01|OggS|\x00\x00\x01[\xb3\xba]"
    rb"|\x47.{187}\x47|\x30\x26\xb2\x75",
    re.DOTALL,
)
SUFFIXES = {
    "video/mp4": ".mp4",
    "video/webm": ".webm",
    "video/x-matroska": ".mkv",
    "video/quicktime": ".mov",
    "video/mpeg": ".mpg",
    "video/mp2t": ".ts",
    "video/x-msvideo": ".avi",
    "video/ogg": ".ogv",
}
SNIFF = 512  # bytes


class IsPage(Exception):
    """The address leads to a page or a manifest, not to a file."""


@dataclass(frozen=True, slots=True)
class WebFile:
    """A web address that is being downloaded."""

    locator: str
    url: str
    settings: FetchSettings
    allowed: Callable[[], None]  # asked when it turned out to be a file, before its bytes are taken
    answered: Callable[[], None]  # called when its host answers


def has_extractor(url: str) -> bool:
    """Whether yt-dlp knows this site, so that asking for the address itself would be of no use."""
    return any(
        kind.IE_NAME != "generic" and kind.suitable(url) for kind in list_extractor_classes()
    )


def download(address: WebFile, opened: YoutubeDL, partial: Partial) -> str:
    """Bring the file into `partial.file` and return its ending.

    What came in an earlier try is kept where the server still has the same file (If-Range). Tries that bring new
    bytes do not count as retries. Raises IsPage, or FetchError.
    """
    failures = 0
    while True:
        have = partial.have
        try:
            return attempt(address, opened, partial)
        except (HTTPError, TransportError) as error:
            asked = retry_after(error)
            fault = classify(error, address.locator)
            if isinstance(error, HTTPError) and error.status == 416:
                partial.clear()
            elif not fault.transient:
                raise fault from error
            failures = 0 if partial.have > have else failures + 1
            if failures > address.settings.retries:
                raise fault from error
            wait = max(pause_before(address.settings, max(0, failures - 1)), asked)
            log.info("%s: %s; again in %.1f s", address.locator, fault.detail, wait)
            time.sleep(wait)
        except YoutubeDLError as error:
            raise classify(error, address.locator) from error


def attempt(address: WebFile, opened: YoutubeDL, partial: Partial) -> str:
    """One request: go on where the last one stopped, or begin."""
    state, have = partial.state(), partial.have
    if state and have and str(have) == state.get("total"):
        return state["suffix"]
    headers = {"Accept-Encoding": "identity"}
    if state and have:
        headers["Range"] = f"bytes={have}-"
        if state.get("validator"):
            headers["If-Range"] = state["validator"]
    response = open_address(opened, address.url, headers)
    address.answered()
    try:
        if address.settings.honour_noai:
            check_robots(address.locator, response.headers.get_all("X-Robots-Tag") or [])
        if not continues(response, state, have):
            begin(address, response, partial)
        take(address, response, partial)
    finally:
        response.close()
    return partial.state()["suffix"]


def continues(response: Response, state: dict[str, str], have: int) -> bool:
    """Whether this response goes on where the partial file ends, in the same file."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.get_header("Content-Range") or "")
    if response.status != 206 or found is None or int(found[1]) != have or not state:
        return False
    same = validator_of(response) in (state.get("validator"), "")
    return same and state.get("total") in (found[2], "")


def begin(address: WebFile, response: Response, partial: Partial) -> None:
    """Judge a new file by its headers and first bytes, and start the partial file with them."""
    kind = (response.get_header("Content-Type") or "").split(";")[0].strip().lower()
    if PAGE.fullmatch(kind):
        raise IsPage(kind)
    if response.status == 206:
        raise BadAnswer("the server sent another part than the one asked for")
    first = response.read(SNIFF)
    if not MEDIA.match(kind):
        judge_unsure(address, kind, first)
    address.allowed()
    length = response.get_header("Content-Length") or ""
    suffix = SUFFIXES.get(kind) or safe_suffix(unquote(urlsplit(response.url).path))
    partial.begin({"validator": validator_of(response), "total": length, "suffix": suffix})
    partial.file.write_bytes(first)


def judge_unsure(address: WebFile, kind: str, first: bytes) -> None:
    """What is served without a telling type is judged by its first bytes."""
    start = first.lstrip().lower()
    if kind in UNSURE and start.startswith((b"<!doctype html", b"<html", b"#extm3u", b"<?xml")):
        raise IsPage(kind)
    if kind not in UNSURE or not CONTAINERS.match(first):
        raise NotMediaPage(address.locator, f"is served as {kind or 'nothing'}, which is no video")


def take(address: WebFile, response: Response, partial: Partial) -> None:
    """Append the rest of the response; a body shorter than announced is a broken transport."""
    settings = address.settings
    read: Callable[[int], bytes] = response.read
    try:
        append(read, partial.file, bytes_per_second=settings.rate_limit, most=settings.max_bytes)
    except TooManyBytes as error:
        partial.clear()
        raise NotMediaPage(address.locator, str(error)) from error
    total = partial.state().get("total")
    if total and partial.have != int(total):
        raise BadAnswer(f"{partial.have} of {total} bytes came")


def validator_of(response: Response) -> str:
    """What names this version of the file: a strong ETag, else the date of its last change, else nothing."""
    tag = response.get_header("ETag") or ""
    return tag if tag.startswith('"') else response.get_header("Last-Modified") or ""


def retry_after(error: BaseException) -> float:
    """Seconds a server asks to wait, a minute at most; 0 where it does not say."""
    said = error.response.get_header("Retry-After") if isinstance(error, HTTPError) else None
    return min(60.0, float(said)) if said and said.isdigit() else 0.0

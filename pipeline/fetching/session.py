"""One yt-dlp session for pages and for plain web files alike: the same proxy, cookies, timeouts and error classes."""

import functools
import importlib.util
import io
import logging
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import imageio_ffmpeg
from yt_dlp import YoutubeDL
from yt_dlp.cookies import CookieLoadError
from yt_dlp.globals import supported_js_runtimes
from yt_dlp.networking.common import Request, Response
from yt_dlp.networking.exceptions import (
    CertificateVerifyError,
    HTTPError,
    IncompleteRead,
    TransportError,
)
from yt_dlp.utils import (
    ContentTooShortError,
    GeoRestrictedError,
    UnsupportedError,
    UserNotLive,
    YoutubeDLError,
)

from manifests.errors import UserError
from pipeline.fetching.errors import (
    FetchError,
    NoAnswer,
    NotMediaPage,
    Private,
    Removed,
    Unreachable,
)
from pipeline.fetching.settings import FetchSettings
from pipeline.sources.urls import without_secrets

log = logging.getLogger(__name__)

GONE = frozenset({404, 410, 451})
CLOSED = frozenset({401, 402, 403})  # 407 is a proxy of ours
DETAIL = 300  # characters of a page's message that are kept


class BadAnswer(TransportError):
    """A server answered, with something else than what was asked for."""


ANSWERS = (BadAnswer, IncompleteRead, CertificateVerifyError, ContentTooShortError)

BY_KIND: tuple[tuple[type[Exception], type[FetchError], str], ...] = (
    (UnsupportedError, NotMediaPage, "leads to no video"),
    (UserNotLive, NotMediaPage, "is not a recording"),
    (GeoRestrictedError, Unreachable, "not offered in this country"),
)

# What pages say, in the order in which it is looked for: the first that matches names the reason. The words are those
# of yt-dlp's extractors and of YouTube's player (yt-dlp 2026.10.26); "sign in" alone would also catch the bot check.
WORDS: tuple[tuple[type[FetchError], bool, re.Pattern[str]], ...] = tuple(
    (kind, transient, re.compile(pattern))
    for kind, transient, pattern in (
        (
            Unreachable,
            True,
            r"not a bot|captcha|rate.?limit|too many requests|try again later|premieres in"
            r"|live event will begin|processing this video",
        ),
        (
            Private,
            False,
            r"private|members[- ]only|members on|join this channel|requires payment|purchase"
            r"|\brent\b|age.restricted|confirm your age|premium|subscri(be|ption)"
            r"|sign in|log ?in|logged|registered users|password|drm",
        ),
        (Unreachable, False, r"(in|from) your (country|location|region)|geo.?restrict"),
        (
            Removed,
            False,
            r"removed|no longer|terminated|deleted|copyright|does(n.t| not) exist|not found"
            r"|(video|content) (is |isn.t |is not )?(un)?available|taken down|violat",
        ),
        (
            NotMediaPage,
            False,
            r"unsupported url|no video|no media|no formats|not a valid url|live stream|not currently live"
            r"|requested format is not available|is not a video",
        ),
    )
)


class CookiesError(UserError):
    """The cookies that were asked for cannot be read."""


class YtDlpLogger:
    """yt-dlp's messages in our log, so that nothing is printed."""

    def debug(self, text: str) -> None:
        """Progress and details."""
        log.debug("%s", text)

    info = debug

    def warning(self, text: str) -> None:
        """What yt-dlp warns of."""
        log.info("yt-dlp: %s", text)

    def error(self, text: str) -> None:
        """What yt-dlp is about to raise."""
        log.debug("yt-dlp: %s", text)


@contextmanager
def session(settings: FetchSettings, **more: object) -> Iterator[YoutubeDL]:
    """A yt-dlp session under these settings. Raises CookiesError."""
    try:
        given = cast(Any, {**parameters(settings), **more})  # the stubs name each key
        with YoutubeDL(given) as opened:
            yield opened
    except CookieLoadError as error:
        asked = settings.cookies or settings.cookies_from_browser
        raise CookiesError(f"fetch: no cookies can be read from {asked}: {error}") from error


def parameters(settings: FetchSettings) -> dict[str, object]:
    """yt-dlp's parameters that hold for every request."""
    given: dict[str, object] = {
        "quiet": True,
        "noprogress": True,
        "logger": YtDlpLogger(),
        "color": "no_color",
        "socket_timeout": settings.timeout,
        "retries": settings.retries,
        "fragment_retries": settings.retries,
        "extractor_retries": settings.retries,
        "file_access_retries": settings.retries,
        "retry_sleep_functions": dict.fromkeys(
            ("http", "fragment", "extractor"), functools.partial(pause_before, settings)
        ),
        "ratelimit": settings.rate_limit,
        "js_runtimes": {name: {} for name in supported_js_runtimes.value},
        "ffmpeg_location": ffmpeg(),
    }
    if settings.proxy is not None:
        given["proxy"] = settings.proxy
    if settings.cookies is not None:
        given["cookiefile"] = cookie_text(settings.cookies)
    if settings.cookies_from_browser is not None:
        given["cookiesfrombrowser"] = (settings.cookies_from_browser, None, None, None)
    return given


def pause_before(settings: FetchSettings, n: int) -> float:
    """Seconds before retry n, counted from 0."""
    return min(60.0, settings.backoff * 2.0**n)


def cookie_text(path: Path) -> io.StringIO:
    """The cookies in memory: yt-dlp writes its jar back when it closes, and the user's file must stay as it is."""
    try:
        return io.StringIO(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CookiesError(f"fetch.cookies: {path} cannot be read: {error}") from error


def open_address(
    opened: YoutubeDL, url: str, headers: dict[str, str], *, method: str = "GET"
) -> Response:
    """The answer of a web server, to be closed. Raises yt-dlp's HTTPError and TransportError."""
    request = cast(Any, Request(url, headers=headers, method=method))  # the stubs name urllib's
    return opened.urlopen(request)


def extract_facts(opened: YoutubeDL, url: str) -> dict[str, object] | None:
    """What yt-dlp learns of an address without downloading its video."""
    return cast("dict[str, object] | None", opened.extract_info(url, download=False))


def download_facts(opened: YoutubeDL, facts: dict[str, object]) -> list[Path]:
    """Download the version that `extract_facts` chose; the files that came."""
    done = cast("dict[str, Any]", opened.process_ie_result(cast(Any, facts), download=True))
    return [Path(part["filepath"]) for part in done.get("requested_downloads") or ()]


@functools.cache
def ffmpeg() -> str:
    """The ffmpeg that joins picture and sound: the one of the system, else the one of imageio-ffmpeg."""
    return shutil.which("ffmpeg") or imageio_ffmpeg.get_ffmpeg_exe()


@functools.cache
def web_missing() -> str | None:
    """What YouTube needs and this machine lacks, in one sentence with the cure; None where nothing is missing.

    YouTube's addresses are behind a puzzle that yt-dlp lets a JavaScript runtime solve, with the scripts of the package
    yt-dlp-ejs. Other sites do without.
    """
    kinds = cast("dict[str, Any]", supported_js_runtimes.value)
    found = [kind().info for kind in kinds.values()]
    runtimes = [runtime for runtime in found if runtime is not None]
    lacking: list[str] = []
    if not any(runtime.supported for runtime in runtimes):
        old = ", ".join(f"{runtime.name} {runtime.version} is too old" for runtime in runtimes)
        lacking.append(f"a JavaScript runtime (pip install deno{f'; {old}' if old else ''})")
    if importlib.util.find_spec("yt_dlp_ejs") is None:
        lacking.append("its scripts (pip install yt-dlp-ejs)")
    return f"YouTube needs {' and '.join(lacking)}" if lacking else None


# ---- what went wrong -------------------------------------------------------------------------------------------------


def classify(error: BaseException, locator: str) -> FetchError:
    """The reason in an exception of yt-dlp: by its kind, else by the HTTP status, else by what the page said.

    An answer that hangs on the exception is closed.
    """
    causes = list(unwrapped(error))
    text = message_of(causes[0])
    for cause in causes:
        if isinstance(cause, FetchError):
            return cause
        for kind, reason, words in BY_KIND:
            if isinstance(cause, kind):
                return reason(locator, f"{words}: {text}")
    for cause in causes:
        if isinstance(cause, HTTPError):
            cause.close()  # its answer is open until somebody has read it
            return by_status(cause.status, locator, text)
    for cause in causes:
        if isinstance(cause, TransportError | ContentTooShortError):
            answers = isinstance(cause, ANSWERS)
            return (Unreachable if answers else NoAnswer)(locator, text, True)
    return by_words(text, locator)


def by_status(status: int, locator: str, text: str) -> FetchError:
    """The reason in an HTTP status."""
    text = text if str(status) in text else f"HTTP {status}: {text}"
    if status in GONE:
        return Removed(locator, text)
    if status in CLOSED:
        return Private(locator, text)
    return Unreachable(locator, text, status in (408, 425, 429) or status >= 500)


def by_words(text: str, locator: str) -> FetchError:
    """The reason in what a page said; what is not known may be an outdated extractor, so it is worth a new try."""
    words = text.lower().replace("\u2019", "'")
    for kind, transient, pattern in WORDS:
        if pattern.search(words):
            return kind(locator, text, transient)
    return Unreachable(locator, text, True)


def unwrapped(error: BaseException) -> Iterator[BaseException]:
    """An exception and those it was raised from, each once, outermost first."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop(0)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        raised = getattr(cause, "exc_info", None) or (None, None, None)
        waiting += [raised[1], getattr(cause, "cause", None), cause.__cause__]


def message_of(error: BaseException) -> str:
    """What yt-dlp said, on one line, without its prefix and its plea for a bug report."""
    text = error.msg if isinstance(error, YoutubeDLError) and error.msg else str(error)
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(text)).removeprefix("ERROR: ")
    text = re.split(r"[;.,] +please report this issue|\(caused by", text, maxsplit=1)[0]
    return without_secrets(" ".join(text.split()))[:DETAIL].strip() or type(error).__name__

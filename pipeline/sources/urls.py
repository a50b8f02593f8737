"""Web addresses: their spelling without secrets, and the videos of YouTube among them."""

import re
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit

WEB = frozenset({"http", "https"})
PORTS = {"http": 80, "https": 443}
YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")
YOUTUBE = "youtube.com"
YOUTUBE_HOSTS = frozenset({YOUTUBE, "youtube-nocookie.com", "youtubekids.com"})
YOUTUBE_PATHS = frozenset({"shorts", "embed", "live", "v", "e"})
SECRETS = re.compile(
    r"(x-amz-|x-goog-|utm_)|(signature|sig|awsaccesskeyid|googleaccessid)$", re.IGNORECASE
)


def split_url(url: str) -> SplitResult:
    """The parts of a web address. Raises ValueError where it has no host, or no port that is a number."""
    parts = urlsplit(url)
    _ = parts.port
    if not parts.hostname:
        raise ValueError("no host")
    return parts


def host_of(parts: SplitResult) -> str:
    """The host in small letters, with its port unless it is the usual one."""
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    usual = parts.port in (None, PORTS.get(parts.scheme.lower()))
    return host if usual else f"{host}:{parts.port}"


def web_host(url: str) -> str:
    """The host of a web address, with its port unless it is the usual one; empty for every other text."""
    try:
        parts = split_url(url)
    except ValueError:
        return ""
    return host_of(parts) if parts.scheme.lower() in WEB else ""


def bare_url(parts: SplitResult) -> str:
    """A web address without user, password, fragment, tracking and signature."""
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    kept = [
        pair for pair in parts.query.split("&") if pair and not SECRETS.match(pair.split("=", 1)[0])
    ]
    query = "?" + quote("&".join(kept), safe="/%:@!$&'()*+,;=~-._?") if kept else ""
    return f"{parts.scheme.lower()}://{host_of(parts)}{path}{query}"


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


def site_of(host: str) -> str:
    """The name of a host without its port; YouTube under each of its names is one site."""
    name = re.sub(r":\d+$", "", host.lower())
    return YOUTUBE if is_youtube(name) or name == "youtu.be" else name


def is_youtube(host: str) -> bool:
    """Whether a host serves the pages of YouTube."""
    return host.removeprefix("www.").removeprefix("m.").removeprefix("music.") in YOUTUBE_HOSTS


def youtube_id(parts: SplitResult) -> str | None:
    """The video id of a YouTube address (watch, youtu.be, shorts, embed, live), or None for any other page."""
    host = parts.hostname or ""
    steps = [step for step in parts.path.split("/") if step]
    found: str | None = None
    if host.removeprefix("www.") == "youtu.be" and steps:
        found = steps[0]
    elif is_youtube(host) and steps[:1] == ["watch"]:
        found = dict(parse_qsl(parts.query)).get("v") or (steps[1] if len(steps) > 1 else None)
    elif is_youtube(host) and len(steps) > 1 and steps[0] in YOUTUBE_PATHS:
        found = steps[1]
    return found if found is not None and YOUTUBE_ID.fullmatch(found) else None


def watch_url(video: str) -> str:
    """The page of a YouTube id."""
    return f"https://www.{YOUTUBE}/watch?" + urlencode({"v": video})

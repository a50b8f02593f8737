"""How to fetch: every choice that a run can make about it."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class FetchSettings(BaseModel):
    """Frozen; unknown keys are refused. The names are those of the section `fetch` of a run's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    height: int = Field(default=720, gt=0, description="preferred height of web videos, pixels")
    container: str = Field(
        default="mp4", pattern="^[a-z0-9]+$", description="preferred container of web videos"
    )
    cookies: Path | None = Field(default=None, description="cookies.txt for web pages; only read")
    cookies_from_browser: str | None = Field(
        default=None, description="browser to take cookies from, such as firefox"
    )
    rate_limit: int | None = Field(default=None, gt=0, description="bytes per second, at most")
    pause: float = Field(
        default=0.0, ge=0, description="seconds between two downloads of one worker"
    )
    proxy: str | None = Field(default=None, description="URL of a proxy; none given: environment")
    retries: int = Field(default=3, ge=0, description="further tries of a request that failed")
    backoff: float = Field(
        default=1.0, ge=0, description="seconds before the first retry; doubles, 60 at most"
    )
    timeout: float = Field(default=30.0, gt=0, description="seconds without a byte, at most")
    breaker_after: int = Field(
        default=3,
        ge=1,
        description="sources in a row that a host does not answer for before it is left alone",
    )
    breaker_pause: float = Field(
        default=60.0,
        ge=0,
        description="seconds before one more source asks a host that was left alone",
    )
    max_bytes: int = Field(
        default=64 * 1024**3, gt=0, description="bytes of one source, at most; a guard, 64 GiB"
    )
    licences: tuple[str, ...] | None = Field(
        default=None, description="allowed licences, such as cc-by; none given: any"
    )
    opt_outs: Path | None = Field(
        default=None, description="file of locators, uploaders, sites, hashes or clips to leave out"
    )
    honour_noai: bool = Field(
        default=True, description="leave out what is served with X-Robots-Tag: noai or noindex"
    )

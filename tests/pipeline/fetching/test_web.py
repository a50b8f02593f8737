"""Pages through yt-dlp's own extractors, over a real server on loopback, and what yt-dlp's errors mean."""

import pickle
from pathlib import Path

import pytest
from yt_dlp.networking.exceptions import CertificateVerifyError, IncompleteRead, TransportError
from yt_dlp.utils import (
    DownloadError,
    ExtractorError,
    GeoRestrictedError,
    UnsupportedError,
    UserNotLive,
)

from manifests.record import Origin
from pipeline.fetching import (
    FetchError,
    FetchSettings,
    LicenceNotAllowed,
    NoAnswer,
    NotMediaPage,
    OptedOut,
    Private,
    Removed,
    Unreachable,
    fetch,
    web_missing,
)
from pipeline.fetching.session import classify, parameters, session
from pipeline.fetching.store import sha256_of
from pipeline.fetching.web import choice, clean, page_of, uploaders_of
from pipeline.sources.locators import Located, normalise, parse
from tests.site import Answer, Site


def at(url: str, **facts: str) -> Located:
    return Located(Origin(locator=normalise(url), **facts), parse(url))


def video_page(site: Site) -> Answer:
    """A page of no known site with a file in an og:video tag and a hostile title."""
    title = "../../etc/passwd &lt;script&gt;$(id)`id` %(id)s"
    tag = f'<meta property="og:video" content="{site.url("/files/talk.mp4")}">'
    return Answer(
        f"<html><head><title>{title}</title>{tag}</head><body>hello</body></html>".encode(),
        kind="text/html; charset=utf-8",
    )


@pytest.fixture
def page(site: Site, clip: Path) -> str:
    site.answers["/page"] = video_page(site)
    site.answers["/files/talk.mp4"] = Answer(clip.read_bytes())
    return site.url("/page")


def test_the_video_of_a_page_comes_with_what_the_page_says(
    page: str, clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    fetched = fetch(at(page), folder=tmp_path, settings=settings)
    assert fetched.sha256 == sha256_of(clip)
    assert Path(fetched.path).read_bytes() == clip.read_bytes()
    assert fetched.page is not None
    assert fetched.page.url == page
    assert fetched.page.extractor == "generic"
    assert "passwd" in (fetched.page.title or "")


def test_a_hostile_title_names_no_file(page: str, tmp_path: Path, settings: FetchSettings) -> None:
    fetch(at(page), folder=tmp_path / "in", settings=settings)
    names = {path.name for path in tmp_path.rglob("*")}
    assert not [name for name in names if "passwd" in name or "script" in name]
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_video_tag_is_found_too(
    site: Site, clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    html = b"<html><body><video src='/files/talk.mp4'></video></body></html>"
    site.answers["/tag"] = Answer(html, kind="text/html")
    site.answers["/files/talk.mp4"] = Answer(clip.read_bytes())
    fetched = fetch(at(site.url("/tag")), folder=tmp_path, settings=settings)
    assert fetched.sha256 == sha256_of(clip)


def test_a_page_whose_file_is_cut_goes_on_where_it_stopped(
    site: Site, page: str, clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    site.answers["/files/talk.mp4"].cut_at = [clip.stat().st_size // 2]
    fetched = fetch(at(page), folder=tmp_path, settings=settings)
    assert fetched.sha256 == sha256_of(clip)
    assert site.sent["/files/talk.mp4"] < 2 * clip.stat().st_size


def test_a_page_without_a_video_is_not_media(
    site: Site, tmp_path: Path, settings: FetchSettings
) -> None:
    site.answers["/text"] = Answer(b"<html><body><p>words</p></body></html>", kind="text/html")
    with pytest.raises(NotMediaPage, match="leads to no video"):
        fetch(at(site.url("/text")), folder=tmp_path, settings=settings)


def test_a_page_with_several_videos_asks_for_one(
    site: Site, clip: Path, tmp_path: Path, settings: FetchSettings
) -> None:
    html = b"<html><body><video src='/a.mp4'></video><video src='/b.mp4'></video></body></html>"
    site.answers["/two"] = Answer(html, kind="text/html")
    site.answers["/a.mp4"] = site.answers["/b.mp4"] = Answer(clip.read_bytes())
    with pytest.raises(NotMediaPage, match="lists 2 videos"):
        fetch(at(site.url("/two")), folder=tmp_path, settings=settings)


def test_noai_on_the_file_of_a_page_is_honoured(
    site: Site, page: str, tmp_path: Path, settings: FetchSettings
) -> None:
    site.answers["/files/talk.mp4"].headers["X-Robots-Tag"] = "noai"
    with pytest.raises(OptedOut, match="noai"):
        fetch(at(page), folder=tmp_path, settings=settings)
    assert site.gets("/files/talk.mp4") == 0


def test_the_licence_of_a_page_is_judged_before_its_bytes_are_taken(
    site: Site, page: str, tmp_path: Path, settings: FetchSettings
) -> None:
    strict = settings.model_copy(update={"licences": ("cc-by",)})
    with pytest.raises(LicenceNotAllowed, match="states no licence"):
        fetch(at(page), folder=tmp_path, settings=strict)
    assert site.gets("/files/talk.mp4") == 0
    fetched = fetch(at(page, licence="CC BY 3.0"), folder=tmp_path, settings=strict)
    assert fetched.licence == "CC BY 3.0"


def test_an_uploader_who_opted_out_is_left_out_before_and_after(
    site: Site, page: str, tmp_path: Path, settings: FetchSettings
) -> None:
    """The generic extractor names the host as the uploader, which will do for a name."""
    fetch(at(page), folder=tmp_path / "before", settings=settings)
    asked = site.gets("/files/talk.mp4")
    out = tmp_path / "out.txt"
    out.write_text(f"uploader:{site.url('').removeprefix('http://').upper()}\n")
    strict = settings.model_copy(update={"opt_outs": out})
    for folder in ("before", "after"):
        with pytest.raises(OptedOut, match=r"out\.txt"):
            fetch(at(page), folder=tmp_path / folder, settings=strict)
    assert site.gets("/files/talk.mp4") == asked


def test_other_versions_are_asked_for_when_the_height_changes(
    site: Site, page: str, tmp_path: Path, settings: FetchSettings
) -> None:
    fetch(at(page), folder=tmp_path, settings=settings)
    fetch(at(page), folder=tmp_path, settings=settings.model_copy(update={"height": 480}))
    assert site.gets("/files/talk.mp4") == 2


# ---- choosing a version ----------------------------------------------------------------------------------------------


FORMATS = [
    {"format_id": "360", "height": 360, "width": 640, "vcodec": "avc1", "acodec": "mp4a"},
    {"format_id": "720-vp9", "height": 720, "width": 1280, "vcodec": "vp9", "ext": "webm"},
    {"format_id": "720-avc", "height": 720, "width": 1280, "vcodec": "avc1"},
    {"format_id": "1080", "height": 1080, "width": 1920, "vcodec": "avc1"},
    {"format_id": "m4a", "vcodec": "none", "acodec": "mp4a", "ext": "m4a"},
    {"format_id": "m4a-es", "vcodec": "none", "acodec": "mp4a", "ext": "m4a", "abr": 320},
]


def chosen(settings: FetchSettings, formats: list[dict[str, object]]) -> str:
    """The format ids yt-dlp takes of these, by its own selection, without a request."""
    filled = [
        {"url": f"http://127.0.0.1/{f['format_id']}", "ext": "mp4", "acodec": "none", **f}
        for f in formats
    ]
    for item in filled:
        item["language_preference"] = -10 if item["format_id"] == "m4a-es" else 10
    facts = {"id": "x", "title": "x", "extractor": "x", "extractor_key": "X", "formats": filled}
    with session(settings, **choice(settings, Path("x"))) as opened:
        return str(opened.process_ie_result(facts, download=False)["format_id"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("height", "kept", "expected"),
    [
        (720, range(6), "720-avc+m4a"),
        (480, range(6), "360"),
        (240, range(6), "360"),
        (1080, range(6), "1080+m4a"),
        (2160, range(6), "1080+m4a"),
        (720, (0, 1, 4), "720-vp9+m4a"),
        (720, (3, 4), "1080+m4a"),
        (720, (0,), "360"),
        (720, (1,), "720-vp9"),
        (720, (4,), "m4a"),
    ],
)
def test_the_asked_height_then_below_then_above_then_anything(
    settings: FetchSettings, height: int, kept: range, expected: str
) -> None:
    asked = settings.model_copy(update={"height": height})
    assert chosen(asked, [FORMATS[i] for i in kept]) == expected


# ---- what went wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "kind", "transient"),
    [
        ("Private video. Sign in if you've been granted access to this video", Private, False),
        ("Join this channel to get access to members-only content like this", Private, False),
        ("Sign in to confirm your age. This video may be inappropriate", Private, False),
        ("This video requires payment to watch", Private, False),
        ("This video is DRM protected", Private, False),
        ("Sign in to confirm you\u2019re not a bot. Use --cookies", Unreachable, True),
        ("This content isn't available, try again later. The current session", Unreachable, True),
        ("Premieres in 3 hours", Unreachable, True),
        ("Video unavailable", Removed, False),
        ("This video has been removed by the uploader", Removed, False),
        ("This video is no longer available due to a copyright claim", Removed, False),
        ("The YouTube account associated with it has been terminated", Removed, False),
        ("No video formats found!", NotMediaPage, False),
        ("Something nobody has seen before; please report this issue on", Unreachable, True),
    ],
)
def test_what_pages_say_has_a_reason(message: str, kind: type[FetchError], transient: bool) -> None:
    inner = ExtractorError(message, expected=True, video_id="x", ie="youtube")
    error = DownloadError(f"ERROR: {inner}", (type(inner), inner, None))
    fault = classify(error, "youtube:dQw4w9WgXcQ")
    assert (type(fault), fault.transient) == (kind, transient)
    assert "report" not in fault.detail
    assert not fault.detail.startswith("ERROR")


@pytest.mark.parametrize(
    ("inner", "kind"),
    [
        (UnsupportedError("http://127.0.0.1/x"), NotMediaPage),
        (GeoRestrictedError("not in your country"), Unreachable),
        (UserNotLive(), NotMediaPage),
        (TransportError("timed out"), NoAnswer),
        (ExtractorError("Unable to download", cause=TransportError("reset")), NoAnswer),
        (IncompleteRead(partial=3, expected=4), Unreachable),
        (CertificateVerifyError("self signed"), Unreachable),
    ],
)
def test_kinds_of_errors_have_a_reason(inner: Exception, kind: type[FetchError]) -> None:
    error = DownloadError("ERROR: it failed", (type(inner), inner, None))
    assert type(classify(error, "x")) is kind


# ---- what is asked of yt-dlp, and what it tells ----------------------------------------------------------------------


def test_the_cookies_of_the_user_are_only_read(tmp_path: Path, settings: FetchSettings) -> None:
    line = "127.0.0.1\tFALSE\t/\tFALSE\t4102444800\tname\tvalue\n"
    cookies = tmp_path / "cookies.txt"
    cookies.write_text("# Netscape HTTP Cookie File\n" + line)
    before = cookies.read_bytes()
    with session(settings.model_copy(update={"cookies": cookies})) as opened:
        assert [cookie.name for cookie in opened.cookiejar] == ["name"]
    assert cookies.read_bytes() == before


def test_the_settings_reach_yt_dlp(settings: FetchSettings) -> None:
    given = parameters(settings.model_copy(update={"rate_limit": 1000, "proxy": "http://p:1"}))
    assert (given["ratelimit"], given["proxy"], given["retries"]) == (1000, "http://p:1", 2)
    assert choice(settings, Path("x"))["noplaylist"] is True


def test_what_a_page_says_is_cut_and_cleaned() -> None:
    page = page_of(
        {
            "webpage_url": "https://me:secret@a.org/x?X-Amz-Signature=1&k=2",
            "extractor": "generic",
            "title": "a\x00b\x1b[31m\ud800" + "w " * 400,
            "uploader": 3,
            "upload_date": "20240229",
            "license": " Creative Commons ",
            "description": "line\nline\u202e",
            "tags": ["x"] * 99,
        }
    )
    assert page.url == "https://a.org/x?k=2"
    assert page.title is not None
    assert page.title.startswith("ab[31m?w")
    assert len(page.title) <= 300
    assert page.title.endswith("…")
    assert (page.uploader, page.upload_date, page.licence) == (
        None,
        "2024-02-29",
        "Creative Commons",
    )
    assert page.description == "line\nline"
    assert len(page.tags) == 50
    assert page.model_validate_json(page.model_dump_json()) == page


def test_texts_are_cut_at_a_word_where_there_is_one() -> None:
    assert clean("one two three", 9) == "one two…"
    assert clean("a" * 20, 5) == "aaaa…"
    assert clean("  ", 5) is None


def test_an_uploader_has_several_names() -> None:
    facts = {"uploader": "N", "channel": "N", "channel_id": "UC1", "uploader_id": "@n"}
    assert uploaders_of(facts) == ("N", "@n", "UC1")


def test_what_youtube_needs_is_said_with_its_cure() -> None:
    missing = web_missing()
    assert missing is None or "pip install" in missing


def test_errors_survive_a_pickle() -> None:
    error = Unreachable("x", "gone", True)
    error.host = "a.org"
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.transient) == (Unreachable, "x: gone", True)
    assert again.host == "a.org"
    assert pickle.loads(pickle.dumps(at("x"))) == at("x")

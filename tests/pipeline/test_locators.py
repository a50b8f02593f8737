"""Locators: one spelling for one source, and nothing secret in it."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.locators import (
    LocatorError,
    check_scheme,
    normalise,
    page_url,
    public_url,
    scheme_of,
    without_secrets,
)

IDS = st.text(string.ascii_letters + string.digits + "_-", min_size=11, max_size=11)
HOSTS = st.sampled_from(
    ["youtube.com", "www.youtube.com", "m.youtube.com", "music.youtube.com", "WWW.YouTube.com"]
)
EXTRA = st.sampled_from(["", "&t=3s", "&list=PLabc&index=2", "&pp=x%3D", "#t=4"])


@given(IDS, HOSTS, EXTRA, st.sampled_from(["http", "https", "HTTPS"]))
def test_every_address_of_a_youtube_video_is_one_locator(
    video: str, host: str, extra: str, scheme: str
) -> None:
    query = extra.replace("&", "?", 1) if extra.startswith("&") else extra
    for url in (
        f"{scheme}://{host}/watch?v={video}{extra}",
        f"{scheme}://{host}/watch?feature=share&v={video}{extra}",
        f"{scheme}://youtu.be/{video}{query}",
        f"{scheme}://{host}/shorts/{video}{query}",
        f"{scheme}://{host}/embed/{video}{query}",
        f"{scheme}://{host}/live/{video}/{query}",
        f"https://www.youtube-nocookie.com/embed/{video}{query}",
        f"youtube:{video}",
        f"YouTube:{video}",
        page_url(f"youtube:{video}"),
    ):
        assert normalise(url) == f"youtube:{video}"


URLS = st.builds(
    "{}://{}{}{}{}".format,
    st.sampled_from(["http", "https", "HTTP"]),
    st.sampled_from(["a.org", "A.org:80", "me:pw@a.org:443", "[::1]:8000", "127.0.0.1"]),
    st.text("/abc%20 .äé~", max_size=12).map(lambda path: "/" + path),
    st.sampled_from(["", "?", "?a=1", "?b=2&&a=1&utm_source=x", "?X-Amz-Signature=1&k= v"]),
    st.sampled_from(["", "#part"]),
)


@given(URLS | st.text(max_size=30) | IDS)
def test_a_locator_is_its_own_normal_form(text: str) -> None:
    try:
        once = normalise(text)
    except LocatorError:
        return
    assert normalise(once) == once
    assert once == once.strip()
    assert "#part" not in once
    assert "pw@" not in once


@pytest.mark.parametrize(
    ("text", "locator"),
    [
        ("HTTPS://Example.ORG:443/A/b.mp4#x", "https://example.org/A/b.mp4"),
        ("http://example.org", "http://example.org/"),
        ("http://example.org:8080/a b.mp4", "http://example.org:8080/a%20b.mp4"),
        ("https://u:p@example.org/x", "https://example.org/x"),
        ("https://b.s3.test/k?X-Amz-Signature=1&X-Amz-Date=2&v=3", "https://b.s3.test/k?v=3"),
        ("https://example.org/watch?v=dQw4w9WgXcQ", "https://example.org/watch?v=dQw4w9WgXcQ"),
        ("https://youtube.com/watch?v=short", "https://youtube.com/watch?v=short"),
        ("https://youtube.com/@someone", "https://youtube.com/@someone"),
        ("https://notyoutube.com/watch?v=dQw4w9WgXcQ",) * 2,
        ("S3://Bucket/Key.mp4", "s3://Bucket/Key.mp4"),
        ("./talks//a.mp4", "talks/a.mp4"),
        ("talks/../b.mp4", "b.mp4"),
        ("../b.mp4", "../b.mp4"),
        ("/data/b.mp4", "/data/b.mp4"),
        ("file:///data/a%20b.mp4", "/data/a b.mp4"),
        ("  a.mp4 ", "a.mp4"),
        ("Überblick 東京.mp4", "Überblick 東京.mp4"),
    ],
)
def test_spellings_become_locators(text: str, locator: str) -> None:
    assert normalise(text) == locator


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "got nothing"),
        ("   ", "got nothing"),
        ("a\nb.mp4", "printable"),
        ("a\x00.mp4", "printable"),
        ("x" * 5000, "4096 characters, got 5000"),
        ("youtube:abc", "11 of"),
        ("youtube:dQw4w9WgXcQ/../x", "11 of"),
        ("https://", "host"),
        ("https://[::1/x", "host"),
        ("https://a.org:port/x", "host"),
        ("zip://a.mp4::s3://b/c.zip", "chain"),
    ],
)
def test_what_cannot_be_a_locator_says_why(text: str, said: str) -> None:
    with pytest.raises(LocatorError, match=said):
        normalise(text)


def test_a_scheme_nobody_opens_is_refused_with_the_allowed_ones() -> None:
    for text in ("s3x://a/b", "javascript://x"):
        with pytest.raises(LocatorError, match=r"s3://.*got"):
            check_scheme(text)
    for text in ("memory://a", "https://a.org", "youtube:dQw4w9WgXcQ", "a.mp4", "file:///a"):
        check_scheme(text)


def test_schemes_are_told_from_paths() -> None:
    assert scheme_of("C:/videos/a.mp4") is None
    assert scheme_of("file:///a") is None
    assert scheme_of("GS://a") == "gs"
    assert scheme_of("youtube:x") == "youtube"


def test_messages_keep_no_secrets() -> None:
    text = "could not open 'https://me:pw@a.org/x?sig=1&k=2' now"
    assert without_secrets(text) == "could not open 'https://a.org/x?k=2' now"
    assert public_url("https://youtu.be/dQw4w9WgXcQ?si=1") == "https://youtu.be/dQw4w9WgXcQ?si=1"
    assert public_url("no address") == "no address"

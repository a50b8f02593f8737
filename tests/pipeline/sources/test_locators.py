"""Locators: one spelling for one source, and nothing secret in it."""

import pickle
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.record import Origin
from pipeline.sources.locators import Kind, Located, LocatorError, check_opener, normalise, parse
from pipeline.sources.urls import public_url, site_of, web_host, without_secrets

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
        parse(f"youtube:{video}").text,
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
            check_opener(parse(text))
    for text in ("memory://a", "https://a.org", "youtube:dQw4w9WgXcQ", "a.mp4", "file:///a"):
        check_opener(parse(text))


@pytest.mark.parametrize(
    ("text", "kind", "host", "path"),
    [
        ("C:/videos/a.mp4", Kind.LOCAL, "C:/videos/a.mp4", "C:/videos/a.mp4"),
        ("file:///data/x/a%20b.mp4", Kind.LOCAL, "/data/x", "/data/x/a b.mp4"),
        ("/mnt/nas/talks/a.mp4", Kind.LOCAL, "/mnt/nas", "/mnt/nas/talks/a.mp4"),
        ("GS://Bucket/a/b.mp4", Kind.STORE, "gs://Bucket", "a/b.mp4"),
        ("s3://bucket", Kind.STORE, "s3://bucket", ""),
        ("sftp://me:pw@Host:22/a.mp4", Kind.STORE, "sftp://Host:22", "a.mp4"),
        ("https://u:pw@A.org:8443/x?y=1", Kind.WEB, "a.org:8443", "/x"),
        ("http://[::1]:80/x", Kind.WEB, "[::1]", "/x"),
        ("youtube:dQw4w9WgXcQ", Kind.YOUTUBE, "youtube.com", "dQw4w9WgXcQ"),
        ("https://youtu.be/dQw4w9WgXcQ", Kind.YOUTUBE, "youtube.com", "dQw4w9WgXcQ"),
    ],
)
def test_an_address_says_who_answers_for_it(text: str, kind: Kind, host: str, path: str) -> None:
    address = parse(text)
    assert (address.kind, address.host, address.path) == (kind, host, path)


def test_an_address_opens_what_was_given_and_shows_no_secret() -> None:
    for text in ("https://me:secret@a.org/x?sig=secret", "sftp://me:secret@host/a.mp4"):
        source = Located(Origin(locator=normalise(text)), parse(text))
        assert source.open_at == text
        assert "secret" not in repr(source) + source.locator + source.host
        assert pickle.loads(pickle.dumps(source)) == source


def test_a_password_in_an_address_that_is_none_is_not_repeated() -> None:
    for text in ("https://me:secret@[::1/x", "zip://a::https://me:secret@a.org/x"):
        with pytest.raises(LocatorError) as raised:
            parse(text)
        assert "secret" not in str(raised.value)


def test_a_file_called_like_a_youtube_locator_is_a_file() -> None:
    assert parse("./youtube:abc.mp4").kind is Kind.LOCAL
    assert normalise("./youtube:abc.mp4") == r"youtube\x3aabc.mp4"


def test_one_site_has_one_name() -> None:
    for host in ("youtu.be", "www.youtube.com", "M.youtube.com", "youtube-nocookie.com"):
        assert site_of(host) == "youtube.com"
    assert site_of("Example.org:8080") == "example.org"
    assert (web_host("https://A.org:443/x"), web_host("s3://a"), web_host("x")) == ("a.org", "", "")


def test_messages_keep_no_secrets() -> None:
    text = "could not open 'https://me:pw@a.org/x?sig=1&k=2' now"
    assert without_secrets(text) == "could not open 'https://a.org/x?k=2' now"
    assert public_url("https://youtu.be/dQw4w9WgXcQ?si=1") == "https://youtu.be/dQw4w9WgXcQ?si=1"
    assert public_url("no address") == "no address"

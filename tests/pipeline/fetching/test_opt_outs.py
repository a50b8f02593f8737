"""Opt-out lists: what a line leaves out, which lines are wrong, and which matched nothing."""

from pathlib import Path

import pytest

from pipeline.fetching import OptedOut, OptOutError, read_opt_outs
from pipeline.sources.locators import parse


def test_an_opt_out_list_leaves_out_what_it_names(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text(
        "# asked for in March\n"
        "https://youtu.be/dQw4w9WgXcQ?si=abc   # by mail\n"
        "uploader: Some One\n"
        "site: example.org\n"
        "./talks//a.mp4\n"
        f"sha256:{'A' * 64}\n"
    )
    outs = read_opt_outs(path)
    for locator in (
        "youtube:dQw4w9WgXcQ",
        "https://www.example.org:8080/x.mp4",
        "https://example.org/",
        "talks/a.mp4",
    ):
        with pytest.raises(OptedOut, match=r"out\.txt"):
            outs.check(locator, parse(locator).host)
    with pytest.raises(OptedOut, match=r"site example\.org"):
        outs.check("https://mirror.test/x", "cdn.example.org")
    with pytest.raises(OptedOut):
        outs.check_uploader("x", (None, "SOME ONE"))
    with pytest.raises(OptedOut):
        outs.check_bytes("x", "a" * 64)
    outs.check("https://notexample.org/x", "notexample.org")
    outs.check("youtube:dQw4w9WgXcR", "youtube.com")
    outs.check_clip("a" * 24)
    outs.check_uploader("x", ("Some",))


@pytest.mark.parametrize("site", ["youtube.com", "youtu.be", "www.YouTube.com"])
def test_a_site_can_be_youtube_under_any_of_its_names(tmp_path: Path, site: str) -> None:
    (tmp_path / "out.txt").write_text(f"site:{site}")
    with pytest.raises(OptedOut):
        read_opt_outs(tmp_path / "out.txt").check("youtube:dQw4w9WgXcQ", "youtube.com")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("sha256:abc", "line 2: sha256: is followed by 64 hexadecimal digits, got 'abc'"),
        ("uploader:", "line 2: uploader: is followed by a name, got ''"),
        ("youtube:short", "line 2: youtube: is followed by 11 of"),
        ("clip:0123", "line 2: clip: is followed by 24 hexadecimal digits, got '0123'"),
    ],
)
def test_a_bad_line_of_an_opt_out_list_is_named(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "out.txt").write_text(f"# list\n{line}\n")
    with pytest.raises(OptOutError, match=said):
        read_opt_outs(tmp_path / "out.txt")


def test_a_missing_opt_out_list_is_an_error_and_none_is_not(tmp_path: Path) -> None:
    with pytest.raises(OptOutError, match=r"none\.txt"):
        read_opt_outs(tmp_path / "none.txt")
    read_opt_outs(None).check("anything", "anybody")

"""Licences by their normal names, opt-out lists, and the words of robots."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.fetching import OptedOut, OptOutError
from pipeline.fetching.policy import (
    check_robots,
    licence_allowed,
    normal_licence,
    read_opt_outs,
)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Creative Commons Attribution licence (reuse allowed)", "cc-by"),
        ("Creative Commons Attribution license (reuse allowed)", "cc-by"),
        ("CC BY 4.0", "cc-by-4.0"),
        ("cc-by", "cc-by"),
        ("CC-BY-4.0", "cc-by-4.0"),
        ("CC_BY_SA", "cc-by-sa"),
        ("CC BY-SA-NC 3", "cc-by-nc-sa-3.0"),
        ("https://creativecommons.org/licenses/by-nc-nd/4.0/", "cc-by-nc-nd-4.0"),
        ("http://creativecommons.org/licenses/by/3.0/de/", "cc-by-3.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "cc0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "public-domain"),
        ("Creative Commons Attribution-NonCommercial 4.0 International", "cc-by-nc-4.0"),
        ("Creative Commons Attribution-ShareAlike 4.0", "cc-by-sa-4.0"),
        ("CC0", "cc0"),
        ("Creative Commons Zero v1.0 Universal", "cc0"),
        ("Public Domain", "public-domain"),
        ("Standard YouTube  Licence", "standard youtube licence"),
        ("MIT", "mit"),
    ],
)
def test_the_usual_spellings_have_one_name(said: str, name: str) -> None:
    assert normal_licence(said) == name
    assert normal_licence(name) == name


@given(st.text(max_size=40))
def test_a_normal_name_is_its_own_normal_name(text: str) -> None:
    assert normal_licence(normal_licence(text)) == normal_licence(text)


@pytest.mark.parametrize(
    ("licence", "allowed", "expected"),
    [
        ("CC BY 4.0", ("CC-BY",), True),
        ("CC BY 3.0", ("cc-by-4.0",), False),
        ("CC BY", ("cc-by-4.0",), False),
        ("CC BY-NC 4.0", ("cc-by", "cc-by-sa"), False),
        ("CC BY-NC 4.0", ("CC-BY-NC",), True),
        ("cc by-sa", ("cc-by",), False),
        ("written permission 2026-03", ("Written  Permission 2026-03",), True),
        ("CC BY", (), False),
    ],
)
def test_an_allowed_name_covers_its_versions_and_nothing_more(
    licence: str, allowed: tuple[str, ...], expected: bool
) -> None:
    assert licence_allowed(licence, allowed) is expected


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
        "https://www.example.org/x.mp4",
        "https://example.org/",
        "talks/a.mp4",
    ):
        with pytest.raises(OptedOut, match=r"out\.txt"):
            outs.check(locator)
    with pytest.raises(OptedOut):
        outs.check("https://mirror.test/x", "https://cdn.example.org/x")
    with pytest.raises(OptedOut):
        outs.check_uploader("x", (None, "SOME ONE"))
    with pytest.raises(OptedOut):
        outs.check_bytes("x", "a" * 64)
    outs.check("https://notexample.org/x")
    outs.check("youtube:dQw4w9WgXcR")
    outs.check_uploader("x", ("Some",))


def test_a_site_can_be_youtube(tmp_path: Path) -> None:
    (tmp_path / "out.txt").write_text("site:youtube.com")
    with pytest.raises(OptedOut):
        read_opt_outs(tmp_path / "out.txt").check("youtube:dQw4w9WgXcQ")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("sha256:abc", "line 2: sha256: is followed by 64 hexadecimal digits, got 'abc'"),
        ("uploader:", "line 2: uploader: is followed by a name, got ''"),
        ("youtube:short", "line 2: youtube: is followed by 11 of"),
    ],
)
def test_a_bad_line_of_an_opt_out_list_is_named(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "out.txt").write_text(f"# list\n{line}\n")
    with pytest.raises(OptOutError, match=said):
        read_opt_outs(tmp_path / "out.txt")


def test_a_missing_opt_out_list_is_an_error_and_none_is_not(tmp_path: Path) -> None:
    with pytest.raises(OptOutError, match=r"none\.txt"):
        read_opt_outs(tmp_path / "none.txt")
    read_opt_outs(None).check("anything")


@pytest.mark.parametrize(
    ("header", "forbids"),
    [
        ("noai", True),
        ("nofollow, NOINDEX", True),
        ("none", True),
        ("cospeech: noai", True),
        ("otherbot: noindex, nofollow", False),
        ("otherbot: noindex, cospeech: noai", True),
        ("unavailable_after: 25 Jun 2030 15:00:00 PST", False),
        ("max-snippet:0, noai", True),
        ("all", False),
        ("", False),
    ],
)
def test_robots_words_are_read_as_they_are_meant(header: str, forbids: bool) -> None:
    if forbids:
        with pytest.raises(OptedOut):
            check_robots("x", [header])
    else:
        check_robots("x", [header])

"""Licences by their normal names, and the words of robots."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.fetching import OptedOut
from pipeline.fetching.policy import (
    check_robots,
    licence_allowed,
    normal_licence,
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

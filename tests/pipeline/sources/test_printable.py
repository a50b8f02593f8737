"""File names as locators: printable, told apart, and their own normal form."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.locators import normalise
from pipeline.sources.printable import printable, shortened, without_login

NAMES = st.one_of(
    st.binary(min_size=1, max_size=12).map(os.fsdecode),
    st.text(max_size=12, min_size=1),
    st.text("\\xn e9\n:~youtbe", min_size=1, max_size=12),
).filter(lambda name: not set(name) & {"/", "\0"} and name not in (".", "..") and on_disk(name))


def on_disk(name: str) -> bool:
    """Whether a file system gives this text for a name, as it gives no lone surrogate that holds no byte."""
    try:
        return os.fsdecode(os.fsencode(name)) == name
    except UnicodeEncodeError:
        return False


@given(NAMES)
def test_any_file_name_becomes_a_locator_in_its_normal_form(name: str) -> None:
    assert printable(name).isprintable()
    assert normalise(printable(name)) == printable(name)


@given(NAMES, NAMES)
def test_two_names_never_become_one(one: str, two: str) -> None:
    assert (printable(one) == printable(two)) == (one == two)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Überblick 東京.mp4", "Überblick 東京.mp4"),
        ("a\nb.mp4", r"a\nb.mp4"),
        (os.fsdecode(b"caf\xe9.mp4"), r"caf\xe9.mp4"),
        (r"caf\xe9.mp4", r"caf\\xe9.mp4"),
        (r"back\slash.mp4", r"back\slash.mp4"),
        (" a .mp4 ", r"\x20a .mp4\x20"),
        ("YouTube:a.mp4", r"YouTube\x3aa.mp4"),
        ("~/a.mp4", r"\x7e/a.mp4"),
        ("a\u200d.mp4", r"a\u200d.mp4"),
        ("a\x85.mp4", r"a\u0085.mp4"),
    ],
)
def test_what_a_name_looks_like(name: str, shown: str) -> None:
    assert printable(name) == shown


def test_a_long_text_is_cut_and_still_told_from_its_like() -> None:
    one, two = shortened("x" * 500 + "1", 100), shortened("x" * 500 + "2", 100)
    assert one != two
    assert len(one) <= 100
    assert shortened("x" * 100, 100) == "x" * 100


def test_logins_and_queries_are_left_out() -> None:
    assert without_login("https://me:pw@[::1/x?sig=1") == "https://[::1/x"
    assert without_login("a@b.mp4") == "a@b.mp4"

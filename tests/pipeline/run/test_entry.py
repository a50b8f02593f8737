"""Entries in both their forms, and the blobs that a section refers to."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.record import Blob, Interval, Why
from pipeline.run.entry import Entry, Row, blobs_in, entry_of, key_bytes
from pipeline.verdict import Refusal
from tests.ledgers import entry, key, refusal

plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
nested = st.lists(plain, max_size=3) | st.dictionaries(st.text(max_size=5), plain, max_size=3)
sections = st.dictionaries(st.text(max_size=5), plain | nested | st.lists(nested, max_size=2))
names = st.text(st.characters())  # file names that are not UTF-8 come as lone surrogates


@given(section=sections, stage=names, subject=names)
def test_any_section_is_read_back_equal_from_both_forms(
    section: dict[str, object], stage: str, subject: str
) -> None:
    put = Entry(section, None, stage, subject)
    assert Row.of(key_bytes(key(1)), put).entry() == put
    assert entry_of(json.loads(json.dumps(put.plain()))) == put


@given(why=st.sampled_from(Why), detail=names)
def test_any_refusal_is_read_back_equal_from_both_forms(why: Why, detail: str) -> None:
    put = Entry(None, (why, detail), "probe", "a.mp4")
    assert Row.of(key_bytes(key(1)), put).entry() == put
    assert entry_of(json.loads(json.dumps(put.plain()))) == put


@given(place=st.integers(0), bits=st.integers(1, 255), what=st.sampled_from(["key", "body"]))
def test_a_row_with_any_other_byte_is_none(place: int, bits: int, what: str) -> None:
    row = Row.of(key_bytes(key(1)), entry(1))
    damaged = bytearray(getattr(row, what))
    damaged[place % len(damaged)] ^= bits
    assert row.entry() == entry(1)
    assert row._replace(**{what: bytes(damaged)}).entry() is None


@pytest.mark.parametrize(
    "held",
    [
        None,
        3,
        [],
        {},
        {"section": None, "refusal": None},
        {"section": {}, "refusal": ["undecodable", "frame 7"]},
        {"section": None, "refusal": ["no such reason", "frame 7"]},
        {"section": None, "refusal": ["undecodable"]},
        {"section": 3, "refusal": None},
        {"section": {}, "refusal": None, "stage": 3},
    ],
)
def test_what_is_no_entry_is_none(held: object) -> None:
    assert entry_of(held) is None


def test_an_entry_is_made_of_a_section_or_of_a_refusal() -> None:
    assert Entry.of(section=Interval(start=1, stop=2), stage="speech", subject="a.mp4") == Entry(
        {"start": 1, "stop": 2}, None, "speech", "a.mp4"
    )
    assert Entry.of(refusal=Refusal(Why.UNDECODABLE, "frame 3")).refusal == refusal(3).refusal


def test_blobs_are_found_at_any_depth_and_nothing_that_only_looks_like_one() -> None:
    blob = {"sha256": "a" * 64, "suffix": ".npy", "bytes": 3}
    section = {
        "array": blob,
        "parts": [{"inner": {**blob, "sha256": "b" * 64, "suffix": ".flac"}}, [blob]],
        "fetched": {**blob, "path": "x"},
        "count": 3,
    }
    found = [("a" * 64, ".npy"), ("a" * 64, ".npy"), ("b" * 64, ".flac")]
    assert sorted((blob.sha256, blob.suffix) for blob in blobs_in(section)) == found
    assert list(blobs_in(blob)) == [Blob.model_validate(blob)]

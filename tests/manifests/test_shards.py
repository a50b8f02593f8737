"""Clips to members and back, buckets, tars."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import json as arrow_json

from manifests.shards import (
    RUN_ONLY,
    HashingStream,
    ShardError,
    buckets,
    from_json,
    place,
    read_member,
    shard_name,
    stream_tar,
    to_json,
    write_tar,
)
from tests.examples import clip

IDS = st.text("0123456789abcdef", min_size=24, max_size=24)


def test_a_clip_reads_back_equal_but_for_what_only_the_run_knows() -> None:
    kept = clip()
    back = from_json(to_json(kept))
    assert back == kept.model_validate(kept.model_dump(exclude=RUN_ONLY))
    assert back.origin.speaker is None
    assert back.origin.title == "A “title” with\nlines"


def test_every_json_member_has_one_arrow_schema_whichever_comes_first() -> None:
    known = clip()
    known = known.model_copy(update={"origin": known.origin.model_copy(update={"speaker": "ada"})})
    schemas = [arrow_json.read_json(io.BytesIO(to_json(item))).schema for item in (clip(), known)]
    assert schemas[0] == schemas[1]
    assert not any(pa.types.is_null(field.type) for field in leaves(schemas[0]))


def leaves(fields: pa.Schema | pa.StructType) -> list[pa.Field]:
    found: list[pa.Field] = []
    for field in fields:
        kind = field.type
        while pa.types.is_list(kind):
            kind = kind.value_type
        found += leaves(kind) if pa.types.is_struct(kind) else [field.with_type(kind)]
    return found


def test_a_member_that_is_no_json_is_refused_in_words() -> None:
    with pytest.raises(ShardError, match="not JSON"):
        from_json(b"\x00")


@given(st.dictionaries(IDS, st.integers(1, 50), max_size=40), st.integers(50, 200))
def test_buckets_hold_every_clip_once_and_stay_under_the_limit(
    sizes: dict[str, int], limit: int
) -> None:
    found = buckets(sizes, limit=limit)
    assert sorted(name for ids in found.values() for name in ids) == sorted(sizes)
    for prefix, ids in found.items():
        assert all(name.startswith(prefix) for name in ids)
        assert len(ids) == 1 or sum(sizes[name] for name in ids) <= limit


@given(st.dictionaries(IDS, st.integers(1, 50), min_size=1, max_size=40), st.data())
def test_removing_a_clip_touches_only_buckets_that_share_its_prefix(
    sizes: dict[str, int], data: st.DataObject
) -> None:
    gone = data.draw(st.sampled_from(sorted(sizes)))
    before = buckets(sizes, limit=100)
    after = buckets({k: v for k, v in sizes.items() if k != gone}, limit=100)
    for prefix in before.keys() & after.keys():
        if not gone.startswith(prefix):
            assert before[prefix] == after[prefix]
    touched = {p for p in before.keys() ^ after.keys()}
    home = next(p for p, ids in before.items() if gone in ids)
    assert all(p[: len(home) - 1] == home[: len(p[: len(home) - 1])] for p in touched)


def test_the_bucket_of_all_and_a_split_bucket_are_named_plainly() -> None:
    assert shard_name("train", "") == "train-all-000.tar"
    assert shard_name("train", "00f") == "train-00f-000.tar"


def test_a_tar_has_the_same_bytes_each_time_and_its_members_lie_where_it_says(
    tmp_path: Path,
) -> None:
    parts = [("a.pose.npy", b"x" * 700), ("a.flac", b""), ("a.json", b"{}")]
    written = write_tar(tmp_path / "one.tar", "motion/one.tar", parts)
    write_tar(tmp_path / "two.tar", "motion/one.tar", parts)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    for member, (name, content) in zip(written, parts, strict=True):
        assert member.name == name
        assert read_member(tmp_path / "one.tar", offset=member.offset, size=member.size) == content
    with tarfile.open(tmp_path / "one.tar") as tar:
        assert [m.offset_data for m in tar.getmembers()] == [m.offset for m in written]


def test_a_tar_is_hashed_while_it_is_written_and_its_members_lie_where_they_were_placed() -> None:
    parts = [("a.pose.npy", b"x" * 700), ("a.flac", b""), ("a.json", b"{}" * 256)]
    out = io.BytesIO()
    stream = HashingStream(out)
    written = stream_tar(stream, "motion/one.tar", parts)
    facts = [(name, len(c), hashlib.sha256(c).hexdigest()) for name, c in parts]
    assert written == place("motion/one.tar", facts)
    assert stream.bytes == len(out.getvalue())
    assert stream.sha256.hexdigest() == hashlib.sha256(out.getvalue()).hexdigest()


def test_a_shard_that_ends_early_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "cut.tar").write_bytes(b"x" * 100)
    with pytest.raises(ShardError, match="has only"):
        read_member(tmp_path / "cut.tar", offset=50, size=100)


def test_the_json_member_is_one_line_of_sorted_keys() -> None:
    text = to_json(clip()).decode()
    assert text.count("\n") == 1
    assert list(json.loads(text)) == sorted(json.loads(text))

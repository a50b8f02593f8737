"""Packing: what is packed was hashed as it was read, and what is linked is what was hashed."""

import hashlib
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from manifests.files import Seal
from manifests.record import Clip
from manifests.shards import read_member
from pipeline.stages.s140_pack import Packed, Packing, blobs_of, existing_shards
from pipeline.store import CorruptBlobs, Store
from tests.datasets import flip, named, stored_clip, write_dataset

SHARDS = ("motion/train-all-000.tar", "video/train-all-000.tar")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "work")


@pytest.fixture
def clips(store: Store) -> list[Clip]:
    return [stored_clip(store, named(n)) for n in range(3)]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system, to which no hard link leads."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("this machine has no second file system that everyone may write to")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder) / "dataset"


def pack(store: Store, clips: list[Clip], folder: Path, earlier: Path, **seals: Seal) -> Packed:
    return Packing()(clips, store, folder, earlier=earlier, seals=seals)


def test_members_lie_where_the_manifest_says_and_have_their_hashes(
    tmp_path: Path, store: Store, clips: list[Clip]
) -> None:
    packed = pack(store, clips, tmp_path / "new", tmp_path / "none")
    assert [shard.path for shard in packed.shards] == list(SHARDS)
    for held in packed.members.values():
        for member in held.values():
            found = read_member(
                tmp_path / "new" / member.shard, offset=member.offset, size=member.size
            )
            assert hashlib.sha256(found).hexdigest() == member.sha256


def test_a_shard_is_described_as_it_lies_on_disk(
    tmp_path: Path, store: Store, clips: list[Clip]
) -> None:
    packed = pack(store, clips, tmp_path / "new", tmp_path / "none")
    for shard in packed.shards:
        file = tmp_path / "new" / shard.path
        assert shard.bytes == file.stat().st_size
        assert shard.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
        assert packed.seals[shard.path] == Seal.of(file)
        with tarfile.open(file) as tar:
            assert len(tar.getmembers()) == (9 if shard.path == SHARDS[0] else 6)
    assert not [path for path in (tmp_path / "new").rglob("*") if path.name.startswith(".")]


def test_all_bad_blobs_of_all_shards_are_named_at_once_and_nothing_half_is_left(
    tmp_path: Path, store: Store, clips: list[Clip]
) -> None:
    first, second, third = (blobs_of(clip) for clip in clips)
    flip(store.path(first["flac"]))
    os.truncate(store.path(second["mp4"]), 1000)
    store.path(third["pose.npy"]).unlink()
    with pytest.raises(CorruptBlobs) as caught:
        pack(store, clips, tmp_path / "new", tmp_path / "none")
    assert {(error.blob, error.clip, error.problem) for error in caught.value.found} == {
        (first["flac"], clips[0].id, "its bytes differ"),
        (second["mp4"], clips[1].id, "it has 1000 bytes, not 3000"),
        (third["pose.npy"], clips[2].id, "it is missing"),
    }
    assert not [path for path in (tmp_path / "new").rglob("*") if path.is_file()]


def test_an_unchanged_shard_is_linked_and_not_read_where_its_seal_is_intact(
    tmp_path: Path, store: Store, clips: list[Clip]
) -> None:
    packed = write_dataset(tmp_path / "old", clips, store)
    flip(tmp_path / "old" / SHARDS[0])  # under an intact seal: what only verify finds
    again = pack(store, clips, tmp_path / "new", tmp_path / "old", **packed.seals)
    assert again.shards == packed.shards and again.seals == packed.seals
    assert all((tmp_path / "new" / p).samefile(tmp_path / "old" / p) for p in SHARDS)


@pytest.mark.parametrize("seal", [None, Seal(1, 2, 3)])
def test_a_shard_without_its_seal_is_hashed_and_made_anew_where_a_byte_flipped(
    tmp_path: Path, store: Store, clips: list[Clip], seal: Seal | None
) -> None:
    packed = write_dataset(tmp_path / "old", clips, store)
    flip(tmp_path / "old" / SHARDS[0], at=2000)
    seals = {path: seal for path in SHARDS if seal}
    again = pack(store, clips, tmp_path / "new", tmp_path / "old", **seals)
    assert again.shards == packed.shards
    assert not (tmp_path / "new" / SHARDS[0]).samefile(tmp_path / "old" / SHARDS[0])
    assert (tmp_path / "new" / SHARDS[1]).samefile(tmp_path / "old" / SHARDS[1])
    found = hashlib.sha256((tmp_path / "new" / SHARDS[0]).read_bytes()).hexdigest()
    assert found == packed.shards[0].sha256


def test_a_shard_of_other_content_is_written(
    tmp_path: Path, store: Store, clips: list[Clip]
) -> None:
    packed = write_dataset(tmp_path / "old", clips[:2], store)
    again = pack(store, clips, tmp_path / "new", tmp_path / "old", **packed.seals)
    assert {s.content for s in again.shards}.isdisjoint(s.content for s in packed.shards)


def test_a_shard_is_copied_to_where_no_hard_link_leads(
    tmp_path: Path, elsewhere: Path, store: Store, clips: list[Clip]
) -> None:
    packed = write_dataset(elsewhere, clips, store)
    again = pack(store, clips, tmp_path / "new", elsewhere, **packed.seals)
    assert again.shards == packed.shards
    for path in SHARDS:
        assert (tmp_path / "new" / path).read_bytes() == (elsewhere / path).read_bytes()


def test_a_copy_is_hashed_as_it_is_read(
    tmp_path: Path, elsewhere: Path, store: Store, clips: list[Clip]
) -> None:
    packed = write_dataset(elsewhere, clips, store)
    whole = (elsewhere / SHARDS[1]).read_bytes()
    flip(elsewhere / SHARDS[1])
    again = pack(store, clips, tmp_path / "new", elsewhere, **packed.seals)
    assert again.shards == packed.shards
    assert (tmp_path / "new" / SHARDS[1]).read_bytes() == whole


@pytest.mark.parametrize(
    "content", [b"", b"[1]", b'{"shards": [{"path": 3}]}', b"\xff", b'{"shards": 3}']
)
def test_a_broken_dataset_json_holds_no_shards(
    tmp_path: Path, store: Store, clips: list[Clip], content: bytes
) -> None:
    packed = write_dataset(tmp_path / "old", clips, store)
    (tmp_path / "old" / "dataset.json").write_bytes(content)
    assert existing_shards(tmp_path / "old") == {}
    again = pack(store, clips, tmp_path / "new", tmp_path / "old", **packed.seals)
    assert again.shards == packed.shards


def test_packing_twice_gives_the_same_bytes(
    tmp_path: Path, store: Store, clips: list[Clip]
) -> None:
    one = pack(store, clips, tmp_path / "one", tmp_path / "none")
    shutil.rmtree(tmp_path / "one")
    assert pack(store, clips[::-1], tmp_path / "two", tmp_path / "none").shards == one.shards

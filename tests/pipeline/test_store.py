"""The store: what it hands out has the bytes that its name promises."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from manifests.files import Seal
from pipeline.store import CorruptBlob, CorruptBlobs, Store, hash_of
from tests.datasets import flip


def test_what_was_put_is_read_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    blob = store.put_bytes(b"some bytes", suffix=".flac")
    assert store.read_bytes(blob) == b"some bytes"
    assert store.has(blob)
    assert store.verified_path(blob) == store.path(blob)


@pytest.mark.parametrize("read", ["read_bytes", "read_array", "verified_path"])
def test_a_blob_with_a_flipped_byte_is_not_handed_out(tmp_path: Path, read: str) -> None:
    store = Store(tmp_path)
    blob = store.put_array(np.arange(5))
    flip(store.path(blob))
    with pytest.raises(CorruptBlob, match="its bytes differ") as caught:
        getattr(store, read)(blob)
    assert caught.value.blob == blob


@pytest.mark.parametrize("read", ["read_bytes", "read_array", "verified_path"])
def test_a_blob_that_was_cut_is_not_handed_out(tmp_path: Path, read: str) -> None:
    store = Store(tmp_path)
    blob = store.put_array(np.arange(500))
    os.truncate(store.path(blob), 1000)
    assert not store.has(blob)
    with pytest.raises(CorruptBlob, match="has 1000 bytes, not 4128"):
        getattr(store, read)(blob)


@pytest.mark.parametrize("read", ["read_bytes", "read_array", "verified_path"])
def test_a_blob_that_is_missing_is_named(tmp_path: Path, read: str) -> None:
    store = Store(tmp_path)
    blob = store.put_array(np.arange(5))
    store.path(blob).unlink()
    with pytest.raises(CorruptBlob, match=rf"{blob.sha256[:12]}\.npy .*it is missing"):
        getattr(store, read)(blob)


def test_a_file_is_hashed_once_per_state(tmp_path: Path) -> None:
    store = Store(tmp_path)
    blob = store.put_bytes(b"some bytes", suffix=".npy")
    hash_of.cache_clear()
    for _ in range(3):
        store.verified_path(blob)
    assert hash_of.cache_info().misses == 1
    store.path(blob).unlink()
    store.put_bytes(b"some bytes", suffix=".npy")
    store.verified_path(blob)
    assert hash_of.cache_info().misses == 2


def test_a_cut_file_is_replaced_when_its_bytes_come_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    blob = store.put_bytes(b"some bytes", suffix=".npy")
    os.truncate(store.path(blob), 3)
    store.put_bytes(b"some bytes", suffix=".npy")
    assert store.read_bytes(blob) == b"some bytes"


def test_a_fresh_file_replaces_one_of_its_name_whatever_its_size(tmp_path: Path) -> None:
    store = Store(tmp_path)
    fresh = tmp_path / "fresh.mp4"
    fresh.write_bytes(b"some bytes")
    blob = store.put_file(fresh)
    flip(store.path(blob))
    fresh.write_bytes(b"some bytes")
    assert store.put_file(fresh) == blob
    assert store.read_bytes(blob) == b"some bytes"
    assert not fresh.exists()


def test_a_bad_blob_goes_into_quarantine_and_a_whole_one_stays(tmp_path: Path) -> None:
    store = Store(tmp_path)
    blob = store.put_bytes(b"some bytes", suffix=".mp4")
    assert store.quarantine(blob) is None
    assert store.has(blob)
    for number in range(2):
        flip(store.path(blob))
        moved = store.quarantine(blob)
        assert moved == tmp_path / "quarantine" / f"{blob.sha256}.mp4.{number}"
        assert moved is not None and moved.read_bytes() == b"some byter"
        assert not store.has(blob)
        store.put_bytes(b"some bytes", suffix=".mp4")
    store.path(blob).unlink()
    assert store.quarantine(blob) is None


def test_every_blob_is_listed_and_nothing_else(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert list(store.blobs()) == []
    blobs = [store.put_bytes(bytes([n]), suffix=suffix) for n, suffix in enumerate((".npy", ""))]
    folder = store.path(blobs[0]).parent
    (folder / f".{blobs[0].sha256}.npy.x1y2").touch()
    (folder / "notes.txt").touch()
    (tmp_path / "blobs" / "stray").touch()
    assert sorted(store.blobs()) == sorted((b.sha256, b.suffix, store.path(b)) for b in blobs)


def test_what_is_removed_says_how_much_it_frees(tmp_path: Path) -> None:
    store = Store(tmp_path)
    blob = store.put_bytes(b"some bytes", suffix=".mp4")
    (held,) = store.blobs()
    assert [store.remove(held) for _ in range(2)] == [10, 0]
    assert not store.has(blob)


def test_scratch_folders_of_killed_runs_are_cleared(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (tmp_path / "scratch-left" / "deep").mkdir(parents=True)
    blob = store.put_bytes(b"some bytes", suffix=".mp4")
    assert store.clear_scratch() == 1
    assert [path.name for path in tmp_path.iterdir()] == ["blobs"]
    assert store.has(blob)


def test_the_errors_cross_to_another_process(tmp_path: Path) -> None:
    blob = Store(tmp_path).put_bytes(b"some bytes", suffix=".mp4")
    one = CorruptBlob(blob, "it is missing", "0a" * 12)
    back = pickle.loads(pickle.dumps(CorruptBlobs([one] * 7)))
    assert [error.blob for error in back.found] == [blob] * 7
    assert back.found[0].clip == "0a" * 12
    assert "clip 0a0a" in str(back) and str(back).endswith("and 2 more")


def test_a_seal_outlives_a_rename_and_no_rewrite(tmp_path: Path) -> None:
    file = tmp_path / "one"
    file.write_bytes(b"some bytes")
    seal = Seal.of(file)
    file = file.rename(tmp_path / "other")
    assert Seal.of(file) == seal
    os.utime(file, ns=(0, 0))
    assert Seal.of(file) != seal

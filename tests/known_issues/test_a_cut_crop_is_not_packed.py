"""A stored crop cut to 1000 bytes was packed: a broken mp4, a wrong offset for the clip after it, and the same root."""

import os
from pathlib import Path

import pytest

from manifests import tables
from pipeline.stages.s140_pack import Packed, Packing, blobs_of
from pipeline.store import CorruptBlobs, Store
from tests.datasets import named, stored_clip


def members_hash(packed: Packed) -> str:
    return tables.root_hash([m for held in packed.members.values() for m in held.values()], {})


def test_a_cut_crop_is_named_instead_of_packed_and_packed_once_it_was_made_again(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path / "work")
    clips = [stored_clip(store, named(n)) for n in range(2)]
    whole = Packing()(clips, store, tmp_path / "whole", earlier=tmp_path / "none")
    video = blobs_of(clips[0])["mp4"]
    os.truncate(store.path(video), 1000)

    assert not store.has(video), "a cut crop counts as absent, so that a run makes it again"
    with pytest.raises(CorruptBlobs, match=rf"clip {clips[0].id}.*has 1000 bytes, not 3000"):
        Packing()(clips, store, tmp_path / "cut", earlier=tmp_path / "none")
    assert not list((tmp_path / "cut").glob("video/*"))

    assert store.quarantine(video) is not None
    assert stored_clip(store, named(0)) == clips[0]
    again = Packing()(clips, store, tmp_path / "again", earlier=tmp_path / "none")
    assert members_hash(again) == members_hash(whole)

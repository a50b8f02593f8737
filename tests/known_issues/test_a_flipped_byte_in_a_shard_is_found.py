"""A flipped byte in a finished tar survived a rebuild with the same root, and no command told of it."""

from pathlib import Path

from pipeline.audit.verify import BAD, GOOD, verify
from pipeline.stages.s140_pack import Packing
from pipeline.store import Store
from tests.datasets import flip, named, stored_clip, write_dataset

SHARD = "video/train-all-000.tar"


def test_a_flip_is_found_by_verify_and_is_gone_after_a_rebuild_that_does_not_trust_its_seal(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path / "work")
    clips = [stored_clip(store, named(n)) for n in range(2)]
    packed = write_dataset(tmp_path / "dataset", clips, store)
    assert verify(tmp_path / "dataset").exit_code == GOOD

    flip(tmp_path / "dataset" / SHARD, at=700)  # size, time and inode stay
    report = verify(tmp_path / "dataset")
    assert report.exit_code == BAD
    assert {finding.path for finding in report.findings} == {SHARD}

    again = Packing()(clips, store, tmp_path / "again", earlier=tmp_path / "dataset")
    assert again.shards == packed.shards
    whole, flipped = (tmp_path / name / SHARD for name in ("again", "dataset"))
    assert whole.read_bytes() != flipped.read_bytes()

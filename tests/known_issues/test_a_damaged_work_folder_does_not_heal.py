"""A stored crop cut to 1000 bytes was packed as it was, under the same root; a corrupt FLAC gave a traceback at every
build; a flipped byte in a finished shard survived a rebuild.
"""

import os
import shutil
from pathlib import Path

import pytest

from pipeline.audit.verify import verify
from tests.cases import Case

pytestmark = [pytest.mark.xdist_group("known"), pytest.mark.timeout(240)]


def blob(case: Case, suffix: str) -> Path:
    return sorted(case.work.glob(f"blobs/*/*{suffix}"))[0]


def flip(file: Path, *, keep_times: bool = False) -> None:
    times = file.stat()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    with file.open("r+b") as stream:
        stream.write(content)
    if keep_times:
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def whole(case: Case) -> bool:
    return verify(case.out, work=case.work).exit_code == 0


def test_a_cut_crop_is_made_again(case: Case) -> None:
    before = case.root
    os.truncate(blob(case, ".mp4"), 1000)
    shutil.rmtree(case.out)
    assert (case.build()[0], case.root) == (0, before)
    assert whole(case)


@pytest.mark.parametrize("suffix", [".flac", ".mp4", ".npy"])
def test_a_flipped_byte_in_a_blob_is_found_when_it_is_read_and_the_blob_made_again(
    case: Case, suffix: str
) -> None:
    before = case.root
    flip(blob(case, suffix))
    shutil.rmtree(case.out)
    code, said = case.build()
    assert (code, case.root) == (0, before), said
    assert "Traceback" not in said
    verified = verify(case.out)
    assert verified.exit_code == 0


def test_a_flipped_byte_in_a_shard_does_not_survive_a_run(case: Case) -> None:
    before = case.root
    flip(sorted(case.out.glob("video/*.tar"))[0])
    code, said = case.build()
    assert (code, case.root) == (0, before)
    assert "nothing to do" not in said
    assert whole(case)


def test_a_flip_under_an_intact_seal_is_found_by_verify(case: Case) -> None:
    shard = sorted(case.out.glob("video/*.tar"))[0]
    flip(shard, keep_times=True)
    report = verify(case.out)
    assert report.exit_code == 1
    assert any(shard.name in finding.path for finding in report.findings)

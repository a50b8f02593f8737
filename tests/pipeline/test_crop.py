"""The crop stage: the stored picture, sound and pose of each clip are of its own span and square."""

import io
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from manifests.record import Box, Crop
from pipeline.media.encoding import Encoding
from pipeline.stage import need
from pipeline.stages.s110_crop import CropClip
from pipeline.store import Store
from tests.pipeline.spanned import of_video, posed

SIZE = (64, 64)


def cropped(
    folder: Path, *, start: int, frames: int, box: Box, shift: int = 0
) -> tuple[Crop, Store]:
    some, given = of_video(folder, start=start, frames=frames, region=(0.0, 0.0, 320.0, 240.0))
    pose = np.zeros((frames, 133, 3), np.float32)
    pose[:, 0] = (120.0, 90.0, 0.9)
    some = posed(some, given.store, pose)
    framing = need(some.framing, "framing").model_copy(update={"box": box, "size": SIZE})
    sync = need(some.sync, "sync").model_copy(update={"shifted": shift})
    some = some.model_copy(update={"framing": framing, "sync": sync})
    return need(CropClip(Encoding(size=SIZE))(some, given).crop, "crop"), given.store


def decoded(crop: Crop, store: Store) -> list[np.ndarray]:
    with av.open(io.BytesIO(store.read_bytes(crop.video))) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.parametrize(("start", "frames", "shift"), [(0, 10, 0), (20, 15, 0), (20, 15, 3)])
def test_a_clip_is_as_long_as_its_span_and_sounds_like_it(
    tmp_path: Path, start: int, frames: int, shift: int
) -> None:
    """The sound counts the frames of the grid."""
    box = (40.0, 40.0, 128.0, 128.0)
    crop, store = cropped(tmp_path, start=start, frames=frames, box=box, shift=shift)
    pictures = decoded(crop, store)
    assert [picture.shape for picture in pictures] == [(*SIZE, 3)] * frames
    sound, rate = soundfile.read(io.BytesIO(store.read_bytes(crop.audio)), dtype="int16")
    assert rate == 16_000
    assert sound[::640].tolist() == list(range(start + shift, start + shift + frames))


def test_a_joint_is_moved_into_the_square_and_what_is_missing_stays_so(tmp_path: Path) -> None:
    for corner, side in (((56.0, 26.0), 128.0), ((88.0, 58.0), 64.0)):
        crop, store = cropped(tmp_path, start=0, frames=4, box=(*corner, side, side))
        pose = store.read_array(crop.pose)
        scale = 64.0 / side
        nose = [
            (at - low + 0.5) * scale - 0.5 for at, low in zip((120.0, 90.0), corner, strict=True)
        ]
        assert pose[:, 0] == pytest.approx(np.array([[*nose, 0.9]] * 4), abs=1e-3)
        assert not pose[:, 1:].any()

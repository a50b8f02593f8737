"""Skeleton videos are read back: pictures, size, sound, bytes; and nothing stays behind a failure."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from manifests import keypoints as kp
from models.infer.video import write_skeleton_video, write_video

FRAMES = 12


def pose(frames: int = FRAMES) -> np.ndarray:
    """Shoulders that move to the right by 10 pixels a frame."""
    moving = np.zeros((frames, kp.JOINTS, 3), dtype=np.float32)
    moving[:, kp.RIGHT_SHOULDER] = (100.0, 200.0, 1.0)
    moving[:, kp.LEFT_SHOULDER] = (300.0, 200.0, 1.0)
    moving[:, :, 0] += 10.0 * np.arange(frames)[:, None] * (moving[:, :, 2] > 0.0)
    return moving


def tone(frames: int = FRAMES) -> np.ndarray:
    return (8000 * np.sin(np.arange(frames * 640) * 0.2)).astype(np.int16)


def read(file: Path) -> tuple[list[np.ndarray], np.ndarray]:
    with av.open(str(file)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with av.open(str(file)) as container:
        if not container.streams.audio:
            return pictures, np.zeros(0)
        parts = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return pictures, np.concatenate(parts)


def test_a_pose_becomes_as_many_pictures_with_its_sound(tmp_path: Path) -> None:
    file = tmp_path / "pose.mp4"
    write_skeleton_video(file, pose(), sound=tone())
    pictures, samples = read(file)
    assert len(pictures) == FRAMES
    assert pictures[0].shape == (512, 512, 3)
    assert abs(len(samples) - FRAMES * 640) <= 1024
    assert np.abs(samples).max() > 0.1
    with av.open(str(file)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert video.average_rate == 25 and video.codec_context.name == "h264"
        assert video.codec_context.pix_fmt == "yuv420p"
        assert audio.codec_context.name == "aac" and audio.rate == 16_000
        assert audio.duration is not None and audio.time_base is not None
        assert float(audio.duration * audio.time_base) == pytest.approx(FRAMES / 25, abs=0.001)


def test_each_picture_shows_its_own_frame(tmp_path: Path) -> None:
    write_skeleton_video(tmp_path / "pose.mp4", pose())
    pictures, samples = read(tmp_path / "pose.mp4")
    assert len(samples) == 0
    for number, picture in enumerate(pictures):
        columns = np.flatnonzero(picture[200].max(axis=1) > 60)
        assert columns[0] == pytest.approx(100 + 10 * number, abs=4)
        assert columns[-1] == pytest.approx(300 + 10 * number, abs=4)


def test_colours_come_back(tmp_path: Path) -> None:
    flat = np.zeros((64, 64, 3), dtype=np.uint8)
    flat[:] = (200, 60, 30)
    write_video(tmp_path / "flat.mp4", [flat] * 3)
    pictures, _ = read(tmp_path / "flat.mp4")
    assert np.abs(pictures[1].astype(int) - flat).max() <= 6


def test_two_poses_stand_side_by_side_over_the_pictures(tmp_path: Path) -> None:
    still = pose()
    still[:] = still[:1]
    ground = np.full((512, 512, 3), 90, dtype=np.uint8)
    write_skeleton_video(
        tmp_path / "both.mp4", pose(), pictures=iter([ground] * FRAMES), beside=still
    )
    pictures, _ = read(tmp_path / "both.mp4")
    assert pictures[0].shape == (512, 1024, 3)
    last = pictures[-1].astype(int)
    assert np.abs(last[400:, :] - 90).max() <= 6
    left = np.flatnonzero(np.abs(last[200, :512] - 90).max(axis=1) > 60)
    right = np.flatnonzero(np.abs(last[200, 512:] - 90).max(axis=1) > 60)
    assert left[0] == pytest.approx(210, abs=4) and right[0] == pytest.approx(100, abs=4)
    assert last[5:22, 8:100].max() > 200 and last[5:22, 520:612].max() > 200  # labels


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        write_skeleton_video(tmp_path / name, pose(), sound=tone(), beside=pose())
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_pictures_are_taken_one_at_a_time(tmp_path: Path) -> None:
    alive: list[int] = []

    def pictures() -> Iterator[np.ndarray]:
        for number in range(40):
            alive.append(number)
            yield np.full((64, 64, 3), number, dtype=np.uint8)

    def watched() -> Iterator[np.ndarray]:
        for place, picture in enumerate(pictures()):
            assert len(alive) == place + 1
            yield picture

    write_video(tmp_path / "many.mp4", watched(), fps=30)
    assert len(read(tmp_path / "many.mp4")[0]) == 40


def test_nothing_is_left_and_the_old_file_stays_when_pictures_fail(tmp_path: Path) -> None:
    file = tmp_path / "pose.mp4"
    write_skeleton_video(file, pose())
    before = file.read_bytes()

    def breaking() -> Iterator[np.ndarray]:
        yield np.zeros((512, 512, 3), dtype=np.uint8)
        raise OSError("the picture is gone")

    with pytest.raises(OSError, match="the picture is gone"):
        write_skeleton_video(file, pose(), pictures=breaking(), sound=tone())
    assert file.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["pose.mp4"]


@pytest.mark.parametrize("pictures", [FRAMES - 1, FRAMES + 1])
def test_a_pose_needs_as_many_pictures(tmp_path: Path, pictures: int) -> None:
    ground = np.zeros((512, 512, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match="12 frames needs as many pictures"):
        write_skeleton_video(tmp_path / "pose.mp4", pose(), pictures=[ground] * pictures)
    assert not list(tmp_path.iterdir())


def test_lengths_and_sizes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "pose.mp4"
    with pytest.raises(ValueError, match="need 7680 samples"):
        write_skeleton_video(file, pose(), sound=tone()[:-1])
    with pytest.raises(ValueError, match="need one length, got 12, 11"):
        write_skeleton_video(file, pose(), beside=pose(11))
    with pytest.raises(ValueError, match="512x512 RGB"):
        write_skeleton_video(file, pose(1), pictures=[np.zeros((64, 64, 3), dtype=np.uint8)])
    with pytest.raises(ValueError, match="needs pictures, got 0"):
        write_video(file, [])
    with pytest.raises(ValueError, match="even width and height, got 63x64"):
        write_video(file, [np.zeros((64, 63, 3), dtype=np.uint8)])
    with pytest.raises(ValueError, match="pictures are 64x64, got 32x64"):
        write_video(file, [np.zeros((64, w, 3), dtype=np.uint8) for w in (64, 32)])
    assert not list(tmp_path.iterdir())


def test_sound_beyond_the_last_picture_is_left_out(tmp_path: Path) -> None:
    flat = np.zeros((64, 64, 3), dtype=np.uint8)
    write_video(tmp_path / "short.mp4", [flat] * 30, fps=30, sound=tone(50))
    assert abs(len(read(tmp_path / "short.mp4")[1]) - 16_000) <= 1024

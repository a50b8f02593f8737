"""The clip that is written: its length, its sound, its bytes, and what happens when something fails."""

import hashlib
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from av.video.frame import VideoFrame

from pipeline.media.audio import read_sound
from pipeline.media.encode import EncodeError, Region, encode_clip, region_of, write_flac
from pipeline.media.encoding import Encoding
from pipeline.media.picture import FrameConverter, Picture
from pipeline.media.probe import probe

SIZE = (96, 64)
CONVERTER = FrameConverter(SIZE, 0, Fraction(1), False)
SMALL = Encoding(size=(64, 64))


def picture(light: int) -> Picture:
    values = np.full((SIZE[1] * 3 // 2, SIZE[0]), 128, dtype=np.uint8)
    values[: SIZE[1]] = light
    return Picture(0, VideoFrame.from_ndarray(values, format="yuv420p"), CONVERTER)


def pictures(count: int, flash: int = -1):
    return (picture(235 if number == flash else 16 + number) for number in range(count))


def silence(frames: int, channels: int = 1) -> np.ndarray:
    return np.zeros((frames * 1920, channels), dtype=np.int16)


def encode(out: Path, frames: int = 10, *, shown=None, sound=None, encoding: Encoding = SMALL):
    encode_clip(
        pictures(frames) if shown is None else shown,
        media=CONVERTER,
        box=(-10, 0, 80, 80),
        frames=frames,
        sound=silence(frames) if sound is None else sound,
        out=out,
        encoding=encoding,
    )


@pytest.mark.parametrize("frames", [1, 25, 126])
@pytest.mark.parametrize("channels", [1, 2])
def test_picture_and_sound_begin_and_end_together(tmp_path: Path, frames, channels):
    noise = np.random.default_rng(1).integers(-3000, 3000, (frames * 1920, channels))
    out = tmp_path / "clip.mp4"
    encode(out, frames, sound=noise.astype(np.int16))
    found = probe(out)
    assert (found.source_frames, found.grid_frames, found.rate) == (frames, frames, 25)
    assert (found.size, found.pixel_aspect, found.full_range) == ((64, 64), 1, False)
    assert found.audio is not None
    assert (found.audio.start, found.audio.channels) == (0, channels)
    assert abs(found.audio.seconds - frames / 25) <= 1024 / 48000
    assert found.audible == (0, frames)
    with av.open(str(out)) as container:
        shown = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    assert shown == [Fraction(number, 25) for number in range(frames)]


def test_a_flash_and_a_click_stay_together(tmp_path: Path):
    sound = silence(50)
    middle = 30 * 1920 + 960
    sound[middle - 40 : middle + 40] = 20000
    out = tmp_path / "clip.mp4"
    encode(out, 50, shown=pictures(50, flash=30), sound=sound)
    with av.open(str(out)) as container:
        light = [frame.to_ndarray()[:64].mean() for frame in container.decode(video=0)]
    assert int(np.argmax(light)) == 30
    heard = np.abs(read_sound(out, probe(out), start=0, stop=50)[:, 0].astype(int))
    assert abs(int(np.argmax(np.convolve(heard, np.ones(80), "same"))) - middle) <= 48  # 1 ms


def test_the_same_input_gives_the_same_bytes(tmp_path: Path):
    digests = set()
    for name in ("a.mp4", "b.mp4"):
        encode(tmp_path / name)
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1


def test_a_clip_carries_no_dates_and_no_tool_names(tmp_path: Path):
    encode(tmp_path / "a.mp4")
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert not {"encoder", "creation_time", "title"} & set(container.metadata)
    content = (tmp_path / "a.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


@pytest.mark.parametrize(("count", "message"), [(9, "got 9"), (11, "got more"), (0, "got 0")])
def test_another_number_of_pictures_is_an_error(tmp_path: Path, count, message):
    with pytest.raises(EncodeError, match=message):
        encode(tmp_path / "a.mp4", 10, shown=pictures(count))
    assert not list(tmp_path.iterdir())


def test_another_length_of_sound_is_an_error(tmp_path: Path):
    with pytest.raises(EncodeError, match="need 19200 samples of sound, got 17280"):
        encode(tmp_path / "a.mp4", 10, sound=silence(9))


def test_a_box_beside_the_frame_is_an_error():
    with pytest.raises(EncodeError, match="outside the 96x64 frame"):
        region_of(CONVERTER, (200, 0, 64, 64))


def test_an_encoder_that_dies_early_is_an_error_with_its_words(tmp_path: Path):
    begin = time.monotonic()
    with pytest.raises(EncodeError, match="ffmpeg ended with"):
        encode(tmp_path / "a.mp4", 5000, encoding=Encoding(preset="no such preset"))
    assert time.monotonic() - begin < 30
    assert not list(tmp_path.iterdir())


def test_pictures_that_fail_end_the_encoder_and_leave_nothing(tmp_path: Path):
    def failing():
        yield picture(100)
        raise KeyError("the source broke")

    with pytest.raises(KeyError, match="the source broke"):
        encode(tmp_path / "a.mp4", 10, shown=failing())
    assert not list(tmp_path.iterdir())


def test_an_existing_clip_stays_when_the_new_one_fails(tmp_path: Path):
    out = tmp_path / "a.mp4"
    out.write_bytes(b"old")
    with pytest.raises(EncodeError):
        encode(out, 10, shown=pictures(3))
    assert out.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("rotation", "stored"),
    [(0, (84, 34, 132, 132)), (90, (34, 84, 132, 132)), (180, (184, 134, 132, 132))],
)
def test_only_the_region_around_the_box_is_handed_over(rotation, stored):
    size = (400, 300)
    region = region_of(FrameConverter(size, rotation, Fraction(1), False), (100, 50, 100, 100))
    expected = {
        0: Region((84, 34, 132, 132), (84, 34, 132, 132)),
        90: Region((34, 84, 132, 132), (84, 34, 132, 132)),
        180: Region((184, 134, 132, 132), (84, 34, 132, 132)),
    }[rotation]
    assert region == expected


def test_flac_gives_back_the_samples_and_the_same_bytes(tmp_path: Path):
    samples = np.random.default_rng(5).integers(-32768, 32767, 6400).astype(np.int16)
    write_flac(samples, tmp_path / "a.flac")
    write_flac(samples, tmp_path / "b.flac")
    got, rate = soundfile.read(tmp_path / "a.flac", dtype="int16")
    assert rate == 16000
    assert np.array_equal(got, samples)
    assert (tmp_path / "a.flac").read_bytes() == (tmp_path / "b.flac").read_bytes()

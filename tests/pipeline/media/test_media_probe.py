"""What probe says of files whose making is known."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from manifests.geometry import grid_to_source
from manifests.record import Blob, Media
from pipeline.media.decode import Count, survey
from pipeline.media.probe import NoFrames, NotMedia, NoVideo, probe

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")


def test_a_plain_file_is_described(make, moving):
    found = probe(make("a.mp4", *moving(), *X264, "-c:a", "aac"))
    assert (found.codec, found.size, found.upright_size) == ("h264", (160, 120), (160, 120))
    assert (found.rotation, found.pixel_aspect, found.full_range) == (0, 1, False)
    assert (found.rate, found.variable_rate) == (25, False)
    assert (found.source_frames, found.grid_frames, len(found.timeline)) == (50, 50, 50)
    assert found.longest_gap == pytest.approx(0.04)
    assert found.audio is not None
    assert (found.audio.codec, found.audio.sample_rate, found.audio.channels) == ("aac", 44100, 1)
    assert (found.audio.start, found.audible) == (0, (0, 50))
    assert found.timeline.dtype == np.int64
    assert np.all(np.diff(found.timeline) > 0)


def test_the_record_holds_the_same_facts(make, moving):
    found = probe(make("a.mp4", *moving(), *X264))
    record = found.record(Blob(sha256="0" * 64, suffix=".npy", bytes=1))
    assert Media.model_validate_json(record.model_dump_json()) == record
    assert (record.rate, record.audible) == (found.rate, found.audible)


@pytest.mark.parametrize("rate", ["24", "30000/1001", "50", "5", "12.5"])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_constant_rate_is_exact_and_not_variable(make, moving, rate, name):
    found = probe(make(name, *moving(rate=rate), *X264))
    assert not found.variable_rate
    assert found.rate == Fraction(rate)


def test_dropped_frames_make_a_variable_rate(make, moving):
    choice = ("-vf", "select=not(eq(mod(n\\,3)\\,2))", "-fps_mode", "vfr")
    found = probe(make("a.mp4", *moving(seconds=3), *choice, *X264, "-an"))
    assert found.variable_rate
    assert found.source_frames == 50
    assert found.longest_gap == pytest.approx(0.08)


@pytest.mark.parametrize(("anticlockwise", "clockwise"), [(0, 0), (90, 270), (180, 180), (-90, 90)])
def test_rotation_is_clockwise_and_swaps_the_upright_size(make, moving, anticlockwise, clockwise):
    plain = make("a.mp4", *moving(), *X264)
    turned = make("b.mp4", "-display_rotation", str(anticlockwise), "-i", plain, "-c", "copy")
    found = probe(turned)
    assert found.rotation == clockwise
    assert found.upright_size == ((120, 160) if clockwise in (90, 270) else (160, 120))


def test_wide_pixels_widen_the_upright_picture(make, moving):
    found = probe(make("a.mp4", *moving(), "-vf", "setsar=4/3", *X264))
    assert found.pixel_aspect == Fraction(4, 3)
    assert found.upright_size == (213, 120)


def test_full_range_is_seen(make, moving):
    found = probe(make("a.mp4", *moving(), "-vf", "scale=out_range=full", *X264))
    assert not probe(make("b.mp4", *moving(), *X264)).full_range
    assert found.full_range


def test_time_starts_at_the_first_video_timestamp(make, moving):
    found = probe(make("a.mkv", *moving(), *X264, "-c:a", "flac", "-output_ts_offset", "1.5"))
    assert int(found.timeline[0]) * found.time_base == Fraction(3, 2)
    assert found.grid_frames == 50
    assert found.audio is not None
    assert abs(found.audio.start) < Fraction(1, 100)


@pytest.mark.parametrize(("shift", "start"), [("0.5", 13), ("-0.5", 0)])
def test_sound_that_starts_elsewhere_covers_fewer_frames(make, moving, shift, start):
    video = make("v.mkv", *moving(), *X264, "-an")
    sound = make("a.wav", *moving(), "-vn", "-ac", "1")
    both = ("-i", video, "-itsoffset", shift, "-i", sound, "-c:v", "copy", "-c:a", "pcm_s16le")
    found = probe(make("both.mkv", *both, "-copyts", "-avoid_negative_ts", "disabled"))
    assert found.audio is not None
    assert float(found.audio.start) == pytest.approx(float(shift), abs=0.002)
    stop = min(50, int((2 + float(shift)) * 25))
    assert found.audible[0] == start
    assert abs(found.audible[1] - stop) <= 1


def test_sound_that_ends_early_covers_fewer_frames(make, moving):
    found = probe(make("a.mkv", *moving(), "-af", "atrim=0:1.01", *X264, "-c:a", "pcm_s16le"))
    assert found.audible == (0, 25)


def test_cover_art_is_not_video(make, moving):
    cover = make("cover.png", *moving(), "-frames:v", "1")
    sound = make("a.wav", *moving(), "-vn")
    disposition = ("-map", "0", "-map", "1", "-c:v", "copy", "-disposition:v", "attached_pic")
    with pytest.raises(NoVideo):
        probe(make("song.m4a", "-i", sound, "-i", cover, *disposition))


def test_cover_art_before_the_video_is_passed_over(make, moving):
    cover = make("cover.png", *moving(size="32x32"), "-frames:v", "1")
    video = make("v.mp4", *moving(), *X264)
    disposition = ("-map", "0", "-map", "1", "-c", "copy", "-disposition:v:0", "attached_pic")
    found = probe(make("both.mp4", "-i", cover, "-i", video, *disposition))
    assert found.size == (160, 120)


def test_sound_alone_is_no_video(make, moving):
    with pytest.raises(NoVideo, match="no video stream"):
        probe(make("a.mp3", *moving(), "-vn"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"just some text\n" * 50,
        b"<!DOCTYPE html><html><body>Sign in</body></html>",
        b"#EXTM3U\n#EXTINF:9,\nother.mp4\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile /etc/hostname\n",
    ],
)
@pytest.mark.parametrize("name", ["a.mp4", "a.m3u8"])
def test_text_pages_and_playlists_are_not_media(tmp_path: Path, content, name):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(NotMedia, match=name):
        probe(path)


def test_a_missing_file_is_an_os_error(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        probe(tmp_path / "none.mp4")


def test_a_file_named_like_a_protocol_is_a_file(make, moving, tmp_path: Path):
    path = make("a.mp4", *moving(), *X264).rename(tmp_path / "http:x y%20z.mp4")
    assert probe(path).source_frames == 50


def test_a_header_without_pictures_has_no_frames(make, moving):
    path = make("a.mp4", *moving(), *X264, "-an")
    content = bytearray(path.read_bytes())
    begin, end = content.index(b"mdat") + 4, content.index(b"moov") - 4
    content[begin:end] = bytes(end - begin)
    path.write_bytes(bytes(content))
    with pytest.raises(NoFrames, match="none of the first"):
        probe(path)


@pytest.mark.parametrize("name", ["a.mkv", "a.ts"])
def test_a_truncated_file_is_as_long_as_it_is(make, moving, name):
    path = make(name, *moving(), *X264, "-c:a", "aac", "-g", "10")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    found = probe(path)
    assert 10 < found.source_frames < 45
    pictures = list(survey(path, found, found.timeline, count=Count()))
    assert found.source_frames - len(pictures) <= 2
    assert found.audio is not None
    assert found.audible[1] <= found.grid_frames <= 45


@pytest.mark.parametrize("name", ["a.h264", "a.avi"])
def test_missing_timestamps_are_made_from_the_rate(make, moving, name):
    arguments = (*moving(), "-c:v", "libx264", "-bf", "2", "-an")
    found = probe(make(name, *arguments))
    assert (found.source_frames, found.grid_frames, found.rate) == (50, 50, 25)
    assert not found.variable_rate


def test_one_frame_is_one_step_of_its_rate(make, moving):
    found = probe(make("a.mp4", *moving(rate="10"), "-frames:v", "1", *X264, "-an"))
    assert (found.source_frames, found.grid_frames, found.longest_gap) == (1, 2, 0.0)


def test_a_picture_of_one_pixel_is_probed(make):
    picture = ("-f", "lavfi", "-i", "color=red:size=1x1:rate=5:duration=1")
    found = probe(make("a.mp4", *picture, "-c:v", "libx264", "-pix_fmt", "yuv444p"))
    assert (found.size, found.source_frames, found.grid_frames) == ((1, 1), 5, 25)


def test_pictures_cut_away_by_an_edit_list_are_not_in_the_timeline(make, moving):
    whole = make("a.mp4", *moving(), *X264, "-g", "25", "-bf", "2")
    found = probe(make("b.mp4", "-ss", "1.2", "-i", whole, "-c", "copy"))
    shown = [
        p.index for p in survey(whole.with_name("b.mp4"), found, found.timeline, count=Count())
    ]
    assert shown == list(range(found.source_frames))


def test_sound_of_which_nothing_decodes_is_no_sound(make, moving):
    path = make("a.mkv", *moving(), *X264, "-c:a", "flac")
    video = probe(path)
    content = path.read_bytes()
    broken = content.replace(b"\xff\xf8", b"\x00\x00")  # every FLAC frame begins with this mark
    path.write_bytes(broken)
    found = probe(path)
    assert video.audio is not None
    assert (found.audio, found.audible) == (None, (0, 0))
    assert found.source_frames == video.source_frames


def test_each_grid_frame_has_a_source_frame(make, moving):
    found = probe(make("a.mp4", *moving(rate="30"), *X264))
    indices = grid_to_source(
        found.timeline, time_base=found.time_base, start=0, stop=found.grid_frames
    )
    assert indices[0] == 0
    assert indices[-1] <= found.source_frames - 1

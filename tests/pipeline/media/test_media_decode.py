"""Survey and span: every frame once, told apart by its timestamp, the same from any start."""

from pathlib import Path

import av
import numpy as np
import pytest

from manifests.geometry import grid_to_source
from pipeline.media.decode import Count, DecodeError, Picture, span, survey
from pipeline.media.probe import Probed, probe

X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "25", "-bf", "2")
VARIANTS = {
    "h264.mp4": X264,
    "h264.mkv": X264,
    "h264.ts": X264,
    "h264.flv": X264,
    "h264.mov": X264,
    "open_gop.mp4": (*X264, "-x264-params", "open-gop=1:keyint=25:scenecut=0"),
    "intra_refresh.mp4": (*X264, "-x264-params", "intra-refresh=1:keyint=25"),
    "hevc.mp4": (
        *("-c:v", "libx265", "-preset", "ultrafast"),
        *("-x265-params", "open-gop=1:keyint=25:bframes=3:log-level=none"),
    ),
    "mpeg4.mp4": ("-c:v", "mpeg4", "-bf", "2", "-g", "25"),
    "mpeg4.avi": ("-c:v", "mpeg4", "-bf", "2", "-g", "25"),
    "mpeg2.mpg": ("-c:v", "mpeg2video", "-bf", "2", "-g", "25"),
    "vp8.webm": ("-c:v", "libvpx", "-g", "25", "-auto-alt-ref", "1", "-lag-in-frames", "16"),
    "vp9.webm": ("-c:v", "libvpx-vp9", "-g", "25", "-cpu-used", "8", "-lag-in-frames", "16"),
    "av1.mp4": ("-c:v", "libsvtav1", "-preset", "12", "-g", "25"),
    "raw.h264": X264,
    "h264.avi": X264,
}


def pixels(picture: Picture) -> bytes:
    return picture.frame.to_ndarray().tobytes()


def whole(path: Path, found: Probed) -> dict[int, bytes]:
    pictures = survey(path, found, found.timeline, count=Count(), exact=True)
    return {picture.index: pixels(picture) for picture in pictures}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_span_holds_the_same_bytes_as_a_decode_from_the_start(make, moving, name):
    arguments = (*moving(seconds=3.6), "-an", *VARIANTS[name])
    path = make(name, *arguments)
    found = probe(path)
    frames = whole(path, found)
    assert list(frames) == list(range(found.source_frames)) == list(range(90))
    for start in range(0, found.grid_frames, 8):
        stop = min(start + 5, found.grid_frames)
        expected = grid_to_source(found.timeline, time_base=found.time_base, start=start, stop=stop)
        got = list(span(path, found, found.timeline, start=start, stop=stop, count=Count()))
        assert [grid for grid, _ in got] == list(range(start, stop))
        assert [picture.index for _, picture in got] == list(expected)
        assert all(pixels(picture) == frames[picture.index] for _, picture in got)


def test_a_slow_source_repeats_its_frames(make, moving):
    path = make("a.mp4", *moving(rate="10"), *X264)
    found = probe(path)
    got = list(span(path, found, found.timeline, start=0, stop=50, count=Count()))
    assert [grid for grid, _ in got] == list(range(50))
    assert [picture.index for _, picture in got][:6] == [0, 0, 1, 1, 2, 2]
    assert len({picture.index for _, picture in got}) == 20


def test_a_fast_source_skips_frames(make, moving):
    path = make("a.mp4", *moving(rate="50"), *X264)
    found = probe(path)
    got = list(span(path, found, found.timeline, start=5, stop=15, count=Count()))
    assert [picture.index for _, picture in got] == list(range(10, 30, 2))


def test_a_variable_rate_is_followed_by_its_timestamps(make, moving):
    choice = ("-vf", "select=not(eq(mod(n\\,3)\\,2))", "-fps_mode", "vfr")
    path = make("a.mp4", *moving(), *choice, *X264)
    found = probe(path)
    got = [p.index for _, p in span(path, found, found.timeline, start=0, stop=12, count=Count())]
    assert got == [0, 1, 1, 2, 3, 3, 4, 5, 5, 6, 7, 7]


def test_the_count_says_what_left_the_decoder(make, moving):
    path = make("a.mp4", *moving(), *X264)
    found = probe(path)
    count = Count()
    list(survey(path, found, found.timeline, count=count))
    assert count.decoded == 50
    list(span(path, found, found.timeline, start=30, stop=35, count=count))
    assert 55 <= count.decoded <= 62  # the span's own, and those from the key frame before it


def test_an_empty_span_decodes_nothing(make, moving):
    path = make("a.mp4", *moving(), *X264)
    found = probe(path)
    count = Count()
    assert not list(span(path, found, found.timeline, start=7, stop=7, count=count))
    assert count.decoded == 0


def damage(path: Path, number: int) -> None:
    """Blank the payload of one packet."""
    with av.open(str(path)) as container:
        packet = [p for p in container.demux(video=0) if p.size][number]
        payload = bytes(packet)
    content = path.read_bytes()
    path.write_bytes(content.replace(payload, bytes(len(payload))))


def test_a_damaged_frame_is_skipped_by_the_survey_and_an_error_for_its_span(make, moving):
    path = make("a.mov", *moving(), "-c:v", "png", "-an")
    found = probe(path)
    frames = whole(path, found)
    damage(path, 20)
    after = whole(path, found)
    assert list(after) == [i for i in range(50) if i != 20]
    assert all(after[i] == frames[i] for i in after)
    inside = span(path, found, found.timeline, start=18, stop=22, count=Count())
    assert [next(inside)[0], next(inside)[0]] == [18, 19]
    with pytest.raises(DecodeError, match="source frame 20 of 50"):
        next(inside)
    with pytest.raises(DecodeError, match="grid frame 20"):
        next(span(path, found, found.timeline, start=20, stop=22, count=Count()))
    assert len(list(span(path, found, found.timeline, start=21, stop=30, count=Count()))) == 9


def test_a_truncated_tail_ends_the_survey_and_is_an_error_for_a_span(make, moving):
    path = make("a.ts", *moving(), *X264)
    found = probe(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    frames = whole(path, found)
    assert list(frames) == sorted(frames)
    assert 20 < len(frames) < 45
    with pytest.raises(DecodeError, match="does not decode"):
        list(span(path, found, found.timeline, start=20, stop=50, count=Count()))


def test_a_stream_that_changes_its_size_keeps_the_first(make, moving, tmp_path):
    parts = [
        make(f"{i}.ts", *moving(size=size), *X264, "-an", "-output_ts_offset", str(2 * i))
        for i, size in enumerate(("160x120", "320x240"))
    ]
    path = tmp_path / "both.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    found = probe(path)
    shapes = {p.rgb().shape for p in survey(path, found, found.timeline, count=Count())}
    assert shapes == {(120, 160, 3)}


def test_a_span_that_is_left_early_closes_its_file(make, moving):
    path = make("a.mp4", *moving(), *X264)
    found = probe(path)
    pictures = span(path, found, found.timeline, start=0, stop=50, count=Count())
    _, picture = next(pictures)
    pictures.close()
    assert np.asarray(picture.rgb()).shape == (120, 160, 3)

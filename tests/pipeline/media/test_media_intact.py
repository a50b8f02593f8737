"""Frames built on damaged ones: what is left of a damaged film is the film, to the bit, and each span of it decodes."""

import random
from itertools import pairwise
from pathlib import Path

import av
import pytest

from pipeline.media.decode import Count, DecodeError, Picture, span, survey
from pipeline.media.intact import REORDER, SUSPECT, Intact, Lost
from pipeline.media.probe import Probed, probe

X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "25", "-bf", "3")
NOTICED = {
    "h264.mp4": X264,
    "h264.mkv": X264,
    "h264.ts": X264,
    "open_gop.mp4": (*X264, "-x264-params", "open-gop=1:keyint=25:scenecut=0"),
    "mpeg4.mkv": ("-c:v", "mpeg4", "-bf", "2", "-g", "25"),
}
"""Codecs whose decoders say that a frame is damaged; those of HEVC, VP8 and VP9 often do not."""


def shown(path: Path, found: Probed) -> dict[int, bytes]:
    pictures = survey(path, found, found.timeline, count=Count(), exact=True)
    return {picture.index: pixels(picture) for picture in pictures}


def pixels(picture: Picture) -> bytes:
    return picture.frame.to_ndarray().tobytes()


def packets(path: Path) -> list[av.Packet]:
    with av.open(str(path)) as container:
        return [packet for packet in container.demux(video=0) if packet.size]


def blank(path: Path, packet: av.Packet, *, of: float, to: float) -> None:
    """Write 0xff over a part of one packet, past the headers that its container keeps of it."""
    content = bytearray(path.read_bytes())
    first, length = packet.pos + 200, packet.size - 200
    content[first + round(of * length) : first + round(to * length)] = b"\xff" * (
        round(to * length) - round(of * length)
    )
    path.write_bytes(content)


@pytest.mark.parametrize("name", NOTICED)
def test_what_is_left_of_a_damaged_film_is_the_film(make, moving, name) -> None:
    path = make(name, *moving(seconds=3.0, size="320x240"), "-an", *NOTICED[name])
    found = probe(path)
    whole, content = shown(path, found), path.read_bytes()
    large = [packet for packet in packets(path)[2:] if packet.size > 600]
    keys = [packet for packet in large if packet.is_keyframe]
    lost = 0
    for packet in (keys[1], *random.Random(name).sample(large, 2)):
        path.write_bytes(content)
        blank(path, packet, of=0.3, to=0.7)
        after = probe(path)
        assert list(after.timeline) == list(found.timeline)
        left = shown(path, after)
        lost += len(whole) - len(left)
        assert all(left[index] == whole[index] for index in left)
        fast = [p.index for p in survey(path, after, after.timeline, count=Count())]
        assert fast == list(left)
        every_run_decodes(path, after, list(left))
    assert lost > 0


def every_run_decodes(path: Path, found: Probed, left: list[int]) -> None:
    """Whole, and from places within; 25 pictures a second, so that frames are grid frames."""
    breaks = [0, *(n + 1 for n, (a, b) in enumerate(pairwise(left)) if b > a + 1), len(left)]
    for begin, end in pairwise(breaks):
        run = left[begin:end]
        for start in run[:: max(1, len(run) // 3)]:
            stop = run[-1] + 1
            frames = span(path, found, found.timeline, start=start, stop=stop, count=Count())
            assert [frame for frame, _ in frames] == list(range(start, stop))


def test_a_span_that_holds_a_damaged_frame_is_refused(make, moving) -> None:
    path = make("film.mp4", *moving(seconds=4.0, size="320x240"), "-an", *X264)
    found = probe(path)
    blank(path, max(packets(path)[30:45], key=lambda packet: packet.size), of=0.3, to=0.7)
    left = shown(path, found)
    gone = next(index for index in range(100) if index not in left)
    with pytest.raises(DecodeError, match=f"source frame {gone} of 100"):
        list(span(path, found, found.timeline, start=gone - 5, stop=gone + 1, count=Count()))


def frames_of(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def test_a_packet_that_is_lost_costs_what_is_shown_after_it_up_to_a_key_frame(make, moving) -> None:
    frames = frames_of(make("film.mp4", *moving(seconds=2.2), "-an", *X264))
    time = frames[10].pts
    out = list(Intact(begun=True, reorders=True).of([Lost(time), *frames]))
    kept = [frame.pts for frame in out if frame is not None]
    before = [frame.pts for frame in frames[:10]]
    while frames[len(before) - 1].pict_type == av.video.frame.PictureType.B:
        before.pop()
    assert kept == before + [frame.pts for frame in frames[25:]]
    assert len(out) == len(frames)


def test_without_key_frames_damage_ends_where_its_blocks_have_been_renewed(make, moving) -> None:
    endless = (*X264, "-x264-params", "keyint=infinite:scenecut=0", "-tune", "zerolatency")
    frames = frames_of(make("film.mp4", *moving(seconds=13.0, size="64x48"), "-an", *endless))
    out = list(Intact(begun=True, reorders=False).of([frames[0], Lost(frames[1].pts), *frames[1:]]))
    assert [frame is not None for frame in out] == [True] + [False] * (SUSPECT - 1) + [True] * (
        len(frames) - SUSPECT
    )


def test_what_fails_first_after_a_seek_says_nothing_of_what_follows(make, moving) -> None:
    frames = frames_of(make("film.mp4", *moving(seconds=1.0), "-an", *X264))[3:12]
    out = list(Intact(begun=False, reorders=True).of([Lost(frames[0].pts - 1), *frames]))
    assert out == frames


def test_no_more_frames_wait_than_can_be_reordered(make, moving) -> None:
    frames = frames_of(make("film.mp4", *moving(seconds=1.0), "-an", *X264))
    b = next(frame for frame in frames if frame.pict_type == av.video.frame.PictureType.B)
    fed = iter([b] * (2 * REORDER))
    assert next(Intact(begun=True, reorders=True).of(fed)) is b
    assert len(list(fed)) == REORDER - 1

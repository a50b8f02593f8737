"""Writes a clip: its box of the picture as H.264, its sound as AAC in the same MP4, and FLAC for training."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import ffmpeg
import imageio_ffmpeg
import numpy as np
import soundfile
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

from manifests.geometry import FPS, SAMPLE_RATE, square_size, upright_size
from pipeline.media.encoding import Encoding
from pipeline.media.picture import Picture, Stored, matrix_of
from pipeline.media.probe import MediaError


class EncodeError(MediaError):
    """The encoder failed, or was given pictures or sound of another length than it was promised."""


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the stored frame, (x, y, width, height), and where its upright form lies in upright pixels."""

    stored: tuple[int, int, int, int]
    upright: tuple[int, int, int, int]


def encode_clip(
    pictures: Iterator[Picture],
    *,
    media: Stored,
    box: tuple[int, int, int, int],
    frames: int,
    sound: NDArray[np.int16],
    out: Path,
    encoding: Encoding,
) -> None:
    """Write an MP4 of exactly `frames` frames at 25 FPS with its sound; the same input gives the same bytes.

    box: integer (x, y, width, height) in upright pixels, may reach outside the frame, black there; maps to
    the clip by `geometry.crop_affine(box, encoding.size)`. sound: (samples, channels) int16 at
    encoding.audio_rate, exactly frames / 25 seconds. Raises EncodeError; what iterating `pictures` raises.
    """
    wanted = frames * encoding.audio_rate // FPS
    if len(sound) != wanted:
        raise EncodeError(f"{frames} frames need {wanted} samples of sound, got {len(sound)}")
    region = region_of(media, box)
    with tempfile.TemporaryDirectory(dir=out.parent.resolve(), prefix=".encode-") as folder:
        wave, part = Path(folder, "sound.wav"), Path(folder, "clip.mp4")
        soundfile.write(wave, sound, encoding.audio_rate, subtype="PCM_16")
        first = next(pictures, None)
        if first is None:
            raise EncodeError(f"a clip needs {frames} pictures, got 0")
        shown = _shown(media, first, region, box, encoding)
        graph = _clip(shown, wave, part, frames, encoding)
        binary = imageio_ffmpeg.get_ffmpeg_exe()
        words = ffmpeg.compile(graph, cmd=binary, overwrite_output=True)
        command = [str(word) for word in words]
        raw = _raw(first, pictures, region, frames)
        _feed(command, raw)
        part.replace(out)


def write_flac(samples: NDArray[np.int16], out: Path) -> None:
    """Write (N,) int16 mono at 16 kHz as FLAC; the same samples give the same bytes."""
    soundfile.write(out, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")


# ---- which pixels --------------------------------------------------------------------------------

MARGIN = 16
"""Pixels around a box that are handed to the encoder with it, so that its filters see past the edge."""


def region_of(media: Stored, box: tuple[int, int, int, int]) -> Region:
    """The even-edged part of the stored frame that a box needs. Raises EncodeError where it has none."""
    wide, high = upright_size(media.size, rotation=media.rotation, pixel_aspect=media.pixel_aspect)
    x0, x1 = max(0, box[0]), min(wide, box[0] + box[2])
    y0, y1 = max(0, box[1]), min(high, box[1] + box[3])
    if x0 >= x1 or y0 >= y1:
        raise EncodeError(f"the box {box} lies outside the {wide}x{high} frame")
    square = square_size(media.size, pixel_aspect=media.pixel_aspect)
    x, y, w, h = _turn((x0, y0, x1 - x0, y1 - y0), (wide, high), -media.rotation % 360)
    left, right = _widen(x, x + w, square[0])
    top, bottom = _widen(y, y + h, square[1])
    if square != tuple(media.size):  # A part of a stretched row would not begin on a whole pixel.
        left, right = 0, square[0]
    stretched = (left, top, right - left, bottom - top)
    stored = (
        left,
        top,
        media.size[0] if square != tuple(media.size) else right - left,
        bottom - top,
    )
    return Region(stored, _turn(stretched, square, media.rotation))


def _widen(start: int, stop: int, limit: int) -> tuple[int, int]:
    return max(0, start - MARGIN) // 2 * 2, min(limit, (stop + MARGIN + 1) // 2 * 2)


def _turn(
    part: tuple[int, int, int, int], size: tuple[int, int], clockwise: int
) -> tuple[int, int, int, int]:
    """Where a part (x, y, width, height) of a picture of `size` lies once the picture is turned."""
    x, y, w, h = part
    if clockwise == 90:
        return size[1] - y - h, x, h, w
    if clockwise == 180:
        return size[0] - x - w, size[1] - y - h, w, h
    if clockwise == 270:
        return y, size[0] - x - w, h, w
    return part


# ---- the filter graph ----------------------------------------------------------------------------

EXACT = "accurate_rnd+bitexact+full_chroma_int+full_chroma_inp"
TURNS = {
    0: (),
    90: (("transpose", "clock"),),
    180: (("hflip",), ("vflip",)),
    270: (("transpose", "cclock"),),
}
MATRICES = {
    Colorspace.ITU709: "bt709",
    Colorspace.FCC: "fcc",
    Colorspace.ITU601: "bt601",
    Colorspace.SMPTE240M: "smpte240m",
    Colorspace.BT2020: "bt2020",
}


def _clip(
    picture: ffmpeg.nodes.FilterableStream,
    wave: Path,
    part: Path,
    frames: int,
    encoding: Encoding,
) -> ffmpeg.nodes.OutputStream:
    """The picture and a WAV file in, an MP4 out."""
    channels = soundfile.info(wave).channels
    return ffmpeg.output(
        picture,
        ffmpeg.input(str(wave)).audio,
        str(part),
        **{
            "format": "mp4",
            "frames:v": frames,
            "vcodec": "libx264",
            "preset": encoding.preset,
            "crf": encoding.crf,
            "pix_fmt": "yuv420p",
            "x264-params": "threads=1:lookahead-threads=1",
            "colorspace": "bt709",
            "color_primaries": "bt709",
            "color_trc": "bt709",
            "color_range": "tv",
            "acodec": "aac",
            "audio_bitrate": encoding.audio_bitrate * channels,
            "threads": 1,
            "flags:v": "+bitexact",
            "flags:a": "+bitexact",
            "fflags": "+bitexact",
            "map_metadata": -1,
            "movflags": "+faststart",
        },
    ).global_args("-nostdin", "-hide_banner", "-loglevel", "error", "-filter_complex_threads", "1")


def _shown(
    media: Stored,
    first: Picture,
    region: Region,
    box: tuple[int, int, int, int],
    encoding: Encoding,
) -> ffmpeg.nodes.FilterableStream:
    """Square pixels, upright, the box cut out (black where it reaches outside), scaled, limited-range BT.709."""
    _, _, width, height = region.stored
    x, y, wide, high = region.upright
    turned = media.rotation in (90, 270)
    stream = ffmpeg.input(
        "pipe:0", format="rawvideo", pix_fmt="yuv420p", s=f"{width}x{height}", framerate=FPS
    ).video
    stream = stream.filter(
        "scale",
        w=high if turned else wide,
        h=wide if turned else high,
        flags=f"bicubic+{EXACT}",
        in_range="full" if media.full_range else "limited",
        in_color_matrix=MATRICES[matrix_of(first.frame, media.size)],
        out_range="limited",
        out_color_matrix="bt709",
    ).filter("format", "yuv444p")
    for name, *values in TURNS[media.rotation]:
        stream = stream.filter(name, *values)
    left, top = max(0, x - box[0]), max(0, y - box[1])
    right = max(0, box[0] + box[2] - x - wide)
    bottom = max(0, box[1] + box[3] - y - high)
    if left or top or right or bottom:
        stream = stream.filter(
            "pad", wide + left + right, high + top + bottom, left, top, color="black"
        )
    stream = stream.filter("crop", box[2], box[3], box[0] - x + left, box[1] - y + top, exact=1)
    kind = "area" if box[2] > encoding.size[0] else "lanczos"
    stream = stream.filter("scale", *encoding.size, flags=f"{kind}+{EXACT}")
    return stream.filter("format", "yuv420p").filter("setsar", 1)


# ---- running -------------------------------------------------------------------------------------


def _raw(first: Picture, rest: Iterator[Picture], region: Region, frames: int) -> Iterator[bytes]:
    """The raw planes of exactly `frames` pictures."""
    yield first.planes(*region.stored)
    done = 1
    for picture in rest:
        done += 1
        if done > frames:
            raise EncodeError(f"a clip needs {frames} pictures, got more")
        yield picture.planes(*region.stored)
    if done < frames:
        raise EncodeError(f"a clip needs {frames} pictures, got {done}")


def _feed(command: list[str], raw: Iterator[bytes]) -> None:
    """Run ffmpeg on what `raw` yields; it is gone when this returns or raises."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603 - our own binary; paths are arguments, no shell
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors
        )
        try:
            _write(process.stdin, raw)
            status = process.wait()
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
        if status != 0:
            raise EncodeError(f"ffmpeg ended with {status}: {_tail(errors)}")


def _write(pipe: IO[bytes] | None, raw: Iterator[bytes]) -> None:
    """Write everything and close; a reader that is gone says why by its exit status."""
    assert pipe is not None
    try:
        with pipe:
            for planes in raw:
                pipe.write(planes)
    except BrokenPipeError:
        return


def _tail(errors: IO[bytes], size: int = 2000) -> str:
    """The last bytes of what ffmpeg wrote, as text."""
    end = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, end - size))
    return errors.read().decode("utf-8", errors="replace").strip()

"""Writes a clip: its box of the picture as H.264, its sound as AAC in the same MP4, and FLAC for training."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO

import ffmpeg
import imageio_ffmpeg
import numpy as np
import soundfile
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

from manifests.geometry import FPS, SAMPLE_RATE, square_size, upright_size
from pipeline.media.picture import Eye, Picture, Stored, matrix_of
from pipeline.media.probe import MediaError


class EncodeError(MediaError):
    """The encoder failed, or was given pictures or sound of another length than it was promised."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a clip is stored.

    size: (width, height) in pixels; crf and preset: x264's; audio_rate: Hz; audio_bitrate: bit/s per
    channel.
    """

    size: tuple[int, int] = (512, 512)
    crf: int = 18
    preset: str = "veryfast"
    audio_rate: int = 48_000
    audio_bitrate: int = 96_000


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
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".encode-") as folder:
        wave, part = Path(folder, "sound.wav"), Path(folder, "clip.mp4")
        soundfile.write(wave, sound, encoding.audio_rate, subtype="PCM_16")
        first = next(pictures, None)
        if first is None:
            raise EncodeError(f"a clip needs {frames} pictures, got 0")
        graph = _graph(media, first, region, box, wave, part, frames, encoding)
        command = graph.compile(cmd=imageio_ffmpeg.get_ffmpeg_exe(), overwrite_output=True)
        raw = _raw(first, pictures, region, frames)
        _feed(command, raw)
        os.replace(part, out)


def write_flac(samples: NDArray[np.int16], out: Path) -> None:
    """Write (N,) int16 mono at 16 kHz as FLAC; the same samples give the same bytes."""
    soundfile.write(out, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")

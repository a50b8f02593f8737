"""How a clip is stored: what is asked of `encode.py`, which loads the encoders."""

from dataclasses import dataclass


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

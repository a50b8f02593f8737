"""A voice from any file with sound."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.error import FFmpegError
from jaxtyping import Int16

from manifests.errors import UserError
from manifests.geometry import SAMPLE_RATE, SAMPLES_PER_FRAME
from pipeline.media.probe import NotMedia, audio_stream, open_media

LONGEST = 4 * 3600
"""Seconds of sound that are taken in: motion of four hours fits into a gigabyte."""


class VoiceError(UserError):
    """A file without sound that can be read."""


def read_voice(file: Path, *, longest: float = LONGEST) -> Int16[np.ndarray, " samples"]:
    """16 kHz mono, whole frames of 640 samples; silence fills the last one. Raises VoiceError.

    longest: seconds; a longer voice is refused, not cut. Files that only name others (playlists) are not followed.
    """
    parts: list[np.ndarray] = []
    count = 0
    try:
        with open_media(file) as container:
            stream = audio_stream(container)
            if stream is None:
                raise VoiceError(f"{file} has no sound")
            for part in resampled(container.decode(stream)):
                parts.append(part.to_ndarray().reshape(-1))
                count += len(parts[-1])
                if count > longest * SAMPLE_RATE:
                    raise VoiceError(f"{file} has more than {longest:.0f} s of sound")
    except NotMedia as error:
        raise VoiceError(f"{file} cannot be read as sound") from error
    except (FFmpegError, OSError) as error:
        raise VoiceError(f"{file} cannot be read as sound: {error.strerror}") from error
    if not count:
        raise VoiceError(f"{file} has no sound that decodes")
    samples = np.concatenate(parts).astype(np.int16)
    return np.pad(samples, (0, -len(samples) % SAMPLES_PER_FRAME))


def resampled(frames: Iterable[AudioFrame]) -> Iterator[AudioFrame]:
    """16 kHz mono, 16 bits; the rate and the channels may change on the way, as where recordings were joined."""
    resampler, current = None, None
    for frame in chain(frames, [None]):
        kind = frame and (frame.format.name, frame.layout.name, frame.sample_rate)
        if resampler is not None and kind != current:
            yield from resampler.resample(None)
            resampler = None
        if frame is not None:
            resampler = resampler or AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
            current, frame.pts = kind, None
            yield from resampler.resample(frame)

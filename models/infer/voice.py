"""A voice from any file with sound."""

from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.error import FFmpegError
from jaxtyping import Int16

from manifests.geometry import SAMPLE_RATE, SAMPLES_PER_FRAME

LONGEST = 4 * 3600
"""Seconds of sound that are taken in: motion of four hours fits into a gigabyte."""


class VoiceError(ValueError):
    """A file without sound that can be read."""


def read_voice(file: Path, *, longest: float = LONGEST) -> Int16[np.ndarray, " samples"]:
    """16 kHz mono, whole frames of 640 samples; silence fills the last one. Raises VoiceError.

    longest: seconds; a longer voice is refused, not cut.
    """
    try:
        with av.open(str(file)) as container:
            if not container.streams.audio:
                raise VoiceError(f"{file} has no sound")
            resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
            parts: list[np.ndarray] = []
            count = 0
            for frame in chain(container.decode(audio=0), [None]):
                for part in resampler.resample(frame):
                    parts.append(part.to_ndarray().reshape(-1))
                    count += len(parts[-1])
                if count > longest * SAMPLE_RATE:
                    raise VoiceError(f"{file} has more than {longest:.0f} s of sound")
    except (FFmpegError, OSError) as error:
        raise VoiceError(f"{file} cannot be read as sound: {error.strerror}") from error
    if not count:
        raise VoiceError(f"{file} has no sound that decodes")
    samples = np.concatenate(parts).astype(np.int16)
    return np.pad(samples, (0, -len(samples) % SAMPLES_PER_FRAME))

"""The recordings that speech is judged on: how they are read, and who speaks in them."""

from collections import Counter
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from jaxtyping import Int16

from pipeline.perception.speech.interface import SAMPLE_RATE
from research.cases import clips
from research.cast import person_of

Sound = Int16[np.ndarray, " samples"]


def single() -> tuple[str, ...]:
    """Recordings in which one person speaks, each another one as far as their sources say."""
    return clips("speech/single")


def alike() -> frozenset[str]:
    """Clips of one collection whose voices are as alike as one person's; who they are is not said."""
    people = Counter(map(person_of, names := single()))
    return frozenset(name for name in names if people[person_of(name)] > 1)


def read(path: Path) -> Sound:
    """16 kHz mono; empty without a readable audio stream."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    blocks = [np.zeros(0, np.int16)]
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                return blocks[0]
            for frame in container.decode(audio=0):
                frame.pts = None
                blocks += [part.to_ndarray().ravel() for part in resampler.resample(frame)]
    except FFmpegError as error:
        print(f"{path.name}: {error}")
    blocks += [part.to_ndarray().ravel() for part in resampler.resample(None)]
    return np.concatenate(blocks)


def find(media: Path, stem: str) -> Path:
    """The recording of this name, whatever its suffix."""
    return next(
        path for path in sorted(media.glob(f"*/{stem}.*")) if path.suffix not in {".rttm", ".uem"}
    )

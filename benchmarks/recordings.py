"""The recordings that speech is judged on: how they are read, and who speaks in them."""

from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from jaxtyping import Int16

from benchmarks.truth.cast import person_of
from pipeline.perception.speech.heard import RATE

Sound = Int16[np.ndarray, " samples"]

SINGLE = (
    "tango_female_9s", "dinet_test19", "hdtf_WDA_AOC", "infinitetalk_man_1080p30", "latentsync_demo2",
    "panda_CpO_paJZ9bI", "svid_dialogue_case1_1", "svid_dialogue_case1_2", "svid_full_body_1", "svid_full_body_2",
    "svid_half_body_1", "svid_half_body_2", "svid_half_body_3", "svid_head_4", "svid_side_1", "svid_side_2",
    "tango_1wrQ6Msp7wM", "tango_demo0", "tango_speaker12_BVHw8aCPATM", "tango_speaker9_o7Ik1OB4TaE", "talkvid_10",
    "wav2lip_test", "silero_test",
)  # fmt: skip
"""Recordings in which one person speaks, each another one as far as their sources say."""
ALIKE = frozenset(
    name for name in SINGLE if any(person_of(name) == person_of(o) for o in SINGLE if o != name)
)
"""Two clips of the same collection whose voices are as alike as one person's; who they are is not said."""


def read(path: Path) -> Sound:
    """16 kHz mono; empty without a readable audio stream."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
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

"""The recordings that speech is judged on: how they are read, who speaks in them, and their reference turns."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from jaxtyping import Int16
from pyannote.core import Annotation, Segment, Timeline

from pipeline.perception.speech import Heard, detector
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
ALIKE = frozenset({"svid_dialogue_case1_1", "svid_side_2"})
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
    except av.error.FFmpegError as error:
        print(f"{path.name}: {error}")
    blocks += [part.to_ndarray().ravel() for part in resampler.resample(None)]
    return np.concatenate(blocks)


def find(media: Path, stem: str) -> Path:
    """The recording of this name, whatever its suffix."""
    return next(
        path for path in sorted(media.glob(f"*/{stem}.*")) if path.suffix not in {".rttm", ".uem"}
    )


def references(media: Path) -> Iterator[tuple[str, Annotation]]:
    """Reference turns of the recordings that have them."""
    found: dict[str, Annotation] = {}
    for path in sorted((media / "audio").glob("*.rttm")):
        for number, line in enumerate(path.read_text("utf-8").splitlines()):
            _, uri, _, start, seconds, _, _, speaker, *_ = line.split()
            annotation = found.setdefault(uri, Annotation(uri=uri))
            annotation[Segment(float(start), float(start) + float(seconds)), number] = speaker
    for uri, annotation in sorted(found.items()):
        if (media / "audio" / f"{uri}.wav").is_file():
            yield uri, annotation


def separated(media: Path, detect: detector.Detect) -> Annotation:
    """Turns of the sitcom mixture from its separated sources; who speaks when is then silero's word on each source."""
    annotation = Annotation(uri="seriously_mixture")
    for number in range(4):
        sound = (
            read(media / "audio" / f"seriously_source{number}.wav").astype(np.float32) / 32_768.0
        )
        for part, (start, stop) in enumerate(detect(sound)):
            annotation[Segment(start, stop), f"{number}-{part}"] = f"source {number}"
    return annotation


def spoken(heard: Heard, *, alone: bool) -> Annotation:
    """What was heard, pauses out; alone: as if one voice had said it all."""
    annotation = Annotation()
    voiced = Timeline(Segment(*part) for part in heard.voiced)
    for start, stop, speaker in heard.turns:
        for part in voiced.crop(Segment(start, stop), mode="intersection"):
            annotation[part, f"{speaker}"] = "one" if alone else f"{speaker}"
    return annotation


def overlap_scores(reference: Annotation, heard: Heard) -> str:
    """Precision and recall of the overlaps, in seconds."""
    wanted = reference.get_overlap()
    found = Timeline(Segment(*part) for part in heard.overlaps)
    right = sum(part.duration for part in wanted.crop(found, mode="intersection"))
    precision = f"{right / found.duration():.2f}" if found.duration() else "none found"
    return f"{precision} / {right / wanted.duration():.2f}" if wanted.duration() else "-"

"""The recordings that speech is judged on: how they are read, who speaks in them, and their reference turns."""

from collections.abc import Iterator, Sequence
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


def evaluated(media: Path, uri: str, seconds: float) -> Timeline:
    """What is scored of a recording: its UEM file's regions, else all of it."""
    rows = [
        line.split()
        for path in sorted((media / "audio").glob("*.uem"))
        for line in path.read_text("utf-8").splitlines()
    ]
    found = [Segment(float(start), float(stop)) for name, _, start, stop in rows if name == uri]
    return Timeline(found or [Segment(0.0, seconds)])


def separated(
    media: Path, detect: detector.Detect, numbers: Sequence[int] = range(4)
) -> tuple[Sound, Annotation]:
    """Some separated sources of the sitcom, added up, and who speaks when: silero's word on each source."""
    annotation, sources = Annotation(uri=f"sources {numbers}"), []
    for number in numbers:
        sources.append(read(media / "audio" / f"seriously_source{number}.wav"))
        for part, (start, stop) in enumerate(detect(sources[-1].astype(np.float32) / 32_768.0)):
            annotation[Segment(start, stop), f"{number}-{part}"] = f"source {number}"
    mixed = np.sum([source.astype(np.int32) for source in sources], axis=0)
    return np.clip(mixed, -32_768, 32_767).astype(np.int16), annotation


def spoken(heard: Heard, *, alone: bool) -> Annotation:
    """What was heard, pauses out; alone: as if one voice had said it all."""
    annotation = Annotation()
    voiced = Timeline(Segment(*part) for part in heard.voiced)
    for start, stop, speaker in heard.turns:
        for part in voiced.crop(Segment(start, stop), mode="intersection"):
            annotation[part, f"{speaker}"] = "one" if alone else f"{speaker}"
    return annotation


def overlap_scores(reference: Annotation, heard: Heard, within: Timeline) -> tuple[float, float]:
    """Precision and recall of the overlaps, in seconds; nan where there are none."""
    wanted = reference.get_overlap().crop(within, mode="intersection")
    found = Timeline(Segment(*part) for part in heard.overlaps).crop(within, mode="intersection")
    right = sum(part.duration for part in wanted.crop(found, mode="intersection"))
    return tuple(right / side.duration() if side.duration() else np.nan for side in (found, wanted))

"""Who speaks when in the annotated recordings, and how near listeners come to it.

Needs pyannote.metrics, whose definitions of the errors these are: no collar, overlap included.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from pyannote.core import Annotation, Segment, Timeline  # pyright: ignore[reportMissingImports] - extra `truth`
from pyannote.metrics.detection import DetectionErrorRate  # pyright: ignore[reportMissingImports] - extra `truth`
from pyannote.metrics.diarization import DiarizationErrorRate  # pyright: ignore[reportMissingImports] - extra `truth`

from pipeline.perception.speech import SpeechFunction, SpeechResult, detector
from pipeline.perception.speech.interface import SAMPLE_RATE
from research.cases import clip, clips
from research.recordings import Sound, find, read

NOBODY = np.zeros((0, 0), np.float32)


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
    media: Path, detect: detector.Detect, numbers: Sequence[int]
) -> tuple[Sound, Annotation]:
    """Some separated sources of the mixture, added up, and who speaks when: silero's word on each source."""
    annotation, sources, names = Annotation(uri=f"sources {numbers}"), [], clips("speech/sources")
    for number in numbers:
        sources.append(read(find(media, names[number])))
        for part, (start, stop) in enumerate(detect(sources[-1].astype(np.float32) / 32_768.0)):
            annotation[Segment(start, stop), f"{number}-{part}"] = f"source {number}"
    mixed = np.sum([source.astype(np.int32) for source in sources], axis=0)
    return np.clip(mixed, -32_768, 32_767).astype(np.int16), annotation


def spoken(found_speech: SpeechResult, *, alone: bool) -> Annotation:
    """What was heard, pauses out; alone: as if one voice had said it all."""
    annotation = Annotation()
    voiced = Timeline(Segment(*part) for part in found_speech.voiced)
    for start, stop, speaker in found_speech.turns:
        for part in cropped(voiced, Segment(start, stop)):
            annotation[part, f"{speaker}"] = "one" if alone else f"{speaker}"
    return annotation


def cropped(timeline: Timeline, within: Segment | Timeline) -> Timeline:
    """What of a timeline lies in a span, or in another timeline."""
    found = timeline.crop(within, mode="intersection")
    assert isinstance(found, Timeline)  # a pair only where the mapping is asked for too
    return found


def overlap_scores(
    reference: Annotation, found_speech: SpeechResult, within: Timeline
) -> tuple[float, float]:
    """Precision and recall of the overlaps, in seconds; nan where there are none."""
    wanted = cropped(reference.get_overlap(), within)
    found = cropped(Timeline(Segment(*part) for part in found_speech.overlaps), within)
    right = sum(part.duration for part in cropped(wanted, found))
    precision, recall = (
        right / side.duration() if side.duration() else np.nan for side in (found, wanted)
    )
    return precision, recall


def overlap_within(reference: Annotation, start: float, stop: float) -> float:
    """Share of a span, in seconds, in which more than one speaks."""
    span = Timeline([Segment(start, stop)])
    return cropped(reference.get_overlap(), span).duration() / (stop - start)


def judged(
    media: Path, detect: detector.Detect
) -> Iterator[tuple[str, Sound, Annotation, Timeline]]:
    """Recordings with reference turns: the annotated ones, the mixture, and two of its sources at a time."""
    for uri, reference in references(media):
        sound = read(media / "audio" / f"{uri}.wav")
        yield uri, sound, reference, evaluated(media, uri, len(sound) / SAMPLE_RATE)
    name = clip("speech/mixture")
    mixture = read(find(media, name))
    whole = Timeline([Segment(0.0, len(mixture) / SAMPLE_RATE)])
    everyone = range(len(clips("speech/sources")))
    yield name, mixture, separated(media, detect, everyone)[1], whole
    for pair in ((0, 1), (2, 3)):
        yield f"{name}, sources {pair[0]} + {pair[1]}", *separated(media, detect, pair), whole


def turns_table(
    media: Path, listeners: Mapping[str, SpeechFunction], detect: detector.Detect
) -> str:
    """Detection error, diarization error and overlap of several listeners, beside two that know no voices.

    Scored with pyannote.metrics, no collar, overlap included; errors are shares of the reference's speech.
    """
    rows = [
        "| recording | who listens | speakers (reference) | detection error | diarization error | of it confusion"
        " | overlap: precision | recall |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for uri, sound, reference, scored in judged(media, detect):
        seconds, voiced = len(sound) / SAMPLE_RATE, detect(sound.astype(np.float32) / 32_768.0)
        chance = cropped(reference.get_overlap(), scored).duration() / scored.duration()
        one = {
            "chance: always one voice": SpeechResult(
                ((0.0, seconds),), ((0.0, seconds, 0),), (), (), NOBODY
            ),
            "voice activity as one voice": SpeechResult(
                voiced, tuple((*v, 0) for v in voiced), (), (), NOBODY
            ),
        }
        found_speech = one | {name: listen(sound) for name, listen in listeners.items()}
        for name, each in found_speech.items():
            rows.append(
                turns_row(uri, name, reference, each, scored, chance if name in one else None)
            )
    return "\n".join(rows)


def turns_row(
    uri: str,
    name: str,
    reference: Annotation,
    found_speech: SpeechResult,
    scored: Timeline,
    chance: float | None,
) -> str:
    """One listener on one recording. chance: share of the sound that overlaps, for who does not listen for it."""
    found = spoken(found_speech, alone=False)
    detection = DetectionErrorRate()(reference, found, uem=scored)
    detail = DiarizationErrorRate()(reference, found, uem=scored, detailed=True)
    assert isinstance(detail, dict)  # a number only where no detail is asked for
    precision, recall = overlap_scores(reference, found_speech, scored)
    if chance is not None:
        overlap = f"{chance:.2f} (chance) | any"
    elif found_speech.overlaps:
        overlap = f"{precision:.2f} | {recall:.2f}"
    else:
        overlap = "none found | 0"
    number = f"{len(found.labels())} ({len(reference.crop(scored).labels())})"
    return (
        f"| {uri} | {name} | {number} | {detection:.3f} | {detail['diarization error rate']:.3f}"
        f" | {detail['confusion'] / detail['total']:.3f} | {overlap} |"
    )

"""Who is who over the set: one sound in two files, and one voice in two recordings.

    python -m research.truth.identity

Two clips that carry one sound, or one voice, belong to one side of the split (`identity_on_two_sides`); two clips with
the same bytes are one (`duplicate`, counted and not estimated).
"""

import argparse
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

import av
import numpy as np
from jaxtyping import Float32, Int16

from manifests.errors import run_command
from pipeline.perception.identity import DUPLICATE, fingerprint, near_duplicates
from pipeline.perception.speech import Embedded, voices
from pipeline.perception.speech.interface import SAMPLE_RATE
from pipeline.validation.footage import media_folder
from pipeline.validation.scores import Case, fraction_text, histogram, interval_text, judged
from research.cast import person_of
from research.recordings import alike, find, read, single

Sound = Int16[np.ndarray, " samples"]

SECONDS = 6
"""Length of an excerpt."""
PER_PERSON = 16
"""Cases of each class that start from one person's recording."""
CODECS = (("aac", "adts", 32_000), ("libmp3lame", "mp3", 48_000), ("libopus", "ogg", 24_000))
"""What uploads are encoded with, at low rates: name, container, bits a second."""


def section(shared: Path) -> str:
    """Both tables, as Markdown without a top heading."""
    sounds = {name: read(find(shared / "media", name)) for name in single()}
    long = {
        name: sound for name, sound in sounds.items() if len(sound) >= (SECONDS + 3) * SAMPLE_RATE
    }
    same_sound = list(sound_cases(long))
    same_voice = list(voice_cases(sounds))
    lines = [
        "| what is found | cases with, without | people | threshold | precision | recall"
        " | fitted on the other half | precision | recall | loudness alone |",
        "|---|---|---|---|---|---|---|---|---|---|",
        row("one sound in two files, cut elsewhere and encoded anew", same_sound, DUPLICATE),
        row("one voice in two stretches of 5 s", same_voice, Embedded.same_voice),
    ]
    return "\n".join(
        [
            *lines,
            "",
            "One sound: 6 s of a recording, and 6 s that begin up to 3 s later, 0 to 12 dB quieter, through AAC, MP3 or"
            " Opus at 24 to 48 kb/s; without: other people, and other seconds of the same person in the same room. One"
            " voice: stretches of one recording that do not meet, against another person's; pipelines group by the mean"
            " over all a voice says, which is surer than these 5 s.",
            *drawn("similarity, share of equal bits", same_sound, DUPLICATE),
            *drawn("cosine of two voices", same_voice, Embedded.same_voice),
        ]
    )


# ---- cases -------------------------------------------------------------------------------------


def sound_cases(sounds: Mapping[str, Sound]) -> Iterator[Case]:
    """The same sound twice, and different sounds of the same or another person."""
    draw = np.random.default_rng(70)
    names = sorted(sounds)
    for name in names:
        for number in range(PER_PERSON):
            sound = sounds[name]
            start = int(draw.integers(0, len(sound) - (SECONDS + 3) * SAMPLE_RATE + 1))
            later = start + int(draw.integers(0, 3 * SAMPLE_RATE))
            codec = CODECS[number % len(CODECS)]
            copy = encoded(quieter(part(sound, later), float(draw.uniform(0.0, 12.0))), *codec)
            yield compared_sounds(name, part(sound, start), copy, fault=True)
            other = sounds[names[int(draw.integers(len(names)))]]
            if number % 2 == 0 and len(sound) >= 2 * SECONDS * SAMPLE_RATE:
                yield compared_sounds(
                    name, part(sound, 0), part(sound, SECONDS * SAMPLE_RATE), fault=False
                )
            elif other is not sound:
                first = int(draw.integers(0, len(other) - SECONDS * SAMPLE_RATE + 1))
                copy = encoded(part(other, first), *codec)
                yield compared_sounds(name, part(sound, start), copy, fault=False)


def compared_sounds(person: str, one: Sound, other: Sound, *, fault: bool) -> Case:
    """How alike two sounds are at the lag where they fit best; 0 where no lag is worth a look."""
    found = near_duplicates([fingerprint(one), fingerprint(other)], at_least=0.0)
    value = found[0].match.similarity if found else 0.0
    return Case(person_of(person), fault, value, abs(decibels(one) - decibels(other)))


def voice_cases(sounds: Mapping[str, Sound]) -> Iterator[Case]:
    """One voice in two stretches, and two voices."""
    path = voices.model_path()
    if path is None:
        return
    encode, draw = voices.load_encoder(path), np.random.default_rng(71)
    stretch = 5 * SAMPLE_RATE

    def said(name: str, first: int, last: int) -> Said:
        """A stretch that starts between two samples: where, the voice, how loud."""
        start = int(draw.integers(first, last + 1))
        piece = sounds[name][start : start + stretch]
        return start, voice_of(encode, piece), decibels(piece)

    one_person = alike()
    everyone = [name for name in sorted(sounds) if len(sounds[name]) >= stretch]
    for name in everyone:
        end = len(sounds[name]) - stretch
        strangers = [o for o in everyone if o != name and not {o, name} <= one_person]
        for number in range(PER_PERSON):
            if end >= stretch:
                one = said(name, 0, end - stretch)
                yield compared(name, one, said(name, one[0] + stretch, end), fault=True)
            other = strangers[(number * 5 + len(name)) % len(strangers)]
            one = said(name, 0, end)
            yield compared(name, one, said(other, 0, len(sounds[other]) - stretch), fault=False)


def voice_of(encode: voices.Encode, sound: Sound) -> Float32[np.ndarray, " D"]:
    """The voice of one stretch: the mean over windows of 1.6 s, every 0.4 s."""
    wave = sound.astype(np.float32) / np.float32(32_768.0)
    mels = voices.mel(wave) * np.float32(voices.gain(wave) ** 2)
    windows = np.lib.stride_tricks.sliding_window_view(mels, 160, axis=0)[::40].transpose(0, 2, 1)
    return voices.unit(encode(np.ascontiguousarray(windows)).mean(axis=0))


Said = tuple[int, Float32[np.ndarray, " D"], float]


def compared(person: str, one: Said, other: Said, *, fault: bool) -> Case:
    """The cosine of two voices."""
    return Case(person_of(person), fault, float(one[1] @ other[1]), abs(one[2] - other[2]))


# ---- sound -------------------------------------------------------------------------------------


def part(sound: Sound, start: int) -> Sound:
    """6 s from a sample on."""
    return sound[start : start + SECONDS * SAMPLE_RATE]


def quieter(sound: Sound, by: float) -> Sound:
    """By some decibels."""
    return np.rint(sound * 10.0 ** (-by / 20.0)).astype(np.int16)


def decibels(sound: Sound) -> float:
    """Of full scale."""
    return float(10.0 * np.log10(np.mean(np.square(sound / 32_768.0)) + 1e-10))


def encoded(sound: Sound, codec: str, container: str, rate: int) -> Sound:
    """Through a lossy codec and back to 16 kHz."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as out:
        wanted = 48_000 if codec == "libopus" else SAMPLE_RATE
        stream = out.add_stream(codec, rate=wanted)
        assert isinstance(stream, av.AudioStream)  # what each of the codecs makes
        stream.bit_rate, stream.layout = rate, "mono"
        frame = av.AudioFrame.from_ndarray(sound[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        resampler = av.AudioResampler(
            format=stream.format, layout="mono", rate=wanted, frame_size=stream.frame_size or None
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    buffer.seek(0)
    back = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    with av.open(buffer, "r") as file:
        blocks = [piece for frame in file.decode(audio=0) for piece in back.resample(frame)]
    blocks += back.resample(None)
    return np.concatenate([block.to_ndarray().ravel() for block in blocks])


# ---- on paper ----------------------------------------------------------------------------------


def row(what: str, cases: list[Case], threshold: float) -> str:
    """One line: found above the threshold."""
    if not cases:
        return f"| {what} | not measured: the speaker encoder is not installed |" + " |" * 8
    result = judged(cases, keeps="<=", threshold=threshold)
    base = result.baseline
    cells = [
        what,
        f"{result.cases[0]}, {result.cases[1]}",
        f"{max(result.people)}",
        f"{threshold:g}",
    ]
    for score, (low, high) in (
        (result.own, result.own_interval),
        (result.fitted, result.fitted_interval),
    ):
        if score is result.fitted:
            cells.append(f"{result.thresholds[0]:.3g}, {result.thresholds[1]:.3g}")
        cells += [
            f"{fraction_text(score.precision)} {interval_text(low.precision, high.precision)}",
            f"{fraction_text(score.recall)} {interval_text(low.recall, high.recall)}",
        ]
    cells.append(f"{fraction_text(base.precision)}, {fraction_text(base.recall)}" if base else "–")
    return f"| {' | '.join(cells)} |"


def drawn(what: str, cases: list[Case], threshold: float) -> list[str]:
    """The histogram; the class called `fault` is what is to be found."""
    return ["", what, "", "```text", histogram(cases, threshold=threshold), "```"]


def main() -> None:
    """Print the section."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    print(section(media_folder().parent))


if __name__ == "__main__":
    run_command(main)

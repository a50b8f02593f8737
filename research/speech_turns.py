"""How well the speech backends hear: turns against reference turns, voices against each other, sounds against sounds.

    python -m research.speech_turns [--media ../shared/media] [--backend embedded] [--only turns voices ...]

Needs the folder of real recordings; prints Markdown tables. Turns are scored where pyannote.metrics is installed.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from manifests.errors import run_command
from pipeline.perception.identity import DUPLICATE, fingerprint, near_duplicates, same_sound
from pipeline.perception.speech import BACKENDS, Embedded, SpeechFunction, detector, voices
from pipeline.perception.speech.grouping import halves, likeness
from pipeline.perception.speech.interface import SAMPLE_RATE, joined
from pipeline.perception.speech.music import activation
from pipeline.perception.speech.turns import cut, windows_in
from pipeline.validation.footage import shared_folder
from research.cases import clip, clips
from research.recordings import (
    Sound,
    alike,
    find,
    read,
    single,
)


def turns(media: Path, listeners: Mapping[str, SpeechFunction], detect: detector.Detect) -> None:
    """Turns against reference turns."""
    try:
        from research.reference_turns import turns_table
    except ModuleNotFoundError as error:
        print(f"not scored: no {error.name}: pip install pyannote.metrics==4.2.0")
        return
    print(turns_table(media, listeners, detect))


def clips_table(media: Path, listen: SpeechFunction) -> None:
    """Every clip: how much is spoken, by how many, and the longest turn."""
    print(
        "\n| clip | seconds | voiced | share | speakers | longest turn |\n|---|---|---|---|---|---|"
    )
    for path in sorted((media / "video").iterdir()):
        sound = read(path)
        if len(sound) == 0:
            print(f"| {path.name} | no sound | | | | |")
            continue
        found_speech = listen(sound)
        voiced = sum(stop - start for start, stop in found_speech.voiced)
        longest = max((stop - start for start, stop, _ in found_speech.turns), default=0.0)
        seconds = len(sound) / SAMPLE_RATE
        print(
            f"| {path.name} | {seconds:.1f} | {voiced:.2f} | {voiced / seconds:.2f} | {len(found_speech.voices)}"
            f" | {longest:.2f} |"
        )


# ---- one voice or two ------------------------------------------------------------------------------------------------


def excerpts(sounds: dict[str, Sound], draw: np.random.Generator) -> Iterator[Sound]:
    """7 to 30 s of one person."""
    for sound in sounds.values():
        for _ in range(max(2, len(sound) // SAMPLE_RATE // 4)):
            length = round(draw.uniform(7.0, 30.0) * SAMPLE_RATE)
            start = round(draw.uniform(0.0, max(1, len(sound) - length)))
            yield sound[start : start + length]


def dialogues(sounds: dict[str, Sound], draw: np.random.Generator) -> Iterator[Sound]:
    """8 to 30 s of two people in turns of 1 to 4 s, equally loud."""
    one_person = alike()
    for first, second in combinations(sounds, 2):
        if {first, second} == one_person or draw.random() > 0.4:
            continue
        mine, theirs = sounds[first].astype(np.float64), sounds[second].astype(np.float64)
        theirs = theirs * mine.std() / max(float(theirs.std()), 1.0)
        length, at, parts = draw.uniform(8.0, 30.0) * SAMPLE_RATE, [0, 0], []
        while at[0] < len(mine) and at[1] < len(theirs) and sum(at) < length:
            for side, sound in enumerate((mine, theirs)):
                step = round(draw.uniform(1.0, 4.0) * SAMPLE_RATE)
                parts.append(sound[at[side] : at[side] + step])
                at[side] += step
        yield np.clip(np.concatenate(parts), -32_768, 32_767).astype(np.int16)


def count_table(media: Path, listen: SpeechFunction) -> None:
    """How often one person is split in two, and how often two people are told apart."""
    sounds = {
        name: sound for name in single() if len(sound := read(find(media, name))) > 7 * SAMPLE_RATE
    }
    draw = np.random.default_rng(7)
    one = [len(listen(sound).voices) for sound in excerpts(sounds, draw)]
    two = [len(listen(sound).voices) for sound in dialogues(sounds, draw)]
    print("\n| excerpts of | number | one voice | two voices | more |\n|---|---|---|---|---|")
    for name, counts in (("one person", one), ("two people, turns of 1 to 4 s", two)):
        shares = [
            np.mean([c == 1 for c in counts]),
            np.mean([c == 2 for c in counts]),
            np.mean([c > 2 for c in counts]),
        ]
        print(
            f"| {name} | {len(counts)} | " + " | ".join(f"{share:.1%}" for share in shares) + " |"
        )


def likeness_table(media: Path, detect: detector.Detect) -> None:
    """The likeness of the two halves of a recording, for one person and for two."""
    path = voices.model_path()
    assert path is not None
    encode, settings = voices.load_encoder(path), Embedded()
    sounds = {
        name: sound for name in single() if len(sound := read(find(media, name))) > 7 * SAMPLE_RATE
    }
    draw = np.random.default_rng(7)
    print("\n| likeness below | of one person | of two |\n|---|---|---|")
    values: list[list[float]] = []
    for make in (excerpts, dialogues):
        values.append([])
        for samples in make(sounds, draw):
            sound = samples.astype(np.float32) / 32_768.0
            chunks = joined(detect(sound), settings.bridge)
            windows = windows_in(chunks, settings.grouping.hop)
            vectors = encode(cut(voices.mel(sound), windows))
            second = halves(vectors)
            enough = (
                min(second.sum(), (~second).sum()) * settings.grouping.hop
                >= settings.grouping.least
            )
            values[-1].append(likeness(vectors, windows.middles, second) if enough else 1.0)
    for limit in (0.84, 0.86, 0.88, 0.90, 0.91, 0.92, 0.93, 0.94):
        print(
            f"| {limit:.2f} | {np.mean(np.array(values[0]) < limit):.1%} | {np.mean(np.array(values[1]) < limit):.1%} |"
        )


# ---- the same voice, the same sound ----------------------------------------------------------------------------------


def voice_of(listen: SpeechFunction, sound: Sound) -> Float32[np.ndarray, " D"] | None:
    """The voice that speaks most, if it speaks for 2 s."""
    found_speech = listen(sound)
    amount = np.zeros(len(found_speech.voices))
    for start, stop, speaker in found_speech.turns if len(found_speech.voices) else ():
        amount[speaker] += stop - start
    return (
        found_speech.voices[int(amount.argmax())] if len(amount) and amount.max() >= 2.0 else None
    )


def voices_table(media: Path, listen: SpeechFunction) -> None:
    """Cosines of one person's halves and of different people, by seconds of speech."""
    sounds, one_person = {name: read(find(media, name)) for name in single()}, alike()
    print(
        "\n| seconds of each | pairs of one person | 5 % | 25 % | median | pairs of two | median | 95 % | 99 % | most |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for seconds in (2.5, 4.0, 5.0, 7.5, 10.0):
        pieces: dict[str, list[np.ndarray]] = {}
        for name, sound in sounds.items():
            step = round(seconds * SAMPLE_RATE)
            starts = range(0, len(sound) - step + 1, step)
            found = [voice_of(listen, sound[start : start + step]) for start in list(starts)[:4]]
            pieces[name] = [voice for voice in found if voice is not None]
        same = [float(a @ b) for voices_ in pieces.values() for a, b in combinations(voices_, 2)]
        other = [
            float(a @ b)
            for first, second in combinations(pieces, 2)
            if {first, second} != one_person
            for a in pieces[first]
            for b in pieces[second]
        ]
        low = np.quantile(same, [0.05, 0.25, 0.5])
        high = np.quantile(other, [0.5, 0.95, 0.99, 1.0])
        print(
            f"| {seconds} | {len(same)} | " + " | ".join(f"{v:.3f}" for v in low)
            + f" | {len(other)} | " + " | ".join(f"{v:.3f}" for v in high) + " |"
        )  # fmt: skip


def sounds_table(media: Path) -> None:
    """Fingerprint similarity over all pairs of clips with sound."""
    words = {path.name: fingerprint(read(path)) for path in sorted((media / "video").iterdir())}
    words = {name: each for name, each in words.items() if len(each)}
    names = list(words)
    pairs = near_duplicates(list(words.values()))
    print(f"\nnear-duplicates (from {DUPLICATE}):")
    for pair in pairs:
        print(f"- {names[pair.first]}, {names[pair.second]}: {pair.match}")
    scores = sorted(same_sound(words[a], words[b]).similarity for a, b in combinations(names, 2))
    kept = np.array([score for score in scores if score > 0.0])
    shown = ", ".join(f"{q:.0%} {np.quantile(kept, q):.3f}" for q in (0.0, 0.5, 0.9, 0.99))
    print(
        f"\n{len(kept)} pairs: {shown}, highest three {', '.join(f'{score:.3f}' for score in kept[-3:])}"
    )


def music_table(media: Path) -> None:
    """Activation of speech, of music, and of the same speech with each music mixed under it.

    The speech clips are not labelled for music; some may have it.
    """
    pieces = (*clips("speech/instrumental"), *clips("speech/sung"))
    speech = {
        name: read(find(media, name))[: 12 * SAMPLE_RATE] / np.float32(32_768.0)
        for name in single()
    }
    clean = np.concatenate([activation(sound) for sound in speech.values()])
    limit = Embedded().music
    print(f"\n{len(clean)} blocks of speech: {np.mean(clean >= limit):.1%} reach {limit}")
    print(
        "\n| music | alone | under speech at 0 dB | 5 dB | 10 dB | 15 dB |\n|---|---|---|---|---|---|"
    )
    for piece in pieces:
        tune = read(find(media, piece)) / np.float32(32_768.0)
        row = [np.mean(activation(tune) >= limit)]
        for decibel in (0, 5, 10, 15):
            found = []
            for sound in speech.values():
                under = np.resize(tune, len(sound))
                gain = float(sound.std() / under.std()) * 10.0 ** (-decibel / 20.0)
                found.append(activation((sound + under * gain).astype(np.float32)))
            row.append(np.mean(np.concatenate(found) >= limit))
        print(f"| {piece} | " + " | ".join(f"{share:.0%}" for share in row) + " |")


# ---- cost ------------------------------------------------------------------------------------------------------------


def cost_table(media: Path, listen: SpeechFunction, detect: detector.Detect) -> None:
    """CPU seconds per second of sound, one thread."""
    sound = read(find(media, clip("speech/cost")))
    whole = sound.astype(np.float32) / 32_768.0
    jobs: dict[str, Callable[[], object]] = {
        "voice detection": lambda: detect(whole),
        "mel": lambda: voices.mel(whole),
        "music": lambda: activation(whole),
        "everything": lambda: listen(sound),
        "fingerprint": lambda: fingerprint(sound),
    }
    print("\n| part | CPU s per s |\n|---|---|")
    for name, job in jobs.items():
        job()
        times = []
        for _ in range(3):
            start = time.process_time()
            job()
            times.append(time.process_time() - start)
        print(f"| {name} | {min(times) / (len(sound) / SAMPLE_RATE):.5f} |")


def main() -> None:
    """Print the tables that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, default=shared_folder() / "media")
    parser.add_argument("--backend", choices=sorted(BACKENDS), default="embedded")
    parser.add_argument("--folder", type=Path, help="weights of the reference backend")
    parser.add_argument(
        "--only",
        nargs="*",
        help="turns clips count likeness voices music sounds cost; default: all",
    )
    asked = parser.parse_args()
    backend = BACKENDS[asked.backend](**({"folder": asked.folder} if asked.folder else {}))
    listen, path = backend.load(), detector.model_path()
    assert path is not None
    detect = detector.load_detector(path, 0.5)
    tables: dict[str, Callable[[], None]] = {
        "turns": lambda: turns(asked.media, {backend.name: listen}, detect),
        "clips": lambda: clips_table(asked.media, listen),
        "count": lambda: count_table(asked.media, listen),
        "likeness": lambda: likeness_table(asked.media, detect),
        "voices": lambda: voices_table(asked.media, listen),
        "music": lambda: music_table(asked.media),
        "sounds": lambda: sounds_table(asked.media),
        "cost": lambda: cost_table(asked.media, listen, detect),
    }
    print(f"{backend.name}: {backend.version}")
    for name, table in tables.items():
        if not asked.only or name in asked.only:
            print(f"\n## {name}")
            table()


if __name__ == "__main__":
    run_command(main)

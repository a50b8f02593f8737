"""Speech: turns, two voices at once, music, no speech: the backends and the filters, on people not used to set them.

    python -m research.truth.speech [--shared FOLDER] [--cases 200]

Cases are made anew from the recordings, seeded; what is made stays in memory.
"""

import argparse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from manifests.errors import run_command
from manifests.record import Why
from pipeline.perception.speech import BACKENDS, Embedded, Segmentation, detector, music
from pipeline.perception.speech.interface import SAMPLE_RATE
from pipeline.perception.speech.segmentation import at_once, load_segmentation
from pipeline.rules import CLIP_RULES
from pipeline.validation.footage import media_folder
from research.cases import clips
from research.cast import person_of
from research.mixing import Case, Wave, alone, halves, in_turn, overlapped, scored, silenced
from research.recordings import alike, find, read, single
from research.separation import Scored, area, fitted, histogram, worth
from research.truth.listeners import (
    VERSION_1_FILES,
    listen_version_1,
    own_speech,
    own_voiced,
    version_1,
)
from research.tunes import tunes

SCORING = "pip install pyannote.metrics==4.2.0"
VOICE_LEVELS = (0.0, 3.0, 6.0, 9.0, 12.0, 15.0)
MUSIC_LEVELS = (0.0, 5.0, 10.0, 15.0, 20.0)
"""Decibels under the speech."""


def everybody() -> tuple[str, ...]:
    """Recordings of one voice each, as far as their sources say."""
    return (*single(), *clips("speech/further"))


def interviews() -> frozenset[str]:
    """Clips cut out of interviews and talk shows: the other person may be heard, so they are no certain examples of one
    voice. Named before looking at values: by their source."""
    return frozenset(clips("speech/interviews"))


def instrumental() -> tuple[str, ...]:
    """Music without a voice."""
    return clips("speech/instrumental")


def sung() -> tuple[str, ...]:
    """Songs."""
    return clips("speech/sung")


def wordless() -> tuple[str, ...]:
    """Recordings without speech: music, song, film sound, silence."""
    return (*instrumental(), *sung(), *clips("speech/wordless"))


@dataclass(frozen=True, slots=True)
class SpeechContext:
    """What every table needs: the sounds, the two halves of the people, what the recordings' speech is found with."""

    shared: Path
    sounds: Mapping[str, Wave]
    fit_on: tuple[str, ...]
    reported_on: tuple[str, ...]
    detect: detector.Detect
    segment: Callable[[Wave], Float32[np.ndarray, "frame 7"]] | None
    count: int

    def sides(self, *, certain: bool = False) -> tuple[dict[str, Wave], dict[str, Wave]]:
        """The sounds of both halves; certain: only of who is alone for sure."""
        fit, reported = (
            {name: self.sounds[name] for name in side if not (certain and name in interviews())}
            for side in (self.fit_on, self.reported_on)
        )
        return fit, reported


Measure = Callable[[Wave], float]


def score(cases: Iterable[Case], measure: Measure) -> Scored:
    """The cases without their sound; clips of people who may be one count as one person's."""
    rows = [
        (tuple(dict.fromkeys(map(person_of, case.people))), case.faulty, measure(case.sound))
        for case in cases
    ]
    people, faulty, value = zip(*rows, strict=True)
    return Scored(people, np.array(faulty), np.array(value))


def decibels(sound: Wave) -> float:
    """Loudness over the whole span, full-scale decibels: what a filter that only hears loudness would measure."""
    return float(10.0 * np.log10(np.mean(np.square(sound, dtype=np.float64)) + 1e-10))


def filter_rows(name: str, fit: Scored, reported: Scored, *, fixed: float | None) -> list[str]:
    """One measure: with the threshold fitted on one half of the people and, where there is one, the rule's own."""
    rows = []
    for kind, at in (
        ("fitted", fitted(fit)),
        *((("the rule's", fixed),) if fixed is not None else ()),
    ):
        w = worth(reported, at)
        cells = (f"{m:.3f} [{a:.3f}, {b:.3f}]" for m, a, b in (w.precision, w.recall, w.kept))
        rows.append(
            f"| {name} | {at:.3g} ({kind}) | {int((~reported.faulty).sum())} + {int(reported.faulty.sum())}"
            f" | {area(reported):.3f} | {' | '.join(cells)} | {w.unknown:.0%} |"
        )
    return rows


FILTER_HEAD = [
    "| measure | dropped above | cases without + with the fault | AUC | precision | recall | kept without the fault"
    " | unknown |",
    "|---|---|---|---|---|---|---|---|",
]


def by_level(cases: list[Case], values: np.ndarray, threshold: float) -> str:
    """Recall at each level of what was put in."""
    rows = ["| dB under the speech | cases | recall |", "|---|---|---|"]
    levels = np.array([case.level for case in cases])
    for level in sorted({case.level for case in cases}):
        here = values[levels == level]
        rows.append(f"| {level:g} | {len(here)} | {np.mean(here > threshold):.2f} |")
    return "\n".join(rows)


# ---- who speaks ------------------------------------------------------------------------------------------------------


def turns_section(context: SpeechContext) -> str:
    """Who speaks when."""
    head = "### Turns, speech, overlap"
    try:
        from research.reference_turns import turns_table
    except ModuleNotFoundError as error:
        return f"{head}\n\nNot scored: no {error.name}: {SCORING}."
    listeners = {"embedded": Embedded().load()}
    if context.segment is not None:
        listeners["segmentation"] = Segmentation().load()
        listeners["segmentation's network alone, one voice"] = own_speech(context.segment)
    if (context.shared / "weights" / VERSION_1_FILES["overlap"][0]).is_file():
        listeners["pyannote.audio 1 networks, one voice"] = listen_version_1(
            context.shared / "weights"
        )
    lack = BACKENDS["pyannote"]().missing()
    return "\n\n".join(
        (
            head,
            f"`pyannote` (the reference) is not scored here: {lack}. The AMI excerpt `trn01` is from recordings that"
            " the segmentation network was trained on. The turns of the mixed sources are silero's word on each"
            " source.",
            turns_table(context.shared / "media", listeners, context.detect),
        )
    )


# ---- two voices at once ----------------------------------------------------------------------------------------------


def overlap_share(segment: Callable[[Wave], np.ndarray], onset: float, sound: Wave) -> float:
    """Share of a span in which two voices sound, as the record holds it."""
    seconds = len(sound) / SAMPLE_RATE
    return sum(stop - start for start, stop in at_once(segment(sound), onset, seconds)) / seconds


def overlap_section(context: SpeechContext) -> str:
    """The filter `overlapped_speech`."""
    head = "### `overlapped_speech`"
    if context.segment is None:
        return f"{head}\n\nNot measured: {Segmentation().missing()}. The embedded backend hears no overlap: `unknown`."
    onset, rule = Segmentation().onset, threshold(Why.OVERLAPPED_SPEECH)
    measure = partial(overlap_share, context.segment, onset)
    made = [
        [
            *alone(clean, context.count, seed),
            *overlapped(
                every, context.detect, 2 * context.count, levels=VOICE_LEVELS, seed=seed + 1
            ),
        ]
        for clean, every, seed in zip(
            context.sides(certain=True), context.sides(), (10, 20), strict=True
        )
    ]
    fit, reported = (score(cases, measure) for cases in made)
    rows = [*FILTER_HEAD]
    for limit in (6.0, 9.0, 15.0):
        within = [np.array([case.level <= limit for case in cases]) for cases in made]
        name = f"two voices, the second 0 to {limit:g} dB under"
        rows += filter_rows(name, fit.where(within[0]), reported.where(within[1]), fixed=rule)
    loud = [score(cases, decibels) for cases in made]
    rows += filter_rows("loudness only, dB", *loud, fixed=None)
    if (context.shared / "weights" / VERSION_1_FILES["overlap"][0]).is_file():
        old = version_1(context.shared / "weights", "overlap")
        mean = [
            score(cases[:: max(1, len(cases) // 40)], lambda s: float(np.mean(old(s))))
            for cases in made
        ]
        rows += filter_rows(
            "pyannote.audio 1, mean probability (every few cases)", *mean, fixed=None
        )
    faulty = [case for case in made[1] if case.faulty]
    return "\n\n".join(
        (
            head,
            f"Value: share of a span of 5 to 10 s in which the segmentation network puts two voices at {onset:g} or"
            " more. Without the fault: recordings of one person as they are. With it: a second person over a fifth"
            " to all of the span. The embedded backend does not listen for overlap (`unknown` for every clip); for the"
            " segmentation backend none is unknown.",
            "\n".join(rows),
            "By level, people not fitted on, at the rule's number:",
            by_level(faulty, reported.value[reported.faulty], rule),
            "Where the values lie (both halves, all levels):",
            histogram(
                joined_scores(fit, reported), (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.01)
            ),
            "Dropped at the rule's number among spans whose label is less sure, or which have another fault:",
            others(context, measure, rule),
        )
    )


def others(context: SpeechContext, measure: Measure, rule: float) -> str:
    """What the overlap filter does where no overlap was put in, but something else is there."""
    reported = context.sides()[1]
    from_interviews = {
        name: context.sounds[name] for name in context.sounds if name in interviews()
    }
    certain = context.sides(certain=True)[1]
    groups = {
        "clips from interviews, as they are (the other may be heard)": alone(from_interviews, context.count // 2, 30),
        "two people in turn, 0.2 s between them": in_turn(reported, context.count // 4, 31),
        "made-up music under one voice": scored(
            certain, tunes(range(100, 102)), context.detect, context.count // 4, levels=MUSIC_LEVELS,
            kind="music", seed=32,
        ),
        "real music under one voice": scored(
            certain, real_music(context.shared, instrumental()), context.detect, context.count // 4,
            levels=MUSIC_LEVELS, kind="music", seed=33,
        ),
    }  # fmt: skip
    rows = ["| spans | cases | people | dropped |", "|---|---|---|---|"]
    for name, cases in groups.items():
        seen = score(cases, measure)
        people = len({group[0] for group in seen.people})
        rows.append(f"| {name} | {len(seen.value)} | {people} | {np.mean(seen.value > rule):.0%} |")
    rows += natural(context, measure, rule)
    return "\n".join(rows)


def natural(context: SpeechContext, measure: Measure, rule: float) -> list[str]:
    """Spans of 5 s of the annotated conversations, by what the reference says of them; none without its library."""
    try:
        from research.reference_turns import overlap_within, references
    except ModuleNotFoundError as error:
        return [f"| annotated conversations (no {error.name}: {SCORING}) | 0 | 0 | |"]
    sides: dict[bool, list[bool]] = {False: [], True: []}
    for uri, reference in references(context.shared / "media"):
        sound = read(find(context.shared / "media", uri)).astype(np.float32) / 32_768.0
        for start in range(0, int(len(sound) / SAMPLE_RATE) - 4, 5):
            share = overlap_within(reference, start, start + 5.0)
            sides[share > rule].append(
                measure(sound[start * SAMPLE_RATE : (start + 5) * SAMPLE_RATE]) > rule
            )
    return [
        f"| annotated conversations, reference {'above' if over else 'up to'} {rule:g} | {len(found)} | 4 recordings"
        f" | {np.mean(found):.0%} |"
        for over, found in sides.items()
        if found
    ]


def joined_scores(a: Scored, b: Scored) -> Scored:
    """Both halves."""
    return Scored(
        a.people + b.people,
        np.concatenate([a.faulty, b.faulty]),
        np.concatenate([a.value, b.value]),
    )


# ---- music, and no speech --------------------------------------------------------------------------------------------


def real_music(shared: Path, names: Iterable[str]) -> dict[str, Wave]:
    """Real recordings by name."""
    return {
        name: read(find(shared / "media", name)).astype(np.float32) / 32_768.0 for name in names
    }


def music_share(limit: float, sound: Wave) -> float:
    """Share of a span in which music is heard, as the record holds it; nan where it is too short to tell."""
    if len(music.activation(sound)) == 0:
        return float("nan")
    found = music.find_music(sound, limit)
    return sum(stop - start for start, stop in found) / (len(sound) / SAMPLE_RATE)


def music_section(context: SpeechContext) -> str:
    """The filter `music_under_speech`."""
    limit, rule = Embedded().music, threshold(Why.MUSIC)
    clean = [
        list(alone(side, context.count, seed))
        for side, seed in zip(context.sides(), (40, 41), strict=True)
    ]
    pieces = (tunes(range(5)), tunes(range(5, 10)))
    made_up = [
        list(
            scored(
                side,
                own,
                context.detect,
                context.count,
                levels=MUSIC_LEVELS,
                kind="made-up music",
                seed=seed,
            )
        )
        for side, own, seed in zip(context.sides(), pieces, (42, 43), strict=True)
    ]
    rows, made = [*FILTER_HEAD], [a + b for a, b in zip(clean, made_up, strict=True)]
    fit, reported = (score(cases, partial(music_share, limit)) for cases in made)
    rows += filter_rows("made-up music, 0 to 20 dB under", fit, reported, fixed=rule)
    steady = [score(cases, steadiness) for cases in made]
    rows += filter_rows("the same, by the median activation", *steady, fixed=None)
    shown = {"made-up music": (made_up[1], reported.value[reported.faulty])}
    for name, names in (
        ("real instrumental music (one piece)", instrumental()),
        ("real song (two pieces)", sung()),
    ):
        under = list(
            scored(context.sides()[1], real_music(context.shared, names), context.detect, context.count,
                   levels=MUSIC_LEVELS, kind=name, seed=44)
        )  # fmt: skip
        seen = score(clean[1] + under, partial(music_share, limit))
        rows += filter_rows(f"{name}, threshold from made-up music", fit, seen, fixed=rule)
        shown[name] = (under, seen.value[seen.faulty])
    rows += filter_rows(
        "loudness only, dB, made-up music", *(score(cases, decibels) for cases in made), fixed=None
    )
    told_at = "people not fitted on, at the rule's number"
    tables = [f"{name}, {told_at}:\n\n{by_level(c, v, rule)}" for name, (c, v) in shown.items()]
    return "\n\n".join(
        (
            "### `music_under_speech`",
            f"Value: share of a span with an activation of {limit:g} or more (Seyerlehner 2007). Without the fault:"
            " recordings of speech as they are, not labelled for music. With it: music under the whole span."
            " Made-up music is four styles of chords, melody and drums (`research/tunes.py`), other pieces in"
            " each half; real music is little: one instrumental piece, two songs, under the people not fitted on.",
            "\n".join(rows),
            *tables,
            "Where the values lie (made-up music, both halves):",
            histogram(joined_scores(fit, reported), (0.0, 0.1, 0.25, 0.5, 0.75, 1.01)),
        )
    )


def steadiness(sound: Wave) -> float:
    """Median activation of a span."""
    found = music.activation(sound)
    return float(np.median(found)) if len(found) else float("nan")


def unvoiced(detect: detector.Detect, sound: Wave) -> float:
    """Share of a span in which nobody speaks: rises with the fault."""
    return 1.0 - sum(stop - start for start, stop in detect(sound)) / (len(sound) / SAMPLE_RATE)


def silence_section(context: SpeechContext) -> str:
    """The filter `no_speech`."""
    silent = real_music(context.shared, wordless())
    cut, cutter = (
        context.detect,
        "silero-vad (the one that is judged: the segmentation network is not here)",
    )
    if context.segment is not None:
        cut = partial(own_voiced, context.segment)
        cutter = "the segmentation network (another one than is judged)"
    made = [
        [
            *alone(side, context.count, seed),
            *silenced(side, cut, context.count, seed + 1),
        ]
        for side, seed in zip(context.sides(), (50, 60), strict=True)
    ]
    fit, reported = (score(cases, partial(unvoiced, context.detect)) for cases in made)
    rows = [
        *FILTER_HEAD,
        *filter_rows("share without speech; voice cut out", fit, reported, fixed=ONE_FRAME),
    ]
    rows += filter_rows(
        "loudness only, dB below 0",
        *(score(cases, lambda s: -decibels(s)) for cases in made),
        fixed=None,
    )
    pieces = {name: sound for name, sound in silent.items() if len(sound) >= SAMPLE_RATE // 2}
    heard = [(name, 1.0 - unvoiced(context.detect, sound)) for name, sound in pieces.items()]
    listed = "; ".join(f"{name} {share:.2f}" for name, share in heard)
    return "\n\n".join(
        (
            "### `no_speech`",
            "Value: share of the span without speech (silero-vad); the rule drops where not one frame of 25 FPS is"
            f" voiced. With the fault: the same recordings with the voice cut out where {cutter} finds any, and"
            " their pauses repeated, every other time as loud as the voice.",
            "\n".join(rows),
            f"Voiced share of real recordings without speech (song, music, film sound, silence): {listed}.",
            "Where the values lie (both halves):",
            histogram(joined_scores(fit, reported), (0.0, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0, 1.01)),
        )
    )


ONE_FRAME = 1.0 - 0.04 / 10.0
"""Share of a span of 10 s without speech from which less than one frame of 25 FPS is voiced."""


def threshold(why: Why) -> float:
    """The rule's own number."""
    return next(rule.threshold for rule in CLIP_RULES if rule.why is why)


def context_of(shared: Path, count: int) -> SpeechContext:
    """The recordings read, the detectors loaded."""
    path = detector.model_path()
    assert path is not None
    file = Segmentation().file
    fit, reported = halves(everybody(), [alike()])
    return SpeechContext(
        shared=shared,
        sounds=real_music(shared, everybody()),
        fit_on=fit,
        reported_on=reported,
        detect=detector.load_detector(path, Embedded().threshold),
        segment=None if file is None else load_segmentation(file),
        count=count,
    )


ABOUT = """Thresholds are fitted on {fit} people and every figure is of {told} others; {count} cases a class and half at
least. Precision weighs both classes alike. Intervals: 95 %, from 1000 bootstrap samples of people (a case made of two
people weighs the product of their counts). Target: precision 0.99 and recall 0.97."""


def section(shared: Path, count: int = 200) -> str:
    """Everything about speech, as Markdown without a top heading."""
    context = context_of(shared, count)
    fit, reported = (
        len(set(map(person_of, side))) for side in (context.fit_on, context.reported_on)
    )
    about = ABOUT.format(fit=fit, reported=reported, count=count)
    parts = (turns_section, overlap_section, music_section, silence_section)
    return "\n\n".join([about, *(part(context) for part in parts)]) + "\n"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path)
    parser.add_argument("--cases", type=int, default=200)
    given = parser.parse_args()
    print(section(given.shared or media_folder().parent, given.cases))


if __name__ == "__main__":
    run_command(main)

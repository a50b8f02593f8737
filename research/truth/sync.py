"""Whose voice it is, and at which offset: each sync backend on people no number was set on.

    python -m research.truth.sync [--shared FOLDER] [--fold report|fit]

Clips are read once and kept in work/sync-cache, or where COSPEECH_SYNC_CACHE says, under a name of all that decides
what is read; what older code, libraries or footage left there is never read again and may be deleted.

The backends are those that ship: what they have been fitted on, and the limits of their decisions, are people of `fit`
(research/folds.py, research/truth/sync_fit.py); `--fold fit` shows these, each third of them with what was fitted on
the others. A case is five seconds, the shortest clip that the pipeline keeps.

Nobody knows the offset that a clip came with, so none is assumed: what is found in one stretch of a recording, with its
sound moved by a planted number of frames, is compared with what is found in other stretches of it.
"""

import argparse
import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from manifests.errors import run_command
from manifests.geometry import SAMPLES_PER_FRAME
from pipeline.media.decode import Count, span
from pipeline.media.probe import probe
from pipeline.perception.resampling import bootstrap_statistic
from pipeline.perception.sync import ActiveSpeaker, Embedded, SyncScore
from pipeline.perception.sync.interface import REACH
from pipeline.perception.sync.mfcc import STEPS_PER_FRAME
from pipeline.stages.s090_sync import LATEST
from pipeline.validation.footage import shared_folder
from research.cases import clips
from research.folds import FOLDS, Fold
from research.recordings import read
from research.truth.sync_clips import Person, others, people, resting, who
from research.truth.sync_fit import PARTS, everybody, fit, parted, shipped_fit
from research.truth.sync_judges import Judge, judges, kept, picture_features

STRETCH = 125
"""Frames: 5 s, the shortest clip."""
HOP = 50
"""Frames between two stretches of a recording."""
FOREIGN = 6
"""Foreign voices for each stretch and kind."""
SHIFTS = (1, 2, 3, 5, 8, 10, 12, 15, 20, 25)
"""Planted frames, each early and late."""
NEAR = 1.0
"""Frames: so near to what was planted is right."""
FARTHEST = 50
"""Frames by which two files of one take may lie apart."""
DRAWS = 1000
SURE: Mapping[str, float | None] = {
    "embedded": Embedded().sure_from,
    "light-asd": ActiveSpeaker("light-asd").sure_from,
}
"""Confidence from which a backend's offset is believed."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Five seconds of one person. part: of the people, which tells what is fitted on others."""

    person: Person
    start: int

    @property
    def who(self) -> str:
        """The person's name."""
        return self.person.who

    @property
    def recording(self) -> str:
        """The file that it is from."""
        return self.person.name.rpartition(".")[0].partition("@")[0]

    @property
    def take(self) -> tuple[str, int]:
        """The file and the number of cuts before: what is after a cut may have another offset."""
        cuts = (cut.rpartition("@") for cut in clips("sync/cuts"))
        before = [
            1 for file, _, frame in cuts if file == self.recording and int(frame) <= self.begin
        ]
        return self.recording, len(before)

    @property
    def begin(self) -> int:
        """First frame in the file."""
        return self.start + int(self.person.name.rpartition(".")[0].partition("@")[2] or 0)

    def judged(self, judge: Judge, voice: "Stretch", *, late: int = 0) -> SyncScore:
        """This face with a voice that comes `late` frames later."""
        sound = voice.person.audio(voice.start, voice.start + STRETCH, late=late)
        return judge(self.person, self.start, self.start + STRETCH, sound)


@dataclass(frozen=True, slots=True)
class Case:
    """Whose face, of which kind, and what was measured."""

    who: str
    kind: str
    score: SyncScore


def stretches(cast: Sequence[Person]) -> list[Stretch]:
    """All of them that have sound at every offset."""
    return [
        Stretch(person, start)
        for person in cast
        for start in range(REACH, len(person) - REACH - STRETCH + 1, HOP)
    ]


# ---- voices ----------------------------------------------------------------------------------------------------------

OWN, ANYONE, SAME_SEX, EARLIER = (
    "own",
    "another person",
    "another person of the same sex",
    "the same person at another time",
)


def voices(cast: Sequence[Person], judge: Judge, sexes: Mapping[str, str]) -> list[Case]:
    """Every face with its own voice, and with foreign ones of three kinds, seeded."""
    random, some = np.random.default_rng(406), stretches(cast)
    found: list[Case] = []
    for one in some:
        found.append(Case(one.who, OWN, one.judged(judge, one)))
        foreign = {
            ANYONE: [two for two in some if two.who != one.who],
            SAME_SEX: [
                two
                for two in some
                if two.who != one.who and sexes.get(two.who) == sexes.get(one.who, "?")
            ],
            EARLIER: [
                two
                for two in some
                if two.recording == one.recording and abs(two.begin - one.begin) >= STRETCH
            ],
        }
        for kind, among in foreign.items():
            for at in random.permutation(len(among))[:FOREIGN]:
                found.append(Case(one.who, kind, one.judged(judge, among[at])))
    return found


def listeners(at_rest: Sequence[Person], cast: Sequence[Person], judge: Judge) -> list[Case]:
    """Faces that do not speak, each with some voices."""
    random, some = np.random.default_rng(408), stretches(cast)
    return [
        Case(person.who, "at rest", Stretch(person, start).judged(judge, some[at]))
        for person in at_rest
        for start in range(0, len(person) - STRETCH + 1, HOP)
        for at in random.permutation(len(some))[:FOREIGN]
    ]


def sexes_of(shared: Path) -> dict[str, str]:
    """By the notes of more.tsv on clips of one person: w or m, where they say."""
    found: dict[str, str] = {}
    with (shared / "media" / "more.tsv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            words = row["notes"].lower().replace(",", " ").split()
            said = [{"woman": "w", "man": "m"}[word] for word in words if word in ("woman", "man")]
            if row["people"] == "1" and said:
                found[row["person_ids"]] = said[0]
    return found


# ---- offsets ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Planted:
    """A planted offset and what was found. late, error: frames; error is None where no other stretch is sure."""

    who: str
    late: int
    error: float | None
    sure: bool
    score: SyncScore


def planted(cast: Sequence[Person], judge: Judge, sure_from: float) -> list[Planted]:
    """Every stretch with its own voice moved, beside the median of what other stretches of the recording surely say."""
    some = stretches(cast)
    own = [one.judged(judge, one) for one in some]
    found: list[Planted] = []
    for one in some:
        apart = [
            score.shift
            for two, score in zip(some, own, strict=True)
            if two.take == one.take
            and abs(two.begin - one.begin) >= STRETCH
            and score.confidence >= sure_from
        ]
        if not apart:
            continue
        came = float(np.median(apart))
        for late in sorted({0, *SHIFTS, *(-shift for shift in SHIFTS)}):
            if not fits(one, late):
                continue
            score = one.judged(judge, one, late=late)
            error = score.shift - came - late if abs(came + late) <= REACH else None
            found.append(Planted(one.who, late, error, score.confidence >= sure_from, score))
    return found


def takes_table(media: Path, found: Mapping[str, Judge]) -> str:
    """Two files of one take: how far their sounds lie apart, by picture and by sound, and what is measured of each."""
    lines = [
        "| file | pictures begin at | sound begins at | so its sound is later by | whole: "
        + " | whole: ".join(f"{name}: offset (confidence), match" for name in SURE if name in found)
        + " |",
        "|---|---|---|---|" + "---|" * len([name for name in SURE if name in found]),
    ]
    cast = {one.name.rpartition(".")[0]: one for one in people(media, kept(), clips("sync/pairs"))}
    for name in sorted(cast):
        other = next(two for two in cast if two != name and who(f"{two}.0") == who(f"{name}.0"))
        picture = picture_lag(located(media, name), located(media, other))
        sound = sound_lag(located(media, name), located(media, other))
        one = cast[name]
        start, stop = REACH, len(one) - REACH
        scores = [
            found[judge](one, start, stop, one.audio(start, stop))
            for judge in SURE
            if judge in found
        ]
        cells = [f"{s.shift:+.1f} ({s.confidence:.1f}), {s.speaking:+.1f}" for s in scores]
        later = f"{picture - sound:+.0f}"
        lines.append(f"| {name} | {picture:+.0f} | {sound:+.0f} | {later} | {' | '.join(cells)} |")
    return "\n".join(lines)


def located(media: Path, name: str) -> Path:
    """A clip of either folder."""
    return media / name if (media / name).is_file() else media.with_name("more") / name


def picture_lag(one: Path, other: Path) -> float:
    """At which frame of another file the pictures of one begin, by the least difference of small grey pictures."""
    first, second = (small_pictures(file) for file in (one, other))
    return _lag(
        lambda lag: float(
            np.abs(_under(first, second, lag)[0] - _under(first, second, lag)[1]).mean()
        )
    )


def sound_lag(one: Path, other: Path) -> float:
    """At which frame of another file the sound of one begins, by the highest correlation of their loudness."""
    first, second = (loudness_of(read(file)) for file in (one, other))
    per = STEPS_PER_FRAME
    return _lag(lambda lag: -float(np.corrcoef(*_under(first, second, lag * per))[0, 1]))


def _lag(cost: Callable[[int], float]) -> float:
    lags = range(-FARTHEST, FARTHEST + 1)
    return float(min(lags, key=cost))


def _under(one: np.ndarray, other: np.ndarray, lag: int) -> tuple[np.ndarray, np.ndarray]:
    """What is common of two series, the first beginning at `lag` of the second."""
    first, second = one[max(0, -lag) :], other[max(0, lag) :]
    length = min(len(first), len(second))
    return first[:length], second[:length]


def loudness_of(sound: np.ndarray) -> np.ndarray:
    """Log power every 10 ms."""
    step = SAMPLES_PER_FRAME // STEPS_PER_FRAME
    whole = sound[: len(sound) // step * step].astype(np.float64).reshape(-1, step)
    return np.log(np.square(whole).mean(axis=1) + 1.0)


def small_pictures(file: Path) -> np.ndarray:
    """Grey pictures of 32 by 18 at 25 frames per second, as floats."""
    media = probe(file)
    shown = span(file, media, media.timeline, start=0, stop=media.grid_frames, count=Count())
    return np.stack(
        [
            cv2.resize(picture.rgb(), (32, 18), interpolation=cv2.INTER_AREA).mean(axis=2)
            for _, picture in shown
        ]
    )


def fits(one: Stretch, late: int) -> bool:
    """Whether the sound reaches far enough for a voice that is so late."""
    return one.start - REACH - late >= 0 and one.start + STRETCH + REACH - late <= len(one.person)


# ---- figures ---------------------------------------------------------------------------------------------------------

Number = Callable[[Sequence[Case]], float]


def shown(cases: Sequence[Case], number: Number) -> str:
    """A figure with its 95 % interval, people drawn with replacement."""
    by_person: dict[str, list[Case]] = {}
    for one in cases:
        by_person.setdefault(one.who, []).append(one)
    groups = list(by_person.values())
    low, high = bootstrap_statistic(
        lambda drawn: number([one for at in drawn for one in groups[at]]),
        people=len(groups),
        seed=407,
        draws=DRAWS,
    )
    return f"{number(cases):.3f} ({low:.2f} to {high:.2f})"


def dropped(cases: Sequence[Case], kind: str) -> float:
    """Of the cases of a kind, the fraction below 0; NaN without any."""
    some = [one.score.speaking < 0.0 for one in cases if one.kind == kind]
    return float(np.mean(some)) if some else float("nan")


def precision(cases: Sequence[Case], kind: str) -> float:
    """Of what is below 0, the fraction with this fault, own voices and the fault equally frequent; NaN without any."""
    hit, missed = dropped(cases, kind), dropped(cases, OWN)
    return hit / (hit + missed) if hit + missed > 0.0 else float("nan")


def auc(cases: Sequence[Case], kind: str, value: Callable[[SyncScore], float]) -> float:
    """Chance that an own voice is above one of a kind; NaN without any."""
    own = np.array([value(one.score) for one in cases if one.kind == OWN])
    other = np.array([value(one.score) for one in cases if one.kind == kind])
    if not len(own) or not len(other):
        return float("nan")
    return float((own[:, None] > other).mean() + 0.5 * (own[:, None] == other).mean())


# ---- tables ----------------------------------------------------------------------------------------------------------


def voices_table(found: Mapping[str, list[Case]]) -> str:
    """What `not_the_speaker` makes of foreign voices."""
    lines = [
        "| backend | voice | own + foreign | AUC | precision | recall |",
        "|---|---|---|---|---|---|",
    ]
    for name, cases in found.items():
        own = sum(one.kind == OWN for one in cases)
        for kind in (ANYONE, SAME_SEX, EARLIER):
            count = sum(one.kind == kind for one in cases)
            if not count:
                continue
            cells = [name, kind, f"{own} + {count}"]
            cells.append(f"{auc(cases, kind, lambda score: score.speaking):.3f}")
            if name in SURE and dropped(cases, kind) > 0.0:
                cells.append(shown(cases, lambda some, kind=kind: precision(some, kind)))
                cells.append(shown(cases, lambda some, kind=kind: dropped(some, kind)))
            else:
                cells += ["no decision", "–"] if name not in SURE else ["nothing dropped", "0"]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def chance_table(found: Mapping[str, list[Case]]) -> str:
    """How often a backend is sure of an offset that its own voice, or a foreign one, has."""
    lines = [
        "| backend | sure from | own voices sure | foreign voices sure | of the sure, by chance at most |",
        "|---|---|---|---|---|",
    ]
    for name, sure_from in SURE.items():
        cases = found.get(name)
        if cases is None:
            continue
        if sure_from is None:
            lines.append(f"| {name} | never | | | |")
            continue
        own = [one.score.confidence >= sure_from for one in cases if one.kind == OWN]
        other = [one.score.confidence >= sure_from for one in cases if one.kind == ANYONE]
        chance = np.mean(other) / max(float(np.mean(own)), 1e-9)
        lines.append(
            f"| {name} | {sure_from:g} | {sum(own)} of {len(own)} | {sum(other)} of {len(other)} | {chance:.3f} |"
        )
    return "\n".join(lines)


def offsets_table(found: Mapping[str, list[Planted]]) -> str:
    """What was found of planted offsets, where a backend is sure."""
    lines = [
        "| backend | planted, frames | cases | sure | right within one frame, where sure | below 0 |",
        "|---|---|---|---|---|---|",
    ]
    for name, cases in found.items():
        groups: list[tuple[str, list[Planted]]] = [
            (f"±{shift}" if shift else "0", [one for one in cases if abs(one.late) == shift])
            for shift in (0, *SHIFTS)
        ]
        groups.append(("10 and more", [one for one in cases if abs(one.late) >= 10]))
        groups.append(("all", cases))
        for label, some in groups:
            if some:
                lines.append(f"| {name} | {label} | {' | '.join(_offsets(some))} |")
    return "\n".join(lines)


def _offsets(some: Sequence[Planted]) -> Iterator[str]:
    yield f"{len(some)}"
    yield f"{np.mean([one.sure for one in some]):.2f}"
    sure = [
        Case(one.who, str(abs(one.error) <= NEAR), one.score)
        for one in some
        if one.sure and one.error is not None
    ]
    yield (
        shown(sure, lambda cases: float(np.mean([one.kind == "True" for one in cases])))
        if sure
        else "–"
    )
    yield f"{np.mean([one.score.speaking < 0.0 for one in some]):.2f}"


def fewer(found: Mapping[str, list[Planted]]) -> str:
    """What `out_of_sync` and the moving of sound make of voices 10 frames off and more."""
    lines = [
        "| backend | cases at 0 + at 10 and more | acted on: precision | recall |",
        "|---|---|---|---|",
    ]
    for name, cases in found.items():
        still = [one for one in cases if abs(one.late) <= 1]
        far = [one for one in cases if abs(one.late) >= 10]
        wrong = np.mean([acted(one) for one in still]) if still else float("nan")
        right = np.mean([acted(one) for one in far]) if far else float("nan")
        value = right / (right + wrong) if right + wrong > 0.0 else float("nan")
        lines.append(f"| {name} | {len(still)} + {len(far)} | {value:.3f} | {right:.3f} |")
    return "\n".join(lines)


def acted(one: Planted) -> bool:
    """Whether a clip is moved or dropped for what is measured: surely off, or another's voice, though it came in time.

    What the recording came with is taken off: a clip that is off by itself is rightly acted on.
    """
    own = one.error is None or abs(one.error + one.late) > LATEST
    return one.score.speaking < 0.0 or (one.sure and own)


def listeners_table(found: Mapping[str, list[Case]]) -> str:
    """Faces at rest beside another's voice."""
    lines = ["| backend | cases | people | below 0 |", "|---|---|---|---|"]
    for name in SURE:
        if cases := found.get(name):
            count = len({one.who for one in cases})
            lines.append(f"| {name} | {len(cases)} | {count} | {dropped(cases, 'at rest'):.3f} |")
    return "\n".join(lines)


def clips_table(cast: Sequence[Person], found: Mapping[str, Judge]) -> str:
    """Offset, confidence and match of stretches as they came."""
    names = [name for name in SURE if name in found]
    lines = [
        f"| stretch | {' | '.join(f'{name}: offset (confidence), match' for name in names)} |",
        f"|---|{'---|' * len(names)}",
    ]
    for one in stretches(cast):
        scores = [one.judged(found[name], one) for name in names]
        cells = [f"{s.shift:+.1f} ({s.confidence:.1f}), {s.speaking:+.1f}" for s in scores]
        lines.append(f"| {one.recording}@{one.begin} | {' | '.join(cells)} |")
    return "\n".join(lines)


# ---- the section -----------------------------------------------------------------------------------------------------


def judged_people(shared: Path, fold: Fold) -> list[tuple[list[Person], dict[str, Judge]]]:
    """People with the judges that know none of them: those that ship, or of each part of `fit` its own."""
    cast = everybody(shared, fold)
    visual = picture_features(shared, cast)
    if fold == "report":
        return [(cast, judges(shared, shipped_fit(), visual))]
    part = parted(cast)
    found: list[tuple[list[Person], dict[str, Judge]]] = []
    for number in range(PARTS):
        rest = [one for one in cast if part[one.who] != number]
        fitted = fit(rest, visual)
        found.append(
            ([one for one in cast if part[one.who] == number], judges(shared, fitted, visual))
        )
    return found


def section(shared: Path, fold: Fold = "report") -> str:
    """Markdown: foreign voices, planted offsets, chance, listeners, and clips as they came."""
    media, groups, sexes = shared / "media" / "video", judged_people(shared, fold), sexes_of(shared)
    said: dict[str, list[Case]] = {}
    off: dict[str, list[Planted]] = {}
    for cast, found in groups:
        for name, judge in found.items():
            said.setdefault(name, []).extend(voices(cast, judge, sexes))
            if sure_from := SURE.get(name):
                off.setdefault(name, []).extend(planted(cast, judge, sure_from))
    cast = [one for some, _ in groups for one in some]
    parts = [
        about(cast, fold),
        "#### Another's voice (`not_the_speaker`)",
        voices_table(said),
        "#### Sure by chance",
        chance_table(said),
        "#### Planted offsets",
        offsets_table(off),
        "#### Voices 10 frames off and more (`out_of_sync`, or moved)",
        fewer(off),
    ]
    if fold == "report":
        found = groups[0][1]
        still = [p for p in people(media, kept(), others()) if p.name.startswith(resting())]
        visual = picture_features(shared, [*still, *cast])
        beside = judges(shared, shipped_fit(), visual)
        rest = {name: listeners(still, cast, judge) for name, judge in beside.items()}
        parts += [
            "#### Faces at rest beside another's voice (`not_the_speaker`)",
            listeners_table(rest),
        ]
        paired = list(people(media, kept(), clips("sync/pairs")))
        beside = judges(shared, shipped_fit(), picture_features(shared, paired))
        parts += ["#### One take before and after it was synchronised again", TAKES]
        parts.append(takes_table(media, beside))
        dubbed = list(people(media, kept(), clips("sync/dubbed")))
        beside = judges(shared, shipped_fit(), picture_features(shared, dubbed))
        parts += ["#### Voices that may be dubbed", clips_table(dubbed, beside)]
        parts += ["#### Clips as they came", clips_table(cast, found)]
    return "\n\n".join(parts)


TAKES = (
    "Both files of a pair show one take; how far the sound of one lies from that of the other is counted here from "
    "pictures and sounds alone. At most one of two can be in sync. Their publisher calls the shorter file corrected; "
    "which of the two a backend finds in sync is in the last columns."
)


def about(cast: Sequence[Person], fold: Fold) -> str:
    """What the cases are."""
    talking = len({one.who for one in cast})
    return (
        f"{len({Stretch(one, 0).recording for one in cast})} clips of {talking} people with their own voice, "
        f"of the fold `{fold}`: {len(stretches(cast))} stretches of {STRETCH} frames. What was fitted and every limit "
        f"are of other people. Intervals: 95 %, {DRAWS} draws of people. Precision weighs own and foreign alike. "
        "An offset is right where it is one frame or less from the planted one, beside the median of what other "
        "stretches of the recording surely say; recordings of one stretch, or without a sure one, have no such case. "
        "Below 0: dropped as another's voice."
    )


def main() -> None:
    """Print the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=shared_folder())
    parser.add_argument("--fold", choices=FOLDS, default="report")
    given = parser.parse_args()
    print(section(given.shared, given.fold))


if __name__ == "__main__":
    run_command(main)

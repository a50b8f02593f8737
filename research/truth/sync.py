"""Who speaks, at which offset, how sure: each sync backend on real people, beside opening against loudness.

    python -m research.truth.sync [--shared FOLDER]

Clips are read once and kept in work/sync-cache, or where COSPEECH_SYNC_CACHE says, under a name of all that decides
what is read; what older code, libraries or footage left there is never read again and may be deleted.

Nobody knows the offset that a clip came with, so none is assumed: an offset is measured in one half of a clip, then in
the other half, whose sound was moved by a planted number of frames. No frame is in both halves. Whatever was fitted was
fitted on others: axes on four fifths of the people, thresholds on the half of the people that is not reported.

That light-asd believes an offset only where the phonetic signs name the same (`MAX_DISAGREEMENT`) was not: the rule was
added after these same people had been scored, and is reported on them. Before it, of the answers of which light-asd was
sure, 0.847 were right within one frame where both halves of a clip were sure (131 of 168 asked) and 0.761 where only
the tested half was (92 of 304), and thresholds did not carry over from ten people to ten others. No interval printed
here covers that choice, nor how few the people are. `sure_from` rests on how often a foreign voice of the same people
makes it sure, and was looked at on people to whom nothing was fitted (`sync_whole`).
"""

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from manifests.errors import run_command
from manifests.record import Why
from pipeline.perception.resampling import bootstrap_statistic
from pipeline.perception.sync import ActiveSpeaker, speaker_of
from pipeline.perception.sync.interface import REACH
from pipeline.rules import CLIP_RULES
from pipeline.validation.footage import shared_folder
from research.truth.sync_clips import (
    Person,
    generated,
    half_of,
    others,
    people,
    resting,
    speakers,
)
from research.truth.sync_judges import Judge, judges, kept
from research.truth.sync_whole import (
    AS_THEY_CAME,
    NEW,
    SHORTEST_HALF,
    SURE_BY_CHANCE,
    WITNESSES,
    chance_table,
    offsets_as_they_came,
)

PLANTS = (-15, -12, -9, -6, -3, 0, 3, 6, 9, 12, 15)  # frames
RIGHT = 0.95  # share of confident answers that must be right
ASKED = (0.95, 0.97, 0.98, 0.99)  # the same, so that as many are right on other people
DRAWS = 1000  # bootstrap samples of people
STRETCH = 75  # frames of a choice between people
HOP = 30  # frames between two stretches of one voice
WHOLE_TO_THE_FRAME = 1.0  # frames between two halves whose mean is then to the frame: see WHOLE
WHOLE = (
    "A dataset's clip is measured once and whole, on twice the frames of a half and more. The error of the mean of two "
    "halves is half the sum of theirs; their difference, all that can be seen without knowing the true offset, is as "
    "often less than one frame as that mean is to the frame, if the halves err independently and to both sides alike. "
    "What errs in the same way in both halves stays unseen."
)


@dataclass(frozen=True, slots=True)
class Case:
    """One question: whose it is, whether the answer was right, and how sure it was.

    known: how sure the answer was that this one is compared with.
    """

    person: str
    right: bool
    sure: float
    known: float = float("inf")


# ---- questions -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Planted:
    """A planted offset and what was found. late, error: frames; sure, known: confidence of it and of its reference."""

    late: int
    error: float
    sure: float
    known: float


def planted(person: Person, judge: Judge, *, plants: Sequence[int]) -> Iterable[Planted]:
    """Each half of a clip with planted offsets, the other half as the reference."""
    middle, last = len(person) // 2, len(person) - REACH
    for tested, other in (((middle, last), (REACH, middle)), ((REACH, middle), (middle, last))):
        if min(tested[1] - tested[0], other[1] - other[0]) < SHORTEST_HALF:
            continue
        known = judge(person, *other, person.audio(*other))
        own = known.shift
        for late in plants:
            start, stop = max(tested[0], REACH + late), min(tested[1], last + late)
            if abs(own + late) <= REACH and stop - start >= SHORTEST_HALF:
                said = judge(person, start, stop, person.audio(start, stop, late=late))
                yield Planted(late, said.shift - own - late, said.confidence, known.confidence)


def stretches(person: Person, *, hop: int) -> list[int]:
    """Where stretches of a clip begin that have sound at every offset."""
    return list(range(REACH, len(person) - REACH - STRETCH + 1, hop))


def choices(
    cast: Sequence[Person], foils: Sequence[Person], judge: Judge, *, hop: int, each: int
) -> list[Case]:
    """Each voice beside its own face and, one at a time, `each` seeded foils who are not that person."""
    random = np.random.default_rng(405)
    cases = list[Case]()
    for person in cast:
        others = [foil for foil in foils if foil.who != person.who and len(foil) >= STRETCH]
        for start in stretches(person, hop=hop):
            sound = person.audio(start, start + STRETCH)
            own = judge(person, start, start + STRETCH, sound)
            for at in random.permutation(len(others))[:each]:
                foil = others[at]
                first = int(random.integers(0, len(foil) - STRETCH + 1))
                scores = [own, judge(foil, first, first + STRETCH, sound)]
                said = speaker_of(scores, lead_from=0.0)
                assert said is not None
                cases.append(Case(person.who, said.person == 0 and said.lead > 0.0, said.lead))
    return cases


@dataclass(frozen=True, slots=True)
class Filtered:
    """A measured value of one clip with or without an edited fault."""

    person: str
    fault: bool
    value: float


def other_voices(cast: Sequence[Person], judge: Judge, *, hop: int) -> dict[str, list[Filtered]]:
    """Each face's stretches with their own voice, and with one seeded foreign voice each; per field of the score."""
    random = np.random.default_rng(406)
    found: dict[str, list[Filtered]] = {"speaking": [], "confidence": []}
    for person in cast:
        for start in stretches(person, hop=hop):
            other = cast[
                int(
                    random.choice(
                        [
                            i
                            for i, p in enumerate(cast)
                            if p.who != person.who and stretches(p, hop=hop)
                        ]
                    )
                )
            ]
            first = int(random.choice(stretches(other, hop=hop)))
            for fault, voice in (
                (False, person.audio(start, start + STRETCH)),
                (True, other.audio(first, first + STRETCH)),
            ):
                score = judge(person, start, start + STRETCH, voice)
                found["speaking"].append(Filtered(person.who, fault, score.speaking))
                found["confidence"].append(Filtered(person.who, fault, score.confidence))
    return found


def listeners(
    cast: Sequence[Person], resting: Sequence[Person], judge: Judge, *, hop: int
) -> list[Filtered]:
    """Speakers with their own voice, and faces at rest with the voice of one of the speakers, seeded."""
    random = np.random.default_rng(408)
    voices = [person for person in cast if stretches(person, hop=hop)]
    found = [
        Filtered(person.who, False, judge(person, start, start + STRETCH, sound).speaking)
        for person in cast
        for start in stretches(person, hop=hop)
        for sound in (person.audio(start, start + STRETCH),)
    ]
    for person in resting:
        for start in range(0, len(person) - STRETCH + 1, max(1, hop // 4)):
            other = voices[int(random.integers(len(voices)))]
            first = int(random.choice(stretches(other, hop=hop)))
            score = judge(person, start, start + STRETCH, other.audio(first, first + STRETCH))
            found.append(Filtered(person.who, True, score.speaking))
    return found


# ---- figures -------------------------------------------------------------------------------------


def threshold(cases: Sequence[Case], *, right_from: float = RIGHT) -> float | None:
    """The lowest confidence from which so many are right, of three people or more; None where there is none."""
    ordered = sorted(cases, key=lambda one: -min(one.sure, one.known))
    sure = [min(one.sure, one.known) for one in ordered]
    right = np.cumsum([one.right for one in ordered])
    good = [
        at
        for at in range(len(ordered))
        if (at + 1 == len(ordered) or sure[at + 1] < sure[at])
        and right[at] >= right_from * (at + 1)
        and len({one.person for one in ordered[: at + 1]}) >= 3
    ]
    return sure[good[-1]] if good else None


@dataclass(frozen=True, slots=True)
class Answered:
    """What stays of cases above thresholds that were fitted on the other half of the people.

    asked: cases whose reference is above the threshold (all of them where it is always known).
    """

    asked: list[Case]
    kept: list[Case]
    limits: tuple[float | None, float | None]


def answered(cases: Sequence[Case], *, right_from: float = RIGHT) -> Answered:
    """Thresholds of each half used on the other."""
    sides = [[one for one in cases if half_of(one.person) == side] for side in (0, 1)]
    limits = (
        threshold(sides[1], right_from=right_from),
        threshold(sides[0], right_from=right_from),
    )
    asked = [
        (one, limit)
        for side, limit in zip(sides, limits, strict=True)
        for one in side
        if one.known >= (float("inf") if limit is None else limit)
    ]
    kept = [one for one, limit in asked if limit is not None and one.sure >= limit]
    return Answered([one for one, _ in asked], kept, limits)


def interval(
    values: Sequence[Case], number: Callable[[Sequence[Case]], float]
) -> tuple[float, float]:
    """95 % interval of a figure, people drawn with replacement."""
    by_person: dict[str, list[Case]] = {}
    for one in values:
        by_person.setdefault(one.person, []).append(one)
    groups = list(by_person.values())
    low, high = bootstrap_statistic(
        lambda drawn: number([one for at in drawn for one in groups[at]]),
        people=len(groups),
        seed=407,
        draws=DRAWS,
    )
    return float(low), float(high)


def share(cases: Sequence[Case]) -> float:
    """Of right answers."""
    return float(np.mean([one.right for one in cases])) if cases else float("nan")


def row(name: str, cases: Sequence[Case]) -> str:
    """A backend's line: accuracy over all, accuracy and coverage where it is confident."""
    result = answered(cases)
    low, high = interval(cases, share)
    cells = [name, f"{len(cases)}", f"{share(cases):.2f} ({low:.2f} to {high:.2f})"]
    if result.kept:
        low, high = interval(result.kept, share)
        cells.append(f"{share(result.kept):.3f} ({low:.2f} to {high:.2f})")
    else:
        cells.append("never confident")
    cells.append(f"{len(result.kept)} of {len(result.asked)}")
    cells.append(f"{len(result.kept) / len(result.asked):.2f}" if result.asked else "-")
    cells.append(" / ".join("none" if limit is None else f"{limit:.2f}" for limit in result.limits))
    return f"| {' | '.join(cells)} |"


HEAD = (
    "| backend | cases | right, all (95 % interval over people) "
    "| right where confident | confident | coverage | thresholds |\n"
    "|---|---|---|---|---|---|---|"
)


def filtered(cases: Sequence[Filtered]) -> str:
    """Cells of a filter: AUC, then precision, recall and share acted on with limits from the other half of the people.

    A limit is the highest value below which at least 99 % are faults; the filter drops what is below it.
    """
    sides = [[one for one in cases if half_of(one.person) == side] for side in (0, 1)]
    limits = [_limit(sides[1]), _limit(sides[0])]
    dropped = [
        one
        for side, limit in zip(sides, limits, strict=True)
        for one in side
        if limit is not None and one.value < limit
    ]
    faults = sum(one.fault for one in cases)
    hit = sum(one.fault for one in dropped)
    precision = f"{hit / len(dropped):.3f}" if dropped else "nothing dropped"
    shown = " / ".join("none" if limit is None else f"{limit:.2f}" for limit in limits)
    clean = [one.value for one in cases if not one.fault]
    return (
        f"{len(clean)} + {faults} | {_auc(clean, [one.value for one in cases if one.fault]):.2f} | {precision} | "
        f"{hit / faults:.3f} | {shown}"
    )


def _limit(cases: Sequence[Filtered]) -> float | None:
    ordered = sorted(cases, key=lambda one: one.value)
    faults = np.cumsum([one.fault for one in ordered])
    good = [
        at
        for at in range(9, len(ordered) - 1)
        if ordered[at + 1].value > ordered[at].value and faults[at] >= 0.99 * (at + 1)
    ]
    return ordered[good[-1] + 1].value if good else None


def _auc(clean: Sequence[float], faulty: Sequence[float]) -> float:
    """Chance that a clean one is above a faulty one."""
    a, b = np.array(clean)[:, None], np.array(faulty)
    return float((a > b).mean() + 0.5 * (a == b).mean())


# ---- the section ---------------------------------------------------------------------------------


def section(shared: Path) -> str:
    """Markdown: planted offsets, the speaker among several, another's voice, shifted voices."""
    media = shared / "media" / "video"
    cast = list(people(media, kept(), speakers()))
    silent = list(people(media, kept(), others()))
    at_rest = [one for one in silent if one.name.startswith(resting())]
    new = list(people(media, kept(), generated()))
    found = judges([*cast, *at_rest, *new], shared / "weights", kept())
    shown = {name: found[name] for name in WITNESSES if name in found}
    return "\n\n".join(
        (
            about(cast, at_rest),
            "#### Planted offsets, to the frame",
            offsets_table(cast, found, within=0.5),
            "#### Planted offsets, within one frame",
            offsets_table(cast, found, within=1.5),
            "#### The same where the other half is as sure as is asked: to the frame",
            offsets_table(cast, found, within=0.5, known=True),
            "#### The same, within one frame",
            offsets_table(cast, found, within=1.5, known=True),
            "#### The whole clip, the mean of its halves: to the frame",
            WHOLE,
            offsets_table(cast, found, within=WHOLE_TO_THE_FRAME),
            "#### The same where both halves are as sure as is asked",
            offsets_table(cast, found, within=WHOLE_TO_THE_FRAME, known=True),
            "#### Sure by chance",
            SURE_BY_CHANCE,
            chance_table(cast, found, {"light-asd": ActiveSpeaker("light-asd").sure_from}),
            "#### New people",
            NEW,
            offsets_as_they_came(new, shown, halves=True),
            "#### Clips as they came",
            AS_THEY_CAME,
            offsets_as_they_came(cast, shown, halves=False),
            "#### The speaker beside a face at rest",
            choice_table(cast, at_rest, found, each=4),
            "#### The speaker beside another who talks",
            choice_table(cast, cast, found, each=5),
            "#### What is asked for on one half of the people, and what comes out on the other",
            asked_table(cast, found),
            "#### Another's voice edited in (`not_the_speaker`)",
            voices_table(cast, found),
            "#### A listener: a face at rest beside another's voice (`not_the_speaker`)",
            listeners_table(cast, at_rest, found),
            "#### Voices moved by 3 to 15 frames (`out_of_sync`)",
            moved_table(cast, found),
        )
    )


def about(cast: Sequence[Person], resting: Sequence[Person]) -> str:
    """What the cases are."""
    talking = {one.who for one in cast}
    sides = [sum(half_of(one) == side for one in talking) for side in (0, 1)]
    return (
        f"{len(cast)} clips of {len(talking)} people with their own voice, {len(resting)} of people who do not speak. "
        "Two clips whose voices are as alike as one person's count as of one. Axes are fitted on four fifths "
        f"of the people and used on the fifth; thresholds are fitted on one half of the people ({sides[0]} and "
        f"{sides[1]}) and used on the other. Right where confident: at least {RIGHT:.0%} were asked for on the "
        f"fitting half. Intervals: 95 %, {DRAWS} draws of people. Nobody knows the offset that a clip came with: a "
        "half of a clip is measured, then the other half with its sound moved by a planted number of frames; the "
        "error is the second less the first less the planted. So it holds the errors of two measurements, each on "
        "1.4 to 4.4 s; a clip of the dataset is measured once, on 5 s or more. To the frame: the whole frame nearest "
        "to the found shift is the planted one. The rule by which light-asd believes an offset (the phonetic signs "
        "name the same) was added after these people had been scored: its intervals cover neither that choice nor how "
        "few the people are."
    )


def offsets_table(
    cast: Sequence[Person], found: dict[str, Judge], *, within: float, known: bool = False
) -> str:
    """Planted offsets per backend; known: only cases whose reference is above the threshold too."""
    lines = [HEAD]
    for name, judge in found.items():
        cases = [
            Case(
                person.who, abs(one.error) < within, one.sure, one.known if known else float("inf")
            )
            for person in cast
            for one in planted(person, judge, plants=PLANTS)
        ]
        lines.append(row(name, cases))
    return "\n".join(lines)


def choice_table(
    cast: Sequence[Person], foils: Sequence[Person], found: dict[str, Judge], *, each: int
) -> str:
    """Choices between two faces per backend."""
    cases = (
        (name, choices(cast, foils, judge, hop=HOP, each=each)) for name, judge in found.items()
    )
    return "\n".join([HEAD, *(row(name, made) for name, made in cases)])


def asked_table(cast: Sequence[Person], found: dict[str, Judge]) -> str:
    """light-asd: whole clips' offsets to the frame, and the speaker beside another who talks, as more is asked for."""
    if (judge := found.get("light-asd")) is None:
        return "light-asd cannot work here."
    questions = {
        "offset, the mean of a clip's halves, to the frame": [
            Case(person.who, abs(one.error) < WHOLE_TO_THE_FRAME, one.sure)
            for person in cast
            for one in planted(person, judge, plants=PLANTS)
        ],
        "the speaker beside another who talks": choices(cast, cast, judge, hop=HOP, each=5),
    }
    lines = [
        "| light-asd | asked for | right where confident | coverage |",
        "|---|---|---|---|",
    ]
    for name, cases in questions.items():
        for asked in ASKED:
            result = answered(cases, right_from=asked)
            low, high = interval(result.kept, share)
            text = f"{share(result.kept):.3f} ({low:.2f} to {high:.2f})"
            coverage = f"{len(result.kept)} of {len(result.asked)}, {len(result.kept) / len(result.asked):.2f}"
            lines.append(f"| {name} | {asked:.3g} | {text} | {coverage} |")
    return "\n".join(lines)


def voices_table(cast: Sequence[Person], found: dict[str, Judge]) -> str:
    """Own against foreign voices per backend and field."""
    lines = [
        "| backend | measured | own + foreign | AUC | precision | recall | limits |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, judge in found.items():
        for field, cases in other_voices(cast, judge, hop=8).items():
            lines.append(f"| {name} | {field} | {filtered(cases)} |")
    return "\n".join(lines)


def listeners_table(
    cast: Sequence[Person], resting: Sequence[Person], found: dict[str, Judge]
) -> str:
    """Faces at rest against speakers, at the rule's own number, which was not set on either."""
    rule = next(rule for rule in CLIP_RULES if rule.why is Why.NOT_SPEAKER)
    lines = [
        f"| backend | speakers + listeners | AUC | precision at {rule.threshold:g} | recall |",
        "|---|---|---|---|---|",
    ]
    for name, judge in found.items():
        values = listeners(cast, resting, judge, hop=8)
        made = [Case(one.person, one.fault, float(one.value < rule.threshold)) for one in values]
        clean = [one.value for one in values if not one.fault]
        faults = [one.value for one in values if one.fault]
        called = [one.right for one in made if one.sure]
        cells = (
            f"{len(clean)} + {len(faults)}",
            f"{_auc(clean, faults):.2f}",
            _told(made, called, lambda some: [one.right for one in some if one.sure]),
            _told(made, faults, lambda some: [bool(one.sure) for one in some if one.right]),
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _told(
    cases: Sequence[Case], any_of: Sequence[object], pick: Callable[[Sequence[Case]], list[bool]]
) -> str:
    """A share with its interval over people; `any_of` empty: there is none."""
    if not any_of:
        return "nothing dropped"

    def number(some: Sequence[Case]) -> float:
        picked = pick(some)
        return float(np.mean(picked)) if picked else float("nan")

    low, high = interval(cases, number)
    return f"{number(cases):.3f} ({low:.2f} to {high:.2f})"


def moved_table(cast: Sequence[Person], found: dict[str, Judge]) -> str:
    """Shifted voices per backend: out of sync where the offset found is two frames or more from the other half's."""
    lines = [
        "| backend | in sync (0 or 1 frame) + moved (3 to 15) | precision | recall "
        "| confident: precision | recall | coverage |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, judge in found.items():
        asked = [
            (person.who, one)
            for person in cast
            for one in planted(person, judge, plants=tuple(sorted((*PLANTS, -1, 1))))
        ]
        cases = [
            (
                abs(one.late) >= 3,
                abs(one.error + one.late) >= 2.0,
                Case(person, abs(one.error) < 1.5, one.sure),
            )
            for person, one in asked
        ]
        sure = {id(one) for one in answered([case for _, _, case in cases]).kept}
        some = [one for one in cases if id(one[2]) in sure]
        clean = sum(not fault for fault, _, _ in cases)
        shown = f"{len(some) / len(cases):.2f}"
        cells = (f"{clean} + {len(cases) - clean}", *_detected(cases), *_detected(some), shown)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _detected(cases: Sequence[tuple[bool, bool, Case]]) -> tuple[str, str]:
    """Precision and recall of what was called a fault."""
    called = [fault for fault, said, _ in cases if said]
    faults = [said for fault, said, _ in cases if fault]
    return (
        f"{np.mean(called):.3f}" if called else "-",
        f"{np.mean(faults):.3f}" if faults else "-",
    )


def main() -> None:
    """Print the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=shared_folder())
    print(section(parser.parse_args().shared))


if __name__ == "__main__":
    run_command(main)

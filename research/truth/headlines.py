"""The rows by which each page of measurements stands in the table of `docs/truth.md`, read off the page's own tables.

So a figure is written once, by the measurement; a page without one of its tables is an error and no row less.
"""

import re
import statistics
from collections.abc import Callable
from dataclasses import astuple, dataclass

from research.truth.tables import Record, TableError, row_with, table_below, table_of

COLUMNS = ("rule or backend", "the fault, or what is asked", "real footage", "figure")


@dataclass(frozen=True, slots=True)
class Headline:
    """One row: a rule or backend, what was measured, on how much real footage, and what came out."""

    subject: str
    measured: str
    footage: str
    figure: str


def headline_table(rows: tuple[Headline, ...]) -> str:
    """The rows as Markdown."""
    return table_of(COLUMNS, [astuple(row) for row in rows])


def filters(text: str) -> tuple[Headline, ...]:
    """One row for each filter that looks at pictures."""
    return tuple(_filter(row) for row in table_below(text, first="filter"))


def _filter(row: Record) -> Headline:
    fault = row["the fault"].split(";")[0]
    if not row["people"]:
        return Headline(row["filter"], "not measured", "none", fault.split(":")[0])
    fitted = row["threshold"] == "–"
    which = " 2" if fitted else ""
    figure = _precision(row[f"precision{which}"], row[f"recall{which}"])
    return Headline(
        row["filter"],
        fault,
        f"{_cases(*row['cases with, without'].split(', '))}, {row['people'].replace(', ', ' and ')} people",
        f"{figure}, fitted on other people" if fitted else figure,
    )


def speech(text: str) -> tuple[Headline, ...]:
    """Turns of the backends, and the filters that listen."""
    people = _found(r"every figure is of (\d+) others", text)[0]
    turns = table_below(text, "Turns, speech, overlap", first="recording")
    rules = (
        ("`no_speech`", "no_speech", "share without speech; voice cut out"),
        (
            "`overlapped_speech`, `segmentation`",
            "overlapped_speech",
            "two voices, the second 0 to 6 dB under",
        ),
        (
            "`overlapped_speech`, `segmentation`",
            "overlapped_speech",
            "two voices, the second 0 to 15 dB under",
        ),
        ("`music_under_speech`", "music_under_speech", "made-up music, 0 to 20 dB under"),
    )
    return (
        *(_listened(text, people, *rule) for rule in rules),
        *(_turns(turns, backend) for backend in ("embedded", "segmentation")),
    )


def _listened(text: str, people: str, subject: str, rule: str, measure: str) -> Headline:
    rows = table_below(text, f"`{rule}`", first="measure")
    row = next(
        (r for r in rows if r["measure"] == measure and "the rule's" in r["dropped above"]), None
    )
    if row is None:
        raise TableError(f"{rule}: no row of {measure!r} at the rule's number")
    without, faulty = row["cases without + with the fault"].split(" + ")
    cases = f"{_cases(faulty, without)}, {people} people"
    return Headline(subject, measure, cases, _precision(row["precision"], row["recall"]))


def _turns(rows: list[Record], backend: str) -> Headline:
    own = [row for row in rows if row["who listens"] == backend]
    rates = sorted(float(row["diarization error"]) for row in own)
    if not rates:
        raise TableError(f"no recording was listened to by {backend}")
    middle = statistics.median(rates)
    return Headline(
        f"speech `{backend}`",
        "diarization error rate",
        f"{len(rates)} recordings",
        f"median {middle:.2f} ({rates[0]:.2f} to {rates[-1]:.2f})",
    )


SYNC_BACKENDS = ("embedded", "light-asd")
"""The backends that decide, by their names in the tables."""


def sync(text: str) -> tuple[Headline, ...]:
    """Foreign voices, offsets, and faces at rest."""
    clips, people = _found(r"(\d+) clips of (\d+) people with their own voice", text)
    footage = f"{clips} clips, {people} people"
    found: list[Headline] = []
    for backend in SYNC_BACKENDS:
        voice = row_with(
            table_below(text, "Another's voice (`not_the_speaker`)", first="backend"),
            {"backend": backend, "voice": "another person"},
        )
        found.append(
            Headline(
                f"`not_the_speaker`, `{backend}`",
                "another person's voice over a talking mouth, 5 s",
                f"{_cases(*reversed(voice['own + foreign'].split(' + ')))}, {people} people",
                _precision(voice["precision"], voice["recall"]),
            )
        )
    far = "Voices 10 frames off and more (`out_of_sync`, or moved)"
    for row in table_below(text, far, first="backend"):
        found.append(
            Headline(
                f"`out_of_sync` or moved, `{row['backend']}`",
                "voices moved by 10 to 25 frames, 5 s",
                f"{_cases(*reversed(row['cases at 0 + at 10 and more'].split(' + ')))}, {people} people",
                _precision(row["acted on: precision"], row["recall"]),
            )
        )
    for backend in SYNC_BACKENDS:
        rows = table_below(text, "Planted offsets", first="backend")
        if not any(row["backend"] == backend for row in rows):
            continue
        every = row_with(rows, {"backend": backend, "planted, frames": "all"})
        found.append(
            Headline(
                f"sync `{backend}`",
                "offset within one frame of what was planted, where sure",
                footage,
                f"{every['right within one frame, where sure']}, sure {every['sure']}",
            )
        )
    return tuple(found)


def structure(text: str) -> tuple[Headline, ...]:
    """What is lost of the speech of people no number was set on."""
    reported = text.partition("People of `report`")[2]
    clips, people, seconds, lost = _found(
        r"(\d+) clips of (\d+) people, ([\d.]+) s of speech: ([\d.]+ \([\d.]+ to [\d.]+\)) lost",
        reported,
    )
    footage = f"{clips} clips, {people} people, {seconds} s"
    return (Headline("spans", "speech of one continuous speaker lost to structure", footage, lost),)


def shots(text: str) -> tuple[Headline, ...]:
    """Both kinds of boundaries beside the best of PySceneDetect's detectors, and the cost."""
    rows = table_below(text, "The unseen half", first="detector")
    ours, others = (
        row_with(rows, {"detector": "ours"}),
        [r for r in rows if r["detector"] != "ours"],
    )
    clips, films = _found(r"- unseen: (\d+) clips, (\d+) films", text)
    footage = f"{films} films cut from {clips} clips"

    def f1(row: Record, column: str) -> float:
        return float(row[column].strip("*"))

    def figure(column: str) -> str:
        best = max(others, key=lambda row: f1(row, column))
        return (
            f"`embedded` {f1(ours, column):.3f}; best of `pyscenedetect`'s detectors"
            f" {f1(best, column):.3f} ({best['detector']})"
        )

    cost = row_with(
        table_below(text, "Cost", first="CPU seconds"), {"CPU seconds": "over the bare decode"}
    )
    return (
        Headline("shots, by backend", "cuts, F1 within one frame", footage, figure("cuts, F1 ±1")),
        Headline(
            "shots, by backend",
            "gradual transitions, F1 by overlap",
            footage,
            figure("gradual, F1 by overlap"),
        ),
        Headline(
            "shots, by backend",
            "CPU time over that of the bare decode",
            _found(r"\| (\d+ files, \d+ frames) \|", text)[0],
            f"`embedded` {cost['ours'].strip('*')}; `pyscenedetect` {cost['PySceneDetect Adaptive']} (Adaptive)",
        ),
    )


def tracking(text: str) -> tuple[Headline, ...]:
    """Following people, and the pose of one beside another."""
    people = _found(r"reported on (\d+) others", text)[0]
    now = row_with(
        table_below(text, first="rule"), {"rule": "now: motion and colours, pieces rejoined"}
    )
    scenes = sum(int(row["scenes"]) for row in table_below(text, first="scene"))
    beside = table_below(text, first="faces apart, face heights")
    worst = max(float(row["wrong person"].removesuffix("%")) for row in beside)
    nearest = beside[0]["faces apart, face heights"]
    return (
        Headline(
            "tracks of faces",
            "two people crossing, meeting or hidden",
            f"{scenes} made scenes, {people} real people",
            f"clean scenes {now['clean scenes']}, with a switch {now['scenes with a switch']}",
        ),
        Headline(
            "pose `mediapipe`",
            f"pose taken from the neighbour, faces {nearest} heights apart and more",
            f"{people} real people, side by side",
            f"{worst:.1f} % of pictures",
        ),
    )


def identity(text: str) -> tuple[Headline, ...]:
    """Near-duplicates and voices."""
    subjects = ("`duplicate`", "identity groups")
    rows = table_below(text, first="what is found")
    return tuple(
        Headline(
            subject,
            row["what is found"],
            f"{_cases(*row['cases with, without'].split(', '))}, {row['people']} people",
            _precision(row["precision"], row["recall"]),
        )
        for subject, row in zip(subjects, rows, strict=True)
    )


def picture_rate(text: str) -> tuple[Headline, ...]:
    """The rule on how often the picture changes."""
    clips, people = _found(r"(\d+) clips of (\d+) people", text)
    rate, faulty, without, number, precision, recall = _found(
        r"Up to (\d+) new pictures a second against .*? \((\d+) and (\d+) cases of \d+ people\): at (\d+)"
        r" precision (\S+ \[[^]]*\]), recall (\S+ \[[^]]*\])",
        text,
    )
    return (
        Headline(
            "`few_new_pictures`",
            f"up to {rate} new pictures a second; dropped below {number}",
            f"{_cases(faulty, without)}, {people} people in {clips} clips",
            _precision(precision, recall),
        ),
    )


def cascade(text: str) -> tuple[Headline, ...]:
    """What stopping at the first drop saves."""
    rows = table_below(text, first="")
    early = row_with(rows, {"": "until a rule drops"})
    saved = _found(
        r"Saved: (\d+%) of the frames decoded for candidates, (\d+%) of the CPU time", text
    )
    same = "the same clips kept" if "The clips kept are the same." in text else "other clips kept"
    return (
        Headline(
            "order of the flow",
            "stopping at the first drop against measuring everything",
            f"{early['candidates']} candidates",
            f"{same}; {saved[0]} of frames and {saved[1]} of CPU time saved",
        ),
    )


HEADLINES: dict[str, Callable[[str], tuple[Headline, ...]]] = {
    "filters": filters,
    "picture_rate": picture_rate,
    "speech": speech,
    "structure": structure,
    "sync": sync,
    "shots": shots,
    "tracking": tracking,
    "identity": identity,
    "cascade": cascade,
}
"""By section."""


def _precision(precision: str, recall: str) -> str:
    return f"precision {precision}, recall {recall}"


def _cases(faulty: str, without: str) -> str:
    return f"{faulty} cases with it, {without} without"


def _found(pattern: str, text: str) -> tuple[str, ...]:
    found = re.search(pattern, text)
    if found is None:
        raise TableError(f"no sentence like {pattern!r}")
    return found.groups()

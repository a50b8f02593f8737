"""Speech of one continuous speaker that is lost to structure: which seconds become no candidate, and by which cause.

    python -m research.truth.structure [--shared FOLDER] [--fold fit|report] [--set speech.backend=…]

Then, of recordings of several people with reference turns, how much of what may become a candidate holds another's
voice: what joining and widening must not raise.

Clips in which one person alone speaks, by eye (`speech/single` of lists.tsv; `people` 1 in more.tsv), of the length of
the shortest candidate and more. Each is measured as a source (sound, shots, people) and cut into candidates; a voiced
frame that is in none of them has a reason on record, which is counted here in seconds. Causes: *pause*, the turn was
ended by a pause before or after more speech of the same voice; *voice*, by what was taken for another voice; *alone*,
no other speech is near; the shot, and the track of the face, say themselves.
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from manifests.errors import run_command
from manifests.geometry import FPS, SAMPLES_PER_FRAME
from manifests.record import Media, Source, Speech, Turn, Why
from pipeline.config import Run, load
from pipeline.flow import build
from pipeline.perception.resampling import bootstrap_statistic
from pipeline.perception.speech.embedded import Embedded
from pipeline.run.job import Job
from pipeline.run.listing import sources_of
from pipeline.run.step import source_provider
from pipeline.run.walk import walk_source
from pipeline.stage import need
from pipeline.stages.s060_spans import Spans, Voice, audible_turns
from pipeline.validation.footage import linked, shared_folder
from research.cases import clips
from research.cast import person_of
from research.folds import FOLDS, Fold, fold_of, people_of_more
from research.recordings import read

STRUCTURE = (Why.TURN_TOO_SHORT, Why.SHOT_TOO_SHORT, Why.SPAN_TOO_SHORT)
DRAWS = 1000
WORK = Path("work/structure")


@dataclass(frozen=True, slots=True)
class Lost:
    """One clip. voiced: seconds of speech; lost: seconds of speech by reason and cause; voices: found in it."""

    file: str
    voiced: float
    lost: Counter[tuple[str, str]]
    voices: int

    @property
    def seconds(self) -> float:
        """Of speech that structure loses."""
        return sum(self.lost.values())


def lost(source: Source, reasons: Sequence[Why | None]) -> Lost:
    """What structure takes of a source's speech. reasons: of `Spans.leftovers`."""
    media, speech = need(source.media, "media"), need(source.speech, "speech")
    voiced = np.zeros(media.grid_frames, bool)
    for part in speech.voiced:
        voiced[part.start : part.stop] = True
    found: Counter[tuple[str, str]] = Counter()
    for frame in np.flatnonzero(voiced).tolist():
        why = reasons[frame]
        if why is not None and why in STRUCTURE:
            found[str(why), cause(frame, why, media, speech)] += 1
    return Lost(
        Path(source.origin.locator).name,
        float(voiced.sum()) / FPS,
        Counter({key: count / FPS for key, count in found.items()}),
        len({turn.speaker for turn in speech.turns}),
    )


def cause(frame: int, why: Why, media: Media, speech: Speech) -> str:
    """Why the turn around a voiced frame is too short; for other reasons nothing more is known."""
    if why is not Why.TURN_TOO_SHORT:
        return "picture"
    turns = sorted(audible_turns(speech.turns, media.audible), key=lambda one: one[1])
    at = next((n for n, (_, start, stop) in enumerate(turns) if start <= frame < stop), None)
    if at is None:
        return "alone"
    near = [turns[n][0].speaker for n in (at - 1, at + 1) if 0 <= n < len(turns)]
    if not near:
        return "alone"
    return "voice" if any(speaker != turns[at][0].speaker for speaker in near) else "pause"


def singles(shared: Path, folds: Sequence[Fold]) -> list[Path]:
    """Clips with a picture in which one person alone speaks, of people in these folds."""
    named = set(clips("speech/single"))
    found = [
        file
        for file in sorted((shared / "media" / "video").iterdir())
        if file.stem in named and "fit" in folds
    ]
    more = people_of_more(shared)
    return found + [
        shared / "media" / "more" / name
        for name, people in sorted(more.items())
        if len(people) == 1 and fold_of(people[0]) in folds
    ]


def measured(run: Run) -> Iterator[Lost]:
    """Every source of a run that has a sound and turns to speak of."""
    flow = build(run)
    job = Job(flow, run.work_folder, "here", run.retries, run.step_minutes)
    for located in sources_of(run):
        provider = source_provider(job, located.locator)
        source = walk_source(flow, located, Source(origin=located.origin), provider).subject
        if not isinstance(source, Source) or source.media is None or source.speech is None:
            continue
        if source.media.grid_frames >= flow.spans.least:
            yield lost(source, flow.spans.leftovers(source))


def fraction(rows: Sequence[Lost]) -> float:
    """Of the speech of some clips that structure loses."""
    return sum(row.seconds for row in rows) / max(sum(row.voiced for row in rows), 1e-9)


def table(rows: Sequence[Lost]) -> str:
    """A row for each clip that loses something, the sums by cause, and the whole with its interval over people."""
    by_person: dict[str, list[Lost]] = {}
    for row in rows:
        by_person.setdefault(person_of(row.file), []).append(row)
    groups = list(by_person.values())
    low, high = bootstrap_statistic(
        lambda drawn: fraction([row for at in drawn for row in groups[at]]),
        people=len(groups),
        seed=0,
        draws=DRAWS,
    )
    sums: Counter[tuple[str, str]] = sum((row.lost for row in rows), Counter())
    lines = ["| clip | speech, s | voices | lost, s | by |", "|---|---|---|---|---|"]
    for row in sorted(rows, key=lambda one: -one.seconds):
        if row.lost:
            by = ", ".join(f"{why} ({what}) {s:.1f}" for (why, what), s in row.lost.most_common())
            lines.append(
                f"| {row.file} | {row.voiced:.1f} | {row.voices} | {row.seconds:.1f} | {by} |"
            )
    total = sum(row.voiced for row in rows)
    lines += ["", "| reason | cause | s | of all speech |", "|---|---|---|---|"]
    lines += [
        f"| {why} | {what} | {s:.1f} | {s / total:.3f} |" for (why, what), s in sums.most_common()
    ]
    lines += [
        "",
        f"{len(rows)} clips of {len(groups)} people, {total:.1f} s of speech: {fraction(rows):.3f} "
        f"({low:.3f} to {high:.3f}) lost to structure.",
    ]
    return "\n".join(lines)


# ---- several people --------------------------------------------------------------------------------------------------

References = dict[str, list[tuple[float, float, str]]]


def references(folder: Path) -> References:
    """Start, stop in seconds and speaker of each reference turn, by recording, of the RTTM files of a folder."""
    found: References = {}
    for path in sorted(folder.glob("*.rttm")):
        for line in path.read_text("utf-8").splitlines():
            _, name, _, start, seconds, _, _, speaker, *_ = line.split()
            found.setdefault(name, []).append(
                (float(start), float(start) + float(seconds), speaker)
            )
    return {name: turns for name, turns in found.items() if (folder / f"{name}.wav").is_file()}


def others(voice: Voice, turns: Sequence[tuple[float, float, str]], least: int) -> tuple[int, int]:
    """Frames of a voice, with its silence where it is short, and of these with anybody but its main speaker."""
    start, stop = voice.within(voice.start - voice.before, voice.stop + voice.after, least=least)
    names = sorted({speaker for _, _, speaker in turns})
    speaking = np.zeros((len(names), stop - start), bool)
    for begin, end, speaker in turns:
        first, last = round(begin * FPS) - start, round(end * FPS) - start
        speaking[names.index(speaker), max(0, first) : max(0, last)] = True
    main = int(speaking.sum(axis=1).argmax())
    return stop - start, int(np.delete(speaking, main, axis=0).any(axis=0).sum())


def several(folder: Path, spans: Sequence[tuple[str, Spans]]) -> str:
    """A row for each way to cut: seconds that may become candidates, and how much of them holds another's voice."""
    lines = ["| turns are | candidates | s | with another voice |", "|---|---|---|---|"]
    listen = Embedded().load()
    heard: list[tuple[list[Turn], int, list[tuple[float, float, str]]]] = []
    for name, turns in references(folder).items():
        sound = read(folder / f"{name}.wav")
        found = listen(sound).turns
        heard.append(
            (
                [
                    Turn(start=round(a * FPS), stop=round(b * FPS), speaker=speaker)
                    for a, b, speaker in found
                ],
                len(sound) // SAMPLES_PER_FRAME,
                turns,
            )
        )
    for label, cut in spans:
        counts = [
            frames
            for turns, length, reference in heard
            for voice in cut.voices_of(turns, (0, length))
            if (frames := others(voice, reference, cut.least))[0] >= cut.least
        ]
        total, foreign = sum(all_ for all_, _ in counts), sum(some for _, some in counts)
        lines.append(
            f"| {label} | {len(counts)} | {total / FPS:.1f} | {foreign / max(total, 1):.3f} |"
        )
    return "\n".join(lines)


def section(
    shared: Path, folds: Sequence[Fold] = FOLDS, work: Path = WORK, settings: Sequence[str] = ()
) -> str:
    """Markdown: what structure loses of single speakers, and what it lets in of several. settings: of the run."""
    parts: list[str] = []
    for fold in folds:
        with linked(singles(shared, (fold,))) as folder:
            given = (f"sources={folder}", f"work={work}", f"out={work / 'none'}", *settings)
            parts += [f"## People of `{fold}`", table(list(measured(load(None, given))))]
    ways = (("as they are", Spans(pause=0.0, silence=0.0)), ("joined and widened", Spans()))
    return "\n\n".join((*parts, "## Several people", several(shared / "media" / "audio", ways)))


def main() -> None:
    """Print the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=shared_folder())
    parser.add_argument(
        "--fold", choices=FOLDS, action="append", help="of people; both where not named"
    )
    parser.add_argument("--work", type=Path, default=WORK, help="measurements")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args()
    print(section(given.shared, given.fold or FOLDS, given.work, given.settings))


if __name__ == "__main__":
    run_command(main)

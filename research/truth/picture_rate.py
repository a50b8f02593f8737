"""New pictures a second: real clips as they are, and the same clips with each picture held for several frames.

    python -m research.truth.picture_rate [--jobs 2] [--only FILE ...] [--cases FOLDER]

Every clip with a person in view for 3 s, of `media/video` and `media/more`. Its longest candidate's first 4 s are
written anew in files of 25 pictures a second, most of them repeats; where the person is comes from the clip itself.
"""

import argparse
import csv
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import av
import cv2
import numpy as np
from av import logging

from manifests.errors import run_command
from manifests.files import write_whole
from manifests.record import Box, Fetched, Origin, Source, Why
from pipeline.media.decode import Count, span, survey
from pipeline.media.probe import probe
from pipeline.rules import RULES
from pipeline.stage import need
from pipeline.stages.s020_probe import Probe
from pipeline.stages.s040_shots import FindShots
from pipeline.stages.s060_spans import new_pictures
from pipeline.store import Store
from pipeline.validation.faults import RGB, repeated
from pipeline.validation.footage import media_folder
from pipeline.validation.picture_stages import PictureStages
from pipeline.validation.scores import Case, Judged, fraction_text, interval_text, judged
from research.cases import clip
from research.cast import person_of
from research.truth.kept import made_of

RULE = next(rule for rule in RULES if rule.why is Why.LOW_PICTURE_RATE)
CASES = Path("work/truth-picture-rate")
SECONDS = 4
LEAST_SECONDS = 3.0
LONG_SIDE = 480
"""Pixels of what is written anew: the smaller, the more of its coding is seen in the survey's 128."""
LEAST_RATE = 23.0
"""Pictures a second of a file from which it counts as footage at an ordinary rate."""
HELD = (2.0, 5.0, 8.0, 10.0, 12.5, 15.0, 25.0)
FAULTY = 10.0
"""New pictures a second up to which a file has the fault."""
QUALITIES = {"crf 23": (0.0, 23), "crf 32": (0.0, 32), "grain 3, crf 23": (3.0, 23)}
"""Grain, standard deviation in grey levels, and x264's constant rate factor."""
AS_IS = "as it is"
MAKERS = (
    *("pipeline/media", "pipeline/perception/shots", "pipeline/perception/faces"),
    *("pipeline/stages/s040_shots.py", "pipeline/stages/s060_spans.py", "pipeline/validation"),
    "research/truth/picture_rate.py",
)
"""Modules that decide what comes out."""


@dataclass(frozen=True, slots=True)
class Made:
    """One file that was measured. kind: how it was made; rate: true new pictures a second, None where nobody knows."""

    file: str
    person: str
    kind: str
    rate: float | None
    value: float | None


@dataclass(frozen=True, slots=True)
class Piece:
    """Pictures of one person at 25 a second, and where the face is, in pixels."""

    pictures: list[RGB]
    face: Box


@dataclass(frozen=True, slots=True)
class Film:
    """A file to be. rate: new pictures of the person a second; fps: pictures of the file a second."""

    kind: str
    rate: float
    pictures: list[RGB]
    fps: int = 25
    grain: float = 0.0
    crf: int = 23


def main() -> None:
    """Print the section."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="*", help="files, to try something out")
    parser.add_argument("--cases", type=Path, default=CASES)
    given = parser.parse_args()
    print(report(gathered(media_folder(), jobs=given.jobs, only=given.only, kept=given.cases)))


def section(shared: Path) -> str:
    """The tables."""
    return report(gathered(shared / "media", jobs=2))


# ---- files -----------------------------------------------------------------------------------------------------------


def gathered(
    media: Path, *, jobs: int, only: Sequence[str] | None = None, kept: Path = CASES
) -> list[Made]:
    """Everything that was measured, clip by clip in processes of their own."""
    people = people_of(media)
    files = [file for file in sorted(people) if not only or file.name in only]
    kept.mkdir(parents=True, exist_ok=True)
    found: list[Made] = []
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        work = partial(remembered, kept, screen_of(media))
        for number, made in enumerate(pool.map(work, files, [people[file] for file in files])):
            found += made
            print(
                f"{number + 1}/{len(files)} {files[number].name}: {len(made)}",
                file=sys.stderr,
                flush=True,
            )
    return found


def people_of(media: Path) -> dict[Path, str]:
    """Who is in each file."""
    with (media / "more.tsv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    more = {media / row["file"]: row["person_ids"].split(";")[0] for row in rows}
    video = {file: person_of(file.name) for file in (media / "video").iterdir()}
    return {file: name for file, name in (video | more).items() if file.is_file()}


def screen_of(media: Path) -> Path:
    """What is shown on the screen beside people."""
    return media / "video" / clip("scenes/backdrop")


def remembered(folder: Path, screen: Path, file: Path, person: str) -> list[Made]:
    """`measured` of one clip, from the folder where it has been before."""
    name = made_of(MAKERS, files=[file, screen])
    cases = folder / f"{file.name}-{name}.json"
    if not cases.is_file():
        made = [asdict(each) for each in measured(file, person, screen)]
        write_whole(cases, json.dumps(made))
    return [Made(**each) for each in json.loads(cases.read_text())]


def measured(file: Path, person: str, screen: Path) -> Iterator[Made]:
    """One clip as it is, and all that is made of it."""
    logging.set_level(logging.FATAL)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        piece, value = looked_at(file, folder)
        if piece is None:
            return
        yield Made(file.name, person, AS_IS, None, value)
        for film in films(piece, screen):
            made = write(film, folder / "made.mp4")
            yield Made(file.name, person, film.kind, film.rate, rate_in(made, piece.face, folder))


def looked_at(file: Path, folder: Path) -> tuple[Piece | None, float | None]:
    """The pictures of the longest candidate and its measured rate; None where nobody is in view long enough."""
    try:
        facts = probe(file)
        if facts.rate < LEAST_RATE or facts.grid_frames < LEAST_SECONDS * 25:
            return None, None
        stages = PictureStages.open(folder / "stages")
        clips = stages.candidates(stages.source(file))
    except Exception as error:  # noqa: BLE001 - a clip that cannot be looked at is none
        print(f"{file.name}: {error}", file=sys.stderr)
        return None, None
    longest = max(clips, key=lambda each: each.span.frames, default=None)
    if longest is None or longest.span.frames < LEAST_SECONDS * 25:
        return None, None
    wide, high = facts.upright_size
    scale = min(1.0, LONG_SIDE / max(wide, high))
    size = (round(wide * scale / 2) * 2, round(high * scale / 2) * 2)
    stop = min(longest.span.stop, longest.span.start + SECONDS * 25)
    shown = span(file, facts, facts.timeline, start=longest.span.start, stop=stop, count=Count())
    x, y, w, h = (side * scale for side in longest.person.face)
    return Piece(
        [picture.rgb(size) for _, picture in shown], (x, y, w, h)
    ), longest.shot.new_pictures


def films(piece: Piece, screen: Path) -> Iterator[Film]:
    """What is made of one piece."""
    live = piece.pictures
    for rate in HELD:
        for quality, (grain, crf) in QUALITIES.items():
            yield Film(
                f"{rate:g} in 25, {quality}", rate, repeated(live, rate), grain=grain, crf=crf
            )
    for rate in (2, 5, 10):
        stored = [live[n * 25 // rate] for n in range(len(live) * rate // 25)]
        yield Film(f"stored at {rate}", rate, stored, fps=rate)
    lips = [lower_face(live[0], picture, piece.face) for picture in live]
    yield Film("lower face alone, 25 in 25", 25.0, lips)
    yield Film("lower face alone, 5 in 25", 5.0, repeated(lips, 5.0))
    moving = screen_pictures(screen, live[0].shape[:2], len(live))
    yield Film("25, beside a screen at 5", 25.0, beside(live, repeated(moving, 5.0)))
    yield Film("5, beside a screen at 25", 5.0, beside(repeated(live, 5.0), moving))


def lower_face(still: RGB, picture: RGB, face: Box) -> RGB:
    """A still picture in which the lower half of the face alone moves."""
    x, y, wide, high = (round(side) for side in face)
    made, part = still.copy(), np.s_[max(0, y + high // 2) : y + high, max(0, x) : x + wide]
    made[part] = picture[part]
    return made


def screen_pictures(screen: Path, size: tuple[int, int], count: int) -> list[RGB]:
    """A landscape as large as a picture that slides by 6 pixels from picture to picture."""
    facts = probe(screen)
    _, shown = next(span(screen, facts, facts.timeline, start=220, stop=221, count=Count()))
    still = cv2.resize(shown.rgb(), size[::-1], interpolation=cv2.INTER_AREA)
    return [np.roll(still, 6 * n, axis=1) for n in range(count)]


def beside(left: Sequence[RGB], right: Sequence[RGB]) -> list[RGB]:
    """Two films side by side."""
    return [np.hstack(pair) for pair in zip(left, right, strict=True)]


def write(film: Film, file: Path) -> Path:
    """H.264 through a fast x264, one thread, with fresh grain in each frame."""
    drawn = np.random.default_rng(0)
    with av.open(str(file), "w") as container:
        options = {"crf": str(film.crf), "preset": "veryfast", "threads": "1"}
        stream = container.add_stream("libx264", rate=film.fps, options=options)
        stream.height, stream.width, stream.pix_fmt = *film.pictures[0].shape[:2], "yuv420p"
        for picture in film.pictures:
            pixels = picture
            if film.grain:
                noise = drawn.standard_normal(picture.shape[:2], dtype=np.float32)
                pixels = np.clip(picture + noise[..., None] * film.grain, 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return file


def rate_in(file: Path, face: Box, folder: Path) -> float | None:
    """`shot.new_pictures` of the longest shot of a file, for somebody whose face is there."""
    store = Store(folder / "store")
    fetched = Fetched(sha256="0" * 64, bytes=1, path=str(file))
    source = Probe()(Source(origin=Origin(locator=file.name), fetched=fetched), store)
    media = need(source.media, "media")
    watching = FindShots().watch(source, store)
    for picture in survey(file, media, store.read_timeline(media), count=Count()):
        watching.add(picture)
    shots = need(watching.finish(source).shots, "shots").shots
    longest = max(shots, key=lambda shot: shot.stop - shot.start, default=None)
    return None if longest is None else new_pictures(longest, face, media)


# ---- on paper --------------------------------------------------------------------------------------------------------


def report(found: Sequence[Made]) -> str:
    """The tables and the sentence about the threshold."""
    people = {each.person for each in found}
    clips = sorted(
        (each for each in found if each.kind == AS_IS), key=lambda each: each.value or 0.0
    )
    lines = [
        f"{len(clips)} clips of {len(people)} people, files of 23.9 to 60 pictures a second. Rule: "
        f"`{RULE.measurement}` {RULE.comparator} {RULE.threshold:g}.",
        "",
        "| made | true rate | clips | least | 5 % | median | 95 % | most | dropped |",
        "|---|---|---|---|---|---|---|---|---|",
        *[row(kind, found) for kind in dict.fromkeys(each.kind for each in found)],
        "",
        "The lowest as they are: "
        + ", ".join(f"{each.file} {each.value:.1f}" for each in clips[:8] if each.value is not None)
        + ".",
        "",
        *separation(found),
    ]
    return "\n".join(lines)


def row(kind: str, found: Sequence[Made]) -> str:
    """One kind of file."""
    made = [each for each in found if each.kind == kind]
    values = np.array([each.value for each in made if each.value is not None])
    low, five, middle, most_of, high = np.percentile(values, [0, 5, 50, 95, 100])
    dropped = float(np.mean([not RULE.passes(each.value) for each in made]))
    rate = made[0].rate
    true = "their own" if rate is None else f"{rate:g}"
    cells = " | ".join(f"{value:.1f}" for value in (low, five, middle, most_of, high))
    return f"| {kind} | {true} | {len(made)} | {cells} | {dropped:.3f} |"


def separation(found: Sequence[Made]) -> list[str]:
    """How well 10 new pictures a second and fewer are told from footage as it is and written anew, over people."""
    cases = [
        Case(each.person, each.rate is not None and each.rate <= FAULTY, each.value)
        for each in found
        if each.kind == AS_IS or " in 25, " in each.kind
        if each.rate is None or each.rate <= FAULTY or each.rate >= 25.0
    ]
    judgement: Judged = judged(cases, keeps=">=", threshold=RULE.threshold, misses_drop=True)
    low, high = judgement.own_interval
    own, fitted = judgement.own, judgement.fitted
    return [
        f"Up to {FAULTY:g} new pictures a second against the clips as they are and written anew ({judgement.cases[0]} "
        f"and {judgement.cases[1]} cases of {judgement.people[1]} people): at {RULE.threshold:g} precision "
        f"{fraction_text(own.precision)} {interval_text(low.precision, high.precision)}, recall "
        f"{fraction_text(own.recall)} {interval_text(low.recall, high.recall)}; with thresholds from the other half of "
        f"the people ({judgement.thresholds[0]:.1f}, {judgement.thresholds[1]:.1f}) precision "
        f"{fraction_text(fitted.precision)}, recall {fraction_text(fitted.recall)}.",
    ]


if __name__ == "__main__":
    run_command(main)

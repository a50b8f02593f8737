"""The filters that look at pictures: as the clips are, and with the fault edited in.

    python -m benchmarks.truth.filters [--jobs 2] [--only PERSON ...] [--cases FOLDER]

The cases of each stretch of footage are kept in FOLDER under what made them (`kept.made_of`: text, libraries, networks,
footage), so that a run that was cut goes on where it was.
"""

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from av import logging

from benchmarks.real import media_folder
from benchmarks.truth import faults
from benchmarks.truth.cast import CAST, EMPTY, Actor
from benchmarks.truth.faults import RGB
from benchmarks.truth.kept import made_of
from benchmarks.truth.scores import Case, Score, between, histogram, judged, told
from benchmarks.truth.watch import Eyes, window
from manifests.files import write_whole
from manifests.record import Box, Clip, Shot, Source, Why
from pipeline.config import Run
from pipeline.flow import measuring
from pipeline.perception.faces import FaceDetector
from pipeline.perception.pose import MediaPipePose
from pipeline.rules import RULES
from pipeline.stage import need

LOOK = 53
"""Frames of a piece that only the survey looks at: 2.1 s, so that faces are followed from look to look."""
CASES = Path("work/truth-cases")
MAKERS = ("cast", "faults", "filters", "scores", "watch")
"""Modules of this folder that make cases."""
AHEAD, AHEAD_PROFILE = 30, 5
"""Frames from one such piece to the next; of people in profile, who are few, more pieces are looked at."""
WINDOW, STRIDE = 100, 6
"""Frames of a piece whose pose is judged, and from one to the next: 4 s every quarter second."""

CAMERA = "camera_motion"
PANS = (0.05, 0.1, 0.2, 0.3)
"""Picture widths a second."""

Found = dict[str, list[Case]]
"""Cases by the name of the filter."""
Seen = tuple[Source, tuple[Clip, ...], float]
"""A surveyed source, its candidates, and the picture's energy."""

NAMES: dict[str, str] = {
    Why.NOBODY: "landscapes, a street of animation, a screen",
    Why.TOO_SMALL: "pasted so that the face has 0.03 to 0.05 of the height; without: as they are, or at 0.075 and 0.1",
    Why.CLOSE_UP: "cut to the head (face 0.45 to 0.7 of the height), and head-only clips",
    Why.FACE_TURNED: "profiles, real",
    Why.FROZEN: "one picture under grain of 0 to 8 grey levels",
    Why.NO_POSE: "a face on a landscape, no body",
    Why.UPPER_BODY_MISSING: "cut to the head or above the elbows, and clips without elbows",
    Why.SIDE_VIEW: "profiles, real",
    Why.FACE_HIDDEN: "a piece of the picture held before the face",
    Why.STATIC: "one picture under grain of 4 grey levels",
    CAMERA: "a window slid over the picture by 0.05 to 0.3 of its width a second; recorded, no filter",
}
"""What has the fault; what has it not: people from the front with their upper body, as they are."""
ABSENT = {
    Why.BACK_VIEW: "no footage of one speaker from behind is at hand: never acts",
}
KEPT_UNSEEN = {CAMERA}
"""Where a case with a clip and without a value is not dropped: no rule; else it is, as `Rule.passes` does."""


def main() -> None:
    """Print the section."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="*", help="people, to try something out")
    parser.add_argument("--cases", type=Path, default=CASES)
    given = parser.parse_args()
    print(report(gathered(media_folder(), jobs=given.jobs, only=given.only, kept=given.cases)))


def section(shared: Path) -> str:
    """The tables of all picture filters."""
    return report(gathered(shared / "media", jobs=2))


# ---- cases -----------------------------------------------------------------------------------------------------------


def gathered(
    media: Path, *, jobs: int, only: Sequence[str] | None = None, kept: Path = CASES
) -> Found:
    """Cases of everybody, measured in processes of their own."""
    actors = [actor for actor in (*CAST, *EMPTY) if not only or actor.person in only]
    there = [actor for actor in actors if (media / "video" / actor.file).is_file()]
    kept.mkdir(parents=True, exist_ok=True)
    total: Found = defaultdict(list)
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        for number, found in enumerate(pool.map(partial(remembered, media, kept), there)):
            for name, cases in found.items():
                total[name] += cases
            counts = ", ".join(f"{name} {len(cases)}" for name, cases in found.items())
            line = f"{number + 1}/{len(there)} {there[number].file}: {counts}"
            print(line, file=sys.stderr, flush=True)
    return total


def made_by(media: Path, actor: Actor) -> str:
    """A name of all that makes the cases of one stretch."""
    shown = {actor.file, backdrop_of(actor).file}
    networks = (FaceDetector().weights, MediaPipePose().weights)
    return made_of(
        ("pipeline", "manifests", *(f"benchmarks/truth/{name}.py" for name in MAKERS)),
        files=[media / "video" / file for file in sorted(shown)],
        marks=[str(network) for network in networks],
    )


def backdrop_of(actor: Actor) -> Actor:
    """The footage without people that an actor is put on."""
    return EMPTY[len(actor.person) % 2 + 3]


def remembered(media: Path, folder: Path, actor: Actor) -> Found:
    """`cases_of` one stretch, from the folder where it has been measured before."""
    file = folder / f"{actor.file}-{actor.start:g}-{made_by(media, actor)}.json"
    if file.is_file():
        held = json.loads(file.read_text())
        return {name: [Case(**case) for case in cases] for name, cases in held.items()}
    found = cases_of(media, actor)
    text = json.dumps({name: [asdict(case) for case in cases] for name, cases in found.items()})
    write_whole(file, text)
    return found


def cases_of(media: Path, actor: Actor) -> Found:
    """Every case that one stretch gives."""
    logging.set_level(logging.FATAL)
    cv2.setNumThreads(1)
    pictures = faults.pictures_of(media, actor)
    found: Found = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        eyes = Eyes.open(Path(name))
        if actor in EMPTY:
            nobody(eyes, actor, pictures, found)
            return found
        source = eyes.source(faults.write(pictures, Path(name) / "as-is.mp4", crf=18))
        clip = largest(eyes.candidates(source))
        backdrop = faults.pictures_of(media, backdrop_of(actor))[0]
        surveyed(eyes, actor, pictures, clip, backdrop, found)
        if clip is not None:
            posed(eyes, actor, pictures, source, clip, backdrop, found)
    return found


def surveyed(
    eyes: Eyes, actor: Actor, pictures: list[RGB], clip: Clip | None, backdrop: RGB, found: Found
) -> None:
    """What the survey alone tells: size and turn of the face, a frozen picture."""
    stride = AHEAD_PROFILE if actor.view == "profile" else AHEAD
    for number, piece in enumerate(cut(pictures, LOOK, stride)):
        variants = ((piece, 23), (faults.mirrored(piece), 28), (piece, 33))
        for variant, crf in variants[: 2 if clean(actor) else 3]:
            unchanged(actor, look(eyes, variant, crf=crf), found)
        if clean(actor) and clip is not None and number < 4:
            edited(eyes, actor, piece, number, clip.person.face, backdrop, found)


def unchanged(actor: Actor, seen: Seen, found: Found) -> None:
    """Footage as it is: without the fault for most filters, with it where the person is so seen."""
    if actor.view != "turned":
        found[Why.FACE_TURNED].append(case(actor, actor.view == "profile", seen, Why.FACE_TURNED))
    if actor.view == "profile":
        return
    if actor.shows != "shoulders":
        found[Why.CLOSE_UP].append(case(actor, actor.shows == "head", seen, Why.CLOSE_UP))
    if actor.shows == "body":
        found[Why.NOBODY].append(case(actor, False, seen, Why.NOBODY))
        found[Why.TOO_SMALL].append(case(actor, False, seen, Why.TOO_SMALL))
        found[CAMERA].append(case(actor, False, seen, CAMERA))
    if actor.moves != "hardly":
        found[Why.FROZEN].append(case(actor, False, seen, Why.FROZEN))


def edited(
    eyes: Eyes, actor: Actor, piece: list[RGB], number: int, face: Box, backdrop: RGB, found: Found,
) -> None:  # fmt: skip
    """The same footage with the survey's faults in it."""
    for high in (1.45, 1.75, 2.1):
        seen = look(eyes, faults.cropped(piece, faults.around(face, high=high)))
        found[Why.CLOSE_UP].append(case(actor, True, seen, Why.CLOSE_UP))
    for grain in (0.0, 2.0, 4.0, 8.0) if number < 3 else ():
        still = faults.frozen(piece[0], frames=LOOK, grain=grain, seed=number)
        seen = look(eyes, still, crf=23 if grain < 4 else 18)
        found[Why.FROZEN].append(case(actor, True, seen, Why.FROZEN))
    for speed in PANS:
        seen = look(eyes, faults.panned(piece, speed=speed))
        found[CAMERA].append(case(actor, True, seen, CAMERA))
    if number < 3:
        small(eyes, actor, piece, face, backdrop, found, shares=(0.03, 0.045, 0.05))
    if number < 2:
        small(eyes, actor, piece, face, backdrop, found, shares=(0.075, 0.1))


def clean(actor: Actor) -> bool:
    """Seen from the front with the upper body: nothing to drop for."""
    return actor.view == "frontal" and actor.shows == "body"


def small(
    eyes: Eyes, actor: Actor, piece: list[RGB], face: Box, backdrop: RGB, found: Found, *, shares: Sequence[float],
) -> None:  # fmt: skip
    """The person pasted small, on a picture without people and on plain grey."""
    plain = np.full_like(piece[0], int(piece[0].mean()))
    for share in shares:
        for behind, at in ((backdrop, 0.3), (backdrop, 0.8), (plain, 0.5)):
            made = faults.pasted_small(piece, behind, face=face[3], share=share, at=at)
            if made:
                seen = look(eyes, made)
                found[Why.TOO_SMALL].append(case(actor, share < 0.06, seen, Why.TOO_SMALL))


def nobody(eyes: Eyes, scene: Actor, pictures: list[RGB], found: Found) -> None:
    """Footage without people: whole, its quarters, mirrored."""
    high, wide = (side // 2 for side in pictures[0].shape[:2])
    for piece in cut(pictures, min(LOOK, len(pictures)), 26):
        parts = [
            piece,
            *(faults.cropped(piece, (x, y, wide, high)) for x in (0, wide) for y in (0, high)),
        ]
        for part in parts:
            for variant in (part, faults.mirrored(part)):
                found[Why.NOBODY].append(case(scene, True, look(eyes, variant), Why.NOBODY))


def posed(
    eyes: Eyes, actor: Actor, pictures: list[RGB], source: Source, clip: Clip, backdrop: RGB, found: Found,
) -> None:  # fmt: skip
    """What takes a pose: upper body, side view, hidden face, stillness, no body."""
    as_is = eyes.posed(source, clip)
    pose = eyes.pose(as_is)
    add(actor, pictures, as_is, pose, found, labels(actor))
    if not clean(actor):
        return
    face = clip.person.face
    edits: list[tuple[Why, list[RGB]]] = [
        (Why.UPPER_BODY_MISSING, faults.cropped(pictures, faults.around(face, high=1.8))),
        (
            Why.STATIC,
            faults.frozen(pictures[len(pictures) // 2], frames=len(pictures), grain=4.0, seed=0),
        ),
        (Why.NO_POSE, on_a_landscape(pictures, face, backdrop)),
    ]
    if (elbows := above_elbows(pose, as_is, pictures)) is not None:
        edits.append((Why.UPPER_BODY_MISSING, elbows))
    for why, made in edits:
        film = eyes.source(written(eyes, made))
        if (candidate := largest(eyes.candidates(film))) is None:
            if why is not Why.STATIC or actor.moves != "hardly":
                found[why] += [nothing(actor, piece) for piece in cut(made, WINDOW, STRIDE)]
            continue
        candidate = eyes.posed(film, candidate)
        add(actor, made, candidate, eyes.pose(candidate), found, {why: True})
    boxes = [box_at(clip, frame) for frame in range(len(pictures))]
    hidden = faults.covered(pictures, boxes)
    film = eyes.source(written(eyes, hidden))
    candidate = eyes.posed(
        source, clip, film=film
    )  # the survey's looks fell where the face was free
    add(actor, hidden, candidate, eyes.pose(candidate), found, {Why.FACE_HIDDEN: True})


def labels(actor: Actor) -> dict[str, bool]:
    """Which filters of the posture the stretch as it is says something of, and whether it has the fault."""
    if actor.view == "profile":
        return {Why.SIDE_VIEW: True}
    if actor.view == "turned":
        return {}
    if actor.shows != "body":
        return {Why.UPPER_BODY_MISSING: True}
    sure = [Why.UPPER_BODY_MISSING, Why.SIDE_VIEW, Why.NO_POSE, Why.FACE_HIDDEN]
    return dict.fromkeys([*sure, Why.STATIC] if actor.moves == "talks" else sure, False)


def add(
    actor: Actor, pictures: list[RGB], clip: Clip, pose: np.ndarray, found: Found, fault: dict[str, bool]
) -> None:  # fmt: skip
    """One case a window for each filter in `fault`."""
    shown = pictures[clip.span.start : clip.span.stop]
    for start, piece in enumerate(cut(shown, WINDOW, STRIDE)):
        part = pose[start * STRIDE :][: len(piece)]
        posture, body = window(clip, part)
        values: dict[str, float | None] = {
            Why.NO_POSE: body,
            Why.UPPER_BODY_MISSING: posture.upper_body,
            Why.SIDE_VIEW: posture.facing,
            Why.FACE_HIDDEN: posture.face_seen,
            Why.STATIC: posture.stillness,
        }
        dropped = acted({**of_survey(clip), **values})
        for why, faulty in fault.items():
            energy = faults.energy(piece[::5])
            found[why].append(Case(actor.person, faulty, values[why], energy, dropped))


# ---- parts -----------------------------------------------------------------------------------------------------------


def cut(pictures: Sequence[RGB], length: int, stride: int) -> Iterator[list[RGB]]:
    """Pieces of a stretch; one that is shorter is a piece by itself."""
    length = min(length, len(pictures))
    for start in range(0, len(pictures) - length + 1, stride):
        yield list(pictures[start : start + length])


def written(eyes: Eyes, pictures: Iterable[RGB], *, crf: int = 23) -> Path:
    """A file of these pictures in the eyes' own folder."""
    folder = eyes.store.media
    folder.mkdir(parents=True, exist_ok=True)
    return faults.write(pictures, folder / f"{len(list(folder.iterdir()))}.mp4", crf=crf)


def look(eyes: Eyes, pictures: Sequence[RGB], *, crf: int = 23) -> Seen:
    """(surveyed source, candidates, energy) of pictures that go through a file."""
    source = eyes.source(written(eyes, pictures, crf=crf))
    return source, eyes.candidates(source), faults.energy(pictures[::5])


def case(actor: Actor, fault: bool, seen: Seen, name: str) -> Case:
    """One case of a look. Without a clip only what is measured of the source as a whole is asked."""
    source, clips, energy = seen
    clip = largest(clips)
    values: dict[str, float | None] = {
        Why.NOBODY: float(need(source.people, "people").seen),
        CAMERA: camera(source),
    }
    if (changed := change(source)) is not None:
        values[Why.FROZEN] = changed
    values |= of_survey(clip) if clip else {}
    dropped = clip is None or acted(values)
    return Case(actor.person, fault, values.get(name), energy, dropped, asked=name in values)


def nothing(actor: Actor, pictures: Sequence[RGB]) -> Case:
    """A case in which nobody was found: dropped, and no clip for the filter to judge."""
    return Case(actor.person, True, None, faults.energy(pictures[::5]), dropped=True, asked=False)


def largest(clips: Sequence[Clip]) -> Clip | None:
    """The candidate with the largest face."""
    return max(clips, key=lambda clip: clip.person.face_height, default=None)


def of_survey(clip: Clip) -> dict[str, float | None]:
    """What the survey measured of one candidate."""
    return {
        Why.TOO_SMALL: clip.person.face_height,
        Why.CLOSE_UP: clip.person.face_height,
        Why.FACE_TURNED: clip.person.facing,
        Why.FROZEN: clip.shot.change,
        Why.LOW_PICTURE_RATE: clip.shot.new_pictures,
    }


def acted(values: dict[str, float | None]) -> bool:
    """Whether any filter that acts would drop what measures so."""
    used = measuring(Run())
    rules = [rule for rule in RULES if rule.why in values]
    acting = [rule for rule in rules if rule.proven_for(used.get(rule.section, ""))]
    return any(not rule.passes(values[rule.why]) for rule in acting)


def change(source: Source) -> float | None:
    """Of the longest shot, whether or not a face was found in it."""
    shot = longest(source)
    return shot.change if shot else None


def camera(source: Source) -> float | None:
    """Of the longest shot: frame widths a second."""
    shot = longest(source)
    return shot.camera_motion if shot else None


def longest(source: Source) -> Shot | None:
    """The longest shot."""
    shots = need(source.shots, "shots").shots
    return max(shots, key=lambda shot: shot.stop - shot.start, default=None)


def box_at(clip: Clip, frame: int) -> Box:
    """The face at one frame, between two looks."""
    frames = [sample.frame for sample in clip.person.path]
    boxes = np.asarray([sample.box for sample in clip.person.path])
    x, y, wide, high = (float(np.interp(frame, frames, boxes[:, side])) for side in range(4))
    return x, y, wide, high


def on_a_landscape(pictures: Sequence[RGB], face: Box, backdrop: RGB) -> list[RGB]:
    """The head alone, a quarter of the height, in the middle of a picture without people."""
    heads = faults.cropped(pictures, faults.around(face, high=1.6))
    large = cv2.resize(backdrop, (960, 540), interpolation=cv2.INTER_AREA)
    high = 216
    wide = round(heads[0].shape[1] * high / heads[0].shape[0])
    made: list[RGB] = []
    for head in heads:
        frame = large.copy()
        frame[120 : 120 + high, 400 : 400 + wide] = cv2.resize(
            head, (wide, high), interpolation=cv2.INTER_AREA
        )
        made.append(frame)
    return made


def above_elbows(pose: np.ndarray, clip: Clip, pictures: Sequence[RGB]) -> list[RGB] | None:
    """The picture cut off above both elbows, below the chin; None where they are never seen or raised that high."""
    elbows = pose[:, [7, 8]]
    seen = elbows[..., 2] > need(clip.pose, "pose").valid_from
    if not seen.any():
        return None
    lower = float(np.percentile(elbows[..., 1][seen], 2)) - 0.05 * clip.person.face[3]
    if lower < clip.person.face[1] + 1.3 * clip.person.face[3]:
        return None
    return faults.cropped(pictures, (0.0, 0.0, pictures[0].shape[1], lower))


# ---- on paper --------------------------------------------------------------------------------------------------------


HEAD = [
    "| filter | the fault | cases with, without | people | no value: with, without | threshold | precision | recall"
    " | fitted on the other half | precision | recall | picture energy alone"
    " | dropped by any filter that acts: with, without |",
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
]


def report(found: Found) -> str:
    """The table of all filters, then the histogram of each."""
    lines, pictures = [*HEAD], list[str]()
    for name, fault in NAMES.items():
        rule = next((rule for rule in RULES if rule.why == name), None)
        limit = rule.threshold if rule else float("nan")
        cases, keeps = found.get(name, []), rule.comparator if rule else "<="
        both = {case.fault for case in cases if case.asked} == {True, False}
        lines.append(row(name, fault, cases, keeps, limit) if both else none(name, fault, cases))
        what = f"{rule.measurement}, {rule.unit}" if rule else "frame widths a second"
        drawn = histogram(cases, threshold=limit)
        pictures += ["", f"`{name}`, {what}", "", "```text", drawn, "```"]
    lines += [f"| `{name}` | {why} |" + " |" * 11 for name, why in ABSENT.items()]
    return "\n".join([*lines, *pictures])


def row(name: str, fault: str, cases: Sequence[Case], keeps: str, limit: float) -> str:
    """One filter's line."""
    drop_unseen = name not in KEPT_UNSEEN
    result = judged(cases, keeps=keeps, threshold=limit, misses_drop=drop_unseen)
    shares = [
        told(float(np.mean([case.dropped or False for case in cases if case.fault is side])))
        for side in (True, False)
    ]
    cells = (
        f"`{name}`",
        fault,
        f"{result.cases[0]}, {result.cases[1]}",
        f"{result.people[0]}, {result.people[1]}",
        f"{result.unknown[0]}, {result.unknown[1]}",
        "–" if np.isnan(limit) else f"{keeps} {limit:g}",
        *(("–", "–") if np.isnan(limit) else figures(result.own, result.own_interval)),
        f"{result.thresholds[0]:.3g}, {result.thresholds[1]:.3g}",
        *figures(result.fitted, result.fitted_interval),
        f"{told(result.baseline.precision)}, {told(result.baseline.recall)}" if result.baseline else "–",
        ", ".join(shares),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def none(name: str, fault: str, cases: Sequence[Case]) -> str:
    """The line of a filter that was shown one class only."""
    return f"| `{name}` | {fault} | {len(cases)} in all: no comparison |" + " |" * 10


def figures(score: Score, interval: tuple[Score, Score]) -> tuple[str, str]:
    """Precision and recall with their intervals."""
    low, high = interval
    return (
        f"{told(score.precision)} {between(low.precision, high.precision)}",
        f"{told(score.recall)} {between(low.recall, high.recall)}",
    )


if __name__ == "__main__":
    main()

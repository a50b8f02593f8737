"""The filters that look at pictures: as the clips are, and with the fault edited in.

    python -m research.truth.filters [--jobs 2] [--only PERSON ...] [--cases FOLDER]

The cases of each stretch of footage are kept in FOLDER under what made them (`kept.made_of`: text, libraries, networks,
footage), so that a run that was cut goes on where it was.
"""

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from av import logging

from manifests import keypoints as kp
from manifests.errors import run_command
from manifests.files import write_whole
from manifests.record import Box, Clip, Source, Why
from pipeline.perception.faces import FaceDetector
from pipeline.perception.pose import MediaPipePose
from pipeline.stage import need
from pipeline.validation import faults
from pipeline.validation.faults import RGB
from pipeline.validation.footage import media_folder
from pipeline.validation.picture_filters import (
    CAMERA,
    Seen,
    case,
    case_without_clip,
    dropped_for,
    face_at,
    largest,
    look,
    survey_values,
)
from pipeline.validation.picture_stages import PictureStages, posture_within
from pipeline.validation.scores import Case
from pipeline.validation.table import table
from research.cases import CasesError, clips
from research.cast import Actor, actors, empty
from research.truth.kept import made_of

LOOK = 53
"""Frames of a piece that only the survey looks at: 2.1 s, so that faces are followed from look to look."""
CASES = Path("work/truth-cases")
MAKERS = ("research/cast.py", "research/truth/filters.py")
"""Modules of research that make cases."""
AHEAD, AHEAD_PROFILE = 30, 5
"""Frames from one such piece to the next; of people in profile, who are few, more pieces are looked at."""
WINDOW, STRIDE = 100, 6
"""Frames of a piece whose pose is judged, and from one to the next: 4 s every quarter second."""

PANS = (0.05, 0.1, 0.2, 0.3)
"""Picture widths a second."""

ELBOWS = [kp.LEFT_ELBOW, kp.RIGHT_ELBOW]
Found = dict[str, list[Case]]
"""Cases by the name of the filter."""

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
ABSENT: dict[str, str] = {
    Why.BACK_VIEW: "no footage of one speaker from behind is at hand: never acts",
}


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


def report(found: Found) -> str:
    """The table of all filters, then the histogram of each."""
    return table(found, NAMES, absent=ABSENT)


# ---- cases -----------------------------------------------------------------------------------------------------------


def gathered(
    media: Path, *, jobs: int, only: Sequence[str] | None = None, kept: Path = CASES
) -> Found:
    """Cases of everybody, measured in processes of their own."""
    chosen = [actor for actor in actors() if not only or actor.person in only]
    there = [actor for actor in chosen if (media / "video" / actor.file).is_file()]
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
    behind = backdrop_of(actor)
    networks = (FaceDetector().weights, MediaPipePose().weights)
    return made_of(
        ("pipeline", "manifests", *MAKERS),
        files=[media / "video" / file for file in sorted({actor.file, behind.file})],
        marks=[*map(str, networks), repr(actor), repr(behind)],
    )


def backdrop_of(actor: Actor) -> Actor:
    """The footage without people that an actor is put on. Raises CasesError where actors.tsv does not have it."""
    files = clips("filters/backdrops")
    file = files[len(actor.person) % len(files)]
    behind = next((each for each in empty() if each.file == file), None)
    if behind is None:
        raise CasesError(
            f"{file} of the list filters/backdrops shows nobody, and actors.tsv does not say so"
        )
    return behind


def remembered(media: Path, folder: Path, actor: Actor) -> Found:
    """`cases_of` one stretch, from the folder where it has been measured before."""
    file = folder / f"{actor.file}-{actor.start:g}-{made_by(media, actor)}.json"
    if file.is_file():
        stored = json.loads(file.read_text())
        return {name: [Case(**case) for case in cases] for name, cases in stored.items()}
    found = cases_of(media, actor)
    text = json.dumps({name: [asdict(case) for case in cases] for name, cases in found.items()})
    write_whole(file, text)
    return found


def pictures_of(media: Path, actor: Actor) -> list[RGB]:
    """The actor's stretch."""
    return faults.pictures_of(media / "video" / actor.file, start=actor.start, stop=actor.stop)


def cases_of(media: Path, actor: Actor) -> Found:
    """Every case that one stretch gives."""
    logging.set_level(logging.FATAL)
    cv2.setNumThreads(1)
    pictures = pictures_of(media, actor)
    found: Found = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        stages = PictureStages.open(Path(name))
        if actor.shows == "nobody":
            nobody(stages, actor, pictures, found)
            return found
        source = stages.source(faults.write(pictures, Path(name) / "as-is.mp4", crf=18))
        clip = largest(stages.candidates(source))
        backdrop = pictures_of(media, backdrop_of(actor))[0]
        surveyed(stages, actor, pictures, clip, backdrop, found)
        if clip is not None:
            posed(stages, actor, pictures, source, clip, backdrop, found)
    return found


def surveyed(
    stages: PictureStages,
    actor: Actor,
    pictures: list[RGB],
    clip: Clip | None,
    backdrop: RGB,
    found: Found,
) -> None:
    """What the survey alone tells: size and turn of the face, a frozen picture."""
    stride = AHEAD_PROFILE if actor.view == "profile" else AHEAD
    for number, piece in enumerate(faults.pieces(pictures, LOOK, stride)):
        variants = ((piece, 23), (faults.mirrored(piece), 28), (piece, 33))
        for variant, crf in variants[: 2 if clean(actor) else 3]:
            unchanged(actor, look(stages, variant, crf=crf), found)
        if clean(actor) and clip is not None and number < 4:
            edited(stages, actor, piece, number, clip.person.face, backdrop, found)


def unchanged(actor: Actor, seen: Seen, found: Found) -> None:
    """Footage as it is: without the fault for most filters, with it where the person is so seen."""
    if actor.view != "turned":
        found[Why.FACE_TURNED].append(
            case(actor.person, actor.view == "profile", seen, Why.FACE_TURNED)
        )
    if actor.view == "profile":
        return
    if actor.shows != "shoulders":
        found[Why.CLOSE_UP].append(case(actor.person, actor.shows == "head", seen, Why.CLOSE_UP))
    if actor.shows == "body":
        found[Why.NOBODY].append(case(actor.person, False, seen, Why.NOBODY))
        found[Why.TOO_SMALL].append(case(actor.person, False, seen, Why.TOO_SMALL))
        found[CAMERA].append(case(actor.person, False, seen, CAMERA))
    if actor.moves != "hardly":
        found[Why.FROZEN].append(case(actor.person, False, seen, Why.FROZEN))


def edited(
    stages: PictureStages, actor: Actor, piece: list[RGB], number: int, face: Box, backdrop: RGB, found: Found,
) -> None:  # fmt: skip
    """The same footage with the survey's faults in it."""
    for high in (1.45, 1.75, 2.1):
        seen = look(stages, faults.cropped(piece, faults.around(face, high=high)))
        found[Why.CLOSE_UP].append(case(actor.person, True, seen, Why.CLOSE_UP))
    for grain in (0.0, 2.0, 4.0, 8.0) if number < 3 else ():
        still = faults.frozen(piece[0], frames=LOOK, grain=grain, seed=number)
        seen = look(stages, still, crf=23 if grain < 4 else 18)
        found[Why.FROZEN].append(case(actor.person, True, seen, Why.FROZEN))
    for speed in PANS:
        seen = look(stages, faults.panned(piece, speed=speed))
        found[CAMERA].append(case(actor.person, True, seen, CAMERA))
    if number < 3:
        small(stages, actor, piece, face, backdrop, found, shares=(0.03, 0.045, 0.05))
    if number < 2:
        small(stages, actor, piece, face, backdrop, found, shares=(0.075, 0.1))


def clean(actor: Actor) -> bool:
    """Seen from the front with the upper body: nothing to drop for."""
    return actor.view == "frontal" and actor.shows == "body"


def small(
    stages: PictureStages,
    actor: Actor,
    piece: list[RGB],
    face: Box,
    backdrop: RGB,
    found: Found,
    *,
    shares: Sequence[float],
) -> None:
    """The person pasted small, on a picture without people and on plain grey."""
    plain = np.full_like(piece[0], int(piece[0].mean()))
    for share in shares:
        for behind, at in ((backdrop, 0.3), (backdrop, 0.8), (plain, 0.5)):
            made = faults.pasted_small(piece, behind, face=face[3], fraction=share, at=at)
            if made:
                seen = look(stages, made)
                found[Why.TOO_SMALL].append(case(actor.person, share < 0.06, seen, Why.TOO_SMALL))


def nobody(stages: PictureStages, scene: Actor, pictures: list[RGB], found: Found) -> None:
    """Footage without people: whole, its quarters, mirrored."""
    high, wide = (side // 2 for side in pictures[0].shape[:2])
    for piece in faults.pieces(pictures, min(LOOK, len(pictures)), 26):
        parts = [
            piece,
            *(faults.cropped(piece, (x, y, wide, high)) for x in (0, wide) for y in (0, high)),
        ]
        for part in parts:
            for variant in (part, faults.mirrored(part)):
                found[Why.NOBODY].append(
                    case(scene.person, True, look(stages, variant), Why.NOBODY)
                )


def posed(
    stages: PictureStages, actor: Actor, pictures: list[RGB], source: Source, clip: Clip, backdrop: RGB, found: Found,
) -> None:  # fmt: skip
    """What takes a pose: upper body, side view, hidden face, stillness, no body."""
    as_is = stages.posed(source, clip)
    pose = stages.pose(as_is)
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
        (Why.NO_POSE, faults.head_alone(pictures, face, backdrop)),
    ]
    seen_from = need(as_is.pose, "pose").valid_from
    above = faults.above_elbows(pictures, face, pose[:, ELBOWS], valid_from=seen_from)
    if above is not None:
        edits.append((Why.UPPER_BODY_MISSING, above))
    for why, made in edits:
        film = stages.source(stages.written(made))
        if (candidate := largest(stages.candidates(film))) is None:
            if why is not Why.STATIC or actor.moves != "hardly":
                found[why] += [
                    case_without_clip(actor.person, piece)
                    for piece in faults.pieces(made, WINDOW, STRIDE)
                ]
            continue
        candidate = stages.posed(film, candidate)
        add(actor, made, candidate, stages.pose(candidate), found, {why: True})
    boxes = [face_at(clip, frame) for frame in range(len(pictures))]
    hidden = faults.covered(pictures, boxes)
    film = stages.source(stages.written(hidden))
    candidate = stages.posed(
        source, clip, film=film
    )  # the survey's looks fell where the face was free
    add(actor, hidden, candidate, stages.pose(candidate), found, {Why.FACE_HIDDEN: True})


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
    for start, piece in enumerate(faults.pieces(shown, WINDOW, STRIDE)):
        part = pose[start * STRIDE :][: len(piece)]
        posture, body = posture_within(clip, part)
        values: dict[str, float | None] = {
            Why.NO_POSE: body,
            Why.UPPER_BODY_MISSING: posture.upper_body,
            Why.SIDE_VIEW: posture.facing,
            Why.FACE_HIDDEN: posture.face_seen,
            Why.STATIC: posture.stillness,
        }
        dropped = dropped_for({**survey_values(clip), **values})
        for why, faulty in fault.items():
            energy = faults.energy(piece[::5])
            found[why].append(Case(actor.person, faulty, values[why], energy, dropped))


if __name__ == "__main__":
    run_command(main)

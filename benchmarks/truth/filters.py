"""The filters that look at pictures: as the clips are, and with the fault edited in.

python -m benchmarks.truth.filters [--jobs 2] [--only PERSON ...]
"""

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import av
import cv2
import numpy as np

from benchmarks.real import media_folder
from benchmarks.truth import faults
from benchmarks.truth.cast import CAST, EMPTY, Actor
from benchmarks.truth.faults import RGB
from benchmarks.truth.scores import Case, between, histogram, judged, told
from benchmarks.truth.watch import Eyes, window
from manifests.record import Box, Clip, Source, Why
from pipeline.rules import RULES, Rule
from pipeline.stage import need

LOOK = 53
"""Frames of a piece that only the survey looks at: 2.1 s, so that faces are followed from look to look."""
WINDOW, STRIDE = 100, 12
"""Frames of a piece whose pose is judged, and from one to the next: 4 s every half second."""

Found = dict[Why, list[Case]]
Seen = tuple[Source, tuple[Clip, ...], float]
"""A surveyed source, its candidates, and the picture's energy."""

NAMES: dict[Why, str] = {
    Why.NOBODY: "landscapes, a street of animation, a screen",
    Why.TOO_SMALL: "pasted so that the face has 0.03 or 0.045 of the height; others as they are or at 0.075 and 0.1",
    Why.CLOSE_UP: "cut to the head (face 0.45 to 0.7 of the height), and head-only clips",
    Why.FACE_TURNED: "profiles, real",
    Why.FROZEN: "one picture under grain of 0 to 8 grey levels",
    Why.NO_POSE: "a face on a landscape, no body",
    Why.UPPER_BODY_MISSING: "cut to the head or above the elbows, and head-only clips",
    Why.SIDE_VIEW: "profiles, real",
    Why.FACE_HIDDEN: "a piece of the picture held before the face",
    Why.STATIC: "one picture under grain of 4 grey levels",
}
"""What has the fault; what has it not: people from the front with their upper body, as they are."""
MISSES_DROP = {Why.TOO_SMALL, Why.UPPER_BODY_MISSING, Why.SIDE_VIEW, Why.STATIC, Why.FACE_HIDDEN}
"""Where a case without a value is dropped, as `Rule.passes` does."""


def main() -> None:
    """Print the section."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="*", help="people, to try something out")
    parser.add_argument(
        "--cases", type=Path, help="every case, as JSON; read instead of measured where it is there"
    )
    given = parser.parse_args()
    if given.cases and given.cases.is_file():
        held = json.loads(given.cases.read_text())
        found = {Why(why): [Case(**case) for case in cases] for why, cases in held.items()}
    else:
        found = gathered(media_folder(), jobs=given.jobs, only=given.only)
    if given.cases:
        held = {str(why): [asdict(case) for case in cases] for why, cases in found.items()}
        given.cases.write_text(json.dumps(held))
    print(report(found))


def section(shared: Path) -> str:
    """The tables of all picture filters."""
    return report(gathered(shared / "media", jobs=2))


# ---- cases -----------------------------------------------------------------------------------------------------------


def gathered(media: Path, *, jobs: int, only: Sequence[str] | None = None) -> Found:
    """Cases of everybody, measured in processes of their own."""
    actors = [actor for actor in (*CAST, *EMPTY) if not only or actor.person in only]
    there = [actor for actor in actors if (media / "video" / actor.file).is_file()]
    total: Found = defaultdict(list)
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        for number, found in enumerate(pool.map(partial(cases_of, media), there)):
            for why, cases in found.items():
                total[why] += cases
            told_so_far = ", ".join(f"{why} {len(cases)}" for why, cases in found.items())
            print(
                f"{number + 1}/{len(there)} {there[number].file}: {told_so_far}",
                file=sys.stderr,
                flush=True,
            )
    return total


def cases_of(media: Path, actor: Actor) -> Found:
    """Every case that one stretch gives."""
    av.logging.set_level(av.logging.FATAL)
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
        surveyed(eyes, actor, pictures, clip, found)
        if clip is not None:
            backdrop = faults.pictures_of(media, EMPTY[len(actor.person) % 2 + 3])[0]
            posed(eyes, actor, pictures, source, clip, backdrop, found)
    return found


def surveyed(
    eyes: Eyes, actor: Actor, pictures: list[RGB], clip: Clip | None, found: Found
) -> None:
    """What the survey alone tells: size and turn of the face, a frozen picture."""
    stride = 10 if actor.view == "profile" else LOOK - 10  # there are few profiles
    for number, piece in enumerate(cut(pictures, LOOK, stride)):
        variants = ((piece, 23), (faults.mirrored(piece), 28), (piece, 33))
        for variant, crf in variants[: 2 if clean(actor) else 3]:
            unchanged(actor, look(eyes, variant, crf=crf), found)
        if clean(actor) and clip is not None and number < 4:
            edited(eyes, actor, piece, number, clip.person.face, found)


def unchanged(actor: Actor, seen: Seen, found: Found) -> None:
    """Footage as it is: without the fault for most filters, with it where the person is so seen."""
    if actor.view != "turned":
        found[Why.FACE_TURNED].append(case(actor, actor.view == "profile", seen, facing))
    if actor.view == "profile":
        return
    found[Why.CLOSE_UP].append(case(actor, not actor.body, seen, face_height))
    if actor.body:
        found[Why.NOBODY].append(case(actor, False, seen, people))
        found[Why.TOO_SMALL].append(case(actor, False, seen, face_height))
        found[Why.FROZEN].append(case(actor, False, seen, change))


def edited(
    eyes: Eyes, actor: Actor, piece: list[RGB], number: int, face: Box, found: Found
) -> None:  # fmt: skip
    """The same footage with the survey's faults in it."""
    for high in (1.45, 1.75, 2.1):
        seen = look(eyes, faults.cropped(piece, faults.around(face, high=high)))
        found[Why.CLOSE_UP].append(case(actor, True, seen, face_height))
    for grain in (0.0, 2.0, 4.0, 8.0) if number < 3 else ():
        still = faults.frozen(piece[0], frames=LOOK, grain=grain, seed=number)
        seen = look(eyes, still, crf=23 if grain < 4 else 18)
        found[Why.FROZEN].append(case(actor, True, seen, change))
    if number < 2:
        small(eyes, actor, piece, face, found)


def clean(actor: Actor) -> bool:
    """Seen from the front with the upper body: nothing to drop for."""
    return actor.view == "frontal" and actor.body


def small(eyes: Eyes, actor: Actor, piece: list[RGB], face: Box, found: Found) -> None:
    """The person pasted small, on a blurred copy of the picture itself and on plain grey."""
    blurred = cv2.GaussianBlur(piece[0], (0, 0), 25)
    plain = np.full_like(piece[0], int(piece[0].mean()))
    for share in (0.03, 0.045, 0.075, 0.1):
        for backdrop, at in ((blurred, 0.3), (blurred, 0.8), (plain, 0.5)):
            made = faults.pasted_small(piece, backdrop, face=face[3], share=share, at=at)
            if made:
                seen = look(eyes, made)
                found[Why.TOO_SMALL].append(case(actor, share < 0.06, seen, face_height))


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
                found[Why.NOBODY].append(case(scene, True, look(eyes, variant), people))


def posed(
    eyes: Eyes, actor: Actor, pictures: list[RGB], source: Source, clip: Clip, backdrop: RGB, found: Found,
) -> None:  # fmt: skip
    """What takes a pose: upper body, side view, hidden face, stillness, no body."""
    as_is = eyes.posed(source, clip)
    pose = eyes.pose(as_is)
    fault = {
        Why.UPPER_BODY_MISSING: not actor.body,
        Why.SIDE_VIEW: actor.view == "profile",
    }
    add(actor, pictures, as_is, pose, found, {
        why: faulty for why, faulty in fault.items()
        if (faulty or clean(actor)) and (actor.view == "frontal" or why is Why.SIDE_VIEW)
    } | ({why: False for why in (Why.NO_POSE, Why.FACE_HIDDEN, Why.STATIC)} if clean(actor) else {}))  # fmt: skip
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


def add(
    actor: Actor, pictures: list[RGB], clip: Clip, pose: np.ndarray, found: Found, fault: dict[Why, bool]
) -> None:  # fmt: skip
    """One case a window for each filter in `fault`."""
    shown = pictures[clip.span.start : clip.span.stop]
    for start, piece in enumerate(cut(shown, WINDOW, STRIDE)):
        part = pose[start * STRIDE :][: len(piece)]
        posture, body = window(clip, part)
        values = {
            Why.NO_POSE: body,
            Why.UPPER_BODY_MISSING: posture.upper_body,
            Why.SIDE_VIEW: posture.facing,
            Why.FACE_HIDDEN: posture.face_seen,
            Why.STATIC: posture.stillness,
        }
        for why, faulty in fault.items():
            found[why].append(Case(actor.person, faulty, values[why], faults.energy(piece[::5])))


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


def case(actor: Actor, fault: bool, seen: Seen, value: Callable[[Seen], float | None]) -> Case:
    """One case of a look."""
    return Case(actor.person, fault, value(seen), seen[2])


def nothing(actor: Actor, pictures: Sequence[RGB]) -> Case:
    """A case in which nobody was found."""
    return Case(actor.person, True, None, faults.energy(pictures[::5]))


def largest(clips: Sequence[Clip]) -> Clip | None:
    """The candidate with the largest face."""
    return max(clips, key=lambda clip: clip.person.face_height, default=None)


def people(seen: Seen) -> float | None:
    """Faces that the survey saw, at most at once."""
    return float(need(seen[0].people, "people").seen)


def face_height(seen: Seen) -> float | None:
    """Of the largest candidate."""
    clip = largest(seen[1])
    return clip.person.face_height if clip else None


def facing(seen: Seen) -> float | None:
    """Of the largest candidate."""
    clip = largest(seen[1])
    return clip.person.facing if clip else None


def change(seen: Seen) -> float | None:
    """Of the shot, whether or not a face was found in it."""
    shots = need(seen[0].shots, "shots").shots
    longest = max(shots, key=lambda shot: shot.stop - shot.start, default=None)
    return longest.change if longest else None


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


def rule_of(why: Why) -> Rule:
    """The rule of a reason."""
    return next(rule for rule in RULES if rule.why is why)


def report(found: Found) -> str:
    """The table of all filters, then the histogram of each."""
    lines = [
        "| filter | the fault | cases with, without | people | no value | threshold | precision | recall"
        " | fitted on the other half | precision | recall | picture energy alone |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    pictures: list[str] = []
    for why, name in NAMES.items():
        cases, rule = found.get(why, []), rule_of(why)
        if not any(case.fault for case in cases) or all(case.fault for case in cases):
            lines.append(f"| `{why}` | {name} | {len(cases)} in all: no comparison |" + " |" * 9)
            continue
        result = judged(
            cases, keeps=rule.comparator, threshold=rule.threshold, misses_drop=why in MISSES_DROP
        )
        low, high = result.own_interval
        fit_low, fit_high = result.fitted_interval
        base = result.baseline
        lines.append(
            f"| `{why}` | {name} | {result.cases[0]}, {result.cases[1]} | {result.people[0]}, {result.people[1]}"
            f" | {result.unknown} | {rule.comparator} {rule.threshold:g}"
            f" | {told(result.own.precision)} {between(low.precision, high.precision)}"
            f" | {told(result.own.recall)} {between(low.recall, high.recall)}"
            f" | {result.thresholds[0]:.3g}, {result.thresholds[1]:.3g}"
            f" | {told(result.fitted.precision)} {between(fit_low.precision, fit_high.precision)}"
            f" | {told(result.fitted.recall)} {between(fit_low.recall, fit_high.recall)}"
            f" | {f'{told(base.precision)}, {told(base.recall)}' if base else '–'} |"
        )
        drawn = histogram(cases, threshold=rule.threshold)
        pictures += ["", f"`{why}`, {rule.measurement}, {rule.unit}", "", "```text", drawn, "```"]
    return "\n".join([*lines, *pictures])


if __name__ == "__main__":
    main()

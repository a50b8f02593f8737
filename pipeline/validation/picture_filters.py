"""What the filters that look at pictures say of a film: a case of a truth table, with the fault or without."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from manifests.record import Box, Clip, Shot, Source, Why
from pipeline.config import Run
from pipeline.flow import measuring
from pipeline.rules import RULES
from pipeline.stage import need
from pipeline.validation.faults import RGB, energy
from pipeline.validation.picture_stages import PictureStages
from pipeline.validation.scores import Case

CAMERA = "camera_motion"
"""Recorded of each shot, and no filter; it is judged as one, beside `Why`."""
ENERGY_EVERY = 5
"""Every such picture is looked at for the baseline."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A surveyed source, its candidates, and the mean change from picture to picture in grey levels."""

    source: Source
    clips: tuple[Clip, ...]
    energy: float


def look(stages: PictureStages, pictures: Sequence[RGB], *, crf: int = 23) -> Seen:
    """Pictures that are written to a file and surveyed."""
    source = stages.source(stages.written(pictures, crf=crf))
    return Seen(source, stages.candidates(source), energy(pictures[::ENERGY_EVERY]))


def case(person: str, fault: bool, seen: Seen, name: str) -> Case:
    """One case of a film for the filter `name`, a `Why` or CAMERA.

    Without a clip only what is measured of the source as a whole is asked: whether anybody is in view, whether the
    picture is frozen, whether the camera moves.
    """
    clip = largest(seen.clips)
    values: dict[str, float | None] = {
        Why.NOBODY: float(need(seen.source.people, "people").seen),
        CAMERA: camera_motion(seen.source),
    }
    if (changed := change(seen.source)) is not None:
        values[Why.FROZEN] = changed
    values |= survey_values(clip) if clip else {}
    dropped = clip is None or dropped_for(values)
    return Case(person, fault, values.get(name), seen.energy, dropped, asked=name in values)


def case_without_clip(person: str, pictures: Sequence[RGB]) -> Case:
    """A case with the fault in which nobody was found: dropped, and no clip for the filter to judge."""
    changed = energy(pictures[::ENERGY_EVERY])
    return Case(person, True, None, changed, dropped=True, asked=False)


def largest(clips: Sequence[Clip]) -> Clip | None:
    """The candidate with the largest face."""
    return max(clips, key=lambda clip: clip.person.face_height, default=None)


def survey_values(clip: Clip) -> dict[str, float | None]:
    """What the survey measured of one candidate, by the filter."""
    return {
        Why.TOO_SMALL: clip.person.face_height,
        Why.CLOSE_UP: clip.person.face_height,
        Why.FACE_TURNED: clip.person.facing,
        Why.FROZEN: clip.shot.change,
        Why.LOW_PICTURE_RATE: clip.shot.new_pictures,
    }


def dropped_for(values: Mapping[str, float | None]) -> bool:
    """Whether any filter that acts with the default backends would drop what measures so."""
    used = measuring(Run())
    rules = [rule for rule in RULES if rule.why in values]
    acting = [rule for rule in rules if rule.proven_for(used.get(rule.section, ""))]
    return any(not rule.passes(values[rule.why]) for rule in acting)


def change(source: Source) -> float | None:
    """`shot.change` of the longest shot, whether or not a face was found in it."""
    shot = longest_shot(source)
    return shot.change if shot else None


def camera_motion(source: Source) -> float | None:
    """Of the longest shot: frame widths a second."""
    shot = longest_shot(source)
    return shot.camera_motion if shot else None


def longest_shot(source: Source) -> Shot | None:
    """None where a source has no shot."""
    shots = need(source.shots, "shots").shots
    return max(shots, key=lambda shot: shot.stop - shot.start, default=None)


def face_at(clip: Clip, frame: int) -> Box:
    """The face at one frame, between two looks."""
    frames = [sample.frame for sample in clip.person.path]
    boxes = np.asarray([sample.box for sample in clip.person.path])
    x, y, wide, high = (float(np.interp(frame, frames, boxes[:, side])) for side in range(4))
    return x, y, wide, high

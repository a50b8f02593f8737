"""Who is who over time: joins sparse face detections into one track per person and shot."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from manifests.geometry import centre
from manifests.record import Box, FaceSample, Track
from pipeline.perception.faces.detector import Face

FORBIDDEN = 1e6  # cost of a pair that the gate keeps apart; far above any sum of allowed ones


@dataclass(frozen=True, slots=True)
class Gate:
    """Which detection may continue which track.

    People sit or stand and talk: in a second a head moves by less than its own size.
    """

    most_distance: float = 1.0  # between centres, in mean face sizes, from one sample to the next
    slack: float = 0.25  # added for each sample that was missed in between, mean face sizes
    most_growth: float = 1.8  # larger over smaller face height
    most_missed: int = 4  # samples in a row without the face, after which the track ends
    least_samples: int = 2  # shorter tracks are chance detections

    def cost(self, last: Box, new: Box, *, missed: int) -> float:
        """Distance in mean face sizes plus log growth; FORBIDDEN where out of reach."""
        size = (last[2] + last[3] + new[2] + new[3]) / 4.0
        distance = math.dist(centre(last), centre(new)) / size
        growth = max(last[3], new[3]) / min(last[3], new[3])
        if distance > self.most_distance + self.slack * missed or growth > self.most_growth:
            return FORBIDDEN
        return distance + math.log(growth)


@dataclass(slots=True)
class _Open:
    """A track that may still grow."""

    samples: list[FaceSample] = field(default_factory=list)
    missed: int = 0


def follow(
    samples: Sequence[tuple[int, Sequence[Face]]],
    shots: Sequence[tuple[int, int]],
    gate: Gate | None = None,
) -> tuple[Track, ...]:
    """Tracks of the faces in each shot, numbered by first appearance, then from left to right.

    samples: (frame, faces) in rising order of frames, frames without faces included; shots:
    half-open spans of the same frames; what lies in none of them is left out. Raises ValueError
    where frames do not rise.
    """
    frames = [frame for frame, _ in samples]
    if any(b <= a for a, b in pairwise(frames)):
        raise ValueError("face samples must come in rising order of frames")
    gate = gate or Gate()
    found: list[list[FaceSample]] = []
    for start, stop in shots:
        inside = [(frame, faces) for frame, faces in samples if start <= frame < stop]
        found += _within(inside, gate)
    found.sort(key=lambda track: (track[0].frame, track[0].box))
    return tuple(Track(person=n, samples=tuple(track)) for n, track in enumerate(found))


def _within(samples: Sequence[tuple[int, Sequence[Face]]], gate: Gate) -> list[list[FaceSample]]:
    """The tracks of one shot."""
    open_tracks: list[_Open] = []
    done: list[_Open] = []
    for frame, unordered in samples:
        faces = sorted(unordered, key=lambda face: face.box)  # ties go from left to right
        matched = _match(open_tracks, faces, gate)
        for track in open_tracks:
            track.missed += 1
        for number, face in enumerate(faces):
            track = matched.get(number)
            if track is None:
                open_tracks.append(track := _Open())
            track.samples.append(
                FaceSample(frame=frame, box=face.box, score=face.score, facing=face.facing)
            )
            track.missed = 0
        done += (track for track in open_tracks if track.missed > gate.most_missed)
        open_tracks = [track for track in open_tracks if track.missed <= gate.most_missed]
    return [t.samples for t in done + open_tracks if len(t.samples) >= gate.least_samples]


def _match(tracks: Sequence[_Open], faces: Sequence[Face], gate: Gate) -> dict[int, _Open]:
    """For each face that continues a track, by its place: that track; the cheapest set of pairs."""
    from scipy.optimize import linear_sum_assignment  # slow to import: only where needed

    costs: Float[np.ndarray, "track face"] = np.array(
        [
            [gate.cost(track.samples[-1].box, face.box, missed=track.missed) for face in faces]
            for track in tracks
        ]
    ).reshape(len(tracks), len(faces))
    rows, columns = linear_sum_assignment(costs)
    return {
        int(column): tracks[row]
        for row, column in zip(rows, columns, strict=True)
        if costs[row, column] < FORBIDDEN
    }


def face_at(path: Sequence[FaceSample], frame: int) -> Box:
    """The face's box at one frame: between two looks in a straight line, outside them as at the nearest one."""
    frames = [sample.frame for sample in path]
    boxes = np.asarray([sample.box for sample in path])
    x, y, width, height = (float(np.interp(frame, frames, boxes[:, i])) for i in range(4))
    return x, y, width, height

"""Who is who over time: joins face detections, sparse or dense, into one track per person and shot.

A head is taken to move as an integrated Ornstein-Uhlenbeck process: a velocity that is kept for a while and forgotten
(Uhlenbeck and Ornstein 1930), followed by a Kalman filter, so that looks may come at any times. Who is who after two
people crossed is decided by place, size and the colours of head and chest together; a strict gate makes sure pieces,
which `rejoin` puts together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from manifests.geometry import FPS, centre
from manifests.record import Box, FaceSample, Track
from pipeline.perception.faces.detector import Face
from pipeline.perception.faces.looks import Look, unlike
from pipeline.perception.faces.rejoin import Join, Piece, rejoined

LOOKS_KEPT = 25  # of the colours of one person; a crossing takes up a few of them
FORBIDDEN = 1e6  # cost of a pair that the gate keeps apart; far above any sum of allowed ones


@dataclass(frozen=True, slots=True)
class Gate:
    """Which detection may continue which track, and how well it does.

    The numbers were set on half of 20 real people, cut out and moved across each other, and hold on the other half:
    docs/decisions/0011, `python -m research.truth.tracking`.
    """

    noise: float = 0.06  # standard deviation of a detection's centre, mean face sizes
    speed: float = (
        0.6  # of a head that was not yet seen to move, standard deviation, face sizes a second
    )
    memory: float = 1.0  # seconds after which a velocity is forgotten to 1/e
    most_distance: float = 3.0  # between the expected and the found place, in standard deviations
    most_growth: float = 1.8  # larger over smaller face height
    growth: float = 0.2  # of the log of a face's height from look to look, standard deviation
    most_unlike: float = 0.25  # Hellinger distance of the colours, 0 to 1
    unlike: float = 0.08  # of the colours of one person from look to look, standard deviation
    most_gap: float = 5.0  # seconds without the face, after which the track ends
    least_samples: int = 2  # shorter tracks are chance detections
    least_seconds: float = 0.5  # as well
    join: Join = field(default_factory=Join)


@dataclass(slots=True)
class _Open:
    """A track that may still grow: what was seen, and where the head is taken to be and to go.

    place: pixels; velocity: pixels a second; covariance: of both, in face sizes and seconds, alike for x and y;
    look: the median of the last ones, since a person in front shows for a moment only.
    """

    samples: list[FaceSample]
    place: Float[np.ndarray, "2"]
    velocity: Float[np.ndarray, "2"]
    covariance: Float[np.ndarray, "2 2"]
    looks: list[Look] = field(default_factory=list)
    look: Look | None = None

    @classmethod
    def at(cls, frame: int, face: Face, gate: Gate) -> "_Open":
        """A track that begins with one face."""
        track = cls(
            samples=[],
            place=np.array(centre(face.box)),
            velocity=np.zeros(2),
            covariance=np.diag([gate.noise**2, gate.speed**2]),
        )
        track.keep(frame, face)
        return track

    @property
    def last(self) -> FaceSample:
        return self.samples[-1]

    @property
    def size(self) -> float:
        """Mean side of the last face, pixels."""
        return (self.last.box[2] + self.last.box[3]) / 2.0

    def expected(
        self, frame: int, gate: Gate
    ) -> tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"], Float[np.ndarray, "2 2"]]:
        """Place, velocity and covariance at a later frame."""
        step, grown = motion(frame - self.last.frame, gate.speed, gate.memory)
        place = self.place + step[0, 1] * self.velocity
        return place, step[1, 1] * self.velocity, step @ self.covariance @ step.T + grown

    def cost(self, frame: int, face: Face, gate: Gate) -> float:
        """Minus the log likelihood that the face is this person's, but for a constant; FORBIDDEN where out of reach."""
        place, _, covariance = self.expected(frame, gate)
        variance = covariance[0, 0] + gate.noise**2
        away = float(np.sum((np.array(centre(face.box)) - place) ** 2)) / self.size**2 / variance
        growth = abs(math.log(face.box[3] / self.last.box[3]))
        unlikely = unlike(self.look, face.look) if self.look and face.look else 0.0
        if (
            away > gate.most_distance**2
            or growth > math.log(gate.most_growth)
            or unlikely > gate.most_unlike
        ):
            return FORBIDDEN
        likeness = (growth / gate.growth) ** 2 + (unlikely / gate.unlike) ** 2
        return 0.5 * (away + likeness) + math.log(variance)

    def take(self, frame: int, face: Face, gate: Gate) -> None:
        """Continue with a face: the Kalman filter's correction."""
        place, velocity, covariance = self.expected(frame, gate)
        gain = covariance[:, 0] / (covariance[0, 0] + gate.noise**2)
        off = np.array(centre(face.box)) - place
        self.place, self.velocity = place + gain[0] * off, velocity + gain[1] * off
        self.covariance = covariance - np.outer(gain, covariance[0])
        self.keep(frame, face)

    def keep(self, frame: int, face: Face) -> None:
        """Remember a face."""
        self.samples.append(
            FaceSample(frame=frame, box=face.box, score=face.score, facing=face.facing)
        )
        if face.look is not None:
            self.looks = [*self.looks[-LOOKS_KEPT + 1 :], face.look]
            self.look = tuple(np.median(self.looks, axis=0).tolist())


@lru_cache(maxsize=256)
def motion(
    frames: int, speed: float, memory: float
) -> tuple[Float[np.ndarray, "2 2"], Float[np.ndarray, "2 2"]]:
    """How place and velocity go on over some frames, and the covariance that is added.

    Exact for dv = -v / memory dt + noise, where v has the standard deviation `speed` in the long run (Gillespie 1996,
    doi:10.1103/PhysRevE.54.2084).
    """
    time = frames / FPS
    kept = math.exp(-time / memory)
    step = np.array([[1.0, memory * (1.0 - kept)], [0.0, kept]])
    place = 2.0 * time / memory - 3.0 + 4.0 * kept - kept**2
    both = (1.0 - kept) ** 2
    grown = speed**2 * np.array(
        [[memory**2 * place, memory * both], [memory * both, 1.0 - kept**2]]
    )
    return step, grown


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
        since = frame - gate.most_gap * FPS
        done += (track for track in open_tracks if track.last.frame < since)
        open_tracks = [track for track in open_tracks if track.last.frame >= since]
        faces = sorted(unordered, key=lambda face: face.box)  # ties go from left to right
        matched = _match(open_tracks, frame, faces, gate)
        for number, face in enumerate(faces):
            if number in matched:
                matched[number].take(frame, face, gate)
            else:
                open_tracks.append(_Open.at(frame, face, gate))
    pieces = [Piece(track.samples, track.look) for track in done + open_tracks]
    return [track for track in rejoined(pieces, gate.join) if is_long(track, gate)]


def is_long(samples: Sequence[FaceSample], gate: Gate) -> bool:
    """Whether a track is more than a chance detection or two in quick succession."""
    lasts = samples[-1].frame - samples[0].frame
    return len(samples) >= gate.least_samples and (
        lasts >= gate.least_seconds * FPS or gate.least_samples == 1
    )


def _match(
    tracks: Sequence[_Open], frame: int, faces: Sequence[Face], gate: Gate
) -> dict[int, _Open]:
    """For each face that continues a track, by its place: that track; the likeliest set of pairs."""
    from scipy.optimize import linear_sum_assignment  # slow to import: only where needed

    costs: Float[np.ndarray, "track face"] = np.array(
        [[track.cost(frame, face, gate) for face in faces] for track in tracks]
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

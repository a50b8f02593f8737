"""Spans: turns one measured source into its candidates, each one shot, one voice, one person, 5 to 15 s.

Pure: nothing is decoded here. What does not become a candidate gets its reason frame by frame, for the accounting.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from manifests.geometry import FPS, centre
from manifests.record import (
    Box,
    Clip,
    ClipMedia,
    ClipOrigin,
    ClipShot,
    ClipSpeech,
    FaceSample,
    Interval,
    Media,
    People,
    Person,
    Shot,
    Source,
    Span,
    Speech,
    Track,
    Turn,
    Why,
)
from pipeline.perception.shots.new_pictures import of_person
from pipeline.stage import need

# How far a person reaches from the middle of the face, in heights of the detector's face box, which runs from the brows
# to the chin and is about 0.6 of a head. Half an arm span is 3.75 heads (drawing canon of 7.5 heads), thus 6 boxes.
REACH_SIDE = 6.5
REACH_UP = 2.5
REACH_DOWN = 13.0
# The face's place enters the clip id in steps of this fraction of the frame height, not with a detector's last digits.
FACE_STEP = 1.0 / 16.0


@dataclass(frozen=True, slots=True)
class Voice:
    """Frames in which one voice speaks, and the silence beside them that nobody else's turn claims.

    before, after: frames of silence that a candidate may take in at either end.
    """

    speaker: int
    start: int
    stop: int
    before: int
    after: int

    def within(self, start: int, stop: int, *, least: int) -> tuple[int, int]:
        """The frames of this voice in [start, stop): with silence up to `least` of them where they are fewer."""
        begin, end = max(self.start, start), min(self.stop, stop)
        short = least - (end - begin)
        if end <= begin or short <= 0:
            return begin, max(begin, end)
        left = min(self.before, begin - start) if begin == self.start else 0
        right = min(self.after, stop - end) if end == self.stop else 0
        before = min(left, max(short - right, short // 2))
        return begin - before, end + min(right, short - before)


@dataclass(frozen=True, slots=True)
class Spans:
    """Cut a source into candidates (Yang et al. 2025, section 3.2: clips of 5 to 15 s, each person independently).

    shortest, longest, target: seconds. pause: seconds of silence across which two turns of one voice are joined, where
    one of them is too short for a candidate; silence: seconds of it at either end that a candidate may hold, where
    speech alone is too short for one. Both were set on people who are not reported: docs/truth/structure.md.
    """

    name: ClassVar = "spans"
    version: ClassVar = 7
    reads: ClassVar = frozenset({"media", "speech", "shots", "people"})

    shortest: float = 5.0
    longest: float = 15.0
    target: float = 10.0
    pause: float = 2.0
    silence: float = 1.0

    @property
    def least(self) -> int:
        """Frames of the shortest candidate."""
        return round(self.shortest * FPS)

    def voices(self, source: Source) -> list[Voice]:
        """The turns within the sound, in order of time; short ones joined where only a pause parts them."""
        media, speech = need(source.media, "media"), need(source.speech, "speech")
        return self.voices_of(speech.turns, media.audible)

    def voices_of(self, turns: Sequence[Turn], audible: tuple[int, int]) -> list[Voice]:
        """The same of any turns. audible: first frame with sound and the frame after the last."""
        within = sorted(audible_turns(turns, audible), key=lambda one: one[1:])
        joined: list[tuple[int, int, int]] = []
        for turn, start, stop in within:
            speaker, begin, end = joined[-1] if joined else (None, 0, 0)
            short = min(end - begin, stop - start) < self.least
            if speaker == turn.speaker and short and start - end <= round(self.pause * FPS):
                joined[-1] = (turn.speaker, begin, max(end, stop))
            else:
                joined.append((turn.speaker, start, stop))
        return [
            Voice(speaker, start, stop, *self.room(within, audible, start, stop))
            for speaker, start, stop in joined
        ]

    def room(
        self,
        turns: Sequence[tuple[Turn, int, int]],
        audible: tuple[int, int],
        start: int,
        stop: int,
    ) -> tuple[int, int]:
        """Frames of silence that a candidate may take in before and after: half of what parts it from another turn."""
        most = round(self.silence * FPS)
        before = [max(0, start - end) // 2 for _, begin, end in turns if begin < start]
        after = [max(0, begin - stop) // 2 for _, begin, end in turns if end > stop]
        return (
            min(most, *before, max(0, start - audible[0])),
            min(most, *after, max(0, audible[1] - stop)),
        )

    def has_long_turn(self, source: Source) -> bool:
        """Whether any voice within the sound is long enough for a clip; otherwise no picture needs decoding."""
        return any(
            voice.stop - voice.start + voice.before + voice.after >= self.least
            for voice in self.voices(source)
        )

    def __call__(self, source: Source) -> tuple[Clip, ...]:
        """The candidates of a source, sorted by (start, stop, person)."""
        clips = [
            candidate(source, voice.speaker, shot, track, start, stop)
            for voice, shot, track, start, stop in self.runs(source)
            if stop - start >= self.least
            for start, stop in self.pieces(start, stop, need(source.speech, "speech"))
        ]
        return tuple(sorted(clips, key=lambda c: (c.span.start, c.span.stop, c.person.number)))

    def pieces(self, start: int, stop: int, speech: Speech) -> list[tuple[int, int]]:
        """A run cut at pauses into pieces near the target length, none outside the limits."""
        if stop - start <= round(self.longest * FPS):
            return [(start, stop)]
        cuts = cut_points(start, stop, speech.voiced)
        return cut_at_pauses(
            start,
            stop,
            cuts,
            least=self.least,
            most=round(self.longest * FPS),
            target=round(self.target * FPS),
        )

    def leftovers(self, source: Source) -> list[Why | None]:
        """For each grid frame of the source why it is in no candidate, or None where it is in one."""
        media = need(source.media, "media")
        reasons: list[Why | None] = [Why.NO_AUDIO] * media.grid_frames
        mark(reasons, *media.audible, why=Why.NO_SPEECH)
        voices = self.voices(source)
        for voice in voices:
            start, stop = voice.within(*media.audible, least=self.least)
            long = stop - start >= self.least
            mark(reasons, start, stop, why=Why.SHOT_TOO_SHORT if long else Why.TURN_TOO_SHORT)
        if source.shots is not None and source.people is not None:
            self.mark_people(reasons, source)
            rest = Interval(start=source.shots.decoded_until, stop=media.grid_frames)
            for hole in (*source.shots.undecodable, rest):
                mark(reasons, hole.start, hole.stop, why=Why.UNDECODABLE)
        return reasons

    def mark_people(self, reasons: list[Why | None], source: Source) -> None:
        """Overwrite the reasons in voices and shots that are long enough, by the people who are visible there."""
        for voice in self.voices(source):
            for shot in need(source.shots, "shots").shots:
                begin, end = voice.within(shot.start, shot.stop, least=self.least)
                if end - begin >= self.least:
                    mark(reasons, begin, end, why=Why.NOBODY)
        for voice, shot, _, start, stop in sorted(self.runs(source), key=lambda r: r[4] - r[3]):
            begin, end = voice.within(shot.start, shot.stop, least=self.least)
            if stop - start >= self.least:
                mark(reasons, start, stop, why=None)
            elif end - begin >= self.least:
                mark(reasons, start, stop, why=Why.SPAN_TOO_SHORT)

    def runs(self, source: Source) -> Iterator[tuple[Voice, Shot, Track, int, int]]:
        """Every stretch of one voice, one shot and one visible person that decodes throughout, whatever its length."""
        shots, people = need(source.shots, "shots"), need(source.people, "people")
        for voice in self.voices(source):
            for shot in shots.shots:
                for track in people.tracks:
                    if not shot.start <= track.start < shot.stop:
                        continue
                    seen, gone = presence(track, shot, people)
                    begin = max(shot.start, seen)
                    end = min(shot.stop, gone, shots.decoded_until)
                    for part in around(begin, end, shots.undecodable):
                        start, stop = voice.within(*part, least=self.least)
                        if start < stop:
                            yield voice, shot, track, start, stop


def mark(reasons: list[Why | None], start: int, stop: int, *, why: Why | None) -> None:
    """Write one reason over the frames of a span."""
    reasons[start:stop] = [why] * max(0, stop - start)


def audible_turns(
    turns: Sequence[Turn], audible: tuple[int, int]
) -> Iterator[tuple[Turn, int, int]]:
    """Each turn with its frames inside the sound."""
    for turn in turns:
        start, stop = max(turn.start, audible[0]), min(turn.stop, audible[1])
        if stop > start:
            yield turn, start, stop


def around(start: int, stop: int, holes: tuple[Interval, ...]) -> Iterator[tuple[int, int]]:
    """What is left of [start, stop) between holes, which are in order and apart."""
    for hole in holes:
        if start < min(hole.start, stop):
            yield start, min(hole.start, stop)
        start = max(start, hole.stop)
    if start < stop:
        yield start, stop


def presence(track: Track, shot: Shot, people: People) -> tuple[int, int]:
    """Frames of a shot in which a person counts as in view: up to half way to the next sample without them."""
    looks = [frame for frame in people.sampled if shot.start <= frame < shot.stop]
    before = [frame for frame in looks if frame < track.start]
    after = [frame for frame in looks if frame >= track.stop]
    start = (before[-1] + track.start + 1) // 2 if before else shot.start
    stop = (after[0] + track.stop) // 2 if after else shot.stop
    return start, stop


# ---- cutting long runs -----------------------------------------------------------------------------------------------


def cut_points(start: int, stop: int, voiced: tuple[Interval, ...]) -> dict[int, float]:
    """Frames at which a run may be cut, with what the cut costs: 0 inside a pause, 1 in the middle of speech."""
    points = {frame: 1.0 for frame in range(start + FPS, stop - FPS + 1, FPS // 2)}
    for earlier, later in pairwise(voiced):
        middle = (earlier.stop + later.start) // 2
        if start < middle < stop:
            points[middle] = 0.0
    return points


def cut_at_pauses(
    start: int, stop: int, points: dict[int, float], *, least: int, most: int, target: int
) -> list[tuple[int, int]]:
    """The cheapest way to cut [start, stop) at the given points into pieces of `least` to `most` frames.

    Cost of a piece: its squared relative distance from the target; of a cut: as given. Exact by dynamic programming.
    """
    frames = sorted({start, stop, *points})
    best: dict[int, tuple[float, int]] = {start: (0.0, start)}
    for end in frames[1:]:
        options = [
            (best[begin][0] + ((end - begin - target) / target) ** 2 + points.get(end, 0.0), begin)
            for begin in frames
            if begin in best and least <= end - begin <= most
        ]
        if options:
            best[end] = min(options)
    pieces: list[tuple[int, int]] = []
    end = stop
    while end != start:
        pieces.append((best[end][1], end))
        end = best[end][1]
    return pieces[::-1]


# ---- candidates ------------------------------------------------------------------------------------------------------


def candidate(
    source: Source, speaker: int, shot: Shot, track: Track, start: int, stop: int
) -> Clip:
    """The record of one candidate, with what the source's sections say about its span."""
    media, fetched = need(source.media, "media"), need(source.fetched, "fetched")
    speech, shots = need(source.speech, "speech"), need(source.shots, "shots")
    person = who(track, need(source.people, "people"), media, start, stop)
    return Clip(
        id=clip_id(fetched.sha256, start, stop, person.face, media.upright_size[1]),
        origin=ClipOrigin(
            locator=source.origin.locator,
            sha256=fetched.sha256,
            speaker=source.origin.speaker,
            speech_type=source.origin.speech_type,
            licence=fetched.licence,
            title=source.origin.title,
            language=source.origin.language,
        ),
        media=ClipMedia(
            upright_size=media.upright_size,
            rotation=media.rotation,
            pixel_aspect=media.pixel_aspect,
            rate=media.rate,
            variable_rate=media.variable_rate,
        ),
        span=Span(start=start, stop=stop),
        person=person,
        shot=ClipShot(
            backend=shots.backend,
            camera_motion=shot.camera_motion or 0.0,
            camera_seen=shot.camera_motion is not None,
            change=shot.change,
            new_pictures=new_pictures(shot, person.face, media),
        ),
        speech=ClipSpeech(
            backend=speech.backend,
            voices=speech.voices,
            speaker=speaker,
            voiced=fraction(speech.voiced, start, stop),
            overlap=None if speech.overlaps is None else fraction(speech.overlaps, start, stop),
            music=None if speech.music is None else fraction(speech.music, start, stop),
        ),
    )


def new_pictures(shot: Shot, face: Box, media: Media) -> float | None:
    """New pictures per second where a person is: no more than the source has; that many where nothing tells less."""
    if not shot.new_pictures:
        return None
    measured = of_person(shot.new_pictures, face, media.upright_size)
    return float(media.rate) if measured is None else min(measured, float(media.rate))


def who(track: Track, people: People, media: Media, start: int, stop: int) -> Person:
    """The person of a candidate: their face through the span, and the part of the picture that is theirs."""
    face = median_face(near(track, start, stop))
    others = [
        other
        for other in people.tracks
        if other.person != track.person and other.start < stop and other.stop > start
    ]
    return Person(
        backend=people.backend,
        number=track.person,
        face=face,
        region=region(
            face, [median_face(near(other, start, stop)) for other in others], media.upright_size
        ),
        path=near(track, start, stop),
        in_view=1 + len(others),
        face_height=face[3] / media.upright_size[1],
        facing=median_facing(near(track, start, stop)),
    )


def near(track: Track, start: int, stop: int) -> tuple[FaceSample, ...]:
    """The samples inside a span and the one next to it on each side; all of them lie in one shot."""
    inside = [i for i, sample in enumerate(track.samples) if start <= sample.frame < stop]
    if not inside:
        closest = min(track.samples, key=lambda s: min(abs(s.frame - start), abs(s.frame - stop)))
        return (closest,)
    return track.samples[max(0, inside[0] - 1) : inside[-1] + 2]


def median_facing(samples: tuple[FaceSample, ...]) -> float | None:
    """Median frontality of some looks, 0 to 1; None where no detector measured it."""
    known = [sample.facing for sample in samples if sample.facing is not None]
    return float(np.median(known)) if known else None


def median_face(samples: tuple[FaceSample, ...]) -> Box:
    """Component-wise median box of some samples."""
    x, y, width, height = np.median([sample.box for sample in samples], axis=0)
    return float(x), float(y), float(width), float(height)


def region(face: Box, others: list[Box], size: tuple[int, int]) -> Box:
    """Integer box that holds one person's reach and stops half way to each neighbour's face."""
    middle, top = centre(face)
    left, right = middle - REACH_SIDE * face[3], middle + REACH_SIDE * face[3]
    for other in others:
        neighbour = centre(other)[0]
        if neighbour > middle:
            right = min(right, (middle + neighbour) / 2.0)
        else:
            left = max(left, (middle + neighbour) / 2.0)
    x0, x1 = max(0, int(left)), min(size[0], int(np.ceil(right)) + 1)
    y0, y1 = (
        max(0, int(top - REACH_UP * face[3])),
        min(size[1], int(top + REACH_DOWN * face[3]) + 1),
    )
    return float(x0), float(y0), float(max(2, x1 - x0)), float(max(2, y1 - y0))


def fraction(intervals: tuple[Interval, ...], start: int, stop: int) -> float:
    """Fraction of a span that lies in any of the intervals."""
    covered: NDArray[np.bool_] = np.zeros(stop - start, dtype=bool)
    for interval in intervals:
        covered[max(0, interval.start - start) : max(0, interval.stop - start)] = True
    return float(covered.mean())


def clip_id(media_sha256: str, start: int, stop: int, face: Box, frame_height: int) -> str:
    """24 hexadecimal digits that name a clip by content: media, span, and where the face is."""
    step = FACE_STEP * frame_height
    x, y = (round(value / step) for value in centre(face))
    text = f"{media_sha256}:{start}:{stop - start}:{x}:{y}"
    return hashlib.sha256(text.encode()).hexdigest()[:24]

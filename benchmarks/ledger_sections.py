"""Ledger entries of realistic content and mix: those of a real work folder, or of made sources with their candidates.

A made source is a talk or a vlog: 1 to 60 minutes, 5 in the median; a candidate every 15 s, each with pose and posture,
three in four with sync, framing and crop. One source in eight cannot be read, and has one refusal.
"""

import hashlib
import random
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from pydantic import BaseModel

from manifests.record import (
    AudioStream,
    Backend,
    Blob,
    Crop,
    FaceSample,
    Framing,
    Interval,
    Media,
    People,
    Pose,
    Posture,
    Shot,
    Shots,
    Speech,
    Sync,
    Track,
    Turn,
    Why,
)
from pipeline.run.ledger import Entry, Ledger
from pipeline.verdict import Refusal

SOURCES = 300  # made; entries are drawn from theirs


def pool_of(work: Path | None) -> list[Entry]:
    """Entries to draw from, in the mix in which they occur: of a work folder, else of made sources."""
    if work is None:
        drawn = random.Random(1)
        return [entry for number in range(SOURCES) for entry in of_source(drawn, number)]
    with Ledger.open(work, read_only=True) as ledger:
        return [entry for _, entry in ledger.entries()]


def of_source(drawn: random.Random, number: int) -> Iterator[Entry]:
    """The entries of one made source and its candidates."""
    locator = f"youtube:{drawn.randbytes(8).hex()[:11]}"
    if number % 8 == 0:
        refusal = Refusal(Why.UNDECODABLE, "no frame could be decoded of the first 250")
        yield Entry.of(refusal=refusal, stage="probe", subject=locator)
        return
    seconds = round(min(3600.0, max(60.0, drawn.lognormvariate(5.7, 0.8))))
    for section in (media, speech, shots, people):
        yield made(section(drawn, seconds), locator)
    for _ in range(seconds // 15):
        clip = drawn.randbytes(16).hex()
        stages = (pose, posture, sync, framing, crop) if drawn.random() < 0.75 else (pose, posture)
        for section in stages:
            yield made(section(drawn), clip)


def made(section: BaseModel, subject: str) -> Entry:
    """The entry of a section."""
    return Entry.of(section=section, stage=type(section).__name__.lower(), subject=subject)


def blob(drawn: random.Random, suffix: str) -> Blob:
    """A blob of nothing."""
    return Blob(
        sha256=drawn.randbytes(32).hex(), suffix=suffix, bytes=drawn.randrange(10_000, 900_000)
    )


def network(name: str, version: str) -> Backend:
    """A backend with weights."""
    return Backend(name=name, version=version, weights=hashlib.sha256(name.encode()).hexdigest())


# ---- of a source -----------------------------------------------------------------------------------------------------


def media(drawn: random.Random, seconds: int) -> Media:
    """What probe says of a source."""
    return Media(
        container="mov,mp4,m4a,3gp,3g2,mj2", codec="h264", size=(1280, 720), rotation=0,
        pixel_aspect=Fraction(1), upright_size=(1280, 720), full_range=False,
        rate=Fraction(30000, 1001), variable_rate=False, time_base=Fraction(1, 30000),
        timeline=blob(drawn, ".npy"), source_frames=30 * seconds, grid_frames=25 * seconds,
        longest_gap=0.03336666666666667, audible=(0, 25 * seconds),
        audio=AudioStream(
            codec="aac", sample_rate=44100, channels=2, start=Fraction(1, 1000),
            seconds=seconds + drawn.random(),
        ),
    )  # fmt: skip


def speech(drawn: random.Random, seconds: int) -> Speech:
    """Somebody speaks four seconds in five, two voices in turns of up to 25 s."""
    voiced = [
        Interval(start=start, stop=start + drawn.randrange(20, 120))
        for start in range(0, 25 * seconds, 130)
    ]
    turns = [
        Turn(start=start, stop=start + drawn.randrange(200, 640), speaker=drawn.randrange(2))
        for start in range(0, 25 * seconds, 650)
    ]
    return Speech(
        backend=network("embedded", "2 silero-vad=6.2.3 onnxruntime=1.31.1 resemblyzer=0.1.4"),
        sound=blob(drawn, ".npy"), sound_start=0, sound_samples=16000 * seconds,
        voiced=tuple(voiced), turns=tuple(turns), overlaps=None, music=(),
        voices=blob(drawn, ".npy"),
    )  # fmt: skip


def shots(drawn: random.Random, seconds: int) -> Shots:
    """A shot of 12 s after another."""
    found = [
        Shot(
            start=start,
            stop=start + 300,
            camera_motion=drawn.random() / 50,
            change=100 * drawn.random(),
        )
        for start in range(0, 25 * seconds, 300)
    ]
    return Shots(
        backend=Backend(name="embedded", version="7+opencv-4.13.0"),
        shots=tuple(found),
        decoded_until=25 * seconds,
    )


def people(drawn: random.Random, seconds: int) -> People:
    """A look a second; a track of up to a minute every 40 s."""
    looks = range(0, 25 * seconds, 25)
    tracks = [
        Track(
            person=number,
            samples=tuple(
                face(drawn, frame) for frame in looks[start : start + drawn.randrange(5, 60)]
            ),
        )
        for number, start in enumerate(range(0, seconds, 40))
    ]
    return People(
        backend=network("mediapipe-face-full-range", "2+mediapipe-0.10.21"),
        sampled=tuple(looks),
        tracks=tuple(tracks),
    )


def face(drawn: random.Random, frame: int) -> FaceSample:
    """One look at one face."""
    side = 200 * drawn.random()
    box = (1000 * drawn.random(), 500 * drawn.random(), side, side)
    return FaceSample(frame=frame, box=box, score=drawn.random(), facing=drawn.random())


# ---- of a candidate --------------------------------------------------------------------------------------------------

MEDIAPIPE = network("mediapipe", "0.10.21")


def pose(drawn: random.Random) -> Pose:
    """Where 133 keypoints lie."""
    return Pose(backend=MEDIAPIPE, array=blob(drawn, ".npy"), valid_from=0.5, found=drawn.random())


def posture(drawn: random.Random) -> Posture:
    """What they say."""
    return Posture(
        backend=MEDIAPIPE, upper_body=drawn.random(), shoulder_width=drawn.random(),
        facing=drawn.random(), shoulder_facing=drawn.random(), face_seen=drawn.random(),
        stillness=drawn.random(), hands=drawn.random(),
    )  # fmt: skip


def sync(drawn: random.Random) -> Sync:
    """Whether the mouth speaks the voice."""
    return Sync(
        backend=Backend(name="embedded", version="3, numpy 2.4.6, scipy 1.17.1"),
        offset=drawn.randrange(-5, 6), confidence=drawn.random(), speaking=5 * drawn.random(),
        shifted=0,
    )  # fmt: skip


def framing(drawn: random.Random) -> Framing:
    """The square."""
    scale, x, y = drawn.random(), 100 * drawn.random(), 100 * drawn.random()
    return Framing(
        box=(x, y, 512 / scale, 512 / scale), outside=drawn.random(), enlarged=scale,
        size=(512, 512), affine=((scale, 0.0, -x * scale), (0.0, scale, -y * scale)),
    )  # fmt: skip


def crop(drawn: random.Random) -> Crop:
    """The clip's own files."""
    return Crop(video=blob(drawn, ".mp4"), audio=blob(drawn, ".flac"), pose=blob(drawn, ".npy"))

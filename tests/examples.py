"""Records made by hand, shared by the tests."""

from fractions import Fraction

from manifests.record import (
    Backend,
    Blob,
    Clip,
    ClipMedia,
    ClipOrigin,
    ClipShot,
    ClipSpeech,
    Crop,
    FaceSample,
    Fetched,
    Framing,
    Identity,
    Interval,
    Media,
    Origin,
    People,
    Person,
    Pose,
    Posture,
    Shot,
    Shots,
    Source,
    Span,
    Speech,
    Sync,
    Track,
    Turn,
)

BACKEND = Backend(name="embedded", version="1")
EYES = Backend(name="mediapipe", version="1")
BLOB = Blob(sha256="ab" * 32, suffix=".npy", bytes=4)


def media(frames: int, *, audible: tuple[int, int] | None = None) -> Media:
    return Media(
        container="mp4",
        codec="h264",
        size=(1280, 720),
        rotation=0,
        pixel_aspect=Fraction(1),
        upright_size=(1280, 720),
        full_range=False,
        rate=Fraction(25),
        variable_rate=False,
        time_base=Fraction(1, 25),
        timeline=BLOB,
        source_frames=frames,
        grid_frames=frames,
        longest_gap=0.04,
        audio=None,
        audible=(0, frames) if audible is None else audible,
    )


def track(
    person: int, frames: range, *, x: float = 600.0, y: float = 200.0, size: float = 100.0
) -> Track:
    box = (x, y, 0.8 * size, size)
    return Track(
        person=person,
        samples=tuple(FaceSample(frame=f, box=box, score=0.9) for f in frames),
    )


def source(
    frames: int,
    *,
    turns: tuple[tuple[int, int] | tuple[int, int, int], ...],
    shots: tuple[tuple[int, int], ...] | None = None,
    tracks: tuple[Track, ...] | None = None,
    audible: tuple[int, int] | None = None,
    voiced: tuple[tuple[int, int], ...] | None = None,
    every: int = 12,
) -> Source:
    """A measured source. turns: start, stop, and the speaker, else 0. tracks None: one person who is always in view."""
    looks = tuple(range(0, frames, every))
    return Source(
        origin=Origin(locator="talk.mp4"),
        fetched=Fetched(sha256="cd" * 32, bytes=1, path="talk.mp4"),
        media=media(frames, audible=audible),
        speech=Speech(
            backend=BACKEND,
            sound=BLOB,
            sound_start=0,
            sound_samples=frames * 640,
            voiced=tuple(
                Interval(start=one[0], stop=one[1]) for one in (turns if voiced is None else voiced)
            ),
            turns=tuple(
                Turn(start=one[0], stop=one[1], speaker=one[2] if len(one) == 3 else 0)
                for one in turns
            ),
            overlaps=(),
            music=(),
            voices=BLOB,
        ),
        shots=Shots(
            backend=BACKEND,
            shots=tuple(
                Shot(start=a, stop=b, camera_motion=0.0) for a, b in (shots or ((0, frames),))
            ),
            decoded_until=frames,
        ),
        people=People(
            backend=BACKEND,
            sampled=looks,
            tracks=(track(0, range(0, frames, every)),) if tracks is None else tracks,
        ),
    )


def clip(
    *, locator: str = "talk.mp4", start: int = 0, frames: int = 200, name: str = "0a" * 12
) -> Clip:
    """A clip that every stage has written to."""
    return Clip(
        id=name,
        origin=ClipOrigin(
            locator=locator,
            sha256="cd" * 32,
            speaker=None,
            speech_type="lecture",
            licence=None,
            title="A “title” with\nlines",
            language=None,
        ),
        media=ClipMedia(
            upright_size=(1280, 720),
            rotation=0,
            pixel_aspect=Fraction(1),
            rate=Fraction(30000, 1001),
            variable_rate=False,
        ),
        span=Span(start=start, stop=start + frames),
        person=Person(
            number=0,
            face=(600.0, 200.0, 80.0, 100.0),
            region=(0.0, 0.0, 1280.0, 720.0),
            path=(FaceSample(frame=start, box=(600.0, 200.0, 80.0, 100.0), score=0.9),),
            in_view=1,
            face_height=0.14,
            facing=0.95,
        ),
        shot=ClipShot(backend=BACKEND, camera_motion=0.0, change=40.0, new_pictures=25.0),
        speech=ClipSpeech(
            backend=BACKEND, voices=BLOB, speaker=0, voiced=0.9, overlap=0.0, music=0.0
        ),
        pose=Pose(backend=EYES, array=BLOB, valid_from=0.5, found=1.0),
        posture=Posture(
            backend=EYES,
            upper_body=1.0,
            shoulder_width=0.4,
            facing=0.9,
            shoulder_facing=1.7,
            face_seen=1.0,
            stillness=0.2,
            hands=0.6,
        ),
        sync=Sync(backend=BACKEND, offset=0, confidence=0.1, speaking=0.0, shifted=0),
        framing=Framing(
            box=(280.0, 0.0, 720.0, 720.0),
            outside=0.0,
            enlarged=512 / 720,
            size=(512, 512),
            affine=((0.7, 0.0, 1.0), (0.0, 0.7, 1.0)),
        ),
        crop=Crop(video=BLOB, audio=BLOB, pose=BLOB),
        identity=Identity(group="voice:1", backend=BACKEND, similarity=0.9),
        split="train",
    )

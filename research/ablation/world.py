"""Synthetic speech and gesture: bodies, voices and what the one does to the other, all known.

What a voice does to a body here, and nothing else does:

- A **phoneme** shapes the mouth in the same frame: opening and width are `SHAPES`, run through `SMOOTHING` and scaled
  by the speaker's own liveliness. So the lips are a function of the voice.
- A **beat** moves the right hand: its speed peaks `LAG` frames later. Where it goes is one of `MODES` directions drawn
  by chance, 120 degrees apart and summing to nothing: the mean of all that a beat can do is a hand that stays, so only
  something that draws can be right.

What the voice says nothing of: the body's lengths and its place in the crop (per person; one skeleton shows them), the
sway of the body and the head and the left hand's drift (per clip). Sway carries the mouth through the picture by many
times its own opening; it only shifts, it does not turn, so that places measured from the nose tip know nothing of it.

Audio features stand for those of an encoder: a code per phoneme blurred into its neighbours, loudness with a bump at
each beat, the speaker's colour and noise. Everything is drawn from Philox keyed by (seed, person, clip, purpose): the
phonemes, beats and modes of a clip are the same whatever else is drawn, and a control differs from the world in what
its name says and in nothing else.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64

from manifests import keypoints as kp

FRAMES = 64
"""Of a clip, 2.56 s at 25 FPS."""
AUDIO = 18
"""Numbers per frame: 16 of the phoneme's code, loudness, and one that is noise."""
LAG = 5
"""Frames from a beat to the hand's fastest moment, 0.2 s."""
MODES = 3
STROKE = 0.25
"""Length of a beat's movement, in arm lengths."""
SMOOTHING = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9.0
"""Of the mouth's shape over time, centred."""

SHAPES = np.array(
    [
        (0.00, 0.0), (0.00, -0.2), (0.28, 0.1), (0.18, 0.5), (0.10, 0.8),
        (0.22, -0.6), (0.08, -0.9), (0.03, 0.2), (0.05, 0.6), (0.14, 0.0),
    ]
)  # fmt: skip
"""Opening in face heights and relative width of each phoneme: rest, m, a, e, i, o, u, f, s, l."""
LOUD = np.array([0.0, 0.4, 1.0, 0.9, 0.8, 0.9, 0.7, 0.3, 0.5, 0.6])
"""Of each phoneme: not a function of the opening alone."""

JAW_RIGHT, JAW_LEFT = kp.FACE.start + 4, kp.FACE.start + 12
NOSE_ROOT = kp.NOSE_BRIDGE.start
LIPS = tuple(kp.FACE.start + i for i in (48, 51, 54, 57, *range(60, 68)))
_FINGERS = (0, 8, 12)
JOINTS = (
    kp.NOSE, kp.LEFT_EYE, kp.RIGHT_EYE, *range(kp.LEFT_SHOULDER, kp.RIGHT_WRIST + 1),
    JAW_RIGHT, kp.CHIN, JAW_LEFT, NOSE_ROOT, kp.NOSE_TIP, *LIPS,
    *(kp.LEFT_HAND.start + i for i in _FINGERS), *(kp.RIGHT_HAND.start + i for i in _FINGERS),
)  # fmt: skip
"""The 32 of the 133 that this world has."""

Path = Float64[np.ndarray, "time 2"]


class Purpose(IntEnum):
    """What a stream of random numbers is for."""

    BODY = 0
    VOICE = 1
    OTHER_VOICE = 2
    MODE = 3
    SWAY = 4
    NOISE = 5
    COLOUR = 6
    CODE = 7


@dataclass(frozen=True, slots=True)
class World:
    """linked: the voice one hears moves the body; else another, drawn alike, does. bodies: people differ in shape,
    place and liveliness; else all are the same. sway: body and head move by themselves."""

    seed: int
    linked: bool = True
    bodies: bool = True
    sway: bool = True

    def random(self, purpose: Purpose, person: int = 0, clip: int = 0) -> np.random.Generator:
        """The stream of one purpose (Philox, Salmon et al. 2011)."""
        return np.random.Generator(
            np.random.Philox(key=[self.seed, person << 32 | clip << 8 | int(purpose)])
        )


@dataclass(frozen=True, slots=True)
class Body:
    """Lengths in pixels, as seen from the front. x, y: of the neck. gain: of the mouth's opening. mouth: half its width
    in face heights."""

    shoulders: float = 135.0
    upper_arm: float = 115.0
    forearm: float = 101.0
    face: float = 65.0
    mouth: float = 0.24
    gain: float = 1.0
    x: float = 256.0
    y: float = 245.0

    @property
    def arm(self) -> float:
        """Its whole length."""
        return self.upper_arm + self.forearm


@dataclass(frozen=True, slots=True)
class Speech:
    """phonemes: numbers into `SHAPES`, one a frame; beats: frames."""

    phonemes: Int64[np.ndarray, " time"]
    beats: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Clip:
    """person: number. audio: features of the voice. pose: pixels of the 512 crop, confidence 1 for `JOINTS`, else 0.

    speech: what is heard. modes: which way the hand went after each beat of the voice that moved it.
    """

    person: int
    body: Body
    speech: Speech
    modes: tuple[int, ...]
    audio: Float32[np.ndarray, "time audio"]
    pose: Float32[np.ndarray, "time 133 3"]


def clip_of(world: World, person: int, clip: int) -> Clip:
    """One clip of one person, and nothing but a function of its arguments."""
    body = body_of(world, person)
    voice = speech(world.random(Purpose.VOICE, person, clip))
    acted = voice if world.linked else speech(world.random(Purpose.OTHER_VOICE, person, clip))
    random = world.random(Purpose.MODE, person, clip)
    modes = tuple(int(mode) for mode in random.integers(0, MODES, len(acted.beats)))
    sway = world.random(Purpose.SWAY, person, clip) if world.sway else None
    return Clip(
        person=person,
        body=body,
        speech=voice,
        modes=modes,
        audio=features(world, voice, person, clip),
        pose=pose_of(body, acted, modes, sway),
    )


def body_of(world: World, person: int) -> Body:
    """Each length is drawn by itself: no part of a body tells another."""
    if not world.bodies:
        return Body()
    random = world.random(Purpose.BODY, person)
    shoulders = random.uniform(100.0, 170.0)
    return Body(
        shoulders=shoulders,
        upper_arm=shoulders * random.uniform(0.72, 0.98),
        forearm=shoulders * random.uniform(0.65, 0.85),
        face=random.uniform(46.0, 84.0),
        mouth=random.uniform(0.18, 0.30),
        gain=random.uniform(0.7, 1.3),
        x=random.uniform(216.0, 296.0),
        y=random.uniform(220.0, 270.0),
    )


def speech(random: np.random.Generator) -> Speech:
    """Phonemes of 3 to 6 frames, no two alike in a row; beats 15 to 23 frames apart."""
    phonemes: list[int] = []
    while len(phonemes) < FRAMES:
        others = [each for each in range(len(SHAPES)) if not phonemes or each != phonemes[-1]]
        phonemes += [int(random.choice(others))] * int(random.integers(3, 7))
    beats = [int(random.integers(2, 15))]
    while beats[-1] < FRAMES:
        beats.append(beats[-1] + int(random.integers(15, 24)))
    return Speech(np.array(phonemes[:FRAMES]), tuple(beats[:-1]))


def features(
    world: World, voice: Speech, person: int, clip: int
) -> Float32[np.ndarray, "time audio"]:
    """What an encoder would say: 16 numbers of the phoneme, loudness, and one of noise."""
    codes = world.random(Purpose.CODE).standard_normal((len(SHAPES), 16))
    colour = 0.3 * world.random(Purpose.COLOUR, person).standard_normal(AUDIO)
    blurred = smoothed(codes[voice.phonemes], np.array([1.0, 2.0, 1.0]) / 4.0)
    emphasis = np.zeros(FRAMES)
    for beat in voice.beats:
        emphasis += np.exp(-((np.arange(FRAMES) - beat) ** 2) / 2.0)
    loudness = LOUD[voice.phonemes] + 1.5 * emphasis
    noise = 0.3 * world.random(Purpose.NOISE, person, clip).standard_normal((FRAMES, AUDIO))
    exact = np.concatenate([blurred, loudness[:, None], np.zeros((FRAMES, 1))], axis=1)
    return (exact + colour + noise).astype(np.float32)


# ---- motion --------------------------------------------------------------------------------------


def mouth_shape(phonemes: Int64[np.ndarray, " time"]) -> Float64[np.ndarray, "time 2"]:
    """Opening in face heights and relative width: the known function of the phonemes."""
    return smoothed(SHAPES[phonemes], SMOOTHING)


def hand_path(
    beats: tuple[int, ...], modes: tuple[int, ...]
) -> Float64[np.ndarray, "time 2"]:  # fmt: skip
    """Where the right wrist is beside its rest, in arm lengths: out in 5 frames around the lag, back in 8."""
    at, path = np.arange(FRAMES)[:, None], np.zeros((FRAMES, 2))
    for beat, mode in zip(beats, modes, strict=True):
        out = ease((at - (beat + LAG) + 2.5) / 5.0)
        back = ease((at - (beat + LAG) - 4.5) / 8.0)
        path += (out - back) * STROKE * direction(mode)
    return path


def direction(mode: int) -> Float64[np.ndarray, " 2"]:
    """Up, and 120 degrees to each side of it, in the picture."""
    angle = 2.0 * np.pi * mode / MODES
    return np.array([np.sin(angle), -np.cos(angle)])


def pose_of(
    body: Body, acted: Speech, modes: tuple[int, ...], sway: np.random.Generator | None
) -> Float32[np.ndarray, "time 133 3"]:
    """Every joint from the speech that moves the body. sway: None where nothing moves by itself."""
    still = np.zeros((FRAMES, 2))
    shift = wander(sway, 0.10, (0.1, 0.5)) * body.shoulders if sway else still
    nod = wander(sway, 0.06, (0.2, 1.2)) * body.shoulders if sway else still
    drift = wander(sway, 0.05, (0.1, 0.6)) * body.arm if sway else still
    neck = np.array([body.x, body.y]) + shift
    pose = np.zeros((FRAMES, kp.JOINTS, 3))
    pose[:, list(JOINTS), 2] = 1.0
    places = pose[..., :2]
    _place_head(
        places, body, neck + nod - np.array([0.0, 1.15 * body.face]), mouth_shape(acted.phonemes)
    )
    moved = hand_path(acted.beats, modes) * body.arm
    for joints, side, move in ((_RIGHT, -1.0, moved), (_LEFT, 1.0, drift)):
        shoulder = neck + np.array([side * body.shoulders / 2.0, 0.0])
        rest = shoulder + np.array([-side * 0.10, 0.62]) * body.arm
        _place_arm(places, body, joints, (shoulder, rest + move), side)
    return pose.astype(np.float32)


_RIGHT = (kp.RIGHT_SHOULDER, kp.RIGHT_ELBOW, kp.RIGHT_WRIST, kp.RIGHT_HAND.start)
_LEFT = (kp.LEFT_SHOULDER, kp.LEFT_ELBOW, kp.LEFT_WRIST, kp.LEFT_HAND.start)


def _place_head(
    places: Float64[np.ndarray, "time 133 2"], body: Body, tip: Path, shape: np.ndarray
) -> None:
    """Face joints in face heights from the nose tip; the lower lip takes three quarters of the opening."""
    opening, half = body.gain * shape[:, 0], body.mouth * (1.0 + 0.25 * shape[:, 1])
    upper, lower, none = 0.28 - 0.25 * opening, 0.28 + 0.75 * opening, np.zeros(FRAMES)
    face = kp.FACE.start
    at = {
        kp.NOSE: (none, none - 0.02), kp.NOSE_TIP: (none, none), NOSE_ROOT: (none, none - 0.38),
        kp.RIGHT_EYE: (none - 0.25, none - 0.38), kp.LEFT_EYE: (none + 0.25, none - 0.38),
        JAW_RIGHT: (none - 0.48, none + 0.28), JAW_LEFT: (none + 0.48, none + 0.28),
        kp.CHIN: (none, 0.62 + 0.5 * opening),
        face + 48: (-half, none + 0.28), face + 54: (half, none + 0.28),
        face + 51: (none, upper - 0.06), face + 57: (none, lower + 0.07),
        face + 60: (-0.85 * half, none + 0.28), face + 64: (0.85 * half, none + 0.28),
    }  # fmt: skip
    for row, numbers in ((upper, (61, 62, 63)), (lower, (67, 66, 65))):
        for number, across in zip(numbers, (-0.4, 0.0, 0.4), strict=True):
            at[face + number] = (across * half, row)
    for joint, (x, y) in at.items():
        places[:, joint] = tip + body.face * np.stack([x, y], axis=1)


def _place_arm(
    places: Float64[np.ndarray, "time 133 2"],
    body: Body,
    joints: tuple[int, int, int, int],
    ends: tuple[Path, Path],
    side: float,
) -> None:
    """Shoulder to wrist with both bones at their lengths, the elbow outside; the hand lies along the forearm."""
    shoulder, wrist = ends
    reach = np.linalg.norm(wrist - shoulder, axis=1, keepdims=True)
    along = (wrist - shoulder) / reach
    outside = np.stack([-along[:, 1], along[:, 0]], axis=1) * -side
    near = (body.upper_arm**2 - body.forearm**2 + reach**2) / (2.0 * reach)
    elbow = shoulder + near * along + np.sqrt(body.upper_arm**2 - near**2) * outside
    forward = (wrist - elbow) / body.forearm
    across = np.stack([-forward[:, 1], forward[:, 0]], axis=1)
    hand = 0.8 * body.face
    places[:, joints[0]], places[:, joints[1]], places[:, joints[2]] = shoulder, elbow, wrist
    places[:, joints[3]] = wrist
    places[:, joints[3] + 8] = wrist + hand * (forward + 0.2 * across)
    places[:, joints[3] + 12] = wrist + hand * (forward - 0.2 * across)


def wander(
    random: np.random.Generator, size: float, hertz: tuple[float, float]
) -> Float64[np.ndarray, "time 2"]:
    """A slow path of three sines an axis, of about `size` standard deviation over clips."""
    rates = random.uniform(*hertz, (3, 1, 2))
    phases = random.uniform(0.0, 2.0 * np.pi, (3, 1, 2))
    seconds = np.arange(FRAMES)[None, :, None] / 25.0
    waves = np.sin(2.0 * np.pi * rates * seconds + phases)
    return size * np.sqrt(2.0 / 3.0) * waves.sum(axis=0)


def ease(way: np.ndarray) -> Float64[np.ndarray, "..."]:
    """From 0 to 1 as half a cosine, fastest in the middle."""
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(way, 0.0, 1.0))


def smoothed(
    rows: Float[np.ndarray, "time axes"], kernel: Float[np.ndarray, " odd"]
) -> Float64[np.ndarray, "time axes"]:
    """A centred weighted mean over time, the ends held."""
    half = len(kernel) // 2
    padded = np.pad(rows, ((half, half), (0, 0)), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, len(kernel), axis=0) @ kernel

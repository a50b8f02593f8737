"""Films with known cuts, transitions and disturbances, planned from a seed and drawn from real clips.

A plan is plain data (`plan`), drawing it is another matter (`draw`, `write`): the same seed gives the same films on
any machine. Clips and people are divided into two halves; no face and no room is in both.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from jaxtyping import Float, UInt8

from research import cases

Image = UInt8[np.ndarray, "h w 3"]  # Y, U, V, all at full size

HALVES = ("tuning", "unseen")
CLIP_FRAMES = 120  # of each clip, at most
JOINS_PER_FILM = 30
SIZES = ((384, 216), (288, 288), (216, 384))  # (width, height)
RATES = (Fraction(24), Fraction(25), Fraction(30), Fraction(30000, 1001), Fraction(60))
CRFS = (20, 26, 32)  # x264's quality: good, usual, poor
GRAIN = (0.0, 0.0, 0.0, 5.0)  # standard deviation of added noise, levels of 255
HOLDS = (2, 3, 4)
"""Frames that each picture stays, film by film, in films of a lower rate inside a file of a higher one."""
SHARES = {
    "cut": {"other": 90, "matched": 30, "punch": 40, "close": 30},
    "jump": {"jump": 40},
    "dissolve": {"linear": 40, "eased": 20},
    "fade": {"black": 24, "white": 10, "out": 10, "in": 10},
    "wipe": {
        name: 4
        for name in (
            *("left", "right", "up", "down", "diagonal", "clock"),
            *("iris", "barn", "soft", "slide", "push"),
        )
    },
}
"""Joins of each kind in each half. `close` comes as a short shot between two cuts: twice as many cuts."""
FAULTS = {
    "flash": {"full": 24, "spot": 24, "double": 14, "dark": 14},
    "shake": {"handheld": 28, "vibration": 28, "jolt": 28},
    "camera": {"pan": 28, "tilt": 16, "zoom": 24, "whip": 16},
    "gesture": {"twice": 36, "thrice": 36},
    "inset": {"corner": 30, "change": 20, "banner": 22},
}
"""What is no boundary: in the middle of a shot, in each half."""
DISSOLVE_S = (0.25, 0.5, 1.0, 2.0)
MARGIN_S = 0.5  # between a join and the next disturbance


@dataclass(frozen=True, slots=True)
class Fault:
    """A disturbance from frame `first` of its shot on; `drawn` are its random numbers in 0 to 1."""

    kind: str
    detail: str
    first: int
    frames: int
    drawn: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Join:
    """How one shot becomes the next, over this many mixed frames (0 for a cut)."""

    kind: str
    detail: str
    frames: int
    drawn: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """One shot: a clip from a frame on, through a window that is 1 / zoom of the picture.

    x and y: the window's centre, 0 to 1 of where it can be. gain: of luma. matched: as bright as the shot before.
    """

    clip: int
    start: int
    body: int
    zoom: float
    x: float
    y: float
    gain: float
    matched: bool
    fault: Fault | None


@dataclass(frozen=True, slots=True)
class Film:
    """One planned video; `joins[k]` is between `pieces[k]` and `pieces[k + 1]`."""

    name: str
    size: tuple[int, int]
    rate: Fraction
    crf: int
    grain: float
    hold: int
    pieces: tuple[Piece, ...]
    joins: tuple[Join, ...]

    @property
    def repeat(self) -> int:
        """How often a clip's frame is shown, by its time: twice at 60 a second."""
        return repeat(self.rate)


@dataclass(frozen=True, slots=True)
class Event:
    """What is true of frames [first, stop); a cut is at `first`, the first frame of the new shot."""

    kind: str
    detail: str
    first: int
    stop: int
    seconds: float


def repeat(rate: Fraction) -> int:
    """How often a clip's frame is shown in a film of this rate."""
    return 2 if rate > 50 else 1


# ---- planning --------------------------------------------------------------------------------------


def plan(
    half: str, *, share: float = 1.0, seed: int = 405, holds: Sequence[int] = (1,)
) -> list[Film]:
    """The films of one half.

    share: of the joins and disturbances; holds: frames that each picture stays, film by film.
    """
    rng = np.random.default_rng([seed, HALVES.index(half)])
    joins, faults = deck(SHARES, share, rng), deck(FAULTS, share, rng)
    rng.shuffle(faults)
    films: list[Film] = []
    for number, first in enumerate(range(0, len(joins), JOINS_PER_FILM)):
        wanted = joins[first : first + JOINS_PER_FILM]
        here = [faults.pop() for _ in wanted if faults]
        name, hold = f"{half}-{number:02d}", holds[number % len(holds)]
        films.append(replace(_film(name, wanted, here, len(clips_of(half)), rng), hold=hold))
    return films


def deck(
    shares: dict[str, dict[str, int]], share: float, rng: np.random.Generator
) -> list[tuple[str, str]]:
    """Shuffled (kind, detail)."""
    cards = [
        (kind, detail)
        for kind, details in shares.items()
        for detail, count in details.items()
        for _ in range(max(1, round(count * share)))
    ]
    order = rng.permutation(len(cards))
    return [cards[k] for k in order]


def _film(
    name: str,
    joins: list[tuple[str, str]],
    faults: list[tuple[str, str]],
    clips: int,
    rng: np.random.Generator,
) -> Film:
    size, rate = SIZES[rng.choice(3, p=(0.6, 0.2, 0.2))], RATES[rng.integers(len(RATES))]
    pieces = [_piece(None, "", clips, rate, faults, rng)]
    links: list[Join] = []
    for kind, detail in joins:
        if detail == "close":  # a short shot, then the one that the deck asked for
            links.append(Join("cut", "close", 0, ()))
            short = _piece(pieces[-1], detail, clips, rate, [], rng)
            pieces.append(replace(short, body=int(rng.integers(3, 11))))
        links.append(Join(kind, detail, _frames(kind, detail, rate, rng), tuple(rng.random(4))))
        pieces.append(_piece(pieces[-1], detail, clips, rate, faults, rng))
    crf, grain = CRFS[rng.integers(3)], GRAIN[rng.integers(len(GRAIN))]
    return Film(name, size, rate, crf, grain, 1, tuple(pieces), tuple(links))


def _piece(
    before: Piece | None,
    join: str,
    clips: int,
    rate: Fraction,
    faults: list[tuple[str, str]],
    rng: np.random.Generator,
) -> Piece:
    """The shot after `before`, of another clip unless the join asks for the same."""
    fault = _fault(*faults.pop(), rate, rng) if faults else None
    body = 2 * round(MARGIN_S * rate) + (fault.frames if fault else round(rate * rng.random()))
    clip, start = int(rng.integers(clips)), int(rng.integers(CLIP_FRAMES))
    zoom = float(rng.choice((1.0, 1.0, 1.0, 1.2)))
    gain = float(rng.choice((1.0, 1.0, 1.0, 0.5)))
    x, y = (float(v) for v in rng.random(2))
    piece = Piece(clip, start, body, zoom, x, y, gain, join == "matched", fault)
    if before is None:
        return piece
    if join == "jump":
        return replace(piece, clip=before.clip, start=_far(before, rate, rng), **_window(before))
    if join == "punch":
        closer = before.zoom * float(rng.uniform(1.25, 1.6))
        zoom = closer if before.zoom < 1.3 else 1.0
        same = {**_window(before), "zoom": zoom}
        return replace(piece, clip=before.clip, start=_left_at(before, rate), **same)
    return replace(piece, clip=(before.clip + 1 + int(rng.integers(clips - 1))) % clips)


def _left_at(piece: Piece, rate: Fraction) -> int:
    """The clip's frame that would be the next one shown after a shot."""
    inside = piece.fault.frames if piece.fault else 0
    return piece.start + _source(piece, piece.body, inside) // repeat(rate)


def _far(piece: Piece, rate: Fraction, rng: np.random.Generator) -> int:
    """A frame of the clip at least a third of it from where a shot was left."""
    last = _bounce(_left_at(piece, rate), CLIP_FRAMES)
    far = [at for at in range(CLIP_FRAMES) if abs(at - last) >= CLIP_FRAMES // 3]
    return int(rng.choice(far))


def _window(piece: Piece) -> dict[str, float]:
    return {"zoom": piece.zoom, "x": piece.x, "y": piece.y, "gain": piece.gain}


def _fault(kind: str, detail: str, rate: Fraction, rng: np.random.Generator) -> Fault:
    seconds = {
        "flash": (0.04, 0.2),
        "shake": (0.5, 1.5),
        "camera": (0.6, 1.6),
        "gesture": (0.8, 1.6),
        "inset": (0.6, 1.2),
    }[kind]
    low, high = (0.25, 0.4) if detail == "whip" else seconds
    frames = max(1, round(float(rate) * float(rng.uniform(low, high))))
    return Fault(kind, detail, round(MARGIN_S * rate), frames, tuple(rng.random(8)))


def _frames(kind: str, detail: str, rate: Fraction, rng: np.random.Generator) -> int:
    if kind in ("cut", "jump"):
        return 0
    if kind == "dissolve":
        return round(float(rate) * float(rng.choice(DISSOLVE_S)))
    low, high = {"fade": (0.6, 2.2), "wipe": (0.3, 1.2)}[kind]
    scale = 0.5 if detail in ("out", "in") else 1.0
    return round(float(rate) * scale * float(rng.uniform(low, high)))


def events(film: Film) -> list[Event]:
    """The truth of a film, in order of time."""
    found: list[Event] = []
    at, rate = 0, float(film.rate)
    for piece, join in zip(film.pieces, [*film.joins, None], strict=True):
        if piece.fault:
            f, first = piece.fault, at + piece.fault.first
            frames = 2 * f.frames + 2 if f.detail == "double" else f.frames
            found.append(Event(f.kind, f.detail, first, first + frames, frames / rate))
        at += piece.body
        if join:
            stop = at + join.frames
            found.append(Event(join.kind, join.detail, at, stop, join.frames / rate))
            at = stop
    return found


# ---- drawing ---------------------------------------------------------------------------------------


def clips_of(half: str) -> tuple[str, ...]:
    """The clips of one half of the people."""
    return cases.clips(f"shots/{half}")


def read_clips(
    folder: Path, half: str, size: tuple[int, int]
) -> list[UInt8[np.ndarray, "t h w 3"]]:
    """The half's clips, scaled to cover `size` and cut to its middle."""
    return [read_clip(folder / name, size) for name in clips_of(half)]


def read_clip(path: Path, size: tuple[int, int]) -> UInt8[np.ndarray, "t h w 3"]:
    """The first CLIP_FRAMES pictures of one clip."""
    pictures: list[Image] = []
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams.video[0]):
            scale = max(size[0] / frame.width, size[1] / frame.height)
            wide, high = (
                max(size[0], round(frame.width * scale)),
                max(size[1], round(frame.height * scale)),
            )
            planes = frame.reformat(wide, high, format="yuv444p", interpolation="AREA").to_ndarray()
            left, top = (wide - size[0]) // 2, (high - size[1]) // 2
            part = planes[:, top : top + size[1], left : left + size[0]]
            pictures.append(np.ascontiguousarray(part.transpose(1, 2, 0)))
            if len(pictures) == CLIP_FRAMES:
                break
    return np.stack(pictures)


def draw(film: Film, clips: Sequence[UInt8[np.ndarray, "t h w 3"]]) -> Iterator[Image]:
    """The pictures of a film in order."""
    gains = _gains(film, clips)
    rng = np.random.default_rng(len(film.name) + film.crf)
    noise = rng.normal(0.0, max(film.grain, 1e-3), (2 * film.size[1], 2 * film.size[0]))

    def look(number: int, at: int) -> Image:
        return picture(film, film.pieces[number], at, clips=clips, gain=gains[number])

    for number, piece in enumerate(film.pieces):
        for at in range(0, piece.body, film.hold):
            shown = _grained(look(number, at), film, noise, rng)
            yield from [shown] * min(film.hold, piece.body - at)
        join = film.joins[number] if number < len(film.joins) else None
        for k in range(0, join.frames if join else 0, film.hold):
            assert join is not None
            a, b = look(number, piece.body + k), look(number + 1, k - join.frames)
            mixed = joined(join, (k + 1) / (join.frames + 1), a, b)
            shown = _grained(mixed, film, noise, rng)
            yield from [shown] * min(film.hold, join.frames - k)


def _grained(
    image: Image, film: Film, noise: Float[np.ndarray, "h2 w2"], rng: np.random.Generator
) -> Image:
    if not film.grain:
        return image
    x, y = int(rng.integers(film.size[0])), int(rng.integers(film.size[1]))
    image = image.copy()
    luma = image[..., 0] + noise[y : y + image.shape[0], x : x + image.shape[1]]
    image[..., 0] = np.clip(luma, 0, 255)
    return image


def _gains(film: Film, clips: Sequence[UInt8[np.ndarray, "t h w 3"]]) -> list[float]:
    """Luma gains, with matched shots made as bright as the one before."""
    gains: list[float] = []
    for number, piece in enumerate(film.pieces):
        gain = piece.gain
        if piece.matched and number:
            before = film.pieces[number - 1]
            goal = gains[-1] * float(clips[before.clip][0, ..., 0].mean())
            gain = float(np.clip(goal / clips[piece.clip][0, ..., 0].mean(), 0.3, 1.5))
        gains.append(gain)
    return gains


def picture(
    film: Film, piece: Piece, at: int, *, clips: Sequence[UInt8[np.ndarray, "t h w 3"]], gain: float
) -> Image:
    """Frame `at` of a shot, which may be before its first or after its last."""
    frames = clips[piece.clip]
    inside = (
        0 if piece.fault is None else int(np.clip(at - piece.fault.first, 0, piece.fault.frames))
    )
    done = inside / piece.fault.frames if piece.fault else 0.0
    image = frames[_bounce(piece.start + _source(piece, at, inside) // film.repeat, len(frames))]
    image = cv2.warpAffine(
        image,
        _view(piece, at, done, film.size),
        film.size,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    if gain != 1.0:
        image[..., 0] = np.clip(16.0 + (image[..., 0] - 16.0) * gain, 0, 255)
    if piece.fault and piece.fault.kind == "flash":
        return _flashed(image, piece.fault, at)
    if piece.fault and piece.fault.kind == "inset":
        return _inset(image, piece.fault, at, clips[(piece.clip + 1) % len(clips)])
    return image


def _source(piece: Piece, at: int, inside: int) -> int:
    """Frames of the clip that have gone by: gestures run two or three times as fast for a while."""
    if piece.fault is None or piece.fault.kind != "gesture":
        return at
    return at + inside * (1 if piece.fault.detail == "twice" else 2)


def _bounce(at: int, length: int) -> int:
    """A place in a clip that runs forth and back: no jump at its ends."""
    place = at % (2 * length - 2)
    return place if place < length else 2 * length - 2 - place


def _view(piece: Piece, at: int, done: float, size: tuple[int, int]) -> Float[np.ndarray, "2 3"]:
    """The map from clip to film; a camera move goes from one side of what can be seen to the other."""
    zoom, x, y = piece.zoom, piece.x, piece.y
    dx, dy = 0.0, 0.0
    fault = piece.fault
    if fault and fault.kind == "camera" and fault.detail == "zoom":
        zoom = piece.zoom * (1.0 + (0.3 + 0.4 * fault.drawn[0]) * done)
    elif fault and fault.kind == "camera":
        zoom, way = 1.6, done if fault.drawn[1] < 0.5 else 1.0 - done
        x, y = (x, way) if fault.detail == "tilt" else (way, y)
    elif fault and fault.kind == "shake":
        zoom = max(zoom, 1.15)
        dx, dy = _shaken(fault, at)
    left, top = (1.0 - 1.0 / zoom) * x + dx, (1.0 - 1.0 / zoom) * y + dy
    return np.array([[zoom, 0.0, -zoom * left * size[0]], [0.0, zoom, -zoom * top * size[1]]])


def _shaken(fault: Fault, at: int) -> tuple[float, float]:
    """Shift of the window, in picture widths and heights."""
    inside = at - fault.first
    if not 0 <= inside < fault.frames:
        return 0.0, 0.0
    size = 0.01 + 0.03 * fault.drawn[0]
    rng = np.random.default_rng(int(fault.drawn[1] * 1e9))
    moves = rng.normal(size=(fault.frames, 2))
    if fault.detail == "handheld":  # a walk that is pulled back: fast, but smooth
        place = np.zeros(2)
        for move in moves[: inside + 1]:
            place = 0.85 * place + 0.5 * move
        dx, dy = size * place
    elif fault.detail == "vibration":
        dx, dy = size * 0.5 * moves[inside]
    else:  # one jolt that dies away
        dx, dy = 2.0 * size * np.sign(moves[0]) * 0.6**inside
    return float(np.clip(dx, -0.1, 0.1)), float(np.clip(dy, -0.1, 0.1))


def _flashed(image: Image, fault: Fault, at: int) -> Image:
    """A photographer's flash, twice in a row, or a lamp that fails for a moment."""
    inside, length = at - fault.first, fault.frames
    if fault.detail == "double":
        inside = inside % (length + 2) if 0 <= inside < 2 * length + 2 else -1
    if not 0 <= inside < length:
        return image
    image = image.copy()
    luma = image[..., 0].astype(np.float32)
    if fault.detail == "dark":
        luma = 16.0 + (luma - 16.0) * (0.1 + 0.4 * fault.drawn[0])
    else:
        strength = (80.0 + 160.0 * fault.drawn[0]) * (1.0 - inside / length)
        luma += strength * (_spot(image.shape[:2], fault) if fault.detail == "spot" else 1.0)
    image[..., 0] = np.clip(luma, 16, 235)
    if fault.detail != "dark" and fault.drawn[0] > 0.5 and inside == 0:
        image[..., 1:] = (image[..., 1:].astype(np.int16) + 128) // 2  # burnt out: less colour
    return image


def _spot(shape: tuple[int, ...], fault: Fault) -> Float[np.ndarray, "h w"]:
    """A soft round light of about a third of the picture."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    x, y = x / shape[1] - fault.drawn[1], (y / shape[0] - fault.drawn[2])
    return np.exp(-(x * x + y * y) / (2.0 * 0.25**2))


def _inset(image: Image, fault: Fault, at: int, other: UInt8[np.ndarray, "t h w 3"]) -> Image:
    """A picture in a corner, one that changes, or a banner along the bottom."""
    high, wide = image.shape[:2]
    inside = at - fault.first
    change = fault.detail == "change"
    if not (change or 0 <= inside < fault.frames):
        return image
    image = image.copy()
    if fault.detail == "banner":
        top = round(high * (0.92 - 0.05 - 0.12 * fault.drawn[0]))
        image[top : round(high * 0.95)] = [int(60 + 150 * fault.drawn[k]) for k in (1, 2, 3)]
        text = f"{fault.drawn[4]:.6f} {fault.drawn[5]:.6f}"
        cv2.putText(image, text, (wide // 20, round(high * 0.93)), 0, 0.7, (235, 128, 128), 2)
        return image
    share = 0.2 + 0.18 * fault.drawn[0]
    size = round(wide * share), round(high * share)
    shown = 0 if 0 <= inside < fault.frames else len(other) // 2
    small = cv2.resize(other[shown], size, interpolation=cv2.INTER_AREA)
    left = wide // 20 if fault.drawn[1] < 0.5 else wide - wide // 20 - size[0]
    image[high // 20 : high // 20 + size[1], left : left + size[0]] = small
    return image


# ---- joins -----------------------------------------------------------------------------------------


def joined(join: Join, share: float, a: Image, b: Image) -> Image:
    """The picture between two shots, `share` of the way from a to b."""
    if join.kind == "dissolve":
        eased = share * share * (3.0 - 2.0 * share)
        return _mix(a, b, eased if join.detail == "eased" else share)
    if join.kind == "fade":
        return _faded(join, share, a, b)
    if join.detail in ("slide", "push"):
        return _slid(join, share, a, b)
    soft = 0.35 if join.detail == "soft" else 0.02
    over = np.clip((share * (1.0 + soft) - _arrival(join.detail, a.shape[:2])) / soft, 0.0, 1.0)
    over = over.astype(np.float32)
    return cv2.blendLinear(a, b, 1.0 - over, over)


def _mix(a: Image, b: Image, share: float) -> Image:
    return cv2.addWeighted(a, 1.0 - share, b, share, 0.0)


def _faded(join: Join, share: float, a: Image, b: Image) -> Image:
    """Out to one colour, a rest of up to a third of the time, and in again; or only one of the two."""
    plain = np.empty_like(a)
    plain[:] = (235, 128, 128) if join.detail == "white" else (16, 128, 128)
    rest = join.drawn[0] / 3.0
    if join.detail == "out":
        return _mix(a, plain, min(1.0, share / (1.0 - rest)))
    if join.detail == "in":
        return _mix(plain, b, max(0.0, (share - rest) / (1.0 - rest)))
    ramp = (1.0 - rest) / 2.0
    if share < 0.5:
        return _mix(a, plain, min(1.0, share / ramp))
    return _mix(b, plain, min(1.0, (1.0 - share) / ramp))


def _slid(join: Join, share: float, a: Image, b: Image) -> Image:
    """b comes in from one side, over a or pushing it out."""
    axis = 1 if join.drawn[0] < 0.6 else 0
    length = a.shape[axis]
    moved = min(length, max(1, round(length * share)))
    if axis == 0:
        stays = a[moved:] if join.detail == "push" else a[: length - moved]
        return np.concatenate((stays, b[:moved]), axis=0)
    stays = a[:, moved:] if join.detail == "push" else a[:, : length - moved]
    return np.concatenate((stays, b[:, :moved]), axis=1)


def _arrival(detail: str, shape: tuple[int, ...]) -> Float[np.ndarray, "h w"]:
    """When each pixel changes, 0 to 1."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    x, y = x / shape[1], y / shape[0]
    match detail:
        case "left" | "soft":
            return 1.0 - x
        case "right":
            return x
        case "up":
            return 1.0 - y
        case "down":
            return y
        case "diagonal":
            return (x + y) / 2.0
        case "clock":
            return np.arctan2(y - 0.5, x - 0.5) / (2.0 * np.pi) + 0.5
        case "iris":
            return np.hypot(x - 0.5, y - 0.5) / 0.7072
        case "barn":
            return 2.0 * np.abs(x - 0.5)
    raise ValueError(f"no wipe of this kind: {detail}")


# ---- writing ---------------------------------------------------------------------------------------


def write(film: Film, clips: Sequence[UInt8[np.ndarray, "t h w 3"]], path: Path) -> Path:
    """The film as H.264, 4:2:0, one thread."""
    part = path.with_suffix(".part.mp4")
    with av.open(str(part), "w") as container:
        options = {"crf": str(film.crf), "preset": "veryfast"}
        stream = container.add_stream("libx264", rate=film.rate, options=options)
        stream.width, stream.height = film.size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        for image in draw(film, clips):
            container.mux(stream.encode(planar(image)))
        container.mux(stream.encode())
    part.rename(path)
    return path


def planar(image: Image) -> av.VideoFrame:
    """A 4:2:0 frame."""
    high, wide = image.shape[:2]
    luma, *colour = cv2.split(image)
    halves = [cv2.resize(c, (wide // 2, high // 2), interpolation=cv2.INTER_AREA) for c in colour]
    rows = [luma, *(half.reshape(high // 4, wide) for half in halves)]
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(np.vstack(rows)), format="yuv420p")


def make(
    media: Path,
    folder: Path,
    half: str,
    *,
    share: float = 1.0,
    seed: int = 405,
    holds: Sequence[int] = (1,),
) -> list[tuple[Film, Path]]:
    """Every film of a half under `folder`; what is there already is not made again."""
    folder.mkdir(parents=True, exist_ok=True)
    films = plan(half, share=share, seed=seed, holds=holds)
    for size in SIZES:
        missing = [f for f in films if f.size == size and not (folder / f"{f.name}.mp4").is_file()]
        clips = read_clips(media / "video", half, size) if missing else []
        for film in missing:
            write(film, clips, folder / f"{film.name}.mp4")
    return [(film, folder / f"{film.name}.mp4") for film in films]

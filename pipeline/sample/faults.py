"""What is wrong with each faulty source: one planted fault a file, and what it is made from."""

from dataclasses import dataclass, replace
from typing import Literal

from pipeline.sample import cast, film, voice
from pipeline.sample.cast import Take
from pipeline.sample.encode import join
from pipeline.sample.figure import Shot
from pipeline.sample.film import Scene
from pipeline.sample.voice import Samples, Speech

Reason = Literal[
    "kept", "no_audio", "overlapped_speech", "frozen_picture", "figure_too_small", "close_up",
    "side_view", "shot_too_short", "too_short", "not_media", "not_the_speaker", "no_speech",
]  # fmt: skip
"""What a run over the sample should say about a source: `Why` of the record, or `kept`."""

SHORT_SECONDS = 3.0
TRUNCATED_SHARE = 0.45
QUIET_LEVEL = 0.0008


@dataclass(frozen=True, slots=True)
class Truth:
    """One row of truth.tsv. The seconds bound the part that the reason is about."""

    file: str
    expect: Literal["keep", "drop"]
    why: Reason
    first_second: float
    last_second: float
    detail: str


@dataclass(frozen=True, slots=True)
class Source:
    """One file of the sample: its truth, and the take whose title and licence it carries."""

    truth: Truth
    take: Take


def _take(name: str) -> Take:
    return next(take for take in cast.TAKES + cast.SECOND_TAKES if take.name == name)


def _reduced(take: Take) -> Take:
    """The same view in 640x360: cheaper, for what is never cropped."""
    height = take.shot.size[1]
    scale = take.shot.scale * 360 / height
    return replace(take, shot=replace(take.shot, size=(640, 360), scale=scale))


SMALL = replace(
    _take("eva"),
    name="small",
    room="plain",
    seed=201,
    shot=Shot(size=(960, 540), scale=0.2325, middle=0.3, top=-1748.0),
)
CLOSE = _reduced(
    replace(_take("ada"), name="close", seed=202, shot=Shot(scale=2.775, middle=0.5, top=21.0))
)
SIDE = _reduced(replace(_take("dieter"), name="side", seed=203, turn=1.1, fps=cast.PAL))
FIRST_SHOT = _reduced(_take("ada"))
SECOND_SHOT = _reduced(replace(_take("ada-again"), name="second-shot", seed=204))


def scenes(seconds: float) -> dict[str, Scene]:
    """All that has to be rendered, by name; everything else is made from these."""
    films = {take.name: Scene((take,), seconds) for take in cast.TAKES + cast.SECOND_TAKES}
    films["small"] = Scene((SMALL,), seconds)
    films["close"] = Scene((CLOSE,), seconds)
    films["side"] = Scene((SIDE,), seconds)
    films["two-shots"] = Scene((FIRST_SHOT, SECOND_SHOT), seconds)
    films["frozen"] = Scene((_take("eva"),), seconds, frozen=True)
    return films


def sources(seconds: float) -> tuple[Source, ...]:
    """Every file of the sample in the order of sources.csv, with what is true of it."""
    rows: list[Source] = [
        Source(Truth(f"{take.name}.mp4", "keep", "kept", 0.0, seconds, _kept(take)), take)
        for take in cast.TAKES
    ]

    def fault(
        name: str, why: Reason, detail: str, take: str, *, first: float = 0.0, last: float = seconds
    ) -> None:
        rows.append(Source(Truth(name, "drop", why, first, last, detail), _take(take)))

    fault("no-audio.mp4", "no_audio", "ben's picture without a sound stream", "ben")
    fault(
        "two-voices.mp4", "overlapped_speech",
        "ada and somebody out of view speak at once all through", "ada-again",
    )  # fmt: skip
    fault("frozen.mp4", "frozen_picture", "one frame of eva repeated under her voice", "eva")
    fault("tiny.mp4", "figure_too_small", "eva in a large hall, face about 24 px high", "eva")
    fault(
        "close-up.mp4",
        "close_up",
        "ada's head fills the frame; no shoulders, no arms",
        "ada",
    )
    fault(
        "profile.mp4", "side_view",
        "dieter turned 63 degrees: his picture wrapped round a solid head, body too", "dieter",
    )  # fmt: skip
    half = seconds / 2
    fault(
        "two-shots.mp4", "shot_too_short",
        f"a hard cut at {half:g} s to another room and camera; no shot lasts 5 s", "ada",
    )  # fmt: skip
    fault(
        "short.mp4", "too_short", f"ben for {SHORT_SECONDS:g} s", "ben",
        last=min(seconds, SHORT_SECONDS),
    )  # fmt: skip
    fault(
        "truncated.mp4", "not_media",
        f"the first {TRUNCATED_SHARE:.0%} of ben.mp4's bytes; the index at its end is lost", "ben",
    )  # fmt: skip
    fault("not-media.mp4", "not_media", "text with the name of a video", "ada", last=0.0)
    fault(
        "dubbed.mp4", "not_the_speaker",
        "felix's lips move to his own words; a narrator who is not in view is heard", "felix-again",
    )  # fmt: skip
    fault("silence.mp4", "no_speech", "carla's picture over the noise of an empty room", "carla")
    return tuple(rows)


def _kept(take: Take) -> str:
    width, height = take.shot.size
    return (
        f"{take.person.name}, {take.person.language}, {width}x{height}, {float(take.fps):.2f} FPS"
    )


def files(films: dict[str, bytes], seconds: float) -> dict[str, bytes]:
    """The bytes of every media file from the silent pictures of `scenes`, by file name."""
    speech = {name: film.speech_of(_take(name), seconds) for name in ("ada", "ben", "eva")}
    made = {
        f"{take.name}.mp4": with_voice(films[take.name], film.speech_of(take, seconds))
        for take in cast.TAKES
    }
    interrupter = film.say(cast.INTERRUPTION, cast.INTERRUPTER, seconds=seconds)
    both = voice.mix(film.speech_of(_take("ada-again"), seconds), interrupter)
    narrator = film.say(cast.NARRATION, cast.NARRATOR, seconds=seconds)
    silence = voice.room(0.0 * speech["ada"].samples, seed=205, level=QUIET_LEVEL)
    short = speech["ben"].samples[: round(SHORT_SECONDS * speech["ben"].sample_rate)]
    sample_rate = narrator.sample_rate
    made |= {
        "no-audio.mp4": join(films["ben"], None, sample_rate=sample_rate),
        "two-voices.mp4": with_voice(films["ada-again"], both),
        "frozen.mp4": with_voice(films["frozen"], speech["eva"]),
        "tiny.mp4": with_voice(films["small"], film.speech_of(SMALL, seconds)),
        "close-up.mp4": with_voice(films["close"], film.speech_of(CLOSE, seconds)),
        "profile.mp4": with_voice(films["side"], film.speech_of(SIDE, seconds)),
        "two-shots.mp4": with_voice(films["two-shots"], speech["ada"]),
        "short.mp4": join(films["ben"], short, sample_rate=sample_rate, seconds=SHORT_SECONDS),
        "truncated.mp4": truncate(made["ben.mp4"]),
        "not-media.mp4": NOT_MEDIA.encode(),
        "dubbed.mp4": _dub(films["felix-again"], narrator),
        "silence.mp4": join(films["carla"], silence, sample_rate=sample_rate),
    }
    return made


NOT_MEDIA = "This file carries the name of a video, but it is a line of text.\n" * 40


def with_voice(picture: bytes, speech: Speech) -> bytes:
    """A silent MP4 and a speech in one file."""
    return join(picture, speech.samples, sample_rate=speech.sample_rate)


def _dub(picture: bytes, narrator: Speech) -> bytes:
    heard: Samples = voice.room(narrator.samples, seed=206)
    return join(picture, heard, sample_rate=narrator.sample_rate)


def truncate(media: bytes) -> bytes:
    """The beginning of a file: as if a download had stopped in the middle of the media data."""
    return media[: int(len(media) * TRUNCATED_SHARE)]

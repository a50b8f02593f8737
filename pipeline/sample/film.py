"""A take becomes frames: the speech is spoken, the figure moves to it, each frame is drawn."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import cv2
import numpy as np

from pipeline.sample import encode, voice
from pipeline.sample.cast import Take
from pipeline.sample.figure import Figure
from pipeline.sample.motion import moments
from pipeline.sample.portrait import Image
from pipeline.sample.voice import Speech, Voice


@dataclass(frozen=True, slots=True)
class Scene:
    """Frames to render: takes that follow each other, all with the sound of the first.

    seconds: length of the whole; each take gets an equal part of it; frozen: every frame is the
    one from the middle.
    """

    takes: tuple[Take, ...]
    seconds: float
    frozen: bool = False


def say(text: str, talker: Voice, *, seconds: float) -> Speech:
    """A text in a voice, repeated until it fills `seconds`, and cut to exactly that."""
    spoken = voice.speak(text, talker)
    repeats = int(np.ceil((seconds + 0.5) / spoken.seconds))
    if repeats > 1:
        spoken = voice.speak(" ".join([text] * repeats), talker)
    return voice.fit(spoken, seconds=seconds)


@functools.cache
def speech_of(take: Take, seconds: float) -> Speech:
    """What a take says, exactly `seconds` long, with the faint noise of a room."""
    spoken = say(take.text, take.person.voice, seconds=seconds)
    return replace(spoken, samples=voice.room(spoken.samples, seed=take.seed))


def frame_count(seconds: float, fps: Fraction) -> int:
    """Frames that fit into `seconds`."""
    return int(Fraction(seconds).limit_denominator(1000) * fps)


def frames(scene: Scene) -> Iterator[Image]:
    """The frames of a scene, (height, width, 3) RGB."""
    first = scene.takes[0]
    speech = speech_of(first, scene.seconds)
    count = frame_count(scene.seconds, first.fps)
    for number, take in enumerate(scene.takes):
        build = take.build or take.person.build
        figure = Figure(take.person.face, build, take.room, take.shot, turn=take.turn)
        states = moments(
            speech, frames=count, fps=float(first.fps), seed=take.seed, energy=take.person.energy
        )
        begin = count * number // len(scene.takes)
        end = count * (number + 1) // len(scene.takes)
        if scene.frozen:
            still = figure.draw(states[(begin + end) // 2])
            yield from (still for _ in range(begin, end))
        else:
            yield from (figure.draw(state) for state in states[begin:end])


def render(scene: Scene) -> bytes:
    """A scene as a silent MP4."""
    cv2.setNumThreads(1)
    take = scene.takes[0]
    return encode.encode_video(frames(scene), fps=take.fps, size=take.shot.size)

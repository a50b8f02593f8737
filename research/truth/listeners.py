"""Who else listens, beside the backends: the segmentation network by itself, and the networks of pyannote.audio 1."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32

from pipeline.perception.speech import Segmentation, SpeechResult
from pipeline.perception.speech.interface import SAMPLE_RATE, Stretch, stretches
from pipeline.perception.speech.pyannet import POWERSET, VERSION_1, PyanNet, averaged, renamed
from pipeline.perception.speech.segmentation import Segment, at_once
from research.mixing import Wave

NOBODY = np.zeros((0, 0), np.float32)
VERSION_1_FILES = {
    "overlap": ("pyannote1_ovl_dihard_1201.pt", "1ebf2d47a688adbec3e110aaea3e1d05b2eea6fad856584a47b6ff90a3cecbca"),
    "speech": ("pyannote1_sad_dihard_0385.pt", "b6b7251e306b4b80ba6ec9824e776ff3060361e312f45b5dc4f93f1900b0e4c4"),
}  # fmt: skip
"""Their overlap and speech networks, by file and SHA-256."""


def version_1(weights: Path, kind: str) -> Callable[[Wave], Float32[np.ndarray, " frame"]]:
    """One of the networks of pyannote.audio 1: samples to the probability of its class, in windows of 2 s."""
    file, expected = VERSION_1_FILES[kind]
    found = hashlib.sha256((weights / file).read_bytes()).hexdigest()
    if found != expected:
        raise ValueError(f"{file} has SHA-256 {found}, expected {expected}")
    network = PyanNet(VERSION_1)
    network.load_state_dict(
        renamed(torch.load(weights / file, map_location="cpu", weights_only=True))
    )
    network.eval()
    hop = SAMPLE_RATE // VERSION_1.step
    return lambda sound: averaged(network, sound, window=2 * SAMPLE_RATE, hop=hop)[:, 1]


def listen_version_1(weights: Path) -> Callable[[np.ndarray], SpeechResult]:
    """Both networks at a probability of a half; every turn is one voice, since they tell nobody apart."""
    nets = {kind: version_1(weights, kind) for kind in VERSION_1_FILES}

    def listen(samples: np.ndarray) -> SpeechResult:
        sound, step = samples.astype(np.float32) / 32_768.0, VERSION_1.step / SAMPLE_RATE
        found = {kind: stretches(net(sound) >= 0.5, step) for kind, net in nets.items()}
        voiced = found["speech"]
        return SpeechResult(
            voiced,
            tuple((*v, 0) for v in voiced),
            found["overlap"],
            (),
            NOBODY,
        )

    return listen


def own_voiced(segment: Segment, sound: Wave) -> tuple[Stretch, ...]:
    """Where the segmentation network finds anybody."""
    first = (POWERSET.field - POWERSET.step) / 2.0 / SAMPLE_RATE
    found = stretches(segment(sound)[:, 0] < 0.5, POWERSET.step / SAMPLE_RATE)
    return tuple((start + first, stop + first) for start, stop in found)


def own_speech(segment: Segment) -> Callable[[np.ndarray], SpeechResult]:
    """The segmentation network alone: its speech as one voice, its overlaps."""

    def listen(samples: np.ndarray) -> SpeechResult:
        sound = samples.astype(np.float32) / 32_768.0
        voiced = own_voiced(segment, sound)
        overlaps = at_once(segment(sound), Segmentation().onset, len(samples) / SAMPLE_RATE)
        return SpeechResult(voiced, tuple((*v, 0) for v in voiced), overlaps, (), NOBODY)

    return listen

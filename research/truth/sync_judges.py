"""Sync backends as functions of a person, a stretch of picture and a sound, with what was fitted on some people."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int16

from manifests.geometry import SAMPLES_PER_FRAME
from pipeline.perception.sync import ActiveSpeaker, SyncScore
from pipeline.perception.sync.activespeaker import LoadedActiveSpeaker, features
from pipeline.perception.sync.embedded import SIGNS, joined, measure
from pipeline.perception.sync.interface import REACH, audio_at, offsets
from pipeline.perception.sync.lipnet import LipNet
from pipeline.perception.sync.lipvoice import Axes, bands, curve, mouth
from research.truth.sync_axes import Follow
from research.truth.sync_clips import Person, watched

Sound = Int16[np.ndarray, " samples"]
Judge = Callable[[Person, int, int, Sound], SyncScore]
"""A person's stretch of picture, and sound with 15 frames more on each side."""
Visual = Mapping[str, Float32[np.ndarray, "time 128"]]
"""Light-ASD's picture features of each face, by its name."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What is fitted on some people. light: axes of Light-ASD's picture features; None where its weights are absent."""

    lips: Axes
    light: Axes | None
    net: LipNet


def loudness(person: Person, start: int, stop: int, sound: Sound) -> SyncScore:
    """Correlation of lip opening and loudness; confidence: the peak less the median over the offsets."""
    inner = person.pose[start:stop, 23 + 60 : 23 + 68, :2].astype(np.float64)
    opening = np.linalg.norm(inner[:, 2] - inner[:, 6], axis=1)
    wave = sound.astype(np.float64).reshape(-1, SAMPLES_PER_FRAME)
    level = np.sqrt((wave**2).mean(axis=1))
    parts = [level[audio_at(lag, len(opening), margin=REACH)] for lag in offsets()]
    found = np.array([_correlation(opening, part) for part in parts])
    best = int(np.argmax(found))
    return SyncScore(best - REACH, float(found[best] - np.median(found)), float(found[best]))


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0.0 and b.std() > 0.0 else 0.0


def signs(person: Person, start: int, stop: int, sound: Sound) -> SyncScore:
    """The phonetic signs alone, nothing fitted."""
    visual = mouth(person.pose[start:stop])
    if visual is None:
        return SyncScore(0, 0.0, 0.0, 0.0)
    audio = bands(sound, frames=len(visual) + 2 * REACH)
    return joined((curve(visual, audio, SIGNS, margin=REACH),), frames=len(visual))


@dataclass(frozen=True, slots=True)
class EmbeddedJudge:
    """The embedded backend with what was fitted on some people."""

    fit: Fit

    def __call__(self, person: Person, start: int, stop: int, sound: Sound) -> SyncScore:
        lips = person.lips(start, stop)
        return measure(lips, sound, margin=REACH, axes=self.fit.lips, net=self.fit.net)


@dataclass(frozen=True, slots=True)
class NetworkJudge:
    """An active-speaker network: as published (`network` without axes), or as the backend light-asd."""

    network: LoadedActiveSpeaker
    visual: Visual

    def __call__(self, person: Person, start: int, stop: int, sound: Sound) -> SyncScore:
        visual = self.visual[person.name][start:stop]
        return self.network.judge(visual, person.lips(start, stop), sound, margin=REACH)


def judges(shared: Path, fit: Fit, visual: Visual) -> dict[str, Judge]:
    """Every judge that can work here, by its row's name. visual: empty where Light-ASD's weights are absent."""
    found: dict[str, Judge] = {
        "opening to loudness": loudness,
        "signs, nothing fitted": signs,
        "embedded": EmbeddedJudge(fit),
    }
    network = light_asd(shared)
    if network is not None and fit.light is not None and visual:
        published = LoadedActiveSpeaker(network.network, "cpu")
        backend = LoadedActiveSpeaker(network.network, "cpu", (fit.light, fit.lips), fit.net)
        found["light-asd, its own log-odds"] = NetworkJudge(published, visual)
        found["light-asd"] = NetworkJudge(backend, visual)
    return found


def light_asd(shared: Path) -> LoadedActiveSpeaker | None:
    """The network with its published weights; None where they are absent."""
    backend = ActiveSpeaker("light-asd", at=shared / "weights")
    if backend.missing() is not None:
        return None
    network = backend.load()
    assert isinstance(network, LoadedActiveSpeaker)
    return network


def picture_features(shared: Path, cast: Sequence[Person]) -> Visual:
    """Light-ASD's picture features of some people; empty where its weights are absent."""
    network = light_asd(shared)
    if network is None:
        return {}
    sha256 = ActiveSpeaker("light-asd", at=shared / "weights").weights
    return {one.name: watched(network, sha256, one, kept()) for one in cast}


def follow_of(person: Person, visual: Float32[np.ndarray, "time 128"] | None) -> Follow | None:
    """What axes are fitted on; None without lips or voice."""
    measures = mouth(person.pose)
    if measures is None or person.sound is None:
        return None
    audio = bands(person.sound, frames=len(person))
    return Follow(measures, measures if visual is None else features(visual, measures), audio)


def kept() -> Path:
    """The folder where what was read from clips stays."""
    return Path(os.environ.get("COSPEECH_SYNC_CACHE", "work/sync-cache"))

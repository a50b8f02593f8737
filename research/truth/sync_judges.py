"""Every sync backend as a function of a person, a stretch of picture and a sound; axes are fitted on other people."""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int16

from manifests.geometry import SAMPLES_PER_FRAME
from pipeline.perception.sync import ActiveSpeaker, SyncScore
from pipeline.perception.sync.activespeaker import LoadedActiveSpeaker, Variant, features
from pipeline.perception.sync.embedded import SIGNS, joined, measure
from pipeline.perception.sync.interface import REACH, audio_at, offsets
from pipeline.perception.sync.lipvoice import Axes, bands, curve, mouth
from research.cast import person_of
from research.truth.sync_axes import Follow, fitted
from research.truth.sync_clips import Person, generated, people, resting, speakers, watched, who

FOLDS = 5  # of people, for the fitted axes
Sound = Int16[np.ndarray, " samples"]
Judge = Callable[[Person, int, int, Sound], SyncScore]
"""A person's stretch of picture, and sound with 15 frames more on each side."""


def plain(person: Person, start: int, stop: int, sound: Sound) -> SyncScore:
    """Correlation of lip opening and loudness; confidence: the peak less the median over the offsets."""
    inner = person.pose[start:stop, 23 + 60 : 23 + 68, :2].astype(np.float64)
    opening = np.linalg.norm(inner[:, 2] - inner[:, 6], axis=1)
    wave = sound.astype(np.float64).reshape(-1, SAMPLES_PER_FRAME)
    loudness = np.sqrt((wave**2).mean(axis=1))
    audio = [loudness[audio_at(lag, len(opening), margin=REACH)] for lag in offsets()]
    curve = np.array([_correlation(opening, part) for part in audio])
    best = int(np.argmax(curve))
    return SyncScore(best - REACH, float(curve[best] - np.median(curve)), float(curve[best]))


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
    """The embedded backend with axes of people other than the one who is judged."""

    axes: dict[str, Axes]

    def __call__(self, person: Person, start: int, stop: int, sound: Sound) -> SyncScore:
        return measure(person.lips(start, stop), sound, margin=REACH, axes=self.axes[person.name])


@dataclass(frozen=True, slots=True)
class WatchingJudge:
    """An active-speaker network as published: the log-odds of its audio-visual head."""

    network: LoadedActiveSpeaker
    visual: dict[str, Float32[np.ndarray, "time 128"]]

    def __call__(self, person: Person, start: int, stop: int, sound: Sound) -> SyncScore:
        visual = self.visual[person.name][start:stop]
        return self.network.judge(visual, person.lips(start, stop), sound, margin=REACH)


@dataclass(frozen=True, slots=True)
class LightJudge:
    """The light-asd backend: whether the mouth speaks by its log-odds, what it says by axes of other people."""

    network: LoadedActiveSpeaker
    visual: dict[str, Float32[np.ndarray, "time 128"]]
    axes: dict[str, tuple[Axes, Axes]]

    def __call__(self, person: Person, start: int, stop: int, sound: Sound) -> SyncScore:
        visual = self.visual[person.name][start:stop]
        network = LoadedActiveSpeaker(self.network.network, "cpu", self.axes[person.name])
        return network.judge(visual, person.lips(start, stop), sound, margin=REACH)


def remembered(judge: Judge) -> Judge:
    """The same judge, asked the same only once."""
    known: dict[tuple[str, int, int, bytes], SyncScore] = {}

    def ask(person: Person, start: int, stop: int, sound: Sound) -> SyncScore:
        key = person.name, start, stop, hashlib.md5(sound.tobytes(), usedforsecurity=False).digest()
        if key not in known:
            known[key] = judge(person, start, stop, sound)
        return known[key]

    return ask


def judges(cast: Sequence[Person], weights: Path, folder: Path) -> dict[str, Judge]:
    """Every judge that can work here, by its row's name."""
    found: dict[str, Judge] = {"opening to loudness": plain, "signs, nothing fitted": signs}
    on_lips = axes_of_others({p.name: _followed(p, None) for p in cast})
    found["embedded"] = EmbeddedJudge(on_lips)
    variants: tuple[Variant, ...] = ("light-asd", "lr-asd")
    for name in variants:
        backend = ActiveSpeaker(name, at=weights)
        if backend.missing() is not None:
            continue
        network = backend.load()
        assert isinstance(network, LoadedActiveSpeaker)
        visual = {p.name: watched(network, backend.weights, p, folder) for p in cast}
        found[f"{name}, its own log-odds"] = WatchingJudge(
            LoadedActiveSpeaker(network.network, "cpu"), visual
        )
        if network.axes is not None:
            both = axes_of_others({p.name: _followed(p, visual[p.name]) for p in cast})
            pairs = {p.name: (both[p.name], on_lips[p.name]) for p in cast}
            found[name] = LightJudge(network, visual, pairs)
    return {name: remembered(judge) for name, judge in found.items()}


def _followed(person: Person, visual: Float32[np.ndarray, "time 128"] | None) -> Follow | None:
    """What axes are fitted on; None without lips or voice, and for new people."""
    measures = mouth(person.pose)
    if (
        measures is None
        or person.sound is None
        or person.name.startswith((*resting(), *generated()))
    ):
        return None
    audio = bands(person.sound, frames=len(person))
    return Follow(measures, measures if visual is None else features(visual, measures), audio)


def followed(shared: Path) -> tuple[list[Follow], list[Follow]]:
    """All that the shipped axes are fitted on: lips alone, and beside Light-ASD's picture features."""
    cast = list(people(shared / "media" / "video", kept(), speakers()))
    backend = ActiveSpeaker("light-asd", at=shared / "weights")
    network = backend.load()
    assert isinstance(network, LoadedActiveSpeaker)
    visual = [watched(network, backend.weights, p, kept()) for p in cast]
    alone = [_followed(p, None) for p in cast]
    beside = [_followed(p, one) for p, one in zip(cast, visual, strict=True)]
    return [one for one in alone if one], [one for one in beside if one]


def kept() -> Path:
    """The folder where what was read from clips stays."""
    return Path(os.environ.get("COSPEECH_SYNC_CACHE", "work/sync-cache"))


def axes_of_others(follows: dict[str, Follow | None]) -> dict[str, Axes]:
    """For each face axes fitted on the people of the other folds."""
    folds = folds_of(follows)
    by_fold = {
        fold: fitted(
            [f for name in sorted(follows) if folds[name] != fold and (f := follows[name])]
        )
        for fold in set(folds.values())
    }
    return {name: by_fold[fold] for name, fold in folds.items()}


def folds_of(names: Iterable[str]) -> dict[str, int]:
    """The fold of each face by its name; one person is in one fold. Those who speak are dealt out before all others."""
    faces, first = list(names), {person_of(clip) for clip in speakers()}
    order = sorted({who(name) for name in faces}, key=lambda one: (one not in first, one))
    return {name: order.index(who(name)) % FOLDS for name in faces}

"""A small dataset of drawn faces whose mouths open as their voice is loud, with videos and whole records."""

from pathlib import Path

import numpy as np

from manifests.geometry import SAMPLES_PER_FRAME
from manifests.record import Backend, FaceSample
from pipeline.perception.sync.activespeaker import SHA256
from tests.examples import clip
from tests.models.making import Made, write_dataset

PUBLISHED = SHA256["light-asd"]
FACE = (200.0, 120.0, 100.0, 100.0)
"""The face's box in pixels of the 512 crop; it goes to the right by a pixel per frame."""
LATE = {2: 3}
"""Frames by which the sound of a clip is late, by its seed, with a backend that was sure of it."""


def loudness(seed: int, frames: int) -> np.ndarray:
    """One number per frame, 0 to 1: syllables of a few frames."""
    random = np.random.default_rng(seed)
    return np.repeat(random.random(frames // 3 + 1), 3)[:frames]


def film(seed: int, frames: int) -> np.ndarray:
    """Grey-blue pictures with a face in them, of the brightness of its person, and a dark mouth in it."""
    shown = np.empty((frames, 512, 512, 3), np.uint8)
    shown[:] = (40, 60, 90)
    for frame, loud in enumerate(loudness(seed, frames)):
        x, y = round(FACE[0]) + frame, round(FACE[1])
        shown[frame, y : y + 100, x : x + 100] = (180 + seed, 140, 120)
        open_by = round(20 * loud)
        shown[frame, y + 70 - open_by : y + 72 + open_by, x + 30 : x + 70] = (60, 10, 10)
    return shown


def voice(seed: int, frames: int) -> np.ndarray:
    """Noise as loud as the mouth is open, late where `LATE` says so."""
    loud = np.roll(loudness(seed, frames), LATE.get(seed, 0)).repeat(SAMPLES_PER_FRAME)
    noise = np.random.default_rng(100 + seed).normal(0.0, 6000.0, len(loud))
    return np.clip(noise * loud, -32_000, 32_000).astype(np.int16)


def record(made: Made, start: int = 40) -> str:
    """The record of a clip that begins at a frame of its source; there the crop begins at x = 300, y = 20, doubled."""
    whole = clip(locator=f"{made.identity}.mp4", start=start, frames=made.frames, name=made.clip)
    assert whole.framing is not None and whole.sync is not None
    x, y, width, height = (each / 2.0 for each in FACE)
    path = tuple(
        FaceSample(frame=start + at, box=(300.0 + x + at / 2.0, 20.0 + y, width, height), score=0.9)
        for at in (0, made.frames - 1)
    )
    framing = whole.framing.model_copy(
        update={"box": (300.0, 20.0, 256.0, 256.0), "size": (512, 512)}
    )
    late = LATE.get(made.seed, 0)
    sync = whole.sync.model_copy(
        update={
            "backend": Backend(name="light-asd", version="4", weights=PUBLISHED), "offset": late, "shifted": 0,
            "confidence": 99.0 if late else 0.0,
        }
    )  # fmt: skip
    person = whole.person.model_copy(update={"path": path})
    return whole.model_copy(
        update={"person": person, "framing": framing, "sync": sync}
    ).model_dump_json()


def made(seed: int, frames: int, split: str, identity: str) -> Made:
    """One clip."""
    plain = Made(
        seed,
        frames,
        split,
        identity,
        shard=str(seed),
        sound=voice(seed, frames),
        film=film(seed, frames),
    )
    return Made(
        seed,
        frames,
        split,
        identity,
        shard=str(seed),
        sound=plain.sound,
        film=plain.film,
        record=record(plain),
    )


def write_talking(folder: Path) -> Path:
    """Six clips of four people."""
    rows = (
        (0, 50, "train", "ada"),
        (1, 45, "train", "ada"),
        (2, 60, "train", "bea"),
        (3, 48, "train", "bea"),
    )
    held = ((4, 60, "val", "cid"), (5, 44, "val", "dan"))
    return write_dataset(folder, [made(*row) for row in (*rows, *held)])

"""The motion encoder under FGD: trained once on windows of the training clips, and kept beside their features."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from models.data.features import writing
from models.data.index import Entry, Motions
from models.evaluation.choice import evenly
from models.evaluation.metrics.autoencoder import (
    FORMAT,
    MotionEncoder,
    Windows,
    load,
    save,
    train_encoder,
)
from models.evaluation.metrics.collection import NotMeasured
from models.evaluation.metrics.table import SETS, are, counted
from models.evaluation.metrics.windows import FRAMES, VALUES, gesture_windows

MOST_WINDOWS = 20_000
"""That an encoder is trained on, 0.5 GB."""
PER_CLIP = 4
"""Windows of a clip where there are more than that."""
STEP = 16
"""Frames between windows."""


def motion_encoder(
    training: Motions, clips: Motions, folder: Path, *, epochs: int, width: int = 256,
    at_most: int = MOST_WINDOWS,
) -> MotionEncoder | NotMeasured:  # fmt: skip
    """The encoder of these training clips, trained where there is none yet; or why there is none.

    folder: where encoders lie, each under a hash of clips and settings. Nothing is trained for held-out clips that are
    too few for FGD. epochs: 0 for no encoder.
    """
    if not epochs:
        return NotMeasured("it takes a motion encoder, which 0 epochs do not train")
    least, found = SETS["fgd"].least, _first_windows(clips, SETS["fgd"].least)
    if found < least:
        return NotMeasured(f"it takes {counted(least)} to evaluate on, there {are(found)}")
    kept = folder / f"motion-encoder@{_hash(training.entries, epochs, width, at_most)}"
    if kept.is_dir() and (files := sorted(kept.glob("*.safetensors"))):
        return load(files[0])
    windows = training_windows(training, at_most)
    if len(windows) < 2:
        return NotMeasured(
            f"it takes a motion encoder, which takes {counted(2)} to train on, there {are(len(windows))}"
        )
    encoder = train_encoder(windows, seed=0, epochs=epochs, width=width)
    with writing(kept):
        save(encoder, kept)
    return encoder


def training_windows(motions: Motions, at_most: int = MOST_WINDOWS) -> Windows:
    """Windows of `STEP` frames apart, all of all clips; where that would be too many, `PER_CLIP` of each of some clips
    that are chosen evenly over people. Clips are read one after the other.
    """
    counts = [max(0, (entry.frames - FRAMES) // STEP + 1) for entry in motions.entries]
    if sum(counts) <= at_most:
        numbers, per_clip = range(len(motions)), max(counts, default=0)
    else:
        numbers, per_clip = evenly(motions.entries, max(1, at_most // PER_CLIP), seed=0), PER_CLIP
    room = min(at_most, sum(min(per_clip, counts[number]) for number in numbers))
    windows, filled = np.empty((room, FRAMES, VALUES), np.float32), 0
    for number in numbers:
        found = gesture_windows(motions.pose(number), step=STEP)
        places = np.unique(np.linspace(0, len(found) - 1, min(per_clip, len(found))).astype(int))
        part = found[places][: room - filled]
        windows[filled : filled + len(part)] = part
        filled += len(part)
    return windows[:filled]


def _first_windows(motions: Motions, enough: int) -> int:
    """How many windows there are to evaluate on, counted no further than `enough`."""
    found = 0
    for number, entry in enumerate(motions.entries):
        if entry.frames >= FRAMES:
            found += len(gesture_windows(motions.pose(number)))
        if found >= enough:
            break
    return found


def _hash(entries: Sequence[Entry], *settings: int) -> str:
    digest = hashlib.sha256(repr((FORMAT, STEP, PER_CLIP, *settings)).encode())
    for part in _names(entries):
        digest.update(part)
    return digest.hexdigest()[:12]


def _names(entries: Sequence[Entry]) -> Iterator[bytes]:
    for entry in entries:
        yield f"{entry.id}{entry.revision}".encode()

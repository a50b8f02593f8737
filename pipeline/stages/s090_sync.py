"""Sync: whether the lips fit the voice, at which offset, with which confidence."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from manifests.record import Backend, Clip, Sync
from pipeline.perception.sync import Lips, SyncBackend, load
from pipeline.stage import Frames, need

# Frames of sound heard on each side of the picture, so that a late or early voice can be found: SyncNet's ±15.
MARGIN = 15
LATEST = 2
"""Frames by which stored sound may surely be late or early: what `least_shift` leaves in place, and no more."""


@dataclass(frozen=True, slots=True)
class MeasureSync:
    """Lips against voice (Yang et al. 2025, section 3.2: SyncNet removes clips whose lips do not fit).

    The audio window is moved by the measured offset only where the backend is as sure as it was when it was measured to
    be right (`sure_from`), by no less than `least_shift`, and where the source has sound for the moved window; for a
    backend that was never proven it stays (DESIGN rule 5).
    """

    name: ClassVar = "sync"
    version: ClassVar = 3
    reads: ClassVar = frozenset({"media", "span", "person", "pose"})
    writes: ClassVar = "sync"

    backend: SyncBackend
    # Frames. By less a backend may lean to one side, which looks the same as a clip that comes so; and viewers accept
    # sound from 90 ms early to 185 ms late (ITU-R BT.1359-1, annex 1).
    least_shift: float = 2.0

    @property
    def correction(self) -> str:
        """When the audio window is moved, in words."""
        name, sure_from = self.backend.name, self.backend.sure_from
        if sure_from is None:
            return f"offsets are recorded and no sound is moved: {name} was not shown to be right on real footage"
        return (
            f"the sound is moved by an offset of {self.least_shift:g} frames or more where {name} is sure of it, from "
            f"confidence {sure_from:g} on; of the other clips it is recorded: docs/truth/sync.md"
        )

    def __call__(self, clip: Clip, frames: Frames, /) -> Clip:
        pose = frames.store.read_array(need(need(clip.pose, "pose").array, "pose.array")).astype(
            np.float32
        )
        margin = frames.margin(MARGIN)
        score = load(self.backend)(
            Lips(faces=frames.faces(), pose=pose), frames.sound(margin=margin), margin=margin
        )
        sure = self.backend.sure_from is not None and score.confidence >= self.backend.sure_from
        moves = (
            sure and abs(score.shift) >= self.least_shift and frames.has_sound(shift=score.offset)
        )
        section = Sync(
            backend=Backend(
                name=self.backend.name, version=self.backend.version, weights=self.backend.weights
            ),
            offset=score.offset,
            confidence=score.confidence,
            speaking=score.speaking,
            shifted=score.offset if moves else 0,
            apart=abs(score.offset) if sure and not moves else 0,
        )
        return clip.model_copy(update={"sync": section})

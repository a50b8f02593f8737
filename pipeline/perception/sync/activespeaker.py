"""Light-ASD and LR-ASD: does this face look and sound as if it spoke, frame by frame.

Measured on 20 people (`benchmarks/sync_offsets.py`): their score rests on the moving mouth. Median
log-odds are 10.1 (Light-ASD) and 6.9 (LR-ASD) with the own voice, 10.1 and 6.7 with another
person's (AUC 0.51 and 0.52), and little lower with silence; a silent listener gets -4 and -2. An
offset planted between two halves of a clip was found within a frame in 0.15 and 0.10 of the cases,
which is chance. So they tell a moving mouth from a resting one, and neither whose voice it is nor
its offset: `sure_from` is None.
"""

from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float, Float32, Int16, UInt8

from pipeline.perception.sync.interface import (
    REACH,
    Lips,
    Scorer,
    SyncError,
    SyncScore,
    check,
    heard_at,
    offsets,
    trimmed,
)
from pipeline.perception.sync.mfcc import STEPS_PER_FRAME, mfcc

if TYPE_CHECKING:
    from pipeline.perception.sync.asd_network import ActiveSpeakerNet

Variant = Literal["light-asd", "lr-asd"]

FILES: dict[Variant, str] = {
    "light-asd": "light_asd_finetuning_TalkSet.model",
    "lr-asd": "lr_asd_finetuning_TalkSet.model",
}
SHA256: dict[Variant, str] = {
    "light-asd": "efc375833887eefa9d209dc92810e18519b04c3c73ea35a549f2a7f40b7d94d5",
    "lr-asd": "6b4ef53694e874e96cf630198dc479c78aebb3993bbf166aee3d926dfe7d9342",
}

# The networks look at the middle half of a square 1.4 times as large as the face box of the S3FD
# detector, a fifth of that box below its centre. S3FD's box is 1.14 times as high as MediaPipe's
# and lies 0.07 of it higher (medians over 20 people): a square of 0.8 face heights, 0.16 below the
# centre. In a crop of 1.2 face heights, 168 pixels:
FACE_SIZE, FACE_MARGIN = 168, 0.1
MOUTH_SIZE = 112
MOUTH_TOP, MOUTH_LEFT = 50, 28
GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601, as the training pictures


@dataclass(frozen=True, slots=True)
class ActiveSpeaker:
    """Light-ASD (Liao et al. 2023, arXiv:2303.04439) or LR-ASD (Liao et al. 2025), weights
    fine-tuned on TalkSet.

    at: the weights file or a folder that holds it under its published name; sha256: what the file
    must have. Speaking: mean log-odds over the frames that this face speaks; above 0 it more likely
    does. Confidence: log-odds at the best offset less their median over the offsets; never shown to
    mean anything.
    """

    name: Variant = "light-asd"
    at: Path | None = None
    sha256: str | None = None

    face_size: int = field(default=FACE_SIZE, init=False)
    face_margin: float = field(default=FACE_MARGIN, init=False)
    sure_from: float | None = field(default=None, init=False)

    @property
    def version(self) -> str:
        """Of the method and torch."""
        return f"1, torch {metadata.version('torch')}"

    @property
    def weights(self) -> str:
        """SHA-256 that the weights file must have."""
        return self.sha256 or SHA256[self.name]

    def missing(self) -> str | None:
        """None where the weights file is there."""
        from pipeline.perception.sync.checkpoint import find

        if self.at is None:
            return f"no weights are set (sync.weights): name a folder with {FILES[self.name]}"
        if find(self.at, FILES[self.name]) is None:
            return f"{self.name} has no weights at {self.at}: name a folder with {FILES[self.name]}"
        return None

    def load(self, device: str = "cpu") -> Scorer:
        """The network with its weights, on a device. Raises SyncError without the published
        weights.
        """
        from pipeline.perception.sync.asd_network import light_asd, lr_asd
        from pipeline.perception.sync.checkpoint import fill, find

        file = find(self.at, FILES[self.name])
        if file is None:
            raise SyncError(str(self.missing()))
        network = light_asd() if self.name == "light-asd" else lr_asd()
        fill(network, file, sha256=self.weights)
        return Watching(network.eval().requires_grad_(False).to(device), device)


@dataclass(frozen=True, slots=True)
class Watching:
    """A loaded active-speaker network."""

    network: "ActiveSpeakerNet"
    device: str

    def __call__(
        self, lips: Lips, sound: Int16[np.ndarray, " samples"], *, margin: int
    ) -> SyncScore:
        """Sync of one person and one voice; see `ActiveSpeaker`. Raises SyncError without faces of
        the stated size.
        """
        odds = self.log_odds(lips, sound, margin=margin)
        curve = odds.mean(axis=1)
        best = int(np.argmax(curve))
        return SyncScore(
            offset=best - REACH,
            confidence=float(curve[best] - np.median(curve)),
            speaking=float(curve[REACH]),
        )

    def log_odds(
        self, lips: Lips, sound: Int16[np.ndarray, " samples"], *, margin: int
    ) -> Float32[np.ndarray, "offset time"]:
        """Log-odds that the face speaks, per offset from -15 to 15 and per frame of the kept
        picture.
        """
        import torch

        check(lips, sound, margin=margin)
        frames, ends = len(lips.pose), trimmed(margin)
        faces = torch.from_numpy(mouths(lips.faces)).to(self.device)
        cepstra = torch.from_numpy(at_frame_rate(mfcc(sound), frames=frames + 2 * margin)).to(
            self.device
        )
        with torch.inference_mode():
            seen = self.network.picture(faces)[ends : frames - ends]
            heard = self.network.sound(cepstra)
            shifted = torch.stack(
                [heard[heard_at(lag, frames, margin=margin)] for lag in offsets()]
            )
            return self.network.log_odds(shifted, seen.expand(len(shifted), -1, -1)).cpu().numpy()


def mouths(
    faces: UInt8[np.ndarray, "time size size 3"] | None,
) -> Float32[np.ndarray, "time 112 112"]:
    """The part of each face crop that the networks were trained on, grey 0 to 255. Raises SyncError
    for another size.
    """
    if faces is None or faces.shape[1:] != (FACE_SIZE, FACE_SIZE, 3):
        shape = None if faces is None else faces.shape[1:]
        raise SyncError(
            f"active speaker networks need faces of {(FACE_SIZE, FACE_SIZE, 3)}, got {shape}"
        )
    rows, columns = (
        slice(MOUTH_TOP, MOUTH_TOP + MOUTH_SIZE),
        slice(MOUTH_LEFT, MOUTH_LEFT + MOUTH_SIZE),
    )
    return faces[:, rows, columns].astype(np.float32) @ GREY


def at_frame_rate(
    cepstra: Float[np.ndarray, "step 13"], *, frames: int
) -> Float[np.ndarray, "fitted 13"]:
    """Four cepstra per frame: the last window, which the sound is too short for, repeats the one
    before.
    """
    steps = frames * STEPS_PER_FRAME
    return np.pad(cepstra[:steps], ((0, max(0, steps - len(cepstra))), (0, 0)), mode="edge")

"""SyncNet: lips and sound as points in one space, near each other where they belong
together.

Chung & Zisserman 2016, "Out of time: automated lip sync in the wild", and the released
syncnet_v2.model. Its weights are fetched from their publisher by the user, or trained on the user's
own clips (`csg-model train syncnet`); here the network is built, filled and driven the way the
published scores are made.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float32, Int16, UInt8

from pipeline.packages import version_of
from pipeline.perception.sync.interface import REACH, Lips, Scorer, SyncError, SyncScore, check
from pipeline.perception.sync.mfcc import STEPS_PER_FRAME, mfcc
from pipeline.perception.sync.weights_file import find, own_file, stated

if TYPE_CHECKING:
    from torch import Tensor

    from pipeline.perception.sync.syncnet_network import SyncNetwork

FILE = "syncnet_v2.model"
SHA256 = "961e8696f888fce4f3f3a6c3d5b3267cf5b343100b238e79b2659bff2c605442"

# SyncNet looks at a square 1.4 times as large as the face box of the S3FD detector, a fifth of that
# box below its centre; in MediaPipe's boxes (see activespeaker.py) 1.6 face heights, 0.16 below the
# centre. In a crop of 2 face heights, 280 pixels:
FACE_SIZE, FACE_MARGIN = 280, 0.5
SEEN_SIZE = 224
SEEN_TOP, SEEN_LEFT = 50, 28
WINDOW = 5  # frames of picture in one point; as much sound: 20 cepstra


@dataclass(frozen=True, slots=True)
class SyncNet:
    """The network and scores of syncnet_v2.

    at: the weights file or a folder that holds it, under its published name or as `syncnet.model`;
    sha256: what the file must have; None: what the JSON beside it states, else the published.
    Confidence: median less minimum of the mean distances over the offsets (Sync-C;
    published use keeps 3 and above). Speaking: the same number, since a voice that fits the mouth
    at no offset has a flat curve. `sure_from` is None until somebody measures it with the weights.
    """

    name: str = field(default="syncnet", init=False)
    face_size: int = field(default=FACE_SIZE, init=False)
    face_margin: float = field(default=FACE_MARGIN, init=False)
    sure_from: float | None = field(default=None, init=False)

    at: Path | None = None
    sha256: str | None = None

    @property
    def version(self) -> str:
        """Of the method and torch."""
        return f"1, torch {version_of('torch')}"

    @property
    def weights(self) -> str:
        """SHA-256 that the weights file must have."""
        return self.sha256 or stated(self.file) or SHA256

    @property
    def file(self) -> Path | None:
        """The weights file, where there is one."""

        return find(self.at, FILE, own_file(self.name))

    def missing(self) -> str | None:
        """None where the weights file is there."""
        if self.at is None:
            return (
                "no weights are set or fetched: csg-data weights fetch syncnet, "
                f"or name a folder that holds {FILE} (sync.weights)"
            )
        if self.file is None:
            return f"syncnet has no weights at {self.at}: name a folder that holds {FILE}"
        return None

    def load(self, device: str = "cpu") -> Scorer:
        """The network with its weights, on a device. Raises SyncError without weights of the right
        hash.
        """
        from pipeline.perception.sync.checkpoint import fill
        from pipeline.perception.sync.syncnet_network import SyncNetwork

        if (file := self.file) is None:
            raise SyncError(str(self.missing()))
        network = SyncNetwork()
        fill(network, file, sha256=self.weights)
        return Comparing(network.eval().requires_grad_(False).to(device), device)


@dataclass(frozen=True, slots=True)
class Comparing:
    """A loaded SyncNet."""

    network: "SyncNetwork"
    device: str

    def __call__(
        self, lips: Lips, sound: Int16[np.ndarray, " samples"], *, margin: int
    ) -> SyncScore:
        """Sync of one person and one voice; see `SyncNet`. Raises SyncError without faces of the
        stated size.
        """
        curve = self.distances(lips, sound, margin=margin)
        best = int(np.argmin(curve))
        confidence = float(np.median(curve) - curve[best])
        return SyncScore(offset=best - REACH, confidence=confidence, speaking=confidence)

    def distances(
        self, lips: Lips, sound: Int16[np.ndarray, " samples"], *, margin: int
    ) -> Float32[np.ndarray, " offset"]:
        """Mean distance of picture and sound per offset from -15 to 15; its minimum is Sync-D.

        As published, sound points past the ends are zeros; with a margin of 15 frames or more there
        are none.
        """
        import torch

        check(lips, sound, margin=margin)
        with torch.inference_mode():
            visual = self._picture_points(bgr(lips.faces))
            audio = self._sound_points(mfcc(sound), windows=len(visual) + 2 * margin)
            return mean_distances(visual, audio, margin=margin).cpu().numpy()

    def _picture_points(self, faces: UInt8[np.ndarray, "time 224 224 3"]) -> "Tensor":
        import torch

        points = []
        for start in range(0, len(faces) - WINDOW + 1, 8):
            frames = torch.from_numpy(faces[start : start + 8 + WINDOW - 1].copy()).to(self.device)
            windows = (
                frames.float().unfold(0, WINDOW, 1).permute(0, 3, 4, 1, 2)
            )  # window, BGR, 5, height, width
            points.append(self.network.picture(windows))
        return torch.cat(points)

    def _sound_points(self, cepstra: Float[np.ndarray, "step 13"], *, windows: int) -> "Tensor":
        import torch

        steps = (
            torch.from_numpy(cepstra)
            .to(self.device)
            .unfold(0, WINDOW * STEPS_PER_FRAME, STEPS_PER_FRAME)
        )
        return self.network.sound(steps[:windows, None])


def mean_distances(visual: "Tensor", audio: "Tensor", *, margin: int) -> "Tensor":
    """Euclidean distances averaged over time at each offset; visual (T, D), audio (about T + 2
    margin, D).
    """
    import torch

    before = max(0, REACH - margin)
    skipped = max(0, margin - REACH)
    after = max(0, len(visual) + 2 * REACH - before - (len(audio) - skipped))
    padded = torch.nn.functional.pad(audio[skipped:], (0, 0, before, after))
    distances = [
        torch.nn.functional.pairwise_distance(visual, padded[lag : lag + len(visual)]).mean()
        for lag in range(2 * REACH + 1)
    ]
    return torch.stack(distances)


def bgr(faces: UInt8[np.ndarray, "time size size 3"] | None) -> UInt8[np.ndarray, "time 224 224 3"]:
    """The part of each face crop that SyncNet looks at, blue first. Raises SyncError for crops of
    another size.
    """
    if faces is None or faces.shape[1:] != (FACE_SIZE, FACE_SIZE, 3):
        shape = None if faces is None else faces.shape[1:]
        raise SyncError(f"syncnet needs faces of {(FACE_SIZE, FACE_SIZE, 3)}, got {shape}")
    rows, columns = slice(SEEN_TOP, SEEN_TOP + SEEN_SIZE), slice(SEEN_LEFT, SEEN_LEFT + SEEN_SIZE)
    return faces[:, rows, columns, ::-1]

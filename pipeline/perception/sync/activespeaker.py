"""Light-ASD and LR-ASD: the log-odds that a visible face is the active speaker, per frame.

Preprocessing and networks were compared with the published ones layer by layer; other crops (0.6 to 1.2 face heights,
0.05 to 0.28 below the centre) change nothing in what follows. The published score rests on the moving mouth: median
log-odds of eight people were 11.1 (Light-ASD) and 6.2 (LR-ASD) with the own voice, 10.0 and 5.7 with another person's,
10.3 and 5.4 with silence, -3.4 and -0.9 for lips at rest. So it separates a moving mouth from a resting one, but
neither the voices of different people nor offsets.

Light-ASD's picture encoder does represent how the lips move. Its 128 features per frame, projected onto axes that were
fitted to follow a voice (`fitted.py`), find offsets and separate voices better than the face joints do. So
`light-asd` takes whether the mouth speaks from the published score, and the match with the voice from those axes.
LR-ASD's features follow a voice less well than the joints; `lr-asd` is the published score and no more. Figures:
docs/decisions/0010-which-lips-speak.md.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float, Float32, Int16, UInt8

from manifests.geometry import FPS
from pipeline.packages import version_of
from pipeline.perception.sync.embedded import SIGNS, joined
from pipeline.perception.sync.fitted import LIGHT_ASD, LIPS
from pipeline.perception.sync.interface import (
    REACH,
    Lips,
    Scorer,
    SyncError,
    SyncScore,
    audio_at,
    check,
    offsets,
    trimmed,
)
from pipeline.perception.sync.lipvoice import (
    MEASURES,
    Axes,
    band_pass,
    bands,
    curve,
    mouth,
    peak,
    standard,
)
from pipeline.perception.sync.mfcc import STEPS_PER_FRAME, mfcc
from pipeline.perception.sync.weights_file import find, own_file, stated

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

SURE_FROM: dict[Variant, float] = {"light-asd": 2.0}
"""Of clips of 4 to 10 s; above what either half of the people asks for so that at most 2 % of the sure answers are
chance: `docs/truth.md`, *Sure by chance*."""

# The networks look at the middle half of a square 1.4 times as large as the face box of the S3FD
# detector, a fifth of that box below its centre. S3FD's box is 1.14 times as high as MediaPipe's
# and lies 0.07 of it higher (medians over 20 people): a square of 0.8 face heights, 0.16 below the
# centre. In a crop of 1.2 face heights, 168 pixels:
FACE_SIZE, FACE_MARGIN = 168, 0.1
MAX_DISAGREEMENT = 1.0  # frames between what the network and the phonetic signs find, from which neither is trusted
MOUTH_SIZE = 112
MOUTH_TOP, MOUTH_LEFT = 50, 28
GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601, as the training pictures


@dataclass(frozen=True, slots=True)
class ActiveSpeaker:
    """Light-ASD (Liao et al. 2023, arXiv:2303.04439) or LR-ASD (Liao et al. 2025), weights
    fine-tuned on TalkSet.

    at: the weights file or a folder that holds it, under its published name or as `light-asd.model`; sha256: what the
    file must have; None: what the JSON beside it states, else the published. With weights of one's own (`csg-model
    train light-asd`) it is the published score alone, as for lr-asd: the axes were fitted to the published features.

    light-asd. Confidence: as of `Embedded`, of picture features and of joints; 0 where the phonetic signs, which were
    fitted to no data, give an offset that is a frame or more away. Speaking: as of `Embedded`, where the
    log-odds that the face speaks are not below 0 at the best offset; else those log-odds, so below 0 are lips at rest.
    lr-asd. Speaking: mean log-odds that this face speaks. Confidence: log-odds at the best offset less their median,
    never shown to mean anything.
    """

    name: Variant = "light-asd"
    at: Path | None = None
    sha256: str | None = None

    face_size: int = field(default=FACE_SIZE, init=False)
    face_margin: float = field(default=FACE_MARGIN, init=False)

    @property
    def sure_from(self) -> float | None:
        """See `SURE_FROM`; None with weights of one's own, which nobody has measured."""
        return SURE_FROM.get(self.name) if self.published else None

    @property
    def version(self) -> str:
        """Of the method and torch."""
        return f"4, torch {version_of('torch')}"

    @property
    def weights(self) -> str:
        """SHA-256 that the weights file must have."""
        return self.sha256 or stated(self.file) or SHA256[self.name]

    @property
    def published(self) -> bool:
        """Whether the weights are the published ones."""
        return self.weights == SHA256[self.name]

    @property
    def file(self) -> Path | None:
        """The weights file, where there is one."""
        return find(self.at, FILES[self.name], own_file(self.name))

    def missing(self) -> str | None:
        """None where the weights file is there."""
        if self.at is None:
            return (
                f"no weights are set or fetched: csg-data weights fetch {self.name}, "
                f"or name a folder with {FILES[self.name]} (sync.weights)"
            )
        if self.file is None:
            return f"{self.name} has no weights at {self.at}: name a folder with {FILES[self.name]}"
        return None

    def load(self, device: str = "cpu") -> Scorer:
        """The network with its weights, on a device. Raises SyncError without weights of the right
        hash.
        """
        from pipeline.perception.sync.asd_network import light_asd, lr_asd
        from pipeline.perception.sync.checkpoint import fill

        if (file := self.file) is None:
            raise SyncError(str(self.missing()))
        network = light_asd() if self.name == "light-asd" else lr_asd()
        fill(network, file, sha256=self.weights)
        axes = (LIGHT_ASD, LIPS) if self.name == "light-asd" and self.published else None
        return LoadedActiveSpeaker(network.eval().requires_grad_(False).to(device), device, axes)


@dataclass(frozen=True, slots=True)
class LoadedActiveSpeaker:
    """A loaded active-speaker network; axes: how its picture features, and the lips' joints alone, follow a
    voice; None where they are not fitted.
    """

    network: "ActiveSpeakerNet"
    device: str
    axes: tuple[Axes, Axes] | None = None

    def __call__(
        self, lips: Lips, sound: Int16[np.ndarray, " samples"], *, margin: int
    ) -> SyncScore:
        """Sync of one person and one voice; see `ActiveSpeaker`. Raises SyncError without faces of
        the stated size.
        """
        check(lips, sound, margin=margin)
        return self.judge(self.visual(lips.faces), lips, sound, margin=margin)

    def visual(
        self, faces: UInt8[np.ndarray, "time size size 3"] | None
    ) -> Float32[np.ndarray, "time 128"]:
        """The network's picture features per frame."""
        import torch

        with torch.inference_mode():
            return (
                self.network.picture(torch.from_numpy(mouths(faces)).to(self.device)).cpu().numpy()
            )

    def judge(
        self,
        visual: Float32[np.ndarray, "time 128"],
        lips: Lips,
        sound: Int16[np.ndarray, " samples"],
        *,
        margin: int,
    ) -> SyncScore:
        """The same from picture features that were computed before."""
        odds = self.log_odds(visual, sound, margin=margin).mean(axis=1)
        if self.axes is None:
            best = int(np.argmax(odds))
            confidence = float(odds[best] - np.median(odds))
            return SyncScore(best - REACH, confidence, speaking=float(odds[REACH]))
        matched = follow(visual, lips, sound, axes=self.axes, margin=margin)
        rests = float(odds[matched.offset + REACH])
        return matched if rests >= 0.0 else replace(matched, speaking=rests)

    def log_odds(
        self,
        visual: Float32[np.ndarray, "time 128"],
        sound: Int16[np.ndarray, " samples"],
        *,
        margin: int,
    ) -> Float32[np.ndarray, "offset kept"]:
        """Log-odds that the face speaks, per offset from -15 to 15 and per frame of the kept
        picture.
        """
        import torch

        frames, ends = len(visual), trimmed(margin)
        faces = torch.from_numpy(visual).to(self.device)[ends : frames - ends]
        cepstra = torch.from_numpy(at_frame_rate(mfcc(sound), frames=frames + 2 * margin)).to(
            self.device
        )
        with torch.inference_mode():
            audio = self.network.sound(cepstra)
            shifted = torch.stack(
                [audio[audio_at(lag, frames, margin=margin)] for lag in offsets()]
            )
            return self.network.log_odds(shifted, faces.expand(len(shifted), -1, -1)).cpu().numpy()


def follow(
    visual: Float32[np.ndarray, "time 128"],
    lips: Lips,
    sound: Int16[np.ndarray, " samples"],
    *,
    axes: tuple[Axes, Axes],
    margin: int,
) -> SyncScore:
    """How the network's picture features and the lips' joints follow the voice, as `Embedded` says of the joints alone.

    Where the joints were not found there is no second opinion, and the confidence is 0; so it is where the phonetic
    signs, which are fitted to no data, give another offset.
    """
    audio = bands(sound, frames=len(visual) + 2 * margin)
    measures = mouth(lips.pose)
    whole = curve(features(visual, measures), audio, axes[0], margin=margin)
    frames = len(visual) - 2 * trimmed(margin)
    if measures is None:
        return replace(joined((whole,), frames=frames), confidence=0.0)
    found = joined((whole, curve(measures, audio, axes[1], margin=margin)), frames=frames)
    signs = peak(curve(measures, audio, SIGNS, margin=margin)).offset
    believed = abs(found.shift - signs) < MAX_DISAGREEMENT and abs(signs) < REACH
    return found if believed else replace(found, confidence=0.0)


def features(
    visual: Float32[np.ndarray, "time 128"], measures: Float[np.ndarray, "time 6"] | None
) -> Float[np.ndarray, "time 134"]:
    """Picture features, band-passed, deviation 1, beside the lips' measures; zeros where those were not found."""
    moved = standard(band_pass(visual.astype(np.float64), sample_rate=FPS))
    return np.concatenate(
        (np.zeros((len(visual), MEASURES)) if measures is None else measures, moved), axis=1
    )


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

"""The system as the trainer sees it: one phase, with its network, batches, losses and validation."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn
from torch.nn import functional

from models.data.features import Features
from models.data.index import Entry
from models.data.order import Place
from models.evaluation.matching import Match
from models.systems.light_asd.batches import Batch, Stretches
from models.systems.lips import MOMENT, NETWORK, LipPhase, device_of, middle_voice, sound_rows
from models.training.phase import Group, Losses, Networks, Objective
from models.training.settings import SettingsError
from pipeline.perception.sync.activespeaker import MOUTH_SIZE
from pipeline.perception.sync.asd_network import ActiveSpeakerNet, light_asd
from pipeline.perception.sync.interface import REACH

PICTURE_WEIGHT = 0.5
"""Of the loss of the picture alone (Liao et al. 2023, section 3.4)."""
HOTTEST, COOLING, EPOCHS = 1.3, 0.02, 30
"""Logits are divided by a temperature that falls by so much with each of the published epochs, and then stays."""


@dataclass(frozen=True)
class LightPhase(LipPhase):
    """Frame by frame, speaking or not: from sound and picture, and from the picture alone.

    Differs from Liao et al. 2023: their films are labelled by hand, clips here are of one person who speaks. So not
    speaking is the own voice shifted, another's voice, a face held still, and pauses (`Mixture`); the picture alone,
    which cannot know what is heard, is asked whether the face speaks at all.
    """

    voiced: Features = field(kw_only=True)

    def __post_init__(self) -> None:
        """Raises SettingsError where a clip is shorter than what is drawn of it."""
        shortest = min(entry.frames for entry in self.dataset.training.entries)
        if self.config.frames > shortest:
            raise SettingsError(
                f"frames is at most that of the shortest clip, {shortest}, got {self.config.frames}"
            )

    def networks(self) -> dict[str, nn.Module]:
        """Light-ASD."""
        return {NETWORK: light_asd()}

    def objectives(self) -> Sequence[Objective]:
        """Both losses."""
        return [Objective(NETWORK, (Group(NETWORK),), self.losses)]

    def batch(self, places: Sequence[Place]) -> Batch:
        """Stretches of training clips."""
        config = self.config
        return Stretches(
            self.dataset.training, self.faces, self.cepstra, self.offsets, self.voiced, config.training.seed,
            config.frames, config.shift, config.mixture,
        ).batch(places)  # fmt: skip

    def losses(self, networks: Networks, batch: Batch) -> Losses:
        """Cross entropies over frames."""
        both, picture = networks[NETWORK](faces_of(batch.faces), batch.cepstra)
        cooled = HOTTEST - COOLING * batch.epochs.clamp(max=EPOCHS - 1).float()[:, None, None]
        return {
            "both": entropy(both / cooled, batch.speaks),
            "picture": PICTURE_WEIGHT * entropy(picture / cooled, batch.moves),
        }

    def match(
        self, network: nn.Module, entry: Entry, stretch: range, voices: Sequence[Entry]
    ) -> Match:
        """Log-odds that the face speaks, every fifth frame."""
        net, late, frames = cast("ActiveSpeakerNet", network), self.offset(entry), len(stretch)
        device, kept = device_of(network), slice(REACH, frames - REACH)
        shown = torch.from_numpy(self.faces.rows(entry, stretch.start, frames)).to(device)
        seen = net.picture(faces_of(shown[None])[0])[kept]

        def hear(rows: np.ndarray) -> Tensor:
            return net.sound(torch.from_numpy(rows).to(device))

        own = hear(sound_rows(self.cepstra, entry, stretch.start + late, frames))
        shifted = [own[REACH + lag : frames - REACH + lag] for lag in range(-REACH, REACH + 1)]
        foreign = [hear(middle_voice(self.cepstra, other, frames))[kept] for other in voices]
        heard = torch.stack([*shifted, *foreign])
        odds = (
            net.log_odds(heard, seen.expand(len(heard), -1, -1)).float().cpu().numpy()[:, ::MOMENT]
        )
        return Match(odds[: len(shifted)].T, odds[len(shifted) :])


def faces_of(faces: UInt8[Tensor, "batch time size size"]) -> Float[Tensor, "batch time 112 112"]:
    """Faces as the network sees them: 0 to 255, enlarged."""
    shape = (MOUTH_SIZE, MOUTH_SIZE)
    return functional.interpolate(faces.float(), shape, mode="bilinear", align_corners=False)


def entropy(logits: Float[Tensor, "batch time 2"], label: Int64[Tensor, "batch time"]) -> Tensor:
    """Mean cross entropy over all frames."""
    return functional.cross_entropy(logits.flatten(0, 1).float(), label.flatten())

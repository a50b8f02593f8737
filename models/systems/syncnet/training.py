"""The system as the trainer sees it: one phase, with its network, batches, loss and validation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn
from torch.nn import functional

from models.data.index import Entry
from models.data.order import Place
from models.evaluation.matching import Match
from models.systems.lips import MOMENT, NETWORK, LipPhase, device_of, middle_voice, sound_rows
from models.systems.syncnet.batches import Batch, Windows, sound_window
from models.training.phase import Group, Losses, Networks, Objective
from pipeline.perception.sync.interface import REACH
from pipeline.perception.sync.syncnet import SEEN_SIZE, WINDOW
from pipeline.perception.sync.syncnet_network import SyncNetwork


@dataclass(frozen=True)
class SyncNetPhase(LipPhase):
    """Pictures and sounds that belong together become near points, all others far ones.

    Differs from Chung & Zisserman 2016: instead of a margin on single pairs, each picture's own sound is told from all
    others of the batch, by the softmax of negative distances, and each sound's picture likewise. That is the multi-way
    matching of Chung, Chung & Kang 2019 (Perfect match, arXiv:1809.08001), which gave better points for the same task
    and needs no margin; the distances that the filter reads are then log-odds. Among the others are the same voice 2
    to 30 frames away, the hard ones, and other voices.
    """

    def networks(self) -> dict[str, nn.Module]:
        """SyncNet."""
        return {NETWORK: SyncNetwork()}

    def objectives(self) -> Sequence[Objective]:
        """The matching both ways."""
        return [Objective(NETWORK, (Group(NETWORK),), self.losses)]

    def batch(self, places: Sequence[Place]) -> Batch:
        """Windows of training clips."""
        config = self.config
        return Windows(
            self.dataset.training, self.faces, self.cepstra, self.offsets, config.training.seed, config.windows,
            config.reach,
        ).batch(places)  # fmt: skip

    def losses(self, networks: Networks, batch: Batch) -> Losses:
        """Cross entropy of the own sound among all, and of the own picture."""
        seen, heard = networks[NETWORK](pictures(batch.faces), batch.cepstra)
        nearness = -torch.cdist(
            seen.float(), heard.float(), compute_mode="donot_use_mm_for_euclid_dist"
        )
        nearness = nearness.masked_fill(
            too_near(batch.clips, batch.frames, self.config.apart), -torch.inf
        )
        own = torch.arange(len(nearness), device=nearness.device)
        return {
            "picture": 0.5 * functional.cross_entropy(nearness, own),
            "sound": 0.5 * functional.cross_entropy(nearness.mT, own),
        }

    def match(
        self, network: nn.Module, entry: Entry, stretch: range, voices: Sequence[Entry]
    ) -> Match:
        """Negative distances, every fifth frame."""
        net, late = cast("SyncNetwork", network), self.offset(entry)
        last = len(stretch) - WINDOW - REACH
        moments = np.arange(REACH, last + 1, MOMENT)
        shown = self.faces.rows(entry, stretch.start, len(stretch))
        windows = torch.from_numpy(np.stack([shown[at : at + WINDOW] for at in moments]))
        device = device_of(network)
        seen = net.picture(pictures(windows.to(device))).float()
        own = sound_rows(self.cepstra, entry, stretch.start + late, len(stretch))
        heard = points(net, own, range(len(stretch) - WINDOW + 1))
        lags = torch.as_tensor(moments[:, None] + np.arange(-REACH, REACH + 1), device=device)
        others = [middle_voice(self.cepstra, other, len(stretch)) for other in voices]
        fits = [near(seen, points(net, rows, moments)).cpu().numpy() for rows in others]
        foreign = np.stack(fits) if fits else np.zeros((0, len(moments)), np.float32)
        return Match(near(seen[:, None], heard[lags]).cpu().numpy(), foreign)


def near(seen: Tensor, heard: Tensor) -> Tensor:
    """Negative distances of points (…, 1024)."""
    return -torch.linalg.vector_norm(seen - heard, dim=-1)


def points(
    network: SyncNetwork, cepstra: np.ndarray, frames: Sequence[int] | np.ndarray
) -> Float[Tensor, "frame 1024"]:
    """Of the sounds that begin at these frames."""
    windows = np.stack([sound_window(cepstra, int(frame)) for frame in frames])
    return network.sound(torch.from_numpy(windows).to(device_of(network))).float()


def pictures(faces: UInt8[Tensor, "window 5 size size 3"]) -> Float[Tensor, "window 3 5 224 224"]:
    """Windows as the network sees them: blue first, 0 to 255, enlarged."""
    windows, frames = faces.shape[:2]
    flat = faces.flip(-1).flatten(0, 1).permute(0, 3, 1, 2).float()
    large = functional.interpolate(
        flat, (SEEN_SIZE, SEEN_SIZE), mode="bilinear", align_corners=False
    )
    return large.unflatten(0, (windows, frames)).transpose(1, 2)


def too_near(
    clips: Int64[Tensor, " window"], frames: Int64[Tensor, " window"], apart: int
) -> Bool[Tensor, "window window"]:
    """Pairs of other windows that are of one clip and less than `apart` frames away from each other."""
    same = clips[:, None] == clips
    near_by = (frames[:, None] - frames).abs() < apart
    return same & near_by & ~torch.eye(len(clips), dtype=torch.bool, device=clips.device)

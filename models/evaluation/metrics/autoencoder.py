"""The encoder in whose code the Frechet gesture distance is measured: a variational autoencoder of motion.

It is that of SpeechDrivesTemplates (Qian et al. 2021, released code), which Weakly Supervised Motion Learning and IMAC
use: seven blocks of convolution, batch norm and leaky ReLU, a code of 32 for 64 frames. Two distances compare only if
they were measured with the same weights, so an encoder has a fingerprint, and each distance names it. B batch, T time,
D values.
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from manifests.files import replacing, write_whole
from models.data.statistics import Statistics
from models.evaluation.metrics.windows import FRAMES, VALUES

CODE = 32
DOWN = 5
"""Blocks that halve the time."""
KL_WEIGHT = 0.1
RATE = 1e-4
BATCH = 32
LEAST_STD = 0.01
"""Shoulder widths, about a pixel of a 512 crop, the error of a detector: what hardly moves is not blown up."""
FORMAT = 1
"""Raise it when the same weights would give another code."""

logger = logging.getLogger(__name__)
Windows = Float32[np.ndarray, "_windows _frames values"]


class MotionEncoder(nn.Module):
    """64 frames to the mean and log variance of a code; missing values (NaN) stand at the training set's mean.

    As in the released code, the last block too ends in batch norm and leaky ReLU, and of the two time steps it leaves
    the first is the code. width: channels, 256 there.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, *, width: int = 256) -> None:
        super().__init__()
        self.width = width
        self.register_buffer("mean", torch.zeros(VALUES))
        self.register_buffer("std", torch.ones(VALUES))
        self.blocks = nn.Sequential(
            _block(VALUES, width),
            _block(width, width),
            *(_block(width, width, halve=True) for _ in range(DOWN - 1)),
            _block(width, 2 * CODE, halve=True),
        )

    def forward(self, x_BTD: Float[Tensor, "B T D"]) -> tuple[Tensor, Tensor]:
        """Mean and log variance, (B, 32) each, of normalised windows."""
        code = self.blocks(x_BTD.transpose(1, 2))[..., 0]
        return code[:, 0::2], code[:, 1::2]

    def normalised(self, windows: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        """Mean 0 and std 1 over the training windows, what is missing 0."""
        return torch.nan_to_num((windows - self.mean) / self.std, nan=0.0)

    @torch.no_grad()
    def encode(self, windows: Windows) -> Float32[np.ndarray, "_windows 32"]:
        """The codes' means, always in evaluation mode: a window's code depends on no other window."""
        training = self.training
        self.eval()
        try:
            parts = torch.from_numpy(windows).split(1024)
            codes = [self(self.normalised(part.to(self.mean.device)))[0].cpu() for part in parts]
        finally:
            self.train(training)
        return torch.cat(codes).numpy() if len(windows) else np.zeros((0, CODE), np.float32)

    def fingerprint(self) -> str:
        """12 hexadecimal digits of the weights, statistics and format."""
        digest = hashlib.sha256(f"{FORMAT} {self.width}".encode())
        for name, tensor in sorted(self.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:12]


class _Decoder(nn.Module):
    """A code back to 64 frames: five times twice as long, four more blocks, one linear layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.rise = nn.ModuleList(_block(CODE if i == 0 else width, width) for i in range(DOWN))
        self.rest = nn.Sequential(
            *(_block(width, width) for _ in range(4)), nn.Conv1d(width, VALUES, 1)
        )

    def forward(self, code: Float[Tensor, "B C"]) -> Float[Tensor, "B T D"]:
        x_BDT = code[..., None].repeat(1, 1, FRAMES >> DOWN)
        for block in self.rise:
            x_BDT = block(functional.interpolate(x_BDT, scale_factor=2, mode="linear"))
        return self.rest(x_BDT).transpose(1, 2)


# ---- training ------------------------------------------------------------------------------------


def train_encoder(
    windows: Windows, *, seed: int, epochs: int = 100, width: int = 256, device: str = "cpu"
) -> MotionEncoder:
    """An encoder trained on real windows: L1 of what comes back, plus 0.1 times the divergence from a unit Gaussian.

    Adam at 1e-4, batches of 32, a tenth of the rate for the last ten epochs and again for the last two, as released.
    What is missing is not asked for. The same seed, windows and machine give the same weights; the global random state
    is untouched. Raises ValueError for fewer than two windows.
    """
    if len(windows) < 2:
        raise ValueError(f"an encoder needs two windows, got {len(windows)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder, decoder = MotionEncoder(width=width), _Decoder(width)
    _take_statistics(encoder, windows)
    both = nn.ModuleList([encoder, decoder]).to(device).train()
    optimizer = torch.optim.Adam(both.parameters(), lr=RATE)
    slower = torch.optim.lr_scheduler.MultiStepLR(
        optimizer, [step for step in (epochs - 10, epochs - 2) if step > 0]
    )
    generator = torch.Generator().manual_seed(seed)
    for epoch in range(epochs):
        total = 0.0
        for batch, noise in _batches(windows, generator):
            loss = _loss(encoder, decoder, batch.to(device), noise.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(batch)
        slower.step()
        logger.info("encoder epoch=%d loss=%.4f", epoch, total / len(windows))
    return encoder.eval()


def _batches(windows: Windows, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """All windows once, in random order, with the noise of their codes."""
    for rows in torch.randperm(len(windows), generator=generator).split(BATCH):
        yield (
            torch.from_numpy(windows[rows.numpy()]),
            torch.randn(len(rows), CODE, generator=generator),
        )


def _loss(
    encoder: MotionEncoder, decoder: _Decoder, batch: Float[Tensor, "B T D"], noise: Tensor
) -> Tensor:
    x_BTD = encoder.normalised(batch)
    mean, logarithm = encoder(x_BTD)
    back_BTD = decoder(mean + torch.exp(0.5 * logarithm) * noise)
    known = torch.isfinite(batch)
    error = ((back_BTD - x_BTD).abs() * known).sum() / known.sum().clamp(min=1)
    divergence = 0.5 * (mean**2 + logarithm.exp() - logarithm - 1.0).mean()
    return error + KL_WEIGHT * divergence


def _take_statistics(encoder: MotionEncoder, windows: Windows) -> None:
    parts = (
        windows[first : first + 1024].reshape(-1, VALUES) for first in range(0, len(windows), 1024)
    )
    found = Statistics.of(((frames, np.isfinite(frames)) for frames in parts), VALUES)
    encoder.mean.copy_(torch.from_numpy(found.mean))
    encoder.std.copy_(torch.from_numpy(found.std).clamp(min=LEAST_STD))


def _block(inside: int, outside: int, *, halve: bool = False) -> nn.Sequential:
    size, stride = (4, 2) if halve else (3, 1)
    convolution = nn.Conv1d(inside, outside, size, stride, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight)
    return nn.Sequential(convolution, nn.BatchNorm1d(outside), nn.LeakyReLU(0.2))


# ---- on disk -------------------------------------------------------------------------------------


def save(encoder: MotionEncoder, folder: Path) -> Path:
    """Writes `motion-FINGERPRINT.safetensors` and the same in .json beside it; returns the former."""
    name = encoder.fingerprint()
    about = {"format": FORMAT, "fingerprint": name, "width": encoder.width, "code": CODE,
             "frames": FRAMES, "values": VALUES}  # fmt: skip
    path = folder / f"motion-{name}.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        key: tensor.detach().cpu().contiguous() for key, tensor in encoder.state_dict().items()
    }
    with replacing(path) as unfinished:
        save_file(state, unfinished)
    write_whole(path.with_suffix(".json"), json.dumps(about, indent=2) + "\n")
    return path


def load(path: Path) -> MotionEncoder:
    """The encoder of a .safetensors that `save` wrote. Raises ValueError where weights and name do not agree."""
    about = json.loads(path.with_suffix(".json").read_text())
    if about["format"] != FORMAT:
        raise ValueError(f"{path.name} has format {about['format']}, this code reads {FORMAT}")
    encoder = MotionEncoder(width=about["width"])
    encoder.load_state_dict(load_file(path))
    if not encoder.fingerprint() == about["fingerprint"] == path.stem.removeprefix("motion-"):
        raise ValueError(f"{path.name} holds the weights of {encoder.fingerprint()}")
    return encoder.eval()

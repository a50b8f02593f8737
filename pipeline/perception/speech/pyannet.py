"""PyanNet: from samples to what each moment holds (nobody, one voice, two at once). The network, without its weights.

Bredin & Laurent 2021 (arXiv:2104.04045), section 2, over SincNet (Ravanelli & Bengio 2018, arXiv:1808.00158). Written
from the tensors' names and shapes; the published weights fit it in two forms, `Shape`.

B batch, T samples or frames, C channels, K classes.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn import functional

from pipeline.perception.speech.interface import SAMPLE_RATE

KERNEL = 251
"""Samples of one band-pass filter."""
LOWEST_HZ = 50.0
"""Least lower edge of a band, and least width."""
HIDDEN = 128
POOL = 3


@dataclass(frozen=True, slots=True)
class Shape:
    """One form of the network.

    stride: samples between two outputs of the filters. quadrature: half of the 80 filters are sines, else all are
    cosines. layers: of the LSTM. saturating: tanh between the linear layers, else a leaky rectifier. classes: K.
    """

    stride: int
    quadrature: bool
    layers: int
    saturating: bool
    classes: int

    @property
    def step(self) -> int:
        """Samples between two frames of the output."""
        return self.stride * POOL**3

    @property
    def field(self) -> int:
        """Samples that one frame of the convolutions' output sees."""
        return KERNEL + self.stride * (2 + POOL * (4 + 2) + POOL**2 * (4 + 2))


VERSION_1 = Shape(stride=1, quadrature=False, layers=2, saturating=True, classes=2)
"""pyannote.audio 1 (2020): two classes, no and yes."""
POWERSET = Shape(stride=10, quadrature=True, layers=4, saturating=False, classes=7)
"""pyannote/segmentation-3.0 (Plaquet & Bredin 2023, arXiv:2310.13025): nobody, one of three voices, two of three."""


class Bands(nn.Module):
    """80 band-pass filters whose edges were learned: Hamming-windowed differences of two sincs."""

    n: Tensor
    window: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        count = 40 if shape.quadrature else 80
        half = KERNEL // 2
        self.shape = shape
        self.low = nn.Parameter(torch.zeros(count, 1))
        self.width = nn.Parameter(torch.zeros(count, 1))
        self.register_buffer(
            "n", 2.0 * np.pi * torch.arange(-half, 0.0)[None] / SAMPLE_RATE, persistent=False
        )
        self.register_buffer("window", _window(half, symmetric=shape.quadrature), persistent=False)

    def forward(self, x: Float[Tensor, "B 1 T"]) -> Float[Tensor, "B 80 S"]:
        low = LOWEST_HZ + self.low.abs()
        high = (low + LOWEST_HZ + self.width.abs()).clamp(LOWEST_HZ, SAMPLE_RATE / 2.0)
        cosine = _taps(
            torch.sin(high @ self.n) - torch.sin(low @ self.n), self, high - low, even=True
        )
        if not self.shape.quadrature:
            return functional.conv1d(x, cosine[:, None], stride=self.shape.stride)
        sine = _taps(
            torch.cos(low @ self.n) - torch.cos(high @ self.n), self, high - low, even=False
        )
        return functional.conv1d(x, torch.cat([cosine, sine])[:, None], stride=self.shape.stride)


def _window(half: int, *, symmetric: bool) -> Float[Tensor, " half"]:
    """The rising half of a Hamming window; the two published versions differ in where it ends."""
    if symmetric:
        return torch.from_numpy(np.hamming(2 * half + 1)[:half].astype(np.float32))
    at = torch.linspace(0.0, KERNEL / 2.0 - 1.0, steps=half)
    return 0.54 - 0.46 * torch.cos(2.0 * np.pi * at / KERNEL)


def _taps(
    edges: Float[Tensor, "filter half"],
    bands: Bands,
    width: Float[Tensor, "filter 1"],
    *,
    even: bool,
) -> Float[Tensor, "filter tap"]:
    """The taps of filters from those before the middle one, over twice the width of their band in hertz."""
    left = edges / (bands.n / 2.0) * bands.window
    middle = 2.0 * width if even else torch.zeros_like(width)
    right = left.flip(1) if even else -left.flip(1)
    return torch.cat([left, middle, right], dim=1) / (2.0 * width)


class PyanNet(nn.Module):
    """Learned filters, two convolutions, a bidirectional LSTM over frames, two linear layers, a classifier."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.loudness = nn.InstanceNorm1d(1, affine=True)
        self.bands = Bands(shape)
        self.convolutions = nn.ModuleList([nn.Conv1d(80, 60, 5), nn.Conv1d(60, 60, 5)])
        self.norms = nn.ModuleList([nn.InstanceNorm1d(size, affine=True) for size in (80, 60, 60)])
        self.lstm = nn.LSTM(
            60, HIDDEN, num_layers=shape.layers, bidirectional=True, batch_first=True
        )
        self.linears = nn.ModuleList([nn.Linear(2 * HIDDEN, HIDDEN), nn.Linear(HIDDEN, HIDDEN)])
        self.classifier = nn.Linear(HIDDEN, shape.classes)

    def forward(self, x_BT: Float[Tensor, "B T"]) -> Float[Tensor, "B F K"]:
        """Probabilities of the classes, a frame every `shape.step` samples.

        x_BT: 16 kHz; its level does not matter.
        """
        x = self.bands(self.loudness(x_BT[:, None])).abs()
        x = functional.leaky_relu(self.norms[0](functional.max_pool1d(x, POOL)))
        for convolution, norm in zip(self.convolutions, list(self.norms)[1:], strict=True):
            x = functional.leaky_relu(norm(functional.max_pool1d(convolution(x), POOL)))
        x, _ = self.lstm(x.transpose(1, 2))
        for linear in self.linears:
            x = torch.tanh(linear(x)) if self.shape.saturating else functional.leaky_relu(linear(x))
        return self.classifier(x).softmax(dim=-1)


def averaged(
    network: PyanNet, samples: Float32[np.ndarray, " samples"], *, window: int, hop: int
) -> Float32[np.ndarray, "frame K"]:
    """A network's answer on a sound of any length: the mean over windows of `window` samples, `hop` frames apart.

    The last window ends with the sound; a sound too short for two frames, over which the network normalizes, has none.
    """
    shape = network.shape
    if len(samples) < shape.field + shape.step:
        return np.zeros((0, shape.classes), np.float32)
    last = max(0, len(samples) - window) // shape.step
    starts = [*range(0, last, hop), last]
    with torch.inference_mode():
        parts = [
            network(torch.from_numpy(samples[None, start * shape.step :][:, : window + shape.step]))
            for start in starts
        ]
    count = starts[-1] + parts[-1].shape[1]
    total, seen = np.zeros((count, shape.classes), np.float32), np.zeros((count, 1), np.float32)
    for start, part in zip(starts, parts, strict=True):
        room = min(part.shape[1], count - start)
        total[start : start + room] += part[0, :room].numpy()
        seen[start : start + room] += 1.0
    return total / np.maximum(seen, 1.0)


_NAMES = {
    "sincnet.wav_norm1d.": "loudness.",
    "sincnet_.waveform_normalize_.": "loudness.",
    "sincnet.conv1d.0.filterbank.": "bands.",
    "sincnet_.conv1d_.0.": "bands.",
    "sincnet.conv1d.": "convolutions.",
    "sincnet_.conv1d_.": "convolutions.",
    "sincnet.norm1d.": "norms.",
    "sincnet_.instance_norm1d_.": "norms.",
    "rnn_.rnn_.": "lstm.",
    "linear.": "linears.",
    "ff_.linear_.": "linears.",
    "linear_.": "classifier.",
}
"""How the published state dicts call the parts; the first that fits counts."""


def renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A published state dict, of either version, with the names used here. What can be computed is left out."""
    return {
        _renamed(name): tensor
        for name, tensor in state.items()
        if not name.endswith((".window_", ".n_"))
    }


def _renamed(name: str) -> str:
    start = next((start for start in _NAMES if name.startswith(start)), "")
    rest = name[len(start) :].replace("low_hz_", "low").replace("band_hz_", "width")
    ours = _NAMES.get(start, "")
    if ours == "convolutions.":  # theirs counts the filters as the first
        number, _, kind = rest.partition(".")
        rest = f"{int(number) - 1}.{kind}"
    return ours + rest

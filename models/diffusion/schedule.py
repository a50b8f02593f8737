"""How much noise each step holds, and the three things a network can predict, into each other."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

Prediction = Literal["x0", "epsilon", "v"]


@dataclass(frozen=True, slots=True)
class Schedule:
    """signal: fraction of the data's variance left at each step, alpha-bar of Ho et al. 2020, falling, (T,) float64."""

    signal: Float[Tensor, " steps"]

    @property
    def steps(self) -> int:
        return len(self.signal)

    @property
    def betas(self) -> Float[Tensor, " steps"]:
        """The variance that each step adds, float64, as diffusers' schedulers take it."""
        before = torch.cat([torch.ones(1, dtype=self.signal.dtype), self.signal[:-1]])
        return 1.0 - self.signal / before

    def at(self, t: Int[Tensor, " batch"]) -> tuple[Tensor, Tensor]:
        """(sqrt of signal, sqrt of noise) at each step, float32, shaped to scale (batch, time, values)."""
        signal = self.signal.to(t.device)[t][:, None, None]
        return signal.sqrt().float(), (1.0 - signal).sqrt().float()

    def noised(
        self, x0: Float[Tensor, "batch time size"], noise: Tensor, t: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch time size"]:
        """The data at step t: q(x_t | x_0)."""
        signal, sigma = self.at(t)
        return signal * x0 + sigma * noise


def cosine(steps: int, *, power: int = 2, offset: float = 0.008) -> Schedule:
    """alpha-bar = cos^power, with Nichol & Dhariwal's 2021 offset and their bound of 0.999 on each step's beta.

    power 2 is theirs; 4 is `cosine_tau_2` of the released code of Yang et al. 2025 (specs: 100 steps).
    """
    at = torch.linspace(0.0, 1.0, steps + 1, dtype=torch.float64)
    curve = torch.cos((at + offset) / (1.0 + offset) * math.pi / 2.0) ** power
    kept = (curve[1:] / curve[:-1]).clamp(min=1.0 - 0.999)
    return Schedule(torch.cumprod(kept, dim=0))


def to_x0(kind: Prediction, predicted: Tensor, x: Tensor, signal: Tensor, sigma: Tensor) -> Tensor:
    """The data that a prediction stands for; signal, sigma: as `Schedule.at` gives them."""
    if kind == "x0":
        return predicted
    if kind == "epsilon":
        return (x - sigma * predicted) / signal
    return signal * x - sigma * predicted


def from_x0(kind: Prediction, x0: Tensor, x: Tensor, signal: Tensor, sigma: Tensor) -> Tensor:
    """What a network of this kind predicts there: the inverse of `to_x0`."""
    if kind == "x0":
        return x0
    epsilon = (x - signal * x0) / sigma
    return epsilon if kind == "epsilon" else signal * epsilon - sigma * x0

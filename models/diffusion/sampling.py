"""From noise to a sequence of any length: settings of sampling, guidance, and windows that overlap."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor

from models.diffusion.samplers import Denoiser, ancestral, ddim, dpm_solver, guided
from models.diffusion.schedule import Prediction, Schedule, to_x0
from models.diffusion.windows import blended
from models.training.settings import SettingsError

Predict = Callable[[Tensor, Tensor, int, Tensor | None], Tensor]
"""What a network predicts for x (batch, frames, size) at steps (batch,), of a window that begins at a frame. The last
one says whose condition is dropped, (batch,) bool; None: nobody's."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How motion is drawn. scale: of guidance, 1 is none; None: the one the model was measured best at. eta: of DDIM.

    overlap: frames that two windows share; None: a fifth of the window.
    """

    sampler: Literal["dpm", "ddim", "ancestral"] = "dpm"
    steps: int = 8
    scale: float | None = None
    eta: float = 0.0
    overlap: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no sampler does."""
        if self.steps < 1:
            raise SettingsError(f"steps is 1 or more, got {self.steps}")
        if self.scale is not None and not math.isfinite(self.scale):
            raise SettingsError(f"scale is a number, got {self.scale}")
        if not 0.0 <= self.eta <= 1.0:
            raise SettingsError(f"eta is 0 to 1, got {self.eta}")
        if self.overlap is not None and self.overlap < 0:
            raise SettingsError(f"overlap is 0 or more, got {self.overlap}")


def sample(
    denoise: Denoiser, x: Tensor, schedule: Schedule, how: Sampling, generator: Generator
) -> Tensor:
    """From unit noise to data. generator: of the noise that some samplers add on their way."""
    if how.sampler == "ancestral":
        return ancestral(denoise, x, schedule, generator=generator)
    if how.sampler == "ddim":
        return ddim(denoise, x, schedule, steps=how.steps, generator=generator, eta=how.eta)
    return dpm_solver(denoise, x, schedule, steps=how.steps)


def denoiser(
    predict: Predict, schedule: Schedule, kind: Prediction, *, frames: int, how: Sampling
) -> Denoiser:
    """x0 for (x, t), guided, over windows of `frames`. Both branches of guidance go through the network side by side.

    Longer sequences are denoised in windows that overlap and agree at every step, so there is no seam to hide.
    """

    def of_window(x: Tensor, t: Tensor, first: int) -> Tensor:
        if how.scale is None or how.scale == 1.0:
            return as_x0(predict(x, t, first, None).float(), x, t)
        dropped = torch.arange(2, device=x.device).repeat_interleave(len(x)).bool()
        both = predict(x.repeat(2, 1, 1), t.repeat(2), first, dropped).float()
        conditional, null = (as_x0(half, x, t) for half in both.chunk(2))
        return guided(conditional, null, how.scale)

    def as_x0(predicted: Tensor, x: Tensor, t: Tensor) -> Tensor:
        if kind == "x0":
            return predicted
        signal, sigma = schedule.at(t)
        return to_x0(kind, predicted, x, signal, sigma)

    overlap = frames // 5 if how.overlap is None else how.overlap
    return blended(of_window, frames=frames, overlap=overlap)

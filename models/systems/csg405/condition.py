"""What the network is told in training and in sampling: noise, silence, guidance, and the voice of long recordings."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from models.data.batches import Batch
from models.diffusion.loss import masked_error
from models.diffusion.samplers import Denoiser, ancestral, ddim, dpm_solver, guided
from models.diffusion.schedule import Schedule, to_x0
from models.diffusion.windows import blended
from models.systems.csg405.configs import Noise
from models.training.settings import SettingsError


def denoising_error(
    network: nn.Module,
    batch: Batch,
    noise: Noise,
    schedule: Schedule,
    weights: Tensor | None = None,
) -> Tensor:
    """How far x0 is from the data where these are known (Yang et al. 2025, equation 2, masked as in its code).

    The step and the silence of each sample come with the batch. weights: of each value of a frame.
    """
    t = (batch.uniforms[:, 0] * schedule.steps).long().clamp(max=schedule.steps - 1)
    drop_audio = batch.uniforms[:, 1] < noise.audio_dropout
    x = schedule.noised(batch.values, batch.noise, t)
    predicted = network(
        x, t, batch.audio, batch.reference, drop_audio=drop_audio, frame_mask=batch.frame_mask
    ).float()
    signal, sigma = schedule.at(t)
    x0 = (
        predicted
        if noise.prediction_type == "x0"
        else to_x0(noise.prediction_type, predicted, x, signal, sigma)
    )
    return masked_error(x0, batch.values, batch.joint_mask, weights)


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
    network: nn.Module,
    audio: Float[Tensor, "batch time audio"],
    reference: Float[Tensor, "batch before size"],
    *,
    noise: Noise,
    frames: int,
    how: Sampling,
    generator: Generator,
) -> Float[Tensor, "batch time size"]:
    """Normalised motion for each voice. frames: of the window the network was trained on.

    Longer voices are denoised in windows that overlap and agree at every step, so there is no seam to hide.
    """
    size = reference.shape[2]
    x = torch.randn(
        len(audio), audio.shape[1], size, generator=generator, dtype=torch.float32,
        device=generator.device,
    ).to(audio.device)  # fmt: skip
    denoise = denoiser(network, audio, reference, noise=noise, frames=frames, how=how)
    schedule = noise.schedule
    if how.sampler == "ancestral":
        return ancestral(denoise, x, schedule, generator=generator)
    if how.sampler == "ddim":
        return ddim(denoise, x, schedule, steps=how.steps, generator=generator, eta=how.eta)
    return dpm_solver(denoise, x, schedule, steps=how.steps)


def denoiser(
    network: nn.Module,
    audio: Tensor,
    reference: Tensor,
    *,
    noise: Noise,
    frames: int,
    how: Sampling,
) -> Denoiser:
    """x0 for (x, t), guided, over windows. Both branches of guidance go through the network side by side."""
    schedule, precision = noise.schedule, next(network.parameters()).dtype
    audio, reference = audio.to(precision), reference.to(precision)

    def of_window(x: Tensor, t: Tensor, first: int) -> Tensor:
        voice, noisy = audio[:, first : first + x.shape[1]], x.to(precision)
        if how.scale is None or how.scale == 1.0:
            return as_x0(network(noisy, t, voice, reference).float(), x, t)
        drop_audio = torch.arange(2, device=x.device).repeat_interleave(len(x)).bool()
        both = network(
            noisy.repeat(2, 1, 1), t.repeat(2), voice.repeat(2, 1, 1), reference.repeat(2, 1, 1),
            drop_audio=drop_audio,
        ).float()  # fmt: skip
        conditional, null = (as_x0(half, x, t) for half in both.chunk(2))
        return guided(conditional, null, how.scale)

    def as_x0(predicted: Tensor, x: Tensor, t: Tensor) -> Tensor:
        if noise.prediction_type == "x0":
            return predicted
        signal, sigma = schedule.at(t)
        return to_x0(noise.prediction_type, predicted, x, signal, sigma)

    overlap = frames // 5 if how.overlap is None else how.overlap
    return blended(of_window, frames=frames, overlap=overlap)

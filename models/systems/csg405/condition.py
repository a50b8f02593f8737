"""What the network sees in training and in sampling: noise, silence, a voice and a reference."""

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from models.diffusion.loss import masked_error
from models.diffusion.samplers import Denoiser
from models.diffusion.sampling import Sampling
from models.diffusion.sampling import denoiser as denoiser_of
from models.diffusion.sampling import sample as sample_with
from models.diffusion.schedule import Schedule, to_x0
from models.systems.csg405.batches import Batch
from models.systems.csg405.configs import Noise


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
    return masked_error(
        predicted_x0(network, batch, noise, schedule), batch.values, batch.joint_mask, weights
    )


def steps_of(batch: Batch, schedule: Schedule) -> Tensor:
    """The diffusion step of each sample, (batch,) int64."""
    return (batch.uniforms[:, 0] * schedule.steps).long().clamp(max=schedule.steps - 1)


def predicted_x0(
    network: nn.Module, batch: Batch, noise: Noise, schedule: Schedule
) -> Float[Tensor, "batch time size"]:
    """What the network makes of the noised batch."""
    t = steps_of(batch, schedule)
    drop_audio = batch.uniforms[:, 1] < noise.audio_dropout
    x = schedule.noised(batch.values, batch.noise, t)
    predicted = network(
        x, t, batch.audio, batch.reference, drop_audio=drop_audio, frame_mask=batch.frame_mask
    ).float()
    signal, sigma = schedule.at(t)
    return (
        predicted
        if noise.prediction_type == "x0"
        else to_x0(noise.prediction_type, predicted, x, signal, sigma)
    )


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
    """Normalised motion for each voice. frames: of the window the network was trained on."""
    x = torch.randn(
        len(audio), audio.shape[1], reference.shape[2], generator=generator, dtype=torch.float32,
        device=generator.device,
    ).to(audio.device)  # fmt: skip
    denoise = denoiser(network, audio, reference, noise=noise, frames=frames, how=how)
    return sample_with(denoise, x, noise.schedule, how, generator)


def denoiser(
    network: nn.Module,
    audio: Tensor,
    reference: Tensor,
    *,
    noise: Noise,
    frames: int,
    how: Sampling,
) -> Denoiser:
    """x0 for (x, t), guided, over windows, for these voices and references."""
    precision = next(network.parameters()).dtype
    audio, reference = audio.to(precision), reference.to(precision)

    def predict(x: Tensor, t: Tensor, first: int, dropped: Tensor | None) -> Tensor:
        voice, branches = audio[:, first : first + x.shape[1]], len(x) // len(audio)
        more = {} if dropped is None else {"drop_audio": dropped}
        if branches > 1:
            voice, before = voice.repeat(branches, 1, 1), reference.repeat(branches, 1, 1)
        else:
            before = reference
        return network(x.to(precision), t, voice, before, **more)

    return denoiser_of(predict, noise.schedule, noise.prediction_type, frames=frames, how=how)

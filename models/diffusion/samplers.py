"""From noise to data: samplers as functions of a denoiser that says x0 for (x, t).

A denoiser takes x (batch, time, size) and t (batch,), int64, and returns x0 of x's shape. The steps are those of
diffusers' schedulers; few steps are spaced from the last one down ("trailing"), so that the first of them is as noisy
as what sampling starts from (Lin et al., Common Diffusion Noise Schedules and Sample Steps are Flawed, 2305.08891).
"""

from collections.abc import Callable

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from torch import Generator, Tensor

from models.diffusion.schedule import Schedule

Denoiser = Callable[[Tensor, Tensor], Tensor]


def trailing(schedule: Schedule, count: int) -> list[int]:
    """`count` of the schedule's steps, evenly, from the last one down. Raises ValueError."""
    if not 1 <= count <= schedule.steps:
        raise ValueError(f"a sampler takes 1 to {schedule.steps} steps, got {count}")
    return [round(schedule.steps * left / count) - 1 for left in range(count, 0, -1)]


def ancestral(denoise: Denoiser, x: Tensor, schedule: Schedule, *, generator: Generator) -> Tensor:
    """All steps of the DDPM posterior with its small variance (Ho et al. 2020, equations 6 and 7). x: unit noise."""
    scheduler = DDPMScheduler(
        schedule.steps,
        trained_betas=schedule.betas.tolist(),
        variance_type="fixed_small",
        clip_sample=False,
        prediction_type="sample",
    )
    scheduler.set_timesteps(schedule.steps)
    return run(scheduler, denoise, x, generator=generator)


def dpm_solver(denoise: Denoiser, x: Tensor, schedule: Schedule, *, steps: int) -> Tensor:
    """DPM-Solver++(2M) in the data prediction (Lu et al. 2022, algorithm 2). x: unit noise.

    The last step, which leads to no noise at all, is of first order.
    """
    trailing(schedule, steps)
    scheduler = DPMSolverMultistepScheduler(
        schedule.steps,
        trained_betas=schedule.betas.tolist(),
        prediction_type="sample",
        timestep_spacing="trailing",
    )
    scheduler.set_timesteps(steps)
    return run(scheduler, denoise, x)


def run(
    scheduler: DDPMScheduler | DDIMScheduler | DPMSolverMultistepScheduler,
    denoise: Denoiser,
    x: Tensor,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Denoise through all steps that a scheduler is set to."""
    for t in scheduler.timesteps:
        x0 = denoise(x, at_step(x, int(t)))
        x = scheduler.step(x0, int(t), x, generator=generator, return_dict=False)[0]
    return x


def ddim(
    denoise: Denoiser, x: Tensor, schedule: Schedule, *, steps: int,
    generator: Generator | None = None, eta: float = 0.0,
) -> Tensor:  # fmt: skip
    """Song et al. 2021, equation 12; eta 0 is deterministic, 1 has the posterior's variance. x: unit noise.

    Not diffusers' scheduler, which steps by the rounded-down quotient of the two counts wherever the steps are spaced:
    with 8 of 100 the mean comes out wrong, as a test shows.
    """
    signal, times = schedule.signal.tolist(), trailing(schedule, steps)
    for place, t in enumerate(times):
        now = signal[t]
        after = signal[times[place + 1]] if place + 1 < len(times) else 1.0
        x0 = denoise(x, at_step(x, t))
        epsilon = (x - now**0.5 * x0) / (1.0 - now) ** 0.5
        sigma = eta * ((1.0 - after) / (1.0 - now) * (1.0 - now / after)) ** 0.5
        x = after**0.5 * x0 + max(0.0, 1.0 - after - sigma**2) ** 0.5 * epsilon
        if sigma > 0.0:
            x = x + sigma * torch.randn(
                x.shape, generator=generator, device=x.device, dtype=x.dtype
            )
    return x


def guided(conditional: Tensor, null: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance (Ho & Salimans 2022): null + scale * (conditional - null)."""
    return null + scale * (conditional - null)


def at_step(x: Tensor, t: int) -> Tensor:
    """The same step for each of a batch, (batch,) int64."""
    return torch.full((len(x),), t, device=x.device, dtype=torch.int64)

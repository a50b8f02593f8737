"""From noise to data: samplers as functions of a denoiser that says x0 for (x, t).

A denoiser takes x (batch, time, size) and t (batch,), int64, and returns x0 of x's shape.
"""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from models.diffusion.schedule import Schedule

Denoiser = Callable[[Tensor, Tensor], Tensor]


def spaced(schedule: Schedule, count: int) -> list[int]:
    """`count` of the schedule's steps, evenly, the noisiest first, the last one 0. Raises ValueError."""
    if not 1 <= count <= schedule.steps:
        raise ValueError(f"a sampler takes 1 to {schedule.steps} steps, got {count}")
    if count == 1:
        return [schedule.steps - 1]
    return torch.linspace(schedule.steps - 1, 0, count).round().long().tolist()


def ancestral(denoise: Denoiser, x: Tensor, schedule: Schedule, *, generator: Generator) -> Tensor:
    """All steps of the DDPM posterior with its small variance (Ho et al. 2020, equations 6 and 7). x: unit noise."""
    signal = [1.0, *schedule.signal.tolist()]  # one step less noisy than step t stands at t
    for t in range(schedule.steps - 1, -1, -1):
        now, before = signal[t + 1], signal[t]
        x0, beta = denoise(x, _step(x, t)), 1.0 - now / before
        mean = (before**0.5 * beta * x0 + (now / before) ** 0.5 * (1.0 - before) * x) / (1.0 - now)
        noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
        x = mean + ((1.0 - before) / (1.0 - now) * beta) ** 0.5 * noise if t else mean
    return x


def ddim(
    denoise: Denoiser, x: Tensor, schedule: Schedule, *, steps: int,
    generator: Generator | None = None, eta: float = 0.0,
) -> Tensor:  # fmt: skip
    """Song et al. 2021, equation 12; eta 0 is deterministic, 1 has the posterior's variance. x: unit noise."""
    signal, times = schedule.signal.tolist(), spaced(schedule, steps)
    for place, t in enumerate(times):
        now = signal[t]
        after = signal[times[place + 1]] if place + 1 < len(times) else 1.0
        x0 = denoise(x, _step(x, t))
        epsilon = (x - now**0.5 * x0) / (1.0 - now) ** 0.5
        sigma = eta * ((1.0 - after) / (1.0 - now) * (1.0 - now / after)) ** 0.5
        x = after**0.5 * x0 + max(0.0, 1.0 - after - sigma**2) ** 0.5 * epsilon
        if sigma > 0.0:
            x = x + sigma * torch.randn(
                x.shape, generator=generator, device=x.device, dtype=x.dtype
            )
    return x


def dpm_solver(denoise: Denoiser, x: Tensor, schedule: Schedule, *, steps: int) -> Tensor:
    """DPM-Solver++(2M) in the data prediction (Lu et al. 2022, algorithm 2), the last step of first order.

    x: unit noise."""
    signal, times = schedule.signal, spaced(schedule, steps)
    half = (
        0.5 * torch.log(signal / (1.0 - signal))
    ).tolist()  # lambda, half the log of the signal-to-noise ratio
    before: tuple[float, Tensor] | None = None
    for place, t in enumerate(times):
        x0 = denoise(x, _step(x, t))
        if place + 1 == len(times):
            return x0  # no noise is left: lambda is infinite, and the step is x0 itself
        after = times[place + 1]
        h = half[after] - half[t]
        guess = x0
        if before is not None:
            ratio = (half[t] - before[0]) / h
            guess = (1.0 + 0.5 / ratio) * x0 - 0.5 / ratio * before[1]
        before = (half[t], x0)
        now, then = float(signal[t]), float(signal[after])
        shrink = ((1.0 - then) / (1.0 - now)) ** 0.5
        x = shrink * x - then**0.5 * float(torch.expm1(torch.tensor(-h))) * guess
    return x


def guided(conditional: Tensor, null: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance (Ho & Salimans 2022): null + scale * (conditional - null)."""
    return null + scale * (conditional - null)


def _step(x: Tensor, t: int) -> Tensor:
    return torch.full((len(x),), t, device=x.device, dtype=torch.int64)

"""Schedules and samplers against a mixture of Gaussians, whose best denoiser is known in closed form."""

import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from models.diffusion.samplers import ancestral, ddim, dpm_solver, guided, run, trailing
from models.diffusion.schedule import Schedule, cosine, from_x0, to_x0

MEANS = torch.tensor([-2.0, 1.0])
WEIGHTS = torch.tensor([0.3, 0.7])
SPREAD = 0.1


def best(schedule: Schedule):
    """E[x0 | x_t] of the mixture, one number per frame and value."""

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        signal, sigma = schedule.at(t)
        variance = signal**2 * SPREAD**2 + sigma**2
        apart = x[..., None] - signal[..., None] * MEANS
        belief = (WEIGHTS.log() - apart**2 / (2 * variance[..., None])).softmax(dim=-1)
        inside = MEANS + (signal * SPREAD**2 / variance)[..., None] * apart
        return (belief * inside).sum(dim=-1)

    return denoise


@pytest.mark.parametrize("power", [2, 4])
@pytest.mark.parametrize(
    "sample",
    [
        lambda d, x, s, g: ancestral(d, x, s, generator=g),
        lambda d, x, s, g: ddim(d, x, s, steps=50),
        lambda d, x, s, g: ddim(d, x, s, steps=100, eta=1.0, generator=g),
        lambda d, x, s, g: dpm_solver(d, x, s, steps=25),
    ],
    ids=["ancestral", "ddim", "ddim-eta-1", "dpm-solver"],
)
def test_a_sampler_gives_the_mixture_back(sample, power: int) -> None:
    schedule = cosine(100, power=power)
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(4, 500, 20, generator=generator)
    drawn = sample(best(schedule), x, schedule, generator).flatten()
    right = drawn > -0.5
    assert float(right.float().mean()) == pytest.approx(0.7, abs=0.02)
    assert float(drawn[right].mean()) == pytest.approx(1.0, abs=0.02)
    assert float(drawn[~right].mean()) == pytest.approx(-2.0, abs=0.03)
    assert float(drawn[right].std()) == pytest.approx(SPREAD, abs=0.04)


def test_the_second_order_is_nearer_than_the_first_at_the_same_steps() -> None:
    schedule = cosine(1000)
    x = torch.randn(1, 1000, 4, generator=torch.Generator().manual_seed(5))
    exact = ddim(best(schedule), x, schedule, steps=1000)
    first = ddim(best(schedule), x, schedule, steps=20)
    second = dpm_solver(best(schedule), x, schedule, steps=20)
    assert (second - exact).abs().median() < (first - exact).abs().median()


def gaussian(schedule: Schedule, *, mean: float, std: float):
    """E[x0 | x_t] of one Gaussian."""

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        signal, sigma = schedule.at(t)
        gain = signal * std**2 / (signal**2 * std**2 + sigma**2)
        return mean + gain * (x - signal * mean)

    return denoise


@pytest.mark.parametrize(("steps", "power"), [(1000, 2), (100, 4)])
def test_eight_steps_give_a_gaussian_its_mean_and_most_of_its_width(steps: int, power: int) -> None:
    schedule = cosine(steps, power=power)
    x = torch.randn(1, 5000, 4, generator=torch.Generator().manual_seed(1))
    drawn = dpm_solver(gaussian(schedule, mean=2.0, std=0.5), x, schedule, steps=8)
    assert float(drawn.mean()) == pytest.approx(2.0, abs=0.02)
    assert 0.4 < float(drawn.std()) < 0.5  # never more than there is: that would be jitter


def test_few_steps_of_ddim_keep_the_mean_and_those_of_diffusers_do_not() -> None:
    schedule, eight = cosine(100, power=4), 8
    x = torch.randn(1, 5000, 4, generator=torch.Generator().manual_seed(1))
    denoise = gaussian(schedule, mean=2.0, std=0.5)
    scheduler = DDIMScheduler(
        100, trained_betas=schedule.betas.tolist(), prediction_type="sample", clip_sample=False,
        timestep_spacing="trailing",
    )  # fmt: skip
    scheduler.set_timesteps(eight)
    theirs = float(run(scheduler, denoise, x).mean())
    ours = float(ddim(denoise, x, schedule, steps=eight).mean())
    assert abs(ours - 2.0) < 0.01 < 0.03 < abs(theirs - 2.0)


def test_few_steps_begin_at_the_noise_that_sampling_starts_from() -> None:
    assert trailing(cosine(1000), 8) == [999, 874, 749, 624, 499, 374, 249, 124]
    assert trailing(cosine(100), 100) == list(range(99, -1, -1))


@pytest.mark.parametrize("kind", ["x0", "epsilon", "v"])
def test_predictions_turn_into_each_other(kind) -> None:
    schedule = cosine(100, power=4)
    t = torch.tensor([5, 50])
    x0, noise = torch.randn(2, 2, 7, 3, generator=torch.Generator().manual_seed(0))
    x = schedule.noised(x0, noise, t)
    signal, sigma = schedule.at(t)
    said = from_x0(kind, x0, x, signal, sigma)
    assert torch.allclose(to_x0(kind, said, x, signal, sigma), x0, atol=1e-3)
    if kind == "epsilon":
        assert torch.allclose(said, noise, atol=1e-4)
    if kind == "v":
        assert torch.allclose(said, signal * noise - sigma * x0, atol=1e-4)


def test_the_released_schedule_is_the_fourth_power_of_a_cosine() -> None:
    signal = cosine(100, power=4).signal
    assert torch.allclose(signal.sqrt(), cosine(100).signal, atol=2e-3)
    assert (signal[1:] < signal[:-1]).all() and signal[0] > 0.99


def test_guidance_at_one_is_the_conditional_and_at_zero_the_null() -> None:
    conditional, null = torch.randn(2, 3, 4, 5)
    assert torch.allclose(guided(conditional, null, 1.0), conditional, atol=1e-6)
    assert torch.equal(guided(conditional, null, 0.0), null)


@pytest.mark.parametrize("count", [0, 101])
def test_steps_that_the_schedule_has_not_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 100 steps"):
        trailing(cosine(100), count)

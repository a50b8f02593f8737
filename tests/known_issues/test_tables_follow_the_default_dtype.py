"""Loaded in bfloat16, the released network knew its frames by a table that was off by 1.8: `from_pretrained` makes that
dtype the default, and the table was computed in it. Every table of numbers that the model half computes is built here
under other defaults, and compared with the same table in float64 to the rounding of the dtype that it has."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from models.data.audio import LogMel
from models.diffusion.samplers import dpm_solver
from models.diffusion.schedule import cosine
from models.diffusion.windows import weights
from models.layers.transformer import sinusoids
from models.systems.csg405.published import PublishedTransformer, interleaved
from tests.models.making import voice

WIDTH, LONGEST = 64, 5000
AT = np.arange(-25, 1000)
SINGLE = 2.0**-25
ROUNDING = {torch.bfloat16: 2.0**-9 + SINGLE, torch.float32: SINGLE, torch.float64: 1e-11}
"""Half a step of numbers below 1, in float64 the arithmetic's; torch turns float64 to bfloat16 by way of float32."""


@pytest.fixture(params=[torch.bfloat16, torch.float32, torch.float64], ids=str)
def default(request: pytest.FixtureRequest) -> Iterator[torch.dtype]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(request.param)
    yield request.param
    torch.set_default_dtype(before)


def angles(at: np.ndarray) -> np.ndarray:
    return at[:, None] / 10_000.0 ** (np.arange(0, WIDTH, 2) / WIDTH)


def places() -> np.ndarray:
    at = angles(np.arange(LONGEST))
    return np.stack([np.sin(at), np.cos(at)], axis=-1).reshape(LONGEST, WIDTH)


def waves() -> np.ndarray:
    return np.concatenate([np.sin(angles(AT)), np.cos(angles(AT))], axis=1)


def signal() -> np.ndarray:
    curve = np.cos((np.linspace(0.0, 1.0, 101) + 0.008) / 1.008 * np.pi / 2.0) ** 4
    return np.cumprod(np.maximum(curve[1:] / curve[:-1], 1.0 - 0.999))


def fading() -> np.ndarray:
    ramp = np.ones(100)
    ramp[:20] = np.arange(1, 21) / 21.0
    ramp[80:] = np.arange(20, 0, -1) / 21.0
    return ramp


def network() -> PublishedTransformer:
    return PublishedTransformer(4, 3, width=WIDTH, depth=1, heads=2, hidden=8)


STEPS = torch.arange(100)
TABLES: dict[str, tuple[Callable[[], Tensor], Callable[[], np.ndarray], float]] = {
    "places": (lambda: interleaved(LONGEST, WIDTH), places, 0.0),
    "places of a network": (lambda: network().places, places, 0.0),
    # The angle itself is rounded to float32, up to half a step of a number of a thousand.
    "sinusoids": (lambda: sinusoids(torch.from_numpy(AT), WIDTH), waves, 1_000 * 2.0**-23),
    "schedule": (lambda: cosine(100, power=4).signal, signal, 0.0),
    "signal": (lambda: cosine(100, power=4).at(STEPS)[0].flatten(), lambda: signal() ** 0.5, 0.0),
    "noise": (
        lambda: cosine(100, power=4).at(STEPS)[1].flatten(), lambda: (1.0 - signal()) ** 0.5, 0.0,
    ),
    "windows": (lambda: weights(300, 100, frames=100, overlap=20), fading, 0.0),
}  # fmt: skip
"""How a table is built, the same in float64, and what may lie between them beside the last rounding."""


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_as_in_float64_whatever_the_default(name: str, default: torch.dtype) -> None:
    build, exact, more = TABLES[name]
    table = build()
    assert table.shape == exact().shape
    off = np.abs(table.double().numpy() - exact()).max()
    assert off <= ROUNDING.get(table.dtype, 0.0) + more


def test_a_network_has_its_table_in_its_own_dtype(default: torch.dtype) -> None:
    made = network()
    assert made.places.dtype == made.null_audio.dtype == default


def test_a_network_loaded_in_bfloat16_knows_its_frames(tmp_path: Path) -> None:
    network().save_pretrained(tmp_path)
    loaded = PublishedTransformer.from_pretrained(tmp_path, torch_dtype=torch.bfloat16)
    assert isinstance(loaded, PublishedTransformer) and loaded.places.dtype == torch.bfloat16
    off = np.abs(loaded.places.double().numpy() - places()).max()
    assert off <= ROUNDING[torch.bfloat16]


def test_a_sampler_and_the_filters_of_the_voice_give_the_same_to_the_bit() -> None:
    def made() -> tuple[Tensor, np.ndarray]:
        x = torch.ones(1, 2, 3, dtype=torch.float32)
        return dpm_solver(lambda x, _: x / 2, x, cosine(100), steps=7), LogMel()(voice(0, 25))

    motion, spectra = made()
    for dtype in (torch.bfloat16, torch.float64):
        torch.set_default_dtype(dtype)
        try:
            again, same = made()
        finally:
            torch.set_default_dtype(torch.float32)
        assert torch.equal(again, motion) and np.array_equal(same, spectra)

"""Windows over long sequences: they cover everything, their weights even out, and nothing is to be seen of them."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models.diffusion.windows import blended, starts, weights


@st.composite
def layouts(draw: st.DrawFn) -> tuple[int, int, int]:
    """(total, frames, overlap)."""
    frames = draw(st.integers(1, 40))
    return draw(st.integers(1, 300)), frames, draw(st.integers(0, frames - 1))


@given(layouts())
def test_windows_cover_everything_and_share_what_they_should(layout: tuple[int, int, int]) -> None:
    total, frames, overlap = layout
    begun = starts(total, frames=frames, overlap=overlap)
    assert begun[0] == 0 and begun == sorted(set(begun))
    assert begun[-1] == max(0, total - frames)
    shared = [one + frames - other for one, other in pairwise(begun)]
    assert all(overlap <= part < frames for part in shared)
    fewer = frames + (len(begun) - 2) * (frames - overlap)
    assert len(begun) == 1 or fewer < total  # not one window more than needed


def test_windows_by_hand() -> None:
    assert starts(250, frames=250, overlap=50) == [0]
    assert starts(251, frames=250, overlap=50) == [0, 1]
    assert starts(450, frames=250, overlap=50) == [0, 200]
    assert starts(451, frames=250, overlap=50) == [0, 100, 201]
    assert starts(9, frames=3, overlap=0) == [0, 3, 6]


@pytest.mark.parametrize("overlap", [-1, 10, 11])
def test_windows_that_would_not_advance_are_refused(overlap: int) -> None:
    with pytest.raises(ValueError, match=rf"overlap by 0 to 9, got {overlap}"):
        starts(100, frames=10, overlap=overlap)


@given(layouts())
def test_weights_sum_to_one_once_they_are_normalised(layout: tuple[int, int, int]) -> None:
    total, frames, overlap = layout
    whole = torch.zeros(total)
    for first in starts(total, frames=frames, overlap=overlap):
        own = weights(total, first, frames=frames, overlap=overlap)
        assert len(own) == min(frames, total) and own.min() > 0.0 and own.max() <= 1.0
        whole[first : first + frames] += own
    assert whole.min() > 0.0
    share = torch.zeros(total)
    for first in starts(total, frames=frames, overlap=overlap):
        part = slice(first, first + frames)
        share[part] += weights(total, first, frames=frames, overlap=overlap) / whole[part]
    assert torch.allclose(share, torch.ones(total), atol=1e-5)


@given(layouts())
def test_a_window_fades_in_and_out_alike_and_not_at_the_ends(layout: tuple[int, int, int]) -> None:
    total, frames, overlap = layout
    for first in starts(total, frames=frames, overlap=overlap):
        own = weights(total, first, frames=frames, overlap=overlap)
        if 0 < first < total - frames:
            assert torch.equal(own, own.flip(0))
            half = own[: (len(own) + 1) // 2]
            assert (half.diff() >= 0.0).all()
        if first == 0:
            assert own[0] == 1.0 or frames < total
        if first == 0 and overlap < frames:
            assert own[: max(1, frames - overlap)].min() == 1.0


@given(layouts())
def test_what_is_said_of_each_frame_alone_is_the_same_blended_or_whole(
    layout: tuple[int, int, int],
) -> None:
    total, frames, overlap = layout
    generator = torch.Generator().manual_seed(total)
    x = torch.randn(2, total, 3, generator=generator)
    voice = torch.randn(2, total, 3, generator=generator)

    def window(part: Tensor, t: Tensor, first: int) -> Tensor:
        heard = voice[:, first : first + part.shape[1]]
        return torch.tanh(part) * t[:, None, None] + heard

    t = torch.tensor([3, 7])
    said = blended(window, frames=frames, overlap=overlap)(x, t)
    assert torch.allclose(said, window(x, t, 0), rtol=1e-6, atol=1e-6)


def test_no_step_shows_where_windows_meet() -> None:
    total, frames, overlap = 600, 100, 25
    generator = torch.Generator().manual_seed(0)
    begun = starts(total, frames=frames, overlap=overlap)
    moods = {first: torch.randn(4, generator=generator) for first in begun}
    time = torch.arange(total)[:, None] / 25.0
    path = torch.sin(time * torch.tensor([0.7, 1.1, 1.6, 2.3]))

    def window(part: Tensor, t: Tensor, first: int) -> Tensor:
        return (path[first : first + part.shape[1]] + moods[first])[None]

    x = torch.zeros(1, total, 4)
    said = blended(window, frames=frames, overlap=overlap)(x, torch.tensor([0]))[0]
    borders = sorted({f for f in begun[1:]} | {f + frames for f in begun[:-1]})
    steps = said.diff(dim=0).abs().amax(dim=1)
    at_borders = max(float(steps[border - 1]) for border in borders)
    assert at_borders <= float(steps.median()) * 2.5
    largest = max(float((moods[a] - moods[b]).abs().max()) for a, b in pairwise(begun))
    assert (
        float(steps.max()) <= largest / (overlap + 1) + float(path.diff(dim=0).abs().max()) + 1e-5
    )


def test_a_sequence_that_fits_is_one_window_and_is_handed_on_as_it_is() -> None:
    asked: list[tuple[int, int]] = []

    def window(part: Tensor, t: Tensor, first: int) -> Tensor:
        asked.append((part.shape[1], first))
        return part

    for total in (1, 9, 10):
        x = torch.randn(1, total, 2)
        assert torch.equal(blended(window, frames=10, overlap=4)(x, torch.tensor([0])), x)
    assert asked == [(1, 0), (9, 0), (10, 0)]

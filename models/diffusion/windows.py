"""Sequences longer than the window a network was trained on."""

from collections.abc import Callable

import torch
from jaxtyping import Float32
from torch import Tensor

from models.diffusion.samplers import Denoiser

Window = Callable[[Tensor, Tensor, int], Tensor]
"""x0 of one window (batch, at most `frames`, size) at steps (batch,), and the window's first frame."""


def starts(total: int, *, frames: int, overlap: int) -> list[int]:
    """First frames of windows that cover `total` frames and share at least `overlap`, spread evenly.

    Raises ValueError where windows would not advance.
    """
    if not 0 <= overlap < frames:
        raise ValueError(f"windows of {frames} frames overlap by 0 to {frames - 1}, got {overlap}")
    if total <= frames:
        return [0]
    more = -(-(total - frames) // (frames - overlap))
    return [round(place * (total - frames) / more) for place in range(more + 1)]


def weights(total: int, first: int, *, frames: int, overlap: int) -> Float32[Tensor, " frames"]:
    """How much a window says on each of its frames: it fades in and out over the overlap, but not at the ends."""
    ramp = torch.ones(min(frames, total), dtype=torch.float32)
    fade = torch.arange(1, overlap + 1, dtype=torch.float32) / (overlap + 1.0)
    if first > 0:
        ramp[:overlap] = fade
    if first + frames < total:
        ramp[len(ramp) - overlap :] = torch.minimum(ramp[len(ramp) - overlap :], fade.flip(0))
    return ramp


def blended(window: Window, *, frames: int, overlap: int) -> Denoiser:
    """A denoiser for any length: windows denoised side by side, averaged where they overlap at every step.

    So all of them tell one story (Bar-Tal et al. 2023, arXiv:2302.08113, for pictures; Shafir et al. 2023,
    arXiv:2303.01418, for motion). A sequence that fits into one window is one.
    """

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        total = x.shape[1]
        if total <= frames:
            return window(x, t, 0)
        total_x0 = torch.zeros_like(x)
        total_weight = torch.zeros(total, 1, dtype=torch.float32, device=x.device)
        for first in starts(total, frames=frames, overlap=overlap):
            part = slice(first, first + frames)
            own = weights(total, first, frames=frames, overlap=overlap).to(x.device)[:, None]
            total_x0[:, part] += own * window(x[:, part], t, first)
            total_weight[part] += own
        return total_x0 / total_weight

    return denoise

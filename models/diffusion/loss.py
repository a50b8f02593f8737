"""The training loss: how far the predicted data are from the true ones, where these are known."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def masked_error(
    predicted: Float[Tensor, "batch time size"],
    true: Float[Tensor, "batch time size"],
    known: Bool[Tensor, "batch time size"],
) -> Float[Tensor, ""]:
    """Mean squared error over the known values of each sample, then over the samples (released code of paper 003)."""
    squares = torch.where(known, (predicted - true) ** 2, 0.0)
    count = known.sum(dim=(1, 2)).clamp(min=1)
    return (squares.sum(dim=(1, 2)) / count).mean()

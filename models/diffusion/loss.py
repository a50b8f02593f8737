"""The training loss: how far the predicted data are from the true ones, where these are known."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def masked_error(
    predicted: Float[Tensor, "batch time size"],
    true: Float[Tensor, "batch time size"],
    known: Bool[Tensor, "batch time size"],
    weights: Float[Tensor, " size"] | None = None,
) -> Float[Tensor, ""]:
    """Mean squared error over the known values of each sample, then over the samples (Yang et al. 2025, released code).

    weights: what the squared error of each value is multiplied by; None: 1. As in that code, the sum is divided by how
    many values are known and not by their weights: a weight of 2 makes the loss larger and leaves the other values as
    they were.
    """
    squares = torch.where(known, (predicted - true) ** 2, 0.0)
    if weights is not None:
        squares = squares * weights
    return (squares.sum(dim=(1, 2)) / known.sum(dim=(1, 2)).clamp(min=1)).mean()

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
    """Mean squared error over the known values of each sample, then over the samples (released code of paper 003).

    weights: of each value against the others; None: all alike.
    """
    heft = known.float() if weights is None else known * weights
    squares = torch.where(known, (predicted - true) ** 2, 0.0) * heft
    return (squares.sum(dim=(1, 2)) / heft.sum(dim=(1, 2)).clamp(min=1.0)).mean()

"""Published weights: compared with their SHA-256, read without pickle's powers."""

from pathlib import Path

import torch
from torch import Tensor, nn

from manifests.files import sha256_of
from pipeline.perception.sync.interface import SyncError


def fill(network: nn.Module, file: Path, *, sha256: str) -> None:
    """Fill every tensor of a network from a state dict file.

    Raises SyncError where the file has another SHA-256 or the names and shapes are not exactly the
    network's.
    """
    found = sha256_of(file)
    if found != sha256:
        raise SyncError(f"{file.name} has SHA-256 {found}, the published weights have {sha256}")
    state: dict[str, Tensor] = torch.load(file, weights_only=True, map_location="cpu")
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise SyncError(f"{file.name} does not fit {type(network).__name__}: {error}") from error

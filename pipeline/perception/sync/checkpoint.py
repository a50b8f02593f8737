"""Published weights: found where the user says, compared with their SHA-256, read without pickle's
powers.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from manifests.files import sha256_of
from pipeline.perception.sync.interface import SyncError


def find(at: Path | None, file_name: str) -> Path | None:
    """The weights file: `at` itself, or the file of the published name in the folder `at`; None
    where there is none.
    """
    if at is None:
        return None
    file = at / file_name if at.is_dir() else at
    return file if file.is_file() else None


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

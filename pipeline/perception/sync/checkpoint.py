"""Weights of a network: compared with their SHA-256, read without pickle's powers.

The hash is that of the published file, or, for weights of one's own, the one stated beside them:

    syncnet.model        a state dict, as torch.save writes it
    syncnet.model.json   {"network": "syncnet", "sha256": "…"}
"""

import json
import pickle
from pathlib import Path

import torch
from torch import Tensor, nn

from manifests.files import sha256_of, write_whole
from pipeline.perception.sync.interface import SyncError
from pipeline.perception.sync.weights_file import beside, stated


def save(network: nn.Module, file: Path, *, name: str) -> str:
    """Write a network's state dict, and beside it the JSON that states its SHA-256, which is returned.

    name: of the backend that reads it.
    """
    state = {key: tensor.detach().cpu() for key, tensor in network.state_dict().items()}
    torch.save(state, file)
    sha256 = sha256_of(file)
    write_whole(beside(file), json.dumps({"network": name, "sha256": sha256}, indent=2) + "\n")
    return sha256


def fill(network: nn.Module, file: Path, *, sha256: str) -> None:
    """Fill every tensor of a network from a state dict file.

    Raises SyncError where the file has another SHA-256 or the names and shapes are not exactly the
    network's.
    """
    found = sha256_of(file)
    if found != sha256:
        whose = (
            f"{beside(file).name} states"
            if sha256 == stated(file)
            else "the published weights have"
        )
        raise SyncError(f"{file.name} has SHA-256 {found}, {whose} {sha256}")
    read(network, file)


def read(network: nn.Module, file: Path) -> None:
    """Fill a network from a state dict file, whatever its hash. Raises SyncError where it does not fit."""
    try:
        state: dict[str, Tensor] = torch.load(file, weights_only=True, map_location="cpu")
        network.load_state_dict(state, strict=True)
    except UNREADABLE as error:
        reason = " ".join((str(error) or type(error).__name__).split())[:300]
        raise SyncError(f"{file.name} does not fit {type(network).__name__}: {reason}") from error


UNREADABLE = (OSError, RuntimeError, TypeError, AttributeError, EOFError, pickle.UnpicklingError)
"""What torch.load and load_state_dict raise for a file of another kind."""

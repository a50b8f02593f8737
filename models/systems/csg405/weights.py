"""Checkpoints in the published layout: what each tensor is called there and here."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from manifests.errors import UserError
from models.systems.csg405.published import PublishedTransformer

NAMES = {
    "input_process.poseEmbedding": "pose_proj",
    "embed_audio": "audio_proj",
    "audio_learnable": "null_audio",
    "concat_to_hidden": "join",
    "embed_timestep.time_embed": "time_mlp",
    "seqTransEncoder": "encoder",
    "output_process.poseFinal": "proj_out",
}
"""Published prefix to ours."""

IGNORED = ("sequence_pos_encoder.", "embed_timestep.sequence_pos_encoder.", "aud_m.")
"""Two tables of places, which are computed, and the frozen wav2vec 2.0, which is loaded from its own folder."""

UNREADABLE = (
    *(OSError, RuntimeError, ValueError, TypeError, LookupError, AttributeError, AssertionError),
    *(EOFError, pickle.UnpicklingError),
)
"""What torch.load raises for a file that is damaged, of another kind, or wants code to be run."""


class WeightsError(UserError):
    """A checkpoint that is not of this layout."""


def from_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A published state by our names. Raises WeightsError for a tensor that has no place here."""
    ours: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name.startswith(IGNORED):
            continue
        prefix = next((p for p in NAMES if name == p or name.startswith(p + ".")), None)
        if prefix is None:
            raise WeightsError(
                f"a csg405 checkpoint has no tensor {name!r}; known: {', '.join(NAMES)}"
            )
        ours[NAMES[prefix] + name[len(prefix) :]] = tensor
    return ours


def published_name(name: str) -> str:
    """What a tensor of the network is called in a checkpoint: the inverse of `from_published`."""
    first = next(p for p, own in NAMES.items() if name == own or name.startswith(own + "."))
    return first + name[len(NAMES[first]) :]


def load_published(file: Path, network: PublishedTransformer) -> PublishedTransformer:
    """Read a checkpoint file (tensors only, no code) into a network of its size. Raises WeightsError."""
    ours = from_published(read_state(file))
    own = network.state_dict()
    if lacking := [published_name(name) for name in own if name not in ours]:
        more = f" and {len(lacking) - 1} more tensors" if len(lacking) > 1 else ""
        raise WeightsError(f"{file.name} lacks {lacking[0]!r}{more}, which this network has")
    for name, tensor in ours.items():
        if name not in own:
            raise WeightsError(
                f"{file.name} has {published_name(name)!r}, which this network has not"
            )
        check_tensor(f"{file.name}: {published_name(name)}", tensor, own[name])
    network.load_state_dict(ours)
    return network


def read_state(file: Path) -> Mapping[str, Tensor]:
    """Tensors by name: those under `model` or `state_dict`, else all of the file. Raises WeightsError.

    Mapped, not read: the optimizer, two thirds of a released checkpoint, stays on disk.
    """
    try:
        held: Any = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except FileNotFoundError as error:
        raise WeightsError(f"there is no checkpoint {file}") from error
    except UNREADABLE as error:
        raise WeightsError(
            f"{file} cannot be read as a PyTorch checkpoint that holds nothing but tensors and numbers"
        ) from error
    state = held.get("state_dict", held.get("model", held)) if isinstance(held, dict) else held
    if not isinstance(state, dict):
        raise WeightsError(f"{file.name} holds a {type(state).__name__}, not tensors by name")
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise WeightsError(
                f"{file.name} holds a {type(tensor).__name__} under {name!r}, not tensors by name"
            )
    return state


def check_tensor(what: str, tensor: Tensor, own: Tensor) -> None:
    """Raises WeightsError for a tensor that cannot take the place of our own."""
    if tensor.shape != own.shape:
        raise WeightsError(
            f"{what} is {tuple(tensor.shape)}, this network has {tuple(own.shape)}; "
            "size.width, size.depth, size.hidden and the encoder are to be those it was trained with"
        )
    real = tensor.layout is torch.strided and tensor.is_floating_point() and not tensor.is_meta
    if not real or not torch.isfinite(tensor).all():
        raise WeightsError(f"{what} does not hold finite floating-point numbers")

"""Checkpoints in the published layout: what each tensor is called there and here."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from manifests.errors import UserError
from models.systems.csg405.published import PublishedTransformer

NAMES = {
    "input_process.poseEmbedding": "from_pose",
    "embed_audio": "from_audio",
    "audio_learnable": "null",
    "concat_to_hidden": "join",
    "embed_timestep.time_embed": "when",
    "seqTransEncoder": "encoder",
    "output_process.poseFinal": "leave",
}
"""Published prefix to ours. The two position tables are computed, not loaded."""

IGNORED = (
    "sequence_pos_encoder.",
    "embed_timestep.sequence_pos_encoder.",
    "wav2vec",
    "audio_encoder",
)


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


def load_published(file: Path, network: PublishedTransformer) -> PublishedTransformer:
    """Read a checkpoint file (tensors only, no code) into a network of its size. Raises WeightsError."""
    held = torch.load(file, map_location="cpu", weights_only=True)
    state = held.get("state_dict", held.get("model", held)) if isinstance(held, dict) else held
    if not isinstance(state, dict):
        raise WeightsError(f"{file.name} holds a {type(state).__name__}, not tensors by name")
    ours = from_published(state)
    own = network.state_dict()
    if missing := sorted(own.keys() - ours.keys()):
        raise WeightsError(f"{file.name} lacks {missing[0]!r} and {len(missing) - 1} more tensors")
    for name, tensor in ours.items():
        if tensor.shape != own[name].shape:
            raise WeightsError(
                f"{file.name}: {name} is {tuple(tensor.shape)}, this network has {tuple(own[name].shape)}"
            )
    network.load_state_dict(ours)
    return network

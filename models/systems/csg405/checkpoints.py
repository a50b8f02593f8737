"""Published checkpoints: what each tensor is called there and here, and the statistics that were released beside."""

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from manifests.errors import UserError
from manifests.files import sha256_of
from models.data.audio import encoder_of
from models.data.files import array_in
from models.data.skeleton import Skeleton
from models.data.statistics import Statistics
from models.systems.csg405.configs import Config
from models.systems.csg405.generator import SkeletonGenerator
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
        content: Any = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except FileNotFoundError as error:
        raise WeightsError(f"there is no checkpoint {file}") from error
    except UNREADABLE as error:
        raise WeightsError(
            f"{file} cannot be read as a PyTorch checkpoint that holds nothing but tensors and numbers"
        ) from error
    state = (
        content.get("state_dict", content.get("model", content))
        if isinstance(content, dict)
        else content
    )
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


# ---- with the statistics ---------------------------------------------------------------------------------------------

MEAN = "Mean_pose_rescaled_local_smooth_no_leg.npy"
STD = "Std_pose_rescaled_local_smooth_no_leg.npy"
"""As the released code names them (2d_kp_generation/data_loaders/audio_to_2dkp/config.py)."""
GUIDANCE = 3.5
"""The scale at which the released code's test script generates from voices that do not belong to the reference."""


def imported(checkpoint: Path, statistics: Sequence[Path], config: Config) -> SkeletonGenerator:
    """The model of a checkpoint, as far as its files say it. config: of its size; its skeleton is the release's.

    statistics: a folder with MEAN and STD, or these two files. The number of heads does not show in a checkpoint.
    Raises WeightsError, EncoderError.
    """
    if config.network != "released":
        raise WeightsError(f"a released checkpoint needs network=released, got {config.network}")
    if config.skeleton.neck or not config.skeleton.local:
        raise WeightsError(
            "a released checkpoint needs skeleton.neck=false and skeleton.local=true"
        )
    mean, std = statistics_files(statistics)
    normal = read_statistics(mean, std, config.skeleton)
    encoder = encoder_of(config.encoder)
    network = config.build(encoder.size)
    assert isinstance(network, PublishedTransformer)
    load_published(checkpoint, network)
    files = {"checkpoint": checkpoint, "mean": mean, "std": std}
    facts = {
        "imported": {what: sha256_of(file) for what, file in files.items()},
        "guidance": {"scale": GUIDANCE},
    }
    return SkeletonGenerator(config, network.eval(), normal, encoder, facts)


def statistics_files(given: Sequence[Path]) -> tuple[Path, Path]:
    """(mean, std), from the folder they lie in or named one by one, the mean first. Raises WeightsError."""
    match given:
        case [folder] if folder.is_dir():
            files = folder / MEAN, folder / STD
        case [mean, std]:
            files = mean, std
        case _:
            raise WeightsError(
                f"statistics are a folder with {MEAN} and {STD}, or two files, the mean first, "
                f"got {', '.join(map(str, given)) or 'none'}"
            )
    for file in files:
        if not file.is_file():
            raise WeightsError(f"there are no statistics {file}")
    return files


def read_statistics(mean: Path, std: Path, skeleton: Skeleton) -> Statistics:
    """Statistics of a local layout without a neck, in half crops. Raises WeightsError.

    Each file is (1, joints + 1, 2): one person; the neck, then the joints in their order; x and y. The released code
    leaves the neck out, too. How often a joint was seen it does not say: all are taken as seen.
    """
    middle, apart = (read_rows(file, len(skeleton.joints)) for file in (mean, std))
    if (apart <= 0.0).any():
        raise WeightsError(
            f"{std.name} has a standard deviation of {apart.min():g}, needed above 0; the mean is named first"
        )
    return Statistics(middle, apart, np.ones_like(middle))


def read_rows(file: Path, joints: int) -> Float32[np.ndarray, " size"]:
    """x and y of each joint, one after the other, without the neck's. Raises WeightsError."""
    try:
        with file.open("rb") as stream:
            rows = array_in(stream)
    except (OSError, ValueError) as error:
        raise WeightsError(f"{file} cannot be read as an array of numbers (.npy)") from error
    if rows.shape != (1, joints + 1, 2):
        raise WeightsError(
            f"{file.name} is {rows.shape}, needed {(1, joints + 1, 2)}: the neck and {joints} joints"
        )
    if rows.dtype.kind != "f" or not np.isfinite(rows).all():
        raise WeightsError(f"{file.name} does not hold finite floating-point numbers")
    return rows[0, 1:].reshape(-1).astype(np.float32)

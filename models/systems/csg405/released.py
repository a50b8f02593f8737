"""A released checkpoint with the statistics that were released beside it, as a trained model."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from manifests.files import sha256_of
from models.data.audio import encoder_of
from models.data.files import array_in
from models.data.skeleton import Skeleton
from models.data.statistics import Statistics
from models.systems.csg405.configs import Config
from models.systems.csg405.published import PublishedTransformer
from models.systems.csg405.trained import Trained
from models.systems.csg405.weights import WeightsError, load_published

MEAN = "Mean_pose_rescaled_local_smooth_no_leg.npy"
STD = "Std_pose_rescaled_local_smooth_no_leg.npy"
"""As the released code names them (2d_kp_generation/data_loaders/audio_to_2dkp/config.py)."""
GUIDANCE = 3.5
"""The scale at which the released code's test script generates from voices that do not belong to the reference."""


def imported(checkpoint: Path, statistics: Sequence[Path], config: Config) -> Trained:
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
    return Trained(config, network.eval(), normal, encoder, facts)


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
            held = array_in(stream)
    except (OSError, ValueError) as error:
        raise WeightsError(f"{file} cannot be read as an array of numbers (.npy)") from error
    if held.shape != (1, joints + 1, 2):
        raise WeightsError(
            f"{file.name} is {held.shape}, needed {(1, joints + 1, 2)}: the neck and {joints} joints"
        )
    if held.dtype.kind != "f" or not np.isfinite(held).all():
        raise WeightsError(f"{file.name} does not hold finite floating-point numbers")
    return held[0, 1:].reshape(-1).astype(np.float32)

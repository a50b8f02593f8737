"""A released checkpoint and its statistics: what is taken, what is refused and with which sentence."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.systems.csg405.card import card
from models.systems.csg405.checkpoints import (
    MEAN,
    STD,
    WeightsError,
    imported,
    read_statistics,
    statistics_files,
)
from models.systems.csg405.configs import Config, Size, released
from models.systems.csg405.generator import SkeletonGenerator
from models.training.settings import plain
from tests.models.making import released_layout, smooth_pose, write_checkpoint, write_statistics

WIDTH = 32
AUDIO = 160  # of the embedded encoder, so that no weights are needed


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "c.pth", width=WIDTH, depth=2, hidden=64, audio=AUDIO)


@pytest.fixture
def statistics(tmp_path: Path) -> Path:
    return write_statistics(tmp_path / "statistics", released_layout(smooth_pose(0, 1))[0], 0.5)


def config(**size: int) -> Config:
    held = {"width": WIDTH, "depth": 2, "heads": 2, "hidden": 64} | size
    return replace(released(), size=Size(**held), encoder="logmel")


def resave(file: Path, **changed: object) -> None:
    """The checkpoint with some tensors changed or, where None, taken out."""
    held = torch.load(file, weights_only=True)
    for name, value in changed.items():
        held["model"].pop(name, None)
        if value is not None:
            held["model"][name] = value
    torch.save(held, file)


# ---- the checkpoint ----------------------------------------------------------------------------------------


def test_the_tensors_are_those_of_the_file_and_the_encoder_in_it_is_left_out(
    checkpoint: Path, statistics: Path
) -> None:
    held = torch.load(checkpoint, weights_only=True)["model"]
    network = imported(checkpoint, [statistics], config()).network
    state = network.state_dict()
    assert torch.equal(state["null_audio"], held["audio_learnable"])
    assert torch.equal(state["join.2.weight"], held["concat_to_hidden.2.weight"])
    name = "layers.1.self_attn.in_proj_weight"
    assert torch.equal(state[f"encoder.{name}"], held[f"seqTransEncoder.{name}"])
    ignored = [name for name in held if name.startswith("aud_m.") or name.endswith(".pe")]
    assert len(ignored) == 3 and len(state) == len(held) - 3


@pytest.mark.parametrize(
    ("size", "sentence"),
    [
        ({"width": 48}, r"^c\.pth: audio_learnable is \(32,\), this network has \(48,\); size\.width"),
        ({"hidden": 65}, r"^c\.pth: seqTransEncoder\.layers\.0\.linear1\.weight is \(64, 32\), this "),
        ({"depth": 3}, r"^c\.pth lacks 'seqTransEncoder\.layers\.2\.\S+' and 11 more tensors, which "),
        ({"depth": 1}, r"^c\.pth has 'seqTransEncoder\.layers\.1\.\S+', which this network has not$"),
    ],
)  # fmt: skip
def test_a_network_of_another_size_is_one_sentence(
    checkpoint: Path, statistics: Path, size: dict[str, int], sentence: str
) -> None:
    with pytest.raises(WeightsError, match=sentence):
        imported(checkpoint, [statistics], config(**size))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (None, r"lacks 'audio_learnable', which this network has$"),
        (torch.zeros(31), r"audio_learnable is \(31,\), this network has \(32,\)"),
        (
            torch.full((32,), torch.nan),
            r"audio_learnable does not hold finite floating-point numbers$",
        ),
        (torch.zeros(32, dtype=torch.int64), r"audio_learnable does not hold finite floating"),
        (
            torch.zeros(32).to_sparse(),
            r"audio_learnable does not hold finite floating-point numbers$",
        ),
        (
            torch.zeros(32, device="meta"),
            r"audio_learnable does not hold finite floating-point numbers$",
        ),
        ([0.0] * 32, r"holds a list under 'audio_learnable', not tensors by name$"),
    ],
    ids=["absent", "short", "nan", "integers", "sparse", "empty", "list"],
)
def test_a_tensor_that_cannot_be_taken_is_named(
    checkpoint: Path, statistics: Path, changed: object, sentence: str
) -> None:
    resave(checkpoint, audio_learnable=changed)
    with pytest.raises(WeightsError, match=sentence):
        imported(checkpoint, [statistics], config())


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.file,)  # type: ignore[return-value]


def test_code_in_a_checkpoint_is_not_run(checkpoint: Path, statistics: Path) -> None:
    mark = checkpoint.with_name("was-run")
    torch.save({"model": Evil(mark)}, checkpoint)
    with pytest.raises(
        WeightsError, match=r"c\.pth cannot be read as a PyTorch checkpoint that holds"
    ):
        imported(checkpoint, [statistics], config())
    assert not mark.exists()
    torch.load(checkpoint, weights_only=False)
    assert mark.exists()  # it would have been


def refusal(checkpoint: Path, statistics: Path) -> str | None:
    """Why an import is refused; None where it is not."""
    try:
        imported(checkpoint, [statistics], config())
    except WeightsError as error:
        return str(error)
    return None


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_damaged_checkpoint_is_refused_or_read_and_nothing_else(
    checkpoint: Path, statistics: Path
) -> None:
    content, rng, refused = checkpoint.read_bytes(), random.Random(0), 0
    directory = content.rindex(b"PK\x01\x02") - 2_000
    for _ in range(150):
        damaged = bytearray(content[: rng.choice([len(content), rng.randrange(len(content))])])
        for _ in range(rng.choice([1, 3, 20])):
            low = rng.choice([0, min(directory, len(damaged) - 1)])
            damaged[rng.randrange(low, min(low + 3_000, len(damaged)))] = rng.randrange(256)
        checkpoint.write_bytes(damaged)
        sentence = refusal(checkpoint, statistics)
        refused += sentence is not None
        assert "\n" not in (sentence or "")
    assert refused > 75


@pytest.mark.parametrize("content", [b"", b"abc", b"\x80\x02}q\x00.", b"PK\x03\x04"], ids=repr)
def test_a_file_of_another_kind_is_one_sentence(
    checkpoint: Path, statistics: Path, content: bytes
) -> None:
    checkpoint.write_bytes(content)
    with pytest.raises(WeightsError, match=r"c\.pth cannot be read as a PyTorch checkpoint"):
        imported(checkpoint, [statistics], config())


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"network": "paper"}, "needs network=released, got paper$"),
        ({"skeleton": replace(released().skeleton, neck=True)}, "skeleton.neck=false and"),
        ({"skeleton": replace(released().skeleton, local=False)}, "skeleton.local=true$"),
    ],
    ids=["network", "neck", "local"],
)
def test_a_configuration_that_is_not_the_releases_is_refused(
    checkpoint: Path, statistics: Path, changed: dict[str, object], sentence: str
) -> None:
    with pytest.raises(WeightsError, match=sentence):
        imported(checkpoint, [statistics], replace(config(), **changed))  # type: ignore[arg-type]


# ---- the statistics ----------------------------------------------------------------------------------------


def test_statistics_are_those_of_the_joints_in_their_order_without_the_neck(
    statistics: Path,
) -> None:
    rows = released_layout(smooth_pose(0, 1))[0]
    found = read_statistics(statistics / MEAN, statistics / STD, released().skeleton)
    assert np.array_equal(found.mean, rows[1:].reshape(-1).astype(np.float32))
    assert (found.std == 0.5).all() and (found.known_fraction == 1.0).all()
    assert len(found.mean) == released().skeleton.size


def test_they_are_found_in_their_folder_or_named_one_by_one(statistics: Path) -> None:
    files = (statistics / MEAN, statistics / STD)
    assert statistics_files([statistics]) == statistics_files(files) == files
    for given in ([], [files[0]], [*files, files[0]]):
        with pytest.raises(WeightsError, match=r"^statistics are a folder with Mean_pose_rescaled"):
            statistics_files(given)
    files[1].unlink()
    for given in ([statistics], files):
        with pytest.raises(WeightsError, match=f"^there are no statistics .*{STD}$"):
            statistics_files(given)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (np.ones((1, 134, 2)), r"^Std\S+ is \(1, 134, 2\), needed \(1, 124, 2\): the neck and 123 joints$"),
        (np.ones((124, 2)), r"^Std\S+ is \(124, 2\), needed \(1, 124, 2\)"),
        (np.ones((1, 124, 2), np.int64), r"^Std\S+ does not hold finite floating-point numbers$"),
        (np.full((1, 124, 2), np.inf), r"^Std\S+ does not hold finite floating-point numbers$"),
        (np.zeros((1, 124, 2)), r"^Std\S+ has a standard deviation of 0, needed above 0; the mean is named first$"),
        (np.array([{}]), r"Std\S+ cannot be read as an array of numbers \(\.npy\)$"),
    ],
    ids=["joints", "flat", "integers", "infinite", "zero", "pickle"],
)  # fmt: skip
def test_statistics_that_cannot_be_taken_are_one_sentence(
    statistics: Path, rows: np.ndarray, sentence: str
) -> None:
    np.save(statistics / STD, rows, allow_pickle=True)
    with pytest.raises(WeightsError, match=sentence):
        read_statistics(statistics / MEAN, statistics / STD, released().skeleton)


def test_mean_and_spread_that_were_exchanged_are_noticed(statistics: Path) -> None:
    with pytest.raises(WeightsError, match="the mean is named first"):
        read_statistics(statistics / STD, statistics / MEAN, released().skeleton)


# ---- the model ---------------------------------------------------------------------------------------------


def test_the_folder_loads_and_its_card_says_where_it_comes_from(
    checkpoint: Path, statistics: Path, tmp_path: Path
) -> None:
    model = imported(checkpoint, [statistics], config())
    model.save(tmp_path / "model")
    again = SkeletonGenerator.load(tmp_path / "model")
    assert again.config == config() and again.facts == model.facts
    text = (tmp_path / "model" / "README.md").read_text()
    assert "Made by `csg-model import` from a published checkpoint" in text
    assert f"| SHA-256 of the checkpoint | `{model.facts['imported']['checkpoint']}` |" in text
    assert "sources.parquet" not in text and "network `released`, 2 layers of 32" in text
    encoder = {"name": "logmel", "version": "2", "weights": None}
    told = {"config": plain(config()), "encoder": encoder, "facts": model.facts}
    parameters = sum(each.numel() for each in model.network.parameters())
    assert text == card(told, parameters)

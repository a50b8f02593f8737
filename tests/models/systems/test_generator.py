"""Sampling with guidance, and a trained model in its folder: loaded to the bit, refused where it does not fit."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from manifests import keypoints as kp
from models.data.audio import EncoderError, LogMel, SpeechEncoder
from models.data.features import pose_features, prepare
from models.data.index import Motions
from models.data.skeleton import LEGS, Skeleton
from models.data.statistics import Statistics, statistics_of
from models.diffusion.sampling import Sampling
from models.diffusion.schedule import from_x0
from models.systems.csg405.batches import Reference
from models.systems.csg405.card import card
from models.systems.csg405.condition import denoiser, sample
from models.systems.csg405.configs import Config, Noise, Size, tiny
from models.systems.csg405.generator import GenerationSettings, SkeletonGenerator
from models.systems.folder import ModelError
from models.training.settings import plain
from tests.models.making import save_network, smooth_pose, voice

LEFT_KNEE = 13
SMALL = Size(32, 1, 2, 64)
FRAMES = 20
NOISE = Noise(steps=50)


class Listening(nn.Module):
    """Says x0 as a function of the voice, which is another one in silence; as x0, noise or v of it."""

    def __init__(self, kind: str = "x0") -> None:
        super().__init__()
        self.kind = kind
        self.calls: list[int] = []
        self.precision = nn.Parameter(torch.zeros(1))

    def forward(
        self, x: Tensor, t: Tensor, audio: Tensor, reference: Tensor, *,
        drop_audio: Tensor | None = None, there: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        self.calls.append(len(x))
        heard = audio if drop_audio is None else torch.where(drop_audio[:, None, None], -0.3, audio)
        x0 = torch.tanh(0.5 * x + heard[..., : x.shape[2]] + 0.1 * reference[:, :1])
        signal, sigma = NOISE.schedule.at(t)
        return from_x0(self.kind, x0, x, signal, sigma)  # type: ignore[arg-type]


def given(time: int = 33) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(4)
    return {
        "audio": torch.randn(2, time, 6, generator=generator),
        "reference": torch.randn(2, 1, 6, generator=generator),
        "frames": FRAMES,
    }


def drawn(network: nn.Module, how: Sampling, noise: Noise = NOISE, **changed: Any) -> Tensor:
    generator = torch.Generator().manual_seed(9)
    return sample(network, **(given() | changed), noise=noise, how=how, generator=generator)


# ---- guidance ----------------------------------------------------------------------------------------------


def branches(scale: float, silent: bool | None = None) -> tuple[Tensor, Tensor]:
    """What the guided denoiser says, and what the network itself says of the voice or in silence."""
    network, parts = Listening(), given(FRAMES)
    x = torch.randn(2, FRAMES, 6, generator=torch.Generator().manual_seed(1))
    t = torch.tensor([3, 40])
    how = Sampling(scale=scale)
    said = denoiser(network, **parts, noise=NOISE, how=how)(x, t)
    mute = None if silent is None else torch.full((2,), silent)
    return said, network(x, t, parts["audio"], parts["reference"], drop_audio=mute)


def test_guidance_of_one_is_the_conditional_branch_to_the_bit() -> None:
    assert torch.equal(*branches(1.0))


def test_guidance_of_zero_is_the_null_branch_to_the_bit() -> None:
    assert torch.equal(*branches(0.0, silent=True))


def test_guidance_goes_from_the_null_through_the_conditional_and_on() -> None:
    null, conditional = branches(0.0)[0], branches(1.0)[0]
    assert not torch.allclose(null, conditional)
    expected = null + 2.5 * (conditional - null)
    assert torch.allclose(branches(2.5)[0], expected, atol=1e-6)


def test_without_guidance_the_network_is_asked_once_and_with_it_both_branches_side_by_side() -> (
    None
):
    for scale, size in ((1.0, 2), (2.0, 4)):
        network = Listening()
        drawn(network, Sampling(scale=scale, steps=3), audio=given(10)["audio"])
        assert network.calls == [size] * 3


# ---- sampling ----------------------------------------------------------------------------------------------

SAMPLERS = pytest.mark.parametrize("sampler", ["dpm", "ddim", "ancestral"])


@SAMPLERS
def test_networks_that_say_the_same_in_three_ways_give_the_same_motion(sampler: Any) -> None:
    how = Sampling(sampler=sampler, steps=10, eta=0.5)
    motions = [
        drawn(Listening(kind), how, replace(NOISE, prediction_type=kind))
        for kind in ("x0", "epsilon", "v")
    ]
    assert motions[0].shape == (2, 33, 6)
    for motion in motions[1:]:
        assert torch.allclose(motion, motions[0], atol=5e-3)


@SAMPLERS
def test_a_seed_is_a_motion(sampler: Any) -> None:
    how = Sampling(sampler=sampler, steps=5, eta=1.0)
    motion = drawn(Listening(), how)
    assert torch.equal(drawn(Listening(), how), motion)
    other = sample(
        Listening(), **given(), noise=NOISE, how=how, generator=torch.Generator().manual_seed(10)
    )
    assert not torch.allclose(other, motion, atol=1e-3)


@pytest.mark.parametrize("overlap", [None, 0, 7, 19])
def test_a_long_voice_is_as_one_window_where_each_frame_stands_alone(overlap: int | None) -> None:
    how = Sampling(steps=6, overlap=overlap)
    whole = drawn(Listening(), how, frames=100)
    assert torch.allclose(drawn(Listening(), how), whole, atol=1e-5)


# ---- a trained model ---------------------------------------------------------------------------------------


def config(**changed: Any) -> Config:
    return replace(tiny(), size=SMALL, frames=FRAMES, noise=NOISE, **changed)


def trained_on(folder: Path, features: Path, chosen: Config) -> SkeletonGenerator:
    """A network with random weights in all its layers, and the dataset's true statistics."""
    motions = Motions.open(folder)
    statistics = statistics_of(motions, prepare(motions, pose_features(chosen.skeleton), features))
    torch.manual_seed(0)
    network = chosen.build(LogMel().size)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn(parameter.shape)
    facts = {
        "dataset": motions.root,
        "clips": 7,
        "people": 5,
        "steps": 123,
        "without": ["speaker:eve"],
        "validation": {"validation/loss": 0.25},
    }
    return SkeletonGenerator(chosen, network.eval(), statistics, LogMel(), facts)


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("features")


@pytest.fixture(scope="module")
def trained(dataset: Path, features: Path) -> SkeletonGenerator:
    return trained_on(dataset, features, config())


@pytest.fixture(scope="module")
def saved(trained: SkeletonGenerator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "model"
    trained.save(folder)
    return folder


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return shutil.copytree(saved, tmp_path / "model")


def motion(model: SkeletonGenerator, frames: int = 50, seed: int = 3, **how: Any) -> np.ndarray:
    return model.pose(
        model.encode_audio(voice(0, frames)), smooth_pose(0, 1)[0], seed=seed, how=Sampling(**how)
    )


def test_a_voice_and_a_pose_become_motion_of_the_voices_length(trained: SkeletonGenerator) -> None:
    for frames in (1, FRAMES, 50):
        made = motion(trained, frames)
        assert made.shape == (frames, 133, 3) and made.dtype == np.float32
        assert np.isfinite(made).all()
        assert set(np.unique(made[..., 2])) <= {0.0, 1.0}
    assert not np.array_equal(motion(trained), motion(trained, seed=4))
    assert np.array_equal(motion(trained), motion(trained))


@pytest.mark.parametrize("below", ["", ".."], ids=["model", "run"])
def test_what_is_saved_and_loaded_moves_the_same_to_the_bit(
    trained: SkeletonGenerator, saved: Path, below: str
) -> None:
    again = SkeletonGenerator.load(saved / below)
    assert again.config == trained.config and again.facts == trained.facts
    assert np.array_equal(motion(again), motion(trained))
    assert not again.network.training


def test_a_model_of_the_released_kind_is_saved_and_loaded_and_makes_no_legs(
    dataset: Path, features: Path, tmp_path: Path
) -> None:
    joints = tuple(joint for joint in range(kp.JOINTS) if joint not in LEGS)
    skeleton = Skeleton(joints=joints, neck=False, smoothing="released", valid_from=0.7)
    model = trained_on(
        dataset, features,
        config(network="released", skeleton=skeleton, reference=Reference(frames=25, repeated=0.3)),
    )  # fmt: skip
    model.save(tmp_path / "model")
    made = motion(SkeletonGenerator.load(tmp_path / "model"))
    assert np.array_equal(made, motion(model))
    coarse = motion(
        SkeletonGenerator.load(tmp_path / "model", GenerationSettings(precision="bfloat16"))
    )
    assert np.isfinite(coarse).all() and not np.array_equal(coarse, made)
    assert not made[:, list(LEGS)].any()
    assert model.reference(smooth_pose(0, 1)[0]).shape == (25, skeleton.size)
    assert made[:, kp.NOSE, 2].all() and made[:, kp.NOSE, :2].std(axis=0).max() > 0.0


def test_coarser_arithmetic_gives_nearly_the_same_motion(
    trained: SkeletonGenerator, saved: Path
) -> None:
    coarse = motion(
        SkeletonGenerator.load(saved, GenerationSettings(precision="bfloat16")), FRAMES, scale=1.0
    )
    fine = motion(trained, FRAMES, scale=1.0)
    assert not np.array_equal(coarse, fine)
    assert np.abs(coarse - fine)[..., :2].mean() < 0.1 * fine[..., :2].std()


def test_joints_that_training_hardly_saw_are_missing(trained: SkeletonGenerator) -> None:
    share = trained.statistics.known_fraction.copy()
    share[2 * LEFT_KNEE : 2 * LEFT_KNEE + 2] = 0.049
    rare = Statistics(trained.statistics.mean, trained.statistics.std, share)
    made = motion(replace(trained, statistics=rare))
    assert not made[:, LEFT_KNEE].any()
    others = [joint for joint in range(kp.JOINTS) if joint != LEFT_KNEE]
    assert np.array_equal(made[:, others], motion(trained)[:, others])


def test_a_reference_that_shows_nothing_is_refused(trained: SkeletonGenerator) -> None:
    with pytest.raises(ModelError, match="shows no joint with enough confidence"):
        trained.pose(trained.encode_audio(voice(0, 5)), np.zeros((133, 3), np.float32))


def test_a_joint_that_the_reference_lacks_is_zero_for_the_network(
    trained: SkeletonGenerator,
) -> None:
    pose = smooth_pose(0, 1)[0]
    pose[kp.LEFT_WRIST] = 0.0
    shown = trained.reference(pose)[0]
    hand = [2 * joint for joint in range(kp.LEFT_HAND.start, kp.LEFT_HAND.stop)]
    assert not shown[hand].any() and not shown[2 * kp.LEFT_WRIST]
    assert torch.isfinite(shown).all() and shown.any()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"steps": 51}, "the model has 50 steps of noise, asked for steps=51"),
        ({"overlap": 20}, "the model has windows of 20 frames, asked for overlap=20"),
    ],
)
def test_sampling_that_does_not_fit_the_model_is_refused(
    trained: SkeletonGenerator, how: dict[str, int], said: str
) -> None:
    with pytest.raises(ModelError, match=said):
        motion(trained, **how)


# ---- what does not fit -------------------------------------------------------------------------------------


def respell(folder: Path, **changed: Any) -> None:
    file = folder / "system.json"
    told = json.loads(file.read_text())
    for name, value in changed.items():
        told[name] = told[name] | value if isinstance(value, dict) else value
    file.write_text(json.dumps(told))


@pytest.mark.parametrize(
    "other", [{"weights": "0" * 64}, {"name": "wavlm"}, {"version": "1"}], ids=str
)
def test_a_model_refuses_an_encoder_that_it_was_not_trained_with(
    copy: Path, other: dict[str, str]
) -> None:
    respell(copy, encoder=other)
    with pytest.raises(
        ModelError, match=r"the model expects audio encoder .*, got logmel 2 with None"
    ):
        SkeletonGenerator.load(copy)


def test_a_model_takes_its_own_weights_from_anywhere_and_refuses_others(
    dataset: Path, features: Path, tmp_path: Path
) -> None:
    own, other = (save_network("hubert", tmp_path / f"hubert-{n}", seed=n) for n in (0, 1))
    model = trained_on(dataset, features, config(encoder=f"hubert={own}"))
    encoder = SpeechEncoder("hubert", own)
    network = model.config.build(encoder.size).eval()
    model = replace(model, encoder=encoder, network=network)
    model.save(tmp_path / "model")
    moved = own.rename(tmp_path / "moved")
    with pytest.raises(EncoderError, match=r"hubert-0 has no weights of hubert"):
        SkeletonGenerator.load(tmp_path / "model")
    with pytest.raises(ModelError, match=f"with weights {encoder.weights}, got hubert 1 with"):
        SkeletonGenerator.load(tmp_path / "model", GenerationSettings(encoder=f"hubert={other}"))
    with pytest.raises(ModelError, match="got logmel 2 with None"):
        SkeletonGenerator.load(tmp_path / "model", GenerationSettings(encoder="logmel"))
    again = SkeletonGenerator.load(
        tmp_path / "model", GenerationSettings(encoder=f"hubert={moved}")
    )
    assert motion(again, 5).shape == (5, 133, 3)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("system.json", None),
        ("system.json", b"{"),
        ("system.json", b"[]"),
        ("system.json", b"{}"),
        ("config.json", b"{}"),
        ("config.json", None),
        ("statistics.json", None),
        ("statistics.json", b'{"mean": [1]}'),
        ("statistics.json", b"\xff\xfe"),
        ("diffusion_pytorch_model.safetensors", None),
        ("diffusion_pytorch_model.safetensors", b"not tensors"),
    ],
)
def test_a_folder_that_is_not_whole_holds_no_model(
    copy: Path, name: str, content: bytes | None
) -> None:
    (copy / name).unlink()
    if content is not None:
        (copy / name).write_bytes(content)
    with pytest.raises(ModelError, match=r"model holds no trained (csg405 )?model: "):
        SkeletonGenerator.load(copy)


def test_weights_that_are_a_pickle_are_not_read(copy: Path, trained: SkeletonGenerator) -> None:
    (copy / "diffusion_pytorch_model.safetensors").unlink()
    torch.save(trained.network.state_dict(), copy / "diffusion_pytorch_model.bin")
    with pytest.raises(ModelError, match="holds no trained"):
        SkeletonGenerator.load(copy)


def test_settings_that_do_not_exist_and_statistics_of_another_layout_are_refused(
    copy: Path, trained: SkeletonGenerator
) -> None:
    Statistics(*(np.ones(4, np.float32) for _ in range(3))).write(copy / "statistics.json")
    with pytest.raises(ModelError, match="has statistics of 4 numbers, needed 268"):
        SkeletonGenerator.load(copy)
    respell(copy, config={"frames": 0})
    with pytest.raises(ModelError, match="frames is 1 or more"):
        SkeletonGenerator.load(copy)


@pytest.mark.parametrize("device", ["cuda:99", "toaster"])
def test_a_device_that_is_not_there_is_named(saved: Path, device: str) -> None:
    with pytest.raises(ModelError, match=f"device '{device}' cannot be used: "):
        SkeletonGenerator.load(saved, GenerationSettings(device=device))


def test_a_model_is_saved_over_an_earlier_one_and_leaves_nothing_beside(
    trained: SkeletonGenerator, tmp_path: Path
) -> None:
    for _ in range(2):
        trained.save(tmp_path / "model")
        assert {file.name for file in tmp_path.iterdir()} == {"model"}
    assert {file.name for file in (tmp_path / "model").iterdir()} == {
        "README.md", "config.json", "diffusion_pytorch_model.safetensors", "statistics.json", "system.json",
    }  # fmt: skip


# ---- the card ----------------------------------------------------------------------------------------------


def test_the_card_says_what_the_system_file_says(saved: Path, trained: SkeletonGenerator) -> None:
    told = json.loads((saved / "system.json").read_text())
    assert told["config"] == plain(trained.config)
    assert told["encoder"] == {"name": "logmel", "version": "2", "weights": None}
    text = (saved / "README.md").read_text()
    parameters = sum(each.numel() for each in trained.network.parameters())
    assert text == card(told, parameters)
    for part in (
        "network `paper`, 1 layers of 32",
        f"{parameters:,} parameters",
        "predicts `x0`",
        "audio `logmel`\n(weights none)",
        f"| dataset root | `{told['facts']['dataset']}` |",
        "| clips, people | 7, 5 |",
        "| left out on purpose | speaker:eve |",
        f"| steps × batch | 123 × {trained.config.training.batch_size} |",
        "| validation/loss | 0.2500 |",
    ):
        assert part in text
    assert text.startswith("---\nlibrary_name: diffusers\n")


def test_a_card_of_a_model_that_tells_little_is_still_one(saved: Path) -> None:
    told = json.loads((saved / "system.json").read_text()) | {"facts": {}}
    text = card(told, 1_000)
    assert "| clips, people | ?, ? |" in text and "| left out on purpose | nobody |" in text


def test_what_is_told_about_making_has_its_own_defaults() -> None:
    assert GenerationSettings() == GenerationSettings(
        sampler="dpm", steps=8, scale=None, overlap=None, device="cpu"
    )


def test_a_model_of_an_earlier_layout_is_refused_in_one_sentence(copy: Path) -> None:
    file = copy / "system.json"
    told = json.loads(file.read_text())
    del told["layout"]
    file.write_text(json.dumps(told))
    with pytest.raises(ModelError, match=r"has layout 1, needed 2: train it anew"):
        SkeletonGenerator.load(copy)

"""The paper's network and the released one: sizes, masks, conditions, checkpoints."""

from pathlib import Path

import pytest
import torch

from models.systems.csg405 import PublishedTransformer, SkeletonTransformer, released, tiny
from models.systems.csg405.checkpoints import NAMES, WeightsError, from_published, load_published

SIZE, AUDIO = 12, 8


def woken(network: torch.nn.Module) -> torch.nn.Module:
    """A network whose zero layers are not zero, so that what should not matter could."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    return network.eval()


def networks() -> list[torch.nn.Module]:
    small = {"width": 32, "depth": 2, "heads": 2, "hidden": 64}
    return [
        woken(SkeletonTransformer(SIZE, AUDIO, **small)),
        woken(SkeletonTransformer(SIZE, AUDIO, **small, audio_conditioning="cross")),
        woken(SkeletonTransformer(SIZE, AUDIO, **small, reference=False)),
        woken(PublishedTransformer(SIZE, AUDIO, **small)),
    ]


KINDS = pytest.mark.parametrize(
    "kind", range(4), ids=["paper", "cross", "no-reference", "released"]
)


def inputs(batch: int = 3, time: int = 10) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        "x": torch.randn(batch, time, SIZE, generator=generator),
        "t": torch.tensor([0, 40, 99])[:batch],
        "audio": torch.randn(batch, time, AUDIO, generator=generator),
        "reference": torch.randn(batch, 1, SIZE, generator=generator),
    }


def test_the_released_network_has_the_published_number_of_parameters() -> None:
    assert sum(each.numel() for each in released().build(768).parameters()) == 217_520_374


@KINDS
def test_samples_of_a_batch_do_not_mix(kind: int) -> None:
    network, given = networks()[kind], inputs()
    together = network(**given)
    for row in range(3):
        alone = network(**{name: part[row : row + 1] for name, part in given.items()})
        assert torch.allclose(together[row], alone[0], atol=1e-5)


@KINDS
def test_padding_is_never_looked_at(kind: int) -> None:
    network, given = networks()[kind], inputs()
    there = torch.arange(10)[None].expand(3, -1) < 7
    before = network(**given, frame_mask=there)
    given["x"][:, 7:], given["audio"][:, 7:] = 50.0, -50.0
    assert torch.allclose(network(**given, frame_mask=there)[:, :7], before[:, :7], atol=1e-5)


@KINDS
def test_a_silenced_sample_does_not_hear_its_voice(kind: int) -> None:
    network, given = networks()[kind], inputs()
    drop_audio = torch.tensor([True, False, False])
    before = network(**given, drop_audio=drop_audio)
    given["audio"] = given["audio"] + 3.0
    after = network(**given, drop_audio=drop_audio)
    assert torch.allclose(before[0], after[0], atol=1e-5)
    assert not torch.allclose(before[1], after[1], atol=1e-3)


@KINDS
def test_the_reference_matters_where_there_is_one(kind: int) -> None:
    network, given = networks()[kind], inputs()
    before = network(**given)
    given["reference"] = given["reference"] + 3.0
    assert torch.allclose(network(**given), before, atol=1e-5) == (kind == 2)


def test_the_network_begins_by_saying_nothing() -> None:
    given, config = inputs(), tiny()
    for name in ("x", "reference"):
        given[name] = given[name].repeat(1, 1, 23)[..., : config.skeleton.size]
    assert not config.build(AUDIO)(**given).any()


def test_a_network_is_saved_and_loaded_whole(tmp_path: Path) -> None:
    network, given = networks()[0], inputs()
    network.save_pretrained(tmp_path)
    assert (tmp_path / "diffusion_pytorch_model.safetensors").is_file()
    again = SkeletonTransformer.from_pretrained(tmp_path).eval()
    assert torch.equal(again(**given), network(**given))


def test_a_checkpoint_in_the_published_layout_is_read(tmp_path: Path) -> None:
    network = networks()[3]
    back = {ours: theirs for theirs, ours in NAMES.items()}
    published = {
        next(back[o] + name[len(o) :] for o in back if name == o or name.startswith(o + ".")): value
        for name, value in network.state_dict().items()
    }
    published["sequence_pos_encoder.pe"] = torch.zeros(5000, 1, 32)
    torch.save(published, tmp_path / "model.pt")
    empty = PublishedTransformer(SIZE, AUDIO, width=32, depth=2, heads=2, hidden=64)
    read = load_published(tmp_path / "model.pt", empty).eval()
    assert torch.equal(read(**inputs()), network(**inputs()))
    with pytest.raises(WeightsError, match="lacks"):
        torch.save({"audio_learnable": torch.zeros(32)}, tmp_path / "part.pt")
        load_published(tmp_path / "part.pt", empty)
    with pytest.raises(WeightsError, match=r"no tensor 'clip_model\.x'"):
        from_published({"clip_model.x": torch.zeros(1)})

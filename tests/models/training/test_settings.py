"""Settings by their dotted names: what is set, and the one sentence about what cannot be."""

import dataclasses
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.systems.csg405.configs import CONFIGS, Config, Noise, small, tiny
from models.systems.csg405.generator import GenerationSettings
from models.training.settings import (
    SEEDS,
    SettingsError,
    Training,
    configured,
    differing,
    overridden,
    parsed,
    plain,
)


@pytest.mark.parametrize("name", CONFIGS)
def test_nothing_set_changes_nothing_and_a_config_goes_through_json(name: str) -> None:
    config = CONFIGS[name]()
    assert overridden(config, []) == config
    assert parsed(Config, plain(config)) == config
    assert differing(plain(config), plain(overridden(config, []))) == []


def test_settings_are_set_at_any_depth_and_the_last_wins() -> None:
    config = overridden(
        tiny(),
        [
            "frames=50",
            "size.width=32",
            "training.steps=7",
            "training.steps=9",
            "training.learning_rate=1e-3",
            "training.compile=true",
            "training.threads=2",
            "skeleton.smoothing=null",
            "skeleton.joints=[0, 5, 6]",
            "noise.prediction_type=v",
            "encoder=wav2vec2=/some/folder",
        ],
    )
    assert (config.frames, config.size.width, config.training.steps) == (50, 32, 9)
    assert (config.training.learning_rate, config.training.compile, config.training.threads) == (
        1e-3,
        True,
        2,
    )
    assert (config.skeleton.smoothing, config.skeleton.joints) == (None, (0, 5, 6))
    assert (config.noise.prediction_type, config.encoder) == ("v", "wav2vec2=/some/folder")
    assert config.size.depth == tiny().size.depth
    assert set(differing(plain(config), plain(tiny()))) == {
        "encoder", "frames", "noise.prediction_type", "size.width", "skeleton.joints", "skeleton.smoothing",
        "training.compile", "training.learning_rate", "training.steps", "training.threads",
    }  # fmt: skip


@given(st.integers(1, 10**6), st.floats(1e-9, 1e3), st.integers(0, SEEDS - 1))
def test_any_number_is_read_as_it_was_said(steps: int, rate: float, seed: int) -> None:
    said = [f"training.steps={steps}", f"training.learning_rate={rate!r}", f"training.seed={seed}"]
    training = overridden(tiny(), said).training
    assert (training.steps, training.learning_rate, training.seed) == (steps, rate, seed)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("training.step=3", "there is no setting 'training.step'; did you mean training.steps?"),
        ("trainin.steps=3", "there is no setting 'trainin.steps'; did you mean training?"),
        ("widht=3", "there is no setting 'widht'; there are network, size, audio_conditioning,"),
        ("size.xyz=3", "there is no setting 'size.xyz'; there are width, depth, heads, hidden"),
        ("encoder.folder=3", "there is no setting 'encoder.folder'"),
        ("=3", "there is no setting ''; there are network"),
        (".=3", "there is no setting '.'; there are network"),
        ("training..steps=3", "there is no setting 'training..steps'"),
        ("frames", "a setting is NAME=VALUE, got 'frames'"),
        ("", "a setting is NAME=VALUE, got ''"),
        ("size=3", "'size' is a group of settings; set one of width, depth, heads, hidden"),
        ("training={steps: 3}", "'training' is a group of settings"),
        ("frames=ten", "frames: Input should be a valid integer.*, got 'ten'"),
        ("frames=2.5", "frames: Input should be a valid integer.*, got 2.5"),
        ("frames=", "frames: Input should be a valid integer.*, got None"),
        ("frames=true", "frames: a number is needed, got 'true'"),
        ("training.learning_rate=yes", "training.learning_rate: a number is needed, got 'yes'"),
        ("training.compile=perhaps", "training.compile: Input should be a valid boolean"),
        ("network=large", "network: Input should be 'paper' or 'released', got 'large'"),
        ("noise.prediction_type=x1", "noise.prediction_type: Input should be 'x0', 'epsilon' or 'v', got 'x1'"),
        ("encoder=3", "encoder: Input should be a valid string, got 3"),
        ("skeleton.joints=3", "skeleton.joints: Input should be a valid tuple, got 3"),
        ("skeleton.joints=[0,", "skeleton.joints: '\\[0,' cannot be read as YAML"),
        ("frames=!!python/object:x {}", "frames: '!!python/object:x {}' cannot be read as YAML"),
        ("training.steps=0", "^training.steps is 1 or more, got 0$"),
        ("training.batch_size=-1", "^training.batch_size is 1 or more, got -1$"),
        ("training.warmup=-1", "^training.warmup is 0 or more, got -1$"),
        ("training.weight_decay=.nan", "^training.weight_decay is 0 or more, got nan$"),
        ("training.learning_rate=0", "^training.learning_rate and max_grad_norm are above 0, got 0.0, 1.0$"),
        ("training.learning_rate=.nan", "training.learning_rate and max_grad_norm are above 0, got nan"),
        ("training.learning_rate=.inf", "training.learning_rate and max_grad_norm are above 0, got inf"),
        ("training.max_grad_norm=.nan", "training.learning_rate and max_grad_norm are above 0, got 0.0005, nan"),
        ("training.ema_decay=1", "^training.ema_decay is from 0 to below 1, got 1.0$"),
        ("training.ema_decay=.nan", "training.ema_decay is from 0 to below 1, got nan"),
        ("training.threads=0", "^training.threads is 1 or more, got 0$"),
        (f"training.seed={SEEDS}", f"^training.seed is 0 to {SEEDS - 1}, got {SEEDS}$"),
        ("training.seed=-1", "^training.seed is 0 to"),
        ("frames=0", "^frames is 1 or more, got 0$"),
        ("size.depth=0", "^size.depth is 1 or more, got 0$"),
        ("size.heads=3", "^size.width is even and a multiple of size.heads \\(3\\), got 128$"),
        ("size.width=33", "size.width is even and a multiple"),
        ("noise.steps=0", "^noise.steps is 1 or more, got 0$"),
        ("noise.audio_dropout=1.5", "^noise.audio_dropout is 0 to 1, got 1.5$"),
        ("noise.mouth_weight=-1", "^noise.mouth_weight is 0 or more, got -1.0$"),
        ("reference.frames=0", "^a reference has 1 frame or more, .* got 0, 0.0$"),
        ("reference.repeated=2", "^a reference has 1 frame or more, .* got 1, 2.0$"),
        ("skeleton.joints=[]", "^joints are some of 0 to 132, each once, got \\[\\]$"),
        ("skeleton.joints=[0, 133]", "^joints are some of 0 to 132, each once, got \\[0, 133\\]$"),
        ("skeleton.joints=[5, 5]", "^joints are some of 0 to 132, each once"),
        ("skeleton.joints=[91, 92]", "^a local layout needs the roots of its joints: 9 is not in"),
        ("skeleton.face_root=chin", "^face_root is nose_tip or nose, got 'chin'$"),
        ("skeleton.smoothing=none", "^smoothing is paper, released or null, got 'none'$"),
        ("skeleton.valid_from=-1", "^valid_from is 0 or more, got -1.0$"),
    ],
)  # fmt: skip
def test_what_cannot_be_set_is_one_sentence(given: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        overridden(tiny(), [given])
    assert "\n" not in str(caught.value) and "Value error" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("steps=0", "^steps is 1 or more, got 0$"),
        ("scale=.nan", "^scale is a number, got nan$"),
        ("eta=1.5", "^eta is 0 to 1, got 1.5$"),
        ("overlap=-1", "^overlap is 0 or more, got -1$"),
        ("sampler=euler", "sampler: Input should be 'dpm', 'ddim' or 'ancestral', got 'euler'"),
        ("devise=cuda", "there is no setting 'devise'; did you mean device?"),
    ],
)
def test_what_cannot_be_sampled_is_one_sentence(given: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        overridden(GenerationSettings(), [given])


def test_every_step_of_every_rank_has_a_seed_of_its_own_that_the_generator_takes() -> None:
    import torch

    from models.training.trainer import seed_of

    seeds = {
        seed_of(seed, step, rank)
        for seed in (0, 1, 20_240, SEEDS - 1)
        for step in (-1, 0, 1, 2_000_000)
        for rank in (0, 1, 63)
    }
    assert len(seeds) == 4 * 4 * 3
    for seed in seeds:
        torch.Generator().manual_seed(seed)


def test_differences_are_named_wherever_they_lie() -> None:
    one = {"a": {"b": 1, "c": [1, 2]}, "d": None}
    assert differing(one, one) == []
    assert differing(one, {"a": {"b": 2, "c": [1, 2]}, "d": None}) == ["a.b"]
    assert differing(one, {"a": 3}) == ["a"]
    assert differing(one, {**one, "e": 1}) == ["e"]


def test_settings_can_be_replaced_in_code_with_the_same_checks() -> None:
    with pytest.raises(SettingsError, match=r"training\.steps"):
        dataclasses.replace(Training(), steps=0)
    with pytest.raises(SettingsError, match=r"noise\.power"):
        Noise(power=0)
    assert math.isinf(Training(max_grad_norm=math.inf).max_grad_norm)


# ---- a file of settings ----------------------------------------------------------------------------------------


def test_a_file_of_settings_changes_a_configuration_and_set_changes_both(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "base: small\nframes: 100\ntraining: {steps: 7, workers: 2}\nsize:\n  depth: 3\n"
    )
    found = configured(CONFIGS, str(file), ["training.steps=9"])
    wanted = small()
    wanted = replace(
        wanted, frames=100, size=replace(wanted.size, depth=3),
        training=replace(wanted.training, steps=9, workers=2),
    )  # fmt: skip
    assert found == wanted
    file.write_text("frames: 100\n")
    assert configured(CONFIGS, str(file), []) == replace(tiny(), frames=100)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read as YAML: "),
        ("a: [", "cannot be read as YAML: "),
        ("- 1\n", "holds a list, needed settings by name"),
        ("base: huge\n", "base is one of tiny, small, paper, released, got 'huge'"),
        ("trainin: {steps: 3}\n", "there is no setting 'trainin.steps'; did you mean training?"),
        ("training: 3\n", "'training' is a group of settings"),
        ("training: {steps: many}\n", "training.steps: Input should be a valid integer"),
        ("training: {steps: true}\n", "training.steps: a number is needed"),
    ],
)
def test_a_file_that_is_no_settings_is_one_sentence(
    tmp_path: Path, content: str | None, said: str
) -> None:
    file = tmp_path / "mine.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError) as caught:
        configured(CONFIGS, str(file), [])
    assert said in str(caught.value)


def test_half_precision_is_refused_with_the_reason() -> None:
    with pytest.raises(
        SettingsError, match="precision is no or bf16, got fp16: what its loss scaler"
    ):
        Training(precision="fp16")

"""The scale of guidance: measured on validation clips, kept with the model, taken where nobody asks for another."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.data.features import Features, audio_features, prepare
from models.data.index import Motions
from models.diffusion.sampling import Sampling
from models.evaluation import guidance
from models.evaluation.guidance import SCALES, Generate, measured_guidance, unlike
from models.systems.csg405.generator import SkeletonGenerator
from tests.models.making import smooth_pose, voice
from tests.models.systems.test_generator import config, trained_on


@pytest.fixture(scope="module")
def clips(
    dataset: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Motions, Features, SkeletonGenerator]:
    folder = tmp_path_factory.mktemp("features")
    model = trained_on(dataset, folder, config())
    motions = Motions.open(dataset)
    return motions, prepare(motions, audio_features(model.encoder), folder), model


def generating(model: SkeletonGenerator, motions: Motions, voices: Features) -> Generate:
    def generate(number: int, frames: int, scale: float) -> np.ndarray:
        voice = voices.rows(motions.entries[number], 0, frames)
        middle = motions.pose(number)[frames // 2]
        return model.pose(voice, middle, seed=number, how=Sampling(scale=scale))

    return generate


def test_a_motion_is_like_itself_and_unlike_one_twice_as_fast() -> None:
    slow = smooth_pose(0, 60)
    fast = slow[::2]
    assert unlike(slow, slow) == 0.0
    assert unlike(fast, slow) == pytest.approx(unlike(slow, fast), rel=0.05)
    assert 0.5 < (unlike(fast, slow) or 0.0) < 2.5
    assert unlike(np.repeat(slow[:1], 60, axis=0), slow) is None


def test_the_scale_whose_motion_is_most_like_the_recorded_is_taken(
    clips: tuple[Motions, Features, SkeletonGenerator], monkeypatch: pytest.MonkeyPatch
) -> None:
    motions, voices, model = clips
    monkeypatch.setattr(
        guidance, "mean_error", lambda *given: {1.0: 0.9, 1.5: 0.2, 2.0: 0.4, 3.0: None}[given[-1]]
    )
    found = measured_guidance(generating(model, motions, voices), motions)
    assert found.scale == 1.5 and found.errors == {"1": 0.9, "1.5": 0.2, "2": 0.4}


def test_scales_are_measured_on_clips(clips: tuple[Motions, Features, SkeletonGenerator]) -> None:
    motions, voices, model = clips
    found = measured_guidance(generating(model, motions, voices), motions)
    assert found.errors is not None and len(found.errors) == len(SCALES)
    assert found.scale == float(min(found.errors, key=found.errors.__getitem__))
    assert found == measured_guidance(generating(model, motions, voices), motions)


def test_without_clips_nothing_is_guided(
    clips: tuple[Motions, Features, SkeletonGenerator],
) -> None:
    motions, voices, model = clips
    generate = generating(model, motions, voices)
    assert measured_guidance(generate, motions.where(lambda _: False)).scale == 1.0


def test_a_model_generates_at_its_own_scale_unless_asked(
    clips: tuple[Motions, Features, SkeletonGenerator], tmp_path: Path
) -> None:
    _, _, model = clips
    facts = {**model.facts, "guidance": {"scale": 3.0, "errors": {"3": 0.1}, "clips": 2}}
    replace(model, facts=facts).save(tmp_path / "model")
    loaded = SkeletonGenerator.load(tmp_path / "model")
    heard_voice, pose = loaded.encode_audio(voice(0, 30)), smooth_pose(0, 1)[0]

    def made(scale: float | None) -> np.ndarray:
        return loaded.pose(heard_voice, pose, seed=1, how=Sampling(scale=scale))

    assert loaded.scale == 3.0 and loaded.resolved(Sampling()).scale == 3.0
    assert np.array_equal(made(None), made(3.0))
    assert not np.array_equal(made(None), made(1.0))
    assert (
        "| guidance scale | 3, measured on 2 validation clips |"
        in (tmp_path / "model" / "README.md").read_text()
    )

"""The posture stage: the numbers of each clip are those of its own pose."""

from pathlib import Path

import numpy as np
import pytest

from manifests import keypoints as kp
from manifests.record import Clip, Posture, Source
from pipeline.run.frames import SpanFrames
from pipeline.stage import MissingSection, need
from pipeline.stages.s080_posture import MeasurePosture
from pipeline.store import Store
from tests.examples import clip, source
from tests.pipeline.perception.test_posture import speaker, turned
from tests.pipeline.spanned import posed


def frames(some: Clip, store: Store) -> SpanFrames:
    origin: Source = source(300, turns=((0, 300),))
    return SpanFrames(origin, some, store)


def measured(pose: np.ndarray, store: Store, *, size: tuple[int, int] = (400, 300)) -> Posture:
    some = clip(frames=len(pose))
    some = some.model_copy(update={"media": some.media.model_copy(update={"upright_size": size})})
    some = posed(some, store, pose)
    return need(MeasurePosture()(some, frames(some, store)).posture, "posture")


def test_somebody_from_the_front_and_the_same_in_profile_without_hands(tmp_path: Path) -> None:
    store = Store(tmp_path)
    front = measured(speaker(), store)
    assert (front.upper_body, front.face_seen, front.hands) == (1.0, 1.0, 1.0)
    assert front.shoulder_width == pytest.approx(1.0 / 3.0)
    assert front.stillness == pytest.approx(0.0, abs=1e-6)
    assert front.facing is not None and front.facing > 0.9

    side = turned(80.0)
    side[:, kp.LEFT_HAND] = 0.0
    side[:, [kp.LEFT_WRIST, kp.RIGHT_WRIST]] = 0.0
    profile = measured(side, store)
    assert profile.facing is not None and profile.facing < 0.3
    assert profile.hands == 0.0


def test_somebody_who_sways_is_not_still(tmp_path: Path) -> None:
    store, pose = Store(tmp_path), speaker(60)
    pose[:, :11, 0] += 40.0 * np.sin(np.arange(60) / 12.0)[:, None]
    still, moving = measured(speaker(60), store).stillness, measured(pose, store).stillness
    assert still is not None and moving is not None and moving > 0.1 > still


def test_the_size_of_the_picture_counts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    widths = [
        measured(speaker(), store, size=size).shoulder_width for size in ((400, 300), (800, 600))
    ]
    assert widths == [pytest.approx(1.0 / 3.0), pytest.approx(1.0 / 6.0)]


def test_without_a_pose_there_is_an_error(tmp_path: Path) -> None:
    store, bare = Store(tmp_path), clip().model_copy(update={"pose": None})
    with pytest.raises(MissingSection, match="'pose'"):
        MeasurePosture()(bare, frames(bare, store))

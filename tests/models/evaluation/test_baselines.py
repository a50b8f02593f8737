"""Baselines: what they make of a voice is what they say."""

from pathlib import Path

import numpy as np
import pytest

from manifests import keypoints as kp
from models.data.audio import LogMel
from models.data.features import audio_features, pose_features, prepare
from models.data.skeleton import Skeleton
from models.data.statistics import Statistics, statistics_of
from models.evaluation.baselines import MeanPose, Still, fitted
from models.evaluation.metrics.body import face_height
from models.evaluation.metrics.lips import agreement, lip_opening, loudness
from models.evaluation.mouths import LeastSquares, LoudnessFit, RidgeFit
from tests.models.evaluation.people import person, voice
from tests.models.evaluation.worlds import motions
from tests.models.making import Made, smooth_pose

LAYOUT = Skeleton(smoothing=None)
LOWER_INNER = [kp.FACE.start + i for i in (65, 66, 67)]


def statistics(*poses: np.ndarray) -> Statistics:
    return Statistics.of((LAYOUT.encode(pose) for pose in poses), LAYOUT.size)


def opening_by(pose: np.ndarray, opening: np.ndarray) -> np.ndarray:
    """The pose with its lower lip further down, in face heights."""
    height = face_height(pose)
    assert height is not None
    pose[:, LOWER_INNER, 1] += (opening * height)[:, None].astype(np.float32)
    return pose


def test_the_still_reference_does_not_move() -> None:
    pose = person(0)
    made = Still()(np.zeros((7, 3)), voice(0, 10), pose[4])
    assert made.shape == (7, 133, 3) and (made == pose[4]).all()


def test_the_mean_pose_is_the_mean_of_the_training_frames() -> None:
    pose = person(1)
    made = MeanPose(LAYOUT, statistics(pose))(np.zeros((5, 3)), voice(0, 5), pose[0])
    assert np.allclose(made[0, :, :2], pose[..., :2].mean(axis=0), atol=0.01)
    assert (made[0] == made[-1]).all()


# ---- least squares that forget what they have seen ------------------------------------------------------------------


def test_sums_give_what_all_rows_at_once_give_beside_a_large_mean() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(400, 5)) + 1e5
    target = rows @ random.normal(size=5) + random.normal(size=400)
    line = LeastSquares(5)
    for part in np.array_split(np.arange(400), 7):
        line.add(rows[part], target[part])
    weights, mean = line.solve()
    apart, away = rows - rows.mean(axis=0), target - target.mean()
    assert weights == pytest.approx(np.linalg.lstsq(apart, away, rcond=None)[0], rel=1e-6)
    assert line.mean == pytest.approx(rows.mean(axis=0)) and mean == pytest.approx(target.mean())
    with pytest.raises(ValueError, match="need a row"):
        LeastSquares(5).solve()


def talking(count: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Poses whose lips follow features and loudness, features, sounds; one without a face, one with a gap."""
    held = []
    for seed in range(count):
        features, sound = np.random.default_rng(seed).normal(size=(100, 3)), voice(seed, 100)
        loud = loudness(sound)
        pose = opening_by(
            person(seed, 100),
            0.1 + 0.02 * (features[:, 0] - np.roll(features[:, 1], 2)) + 0.003 * np.roll(loud, 2),
        )
        held.append((pose, features, sound))
    held[1][0][:, kp.FACE] = 0.0
    held[2][0][20:60, kp.FACE] = 0.0
    return held


def test_the_ridge_is_that_of_all_frames_at_once() -> None:
    held = talking(5)
    fit = RidgeFit(3)
    for pose, features, _ in held:
        fit.add(lip_opening(pose), features)
    found = fit.baseline(shrinkage=10.0)
    heard, said, means, spreads = [], [], [], []
    for pose, features, _ in held:
        lips = lip_opening(pose)
        known = np.isfinite(lips)
        if known.sum() < 2:
            continue
        means.append(lips[known].mean())
        spreads.append(lips[known].std())
        padded = np.pad(features, ((6, 6), (0, 0)), mode="edge")
        heard.append(np.concatenate([padded[at : at + 100] for at in range(13)], axis=1)[known])
        said.append((lips[known] - means[-1]) / spreads[-1])
    rows, lips = np.concatenate(heard), np.concatenate(said)
    apart = rows - rows.mean(axis=0)
    weights = np.linalg.solve(apart.T @ apart + 10.0 * np.eye(39), apart.T @ lips)
    assert found is not None
    assert found.weights == pytest.approx(weights * np.mean(spreads), rel=1e-6, abs=1e-9)
    assert found.mean == pytest.approx(rows.mean(axis=0), rel=1e-6, abs=1e-9)
    assert found.offset == pytest.approx(np.mean(means))


def test_the_loudness_line_is_that_of_all_frames_at_once() -> None:
    held = talking(5)
    fit = LoudnessFit()
    pairs = []
    for pose, _, sound in held:
        fit.add(lip_opening(pose), sound)
        loud = loudness(sound)
        pairs.append((lip_opening(pose), loud - np.percentile(loud, 95)))
    means = {
        lag: np.mean([
            now for lips, loud in pairs if (now := agreement(lips, np.roll(loud, lag), reach=0).now) is not None
        ])
        for lag in range(-5, 6)
    }  # fmt: skip
    lag = max(means, key=lambda each: (means[each], -abs(each)))
    lips = np.concatenate([lips for lips, _ in pairs])
    loud = np.concatenate([np.roll(loud, lag) for _, loud in pairs])
    known = np.isfinite(lips)
    slope, offset = np.polyfit(loud[known], lips[known], 1)
    found = fit.baseline()
    assert found is not None and found.lag == lag
    assert (found.slope, found.offset) == pytest.approx((slope, offset), rel=1e-6)


def test_the_loud_mouth_finds_slope_and_lag_of_a_mouth_that_follows_loudness() -> None:
    pose, sound = person(2), voice(2)
    loud = loudness(sound)
    opening = np.roll(loud - np.percentile(loud, 95), 2) * 0.004 + 0.3
    fit = LoudnessFit()
    fit.add(lip_opening(opening_by(pose, opening)), sound)
    generator = fit.baseline()
    assert generator is not None and generator.lag == 2
    assert generator.slope == pytest.approx(0.004, rel=0.05)
    made = generator(np.zeros((60, 3)), sound, person(3)[0])
    assert np.corrcoef(lip_opening(made), opening)[0, 1] > 0.99
    assert (made[:, kp.LEFT_WRIST] == made[0, kp.LEFT_WRIST]).all()


def test_under_one_loudness_there_is_no_line() -> None:
    fit = LoudnessFit()
    fit.add(lip_opening(person(2)), np.zeros(60 * 640, np.int16))
    assert fit.baseline() is None is LoudnessFit().baseline() is RidgeFit(3).baseline()


def test_the_linear_mouth_hears_what_is_a_linear_function_of_the_features() -> None:
    fit, held = RidgeFit(3), []
    for seed in range(4):
        features = np.random.default_rng(seed).normal(size=(200, 3))
        opening = 0.1 + 0.02 * (features[:, 0] - np.roll(features[:, 1], 2))
        held.append((opening_by(person(seed, 200), opening), features))
    for pose, features in held[:3]:
        fit.add(lip_opening(pose), features)
    generator = fit.baseline(shrinkage=1.0)
    assert generator is not None
    pose, features = held[3]
    made = generator(features, voice(0, 200), pose[0])
    assert np.corrcoef(lip_opening(made)[5:-5], lip_opening(pose)[5:-5])[0, 1] > 0.95
    assert (made[:, kp.LEFT_WRIST] == made[0, kp.LEFT_WRIST]).all()


# ---- of a dataset ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("faceless", [False, True])
def test_lips_have_baselines_where_training_clips_show_lips(tmp_path: Path, faceless: bool) -> None:
    poses = [smooth_pose(number, frames) for number, frames in enumerate((64, 80, 70))]
    for pose in poses if faceless else []:
        pose[:, kp.FACE] = 0.0
    training = motions(
        tmp_path, tuple(Made(n, len(pose), pose=pose, identity=f"p{n}") for n, pose in enumerate(poses))
    )  # fmt: skip
    voices = prepare(training, audio_features(LogMel()))
    values = prepare(training, pose_features(Skeleton()))
    found = fitted(training, Skeleton(), statistics_of(training, values), voices, values, at_most=2)
    made = found.baselines
    assert {"reference, still", "mean pose", "nearest neighbour"} <= set(made)
    assert ("loudness baseline" in made) == ("ridge baseline" in made) == (not faceless)
    assert "2 of 3 training clips, chosen evenly" in found.facts["baselines fitted on"]
    heard, sound = np.zeros((30, 160), np.float32), voice(0, 30)
    for maker in made.values():
        one, other = (maker(heard, sound, poses[0][0]) for _ in range(2))
        assert one.shape == (30, 133, 3) and maker.deterministic and (one == other).all()

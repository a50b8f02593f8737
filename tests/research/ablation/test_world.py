"""The synthetic data of the ablations hold what it says: everything known, and nothing known that should not be."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from manifests import keypoints as kp
from models.data.skeleton import Skeleton
from models.evaluation.metrics.body import distance
from models.evaluation.metrics.lips import lip_opening
from models.systems.csg405.configs import Size
from pipeline.perception.resampling import Interval
from research.ablation.__main__ import BODY, CLAIMS, HANDS, LIPS, WORLDS, Claim, scored
from research.ablation.measures import (
    BONES,
    body_error,
    hand_speed,
    nearest_mode,
    on_time,
    spread_of_modes,
    stroke,
    within,
)
from research.ablation.training import Budget, Condition, batch_of, encoded, generated, trained
from research.ablation.world import (
    FRAMES,
    JOINTS,
    LAG,
    MODES,
    STROKE,
    Clip,
    Purpose,
    World,
    clip_of,
    mouth_shape,
    pose_of,
)
from research.ablation.world import (
    LIPS as LIP_JOINTS,
)

WORLD = World(seed=7)
DEAF, ALIKE = replace(WORLD, linked=False), replace(WORLD, bodies=False, sway=False)


def clips(world: World, people: int = 12, each: int = 4) -> list[Clip]:
    return [clip_of(world, person, number) for person in range(people) for number in range(each)]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """So small a network is slower on two."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def some() -> list[Clip]:
    return clips(WORLD)


def test_a_clip_is_a_function_of_seed_person_and_number() -> None:
    one, again = clip_of(WORLD, 3, 1), clip_of(WORLD, 3, 1)
    assert np.array_equal(one.pose, again.pose) and np.array_equal(one.audio, again.audio)
    for other in (clip_of(WORLD, 3, 2), clip_of(WORLD, 4, 1), clip_of(World(seed=8), 3, 1)):
        assert not np.array_equal(one.pose, other.pose)
        assert not np.array_equal(one.audio, other.audio)


def test_purposes_do_not_share_their_numbers() -> None:
    drawn = {float(WORLD.random(purpose, 1, 2).random()) for purpose in Purpose}
    assert len(drawn) == len(Purpose)


def test_a_person_keeps_the_body_from_clip_to_clip(some: list[Clip]) -> None:
    assert some[0].body == some[1].body != some[4].body
    for clip in some:
        for bone in BONES:
            length = distance(clip.pose, *bone)
            assert np.ptp(length) < 1e-3
        assert body_error(clip.pose, clip.pose) == 0.0


def test_only_the_stated_joints_are_there_and_inside_the_crop(some: list[Clip]) -> None:
    for clip in some:
        assert set(np.flatnonzero(clip.pose[:, :, 2].all(axis=0))) == set(JOINTS)
        assert np.isfinite(clip.pose).all()
        places = clip.pose[:, list(JOINTS), :2]
        assert (
            places.min() > 0.0 and places.max() < 532.0
        )  # a low hand may leave the crop by a finger


def test_the_mouth_is_the_stated_function_of_the_phonemes(some: list[Clip]) -> None:
    for clip in some:
        opening = mouth_shape(clip.speech.phonemes)[:, 0]
        down = clip.pose[:, kp.FACE.start + 66, 1] - clip.pose[:, kp.FACE.start + 62, 1]
        expected = clip.body.gain * clip.body.face * opening
        np.testing.assert_allclose(down, expected, atol=1e-3)
        assert np.corrcoef(lip_opening(clip.pose), opening)[0, 1] > 0.9999


def test_a_long_phoneme_opens_the_mouth_as_far_as_its_table_says() -> None:
    shape = mouth_shape(np.full(20, 2))
    np.testing.assert_allclose(shape, np.tile([0.28, 0.1], (20, 1)))


def test_the_hand_is_fastest_at_the_lag_after_each_beat(some: list[Clip]) -> None:
    for clip in some:
        assert on_time(hand_speed(clip.pose), clip.speech.beats) == 1.0
        for beat in within(clip.speech.beats):
            assert abs(int(hand_speed(clip.pose)[beat : beat + 11].argmax()) - LAG) <= 1


def test_a_beat_moves_the_hand_its_length_in_its_mode(some: list[Clip]) -> None:
    for clip in some:
        for beat, mode in zip(clip.speech.beats, clip.modes, strict=True):
            if beat in within(clip.speech.beats):
                path = stroke(clip.pose, beat, clip.body.arm)
                assert np.linalg.norm(path) == pytest.approx(STROKE, rel=0.05)
                assert nearest_mode(path) == mode


def test_all_modes_are_in_use_and_leave_nothing_in_the_mean(some: list[Clip]) -> None:
    modes = [mode for clip in some for mode in clip.modes]
    assert spread_of_modes(modes) > 2.9
    paths = [
        stroke(clip.pose, b, clip.body.arm) for clip in some for b in within(clip.speech.beats)
    ]
    assert np.linalg.norm(np.mean(paths, axis=0)) < 0.3 * STROKE
    assert spread_of_modes([1, 1, 1]) == 1.0 and spread_of_modes([]) == 0.0


def test_modes_are_not_in_the_audio() -> None:
    """A linear reading of the sound around a beat, fitted on half of the people, names the other half's at chance."""
    many = clips(WORLD, people=60)
    pairs = [
        (clip.audio[beat - 2 : beat + 3].ravel(), mode)
        for clip in many
        for beat, mode in zip(clip.speech.beats, clip.modes, strict=True)
        if 2 <= beat < FRAMES - 3
    ]
    voice = np.stack([np.append(sound, 1.0) for sound, _ in pairs])
    modes = np.array([mode for _, mode in pairs])
    half = len(pairs) // 2
    weights = np.linalg.lstsq(voice[:half], np.eye(MODES)[modes[:half]], rcond=None)[0]
    right = float(((voice[half:] @ weights).argmax(axis=1) == modes[half:]).mean())
    assert abs(right - 1.0 / MODES) < 4.0 * np.sqrt(2.0 / 9.0 / (len(pairs) - half))


def test_the_voice_tells_the_mouth_and_in_the_deaf_world_it_does_not() -> None:
    """A linear reading of the sound, fitted on half of the people, against the other half's lips."""
    found = {}
    for name, world in (("linked", WORLD), ("deaf", DEAF)):
        many = clips(world, people=24)
        voice = np.concatenate([np.c_[clip.audio, np.ones(FRAMES)] for clip in many])
        lips = np.concatenate([lip_opening(clip.pose) for clip in many])
        half = len(lips) // 2
        weights = np.linalg.lstsq(voice[:half], lips[:half], rcond=None)[0]
        found[name] = float(np.corrcoef(voice[half:] @ weights, lips[half:])[0, 1])
    assert found["linked"] > 0.6
    assert abs(found["deaf"]) < 0.08


def test_in_the_deaf_world_lips_and_hand_are_at_chance_with_the_voice_heard() -> None:
    many = clips(DEAF, people=24)
    scores = scored([clip.pose for clip in many], many)
    assert abs(float(np.mean([each.follows for each in scores]))) < 0.08
    assert abs(float(np.mean([each.on_beat for each in scores]))) < 0.08
    linked = clips(WORLD, people=24)
    assert np.array_equal(many[0].audio, linked[0].audio)  # the same voices


def test_the_truth_scores_full_marks(some: list[Clip]) -> None:
    for score in scored([clip.pose for clip in some], some):
        assert score.mouth > 0.9999 and score.beats == score.moved == 1.0 and score.body == 0.0
        assert abs(score.wrong_mouth) < 0.6


def test_local_places_of_the_mouth_know_nothing_of_the_sway() -> None:
    clip = clip_of(WORLD, 5, 0)
    skeleton = {
        local: Skeleton(joints=JOINTS, local=local, smoothing=None) for local in (True, False)
    }
    swaying, _ = skeleton[True].encode(clip.pose)
    still = pose_of(clip.body, clip.speech, clip.modes, None)
    columns = [2 * JOINTS.index(joint) + axis for joint in LIP_JOINTS for axis in (0, 1)]
    np.testing.assert_allclose(
        swaying[:, columns], skeleton[True].encode(still)[0][:, columns], atol=1e-6
    )
    there = skeleton[False].encode(clip.pose)[0] - skeleton[False].encode(still)[0]
    opening = 256.0 * there[:, columns].std(axis=0)
    assert opening.min() > 3.0  # pixels by which the sway moves a lip in the picture


def test_in_the_alike_world_local_and_global_are_one_on_face_and_arms() -> None:
    many = tuple(clips(ALIKE, people=4))
    local, _ = encoded(many, Condition("paper").skeleton)
    other, _ = encoded(many, Condition("global", local=False).skeleton)
    columns = [
        2 * place + axis
        for place, j in enumerate(JOINTS)
        if j < kp.LEFT_HAND.start
        for axis in (0, 1)
    ]
    np.testing.assert_allclose(local.values[..., columns], other.values[..., columns], atol=2e-3)
    assert len({clip.body for clip in many}) == 1


def test_a_claim_is_judged_by_its_whole_interval() -> None:
    order, control = Claim("world", "cross", LIPS), Claim("deaf", "cross", LIPS, vanishes=True)
    assert order.judged(Interval(0.2, 0.01, 0.4, 9)) == "as in the paper"
    assert order.judged(Interval(0.2, -0.01, 0.4, 9)) == "not told apart"
    assert order.judged(Interval(-0.2, -0.4, -0.01, 9)) == "against the paper"
    assert control.judged(Interval(0.01, -0.05, 0.07, 9)) == "vanishes"
    assert control.judged(Interval(0.05, -0.05, 0.15, 9)) == "undecided"
    assert control.judged(Interval(0.15, 0.05, 0.25, 9)) == "does not vanish"


def test_every_ablation_has_its_order_and_its_control() -> None:
    for other, measure in (
        ("cross", LIPS),
        ("cross", HANDS),
        ("global", LIPS),
        ("no_reference", BODY),
    ):
        found = [c for c in CLAIMS if c.other == other and c.measure is measure]
        assert [claim.vanishes for claim in found] == [False, True]
    assert {claim.world for claim in CLAIMS} == set(WORLDS)


@pytest.mark.parametrize(
    "condition",
    [
        Condition("paper"),
        Condition("cross", audio_conditioning="cross"),
        Condition("global", local=False),
        Condition("no_reference", reference=False),
    ],
    ids=lambda condition: condition.name,
)
def test_a_condition_trains_and_draws_the_same_twice(condition: Condition) -> None:
    budget = Budget(
        steps=2,
        batch=2,
        test_people=2,
        test_clips=1,
        size=Size(width=16, depth=1, heads=2, hidden=32),
    )
    seen, statistics = encoded(tuple(clips(WORLD, people=2, each=2)), condition.skeleton)
    first, second = (
        generated(
            trained(condition, seen, budget, seed=1),
            seen,
            statistics,
            condition,
            budget=budget,
            scale=2.0,
            seed=1,
        )
        for _ in range(2)
    )
    assert len(first) == 2 and first[0].shape == (FRAMES, 133, 3)
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_a_batch_is_a_function_of_its_step() -> None:
    seen, _ = encoded(tuple(clips(WORLD, people=2)), Condition("paper").skeleton)
    one, again, next_one = (batch_of(seen, step, seed=1, size=3) for step in (4, 4, 5))
    assert np.array_equal(one.noise, again.noise) and np.array_equal(one.values, again.values)
    assert not np.array_equal(one.noise, next_one.noise)
